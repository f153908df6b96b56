"""What needs you as a report, by cause: each problem with its candidates, and the steps that mend it."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from plexsync.app.fixes import FixAction
from plexsync.app.stored import Stored
from plexsync.flows.scenes.ambiguity import BOUND_ITEM
from plexsync.flows.scenes.bindings import CandidateItem, SceneCandidates, candidates_known
from plexsync.reports.cures import DURATION, ONE, SEVERAL, TWO, cure
from plexsync.reports.fix_steps import machine_entries, step
from plexsync.reports.format import stamp
from plexsync.reports.rows import key_of, title, written
from plexsync.reports.scenes import facts_of
from plexsync.reports.shapes.fixes import FixCandidate, FixEntry, FixFile, FixGroup, FixReport, FixStep
from plexsync.reports.shapes.scenes import SceneFacts
from plexsync.reports.shapes.status import StatusFacts
from plexsync.rules.causes import DEADLY, Cause, Cure, cure_of
from plexsync.rules.job import Kind, State
from plexsync.rules.paths import telling_folders
from plexsync.rules.records import JobRow
from plexsync.rules.status_words import SceneStatus
from plexsync.store.database import Reader

SYSTEM, COMPARISON = "system", "comparison"
CAUSES = (SYSTEM, *(cause.value for cause in DEADLY), COMPARISON)
NEEDING = (SceneStatus.AMBIGUOUS, SceneStatus.FAILED)
MEANINGS = {
    SYSTEM: "servers, settings and the worker",
    COMPARISON: "the last full comparison could not compare these scenes, and they are not queued",
}
# What to do about a scene while its candidates are shown beside it.
CHOOSE = {
    SEVERAL: (
        "Bind the one that is this scene's. If they are duplicates, remove one in Plex: PlexSync then goes on by itself."
    ),
    TWO: "Merge them in Stash, or choose which one Plex shows.",
    ONE: "Bind it if it is the same video.",
    DURATION: "Bind it if it is the same video. Different files can share a name and a length.",
}
START = ("", 0)
# Of how many ambiguous scenes the folders of their candidates are compared, and how many folders are offered.
COMPARED, FOLDERS = 500, 4


@dataclass(frozen=True)
class Looked:
    """The candidates of scenes as both servers have them now; `away` says why the servers could not be asked."""

    scenes: Mapping[int, SceneCandidates] = field(default_factory=dict)
    away: str = ""


Look = Callable[[Sequence[int]], Looked]


@dataclass(frozen=True)
class FixPage:
    """Which problems to show: those of one `cause` ('': of all) after a key, and at most `limit` of each cause."""

    cause: str = ""
    after: tuple[str, int] = START
    limit: int = 10


@dataclass(frozen=True)
class _Problems:
    """The jobs or scenes of a page of one cause, from the database."""

    rows: Sequence[JobRow] = ()
    scenes: Mapping[int, SceneFacts] = field(default_factory=dict)
    candidates: Mapping[int, SceneCandidates] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    held: frozenset[int] = frozenset()
    unqueued: Sequence[int] = ()
    folders: Mapping[str, int] = field(default_factory=dict)
    """The folders that tell the candidates of several scenes apart, with the number of scenes."""
    after: str | None = None


def fix_count(parts: Stored, facts: StatusFacts) -> int:
    """The number of problems."""
    return sum(_counts(parts, facts).values())


def fix_report(parts: Stored, facts: StatusFacts, page: FixPage, look: Look) -> FixReport:
    """The problems of this page; `look` asks both servers for the candidates of scenes."""
    counts = _counts(parts, facts)
    shown = {cause: count for cause, count in counts.items() if count and page.cause in ("", cause)}
    with parts.store.reading() as db:
        problems = {cause: _find(db, cause, page) for cause in shown if cause != SYSTEM}
    ambiguous = [row.id for page_rows in problems.values() for row in page_rows.rows if _is_ambiguous(row)]
    looked = look(ambiguous) if ambiguous else Looked()
    groups = [
        _system(facts, counts[SYSTEM]) if cause == SYSTEM else _group(cause, count, problems[cause], looked)
        for cause, count in shown.items()
    ]
    return {"count": sum(counts.values()), "groups": groups, "away": looked.away}


def _counts(parts: Stored, facts: StatusFacts) -> dict[str, int]:
    """The number of problems by cause, in the order in which they are shown."""
    with parts.store.reading() as db:
        dead, others = db.jobs.count_dead(), db.jobs.count_dead_others()
    needing = sum(facts["scenes"][status]["count"] for status in NEEDING)
    causes = sorted(dead, key=lambda cause: (-dead[cause], cause))
    return {
        SYSTEM: len(machine_entries(facts)),
        **{cause: dead[cause] for cause in causes},
        COMPARISON: max(0, needing - (sum(dead.values()) - others)),
    }


def _find(db: Reader, cause: str, page: FixPage) -> _Problems:
    """A page of one cause."""
    kind, id = page.after if page.cause else START
    if cause == COMPARISON:
        listed = db.standings.without_job(NEEDING, limit=page.limit + 1, after=id)
        ids = listed[: page.limit]
        more = str(ids[-1]) if len(listed) > page.limit else None
        return _Problems(scenes=_scenes(db, ids), unqueued=ids, after=more)
    rows = db.jobs.in_state(State.DEAD, error_class=cause, limit=page.limit + 1, after=(kind, id))
    shown = rows[: page.limit]
    ids = [row.id for row in shown if row.kind == Kind.SCENE]
    return _Problems(
        rows=shown,
        scenes=_scenes(db, ids),
        candidates=candidates_known(db, {row.id: row.desired for row in shown if _is_ambiguous(row)}),
        titles={section.key: section.title for section in db.sections.all()},
        names={written(row.kind, row.id): title(db, row.kind, row.id) for row in shown},
        held=db.notes.held_ignores(ids),
        folders=_folders(db) if cause == Cause.AMBIGUOUS else {},
        after=written(shown[-1].kind, shown[-1].id) if len(rows) > page.limit else None,
    )


def _folders(db: Reader) -> dict[str, int]:
    """The folders that tell the candidates of at least two scenes apart, those of most scenes first."""
    rows = db.jobs.in_state(State.DEAD, error_class=Cause.AMBIGUOUS, limit=COMPARED)
    known = candidates_known(db, {row.id: row.desired for row in rows})
    counts = Counter(
        folder for scene in known.values() for folder in telling_folders([item.file.path for item in scene.items])
    )
    return {folder: count for folder, count in counts.most_common(FOLDERS) if count > 1}


def _scenes(db: Reader, ids: Sequence[int]) -> dict[int, SceneFacts]:
    return {scene["id"]: scene for scene in facts_of(db, ids, ())}


def _is_ambiguous(row: JobRow) -> bool:
    return row.kind == Kind.SCENE and row.cls == Cause.AMBIGUOUS


def _system(facts: StatusFacts, count: int) -> FixGroup:
    return {
        "cause": SYSTEM,
        "meaning": MEANINGS[SYSTEM],
        "count": count,
        "entries": machine_entries(facts),
        "after": None,
        "steps": [],
    }


def _group(cause: str, count: int, problems: _Problems, looked: Looked) -> FixGroup:
    entries = [_entry(row, problems, looked) for row in problems.rows]
    entries += [_unqueued(problems.scenes[id]) for id in problems.unqueued]
    return {
        "cause": cause,
        "meaning": MEANINGS.get(cause) or cure_of(cause).meaning,
        "count": count,
        "entries": entries,
        "after": problems.after,
        "steps": _steps_for_all(cause, count, problems),
    }


def _steps_for_all(cause: str, count: int, problems: _Problems) -> list[FixStep]:
    """The steps for all problems of one cause."""
    steps = []
    if cause == Cause.AMBIGUOUS and any(cure(row.cls, row.error) is DURATION for row in problems.rows):
        page, command = "/dead/by-duration", "plexsync bind --by-duration"
        steps.append(step("open", "Bind all that fit by duration…", page=page, command=command))
    for folder, scenes in problems.folders.items():
        page, command = f"/dead/in-folder?{urlencode({'folder': folder})}", f"plexsync bind --in {shlex.quote(folder)}"
        steps.append(step("open", f"Bind {scenes:,} scenes to their item in {folder}…", page=page, command=command))
    if cause == Cause.STRICT:
        steps.append(
            step("setting", "Set strict_mode = false", "strict_mode", page="/settings/change?name=strict_mode")
        )
    if count > 1 and cause in DEADLY and cause != Cause.AMBIGUOUS:
        steps.append(
            step(FixAction.RETRY_ALL, f"Retry all {count:,}", cause, command=f"plexsync dlq retry --cause {cause}")
        )
    return steps


def _entry(row: JobRow, problems: _Problems, looked: Looked) -> FixEntry:
    """A dead letter."""
    key, scene = written(row.kind, row.id), problems.scenes.get(row.id) if row.kind == Kind.SCENE else None
    sight = looked.scenes.get(row.id) if _is_ambiguous(row) else None
    candidates = sight or problems.candidates.get(row.id) or SceneCandidates(None, ())
    cured = cure(row.cls, candidates.error or row.error)
    return {
        "key": key,
        "kind": row.kind,
        "id": row.id,
        "title": (candidates.scene.title if candidates.scene else "") or problems.names.get(key, ""),
        "since": stamp(row.since),
        "problem": _problem(cured, candidates) if candidates.items else row.error,
        "next": CHOOSE.get(cured, cured.advice) if candidates.items else cured.advice,
        "files": _files(candidates, scene),
        "candidates": [_candidate(key, item, problems.titles) for item in candidates.items],
        "steps": [
            *_steps_of_rivals(cured, candidates),
            *_steps(row, key, has_candidates=bool(candidates.items), held=row.id in problems.held),
        ],
    }


def _problem(cured: Cure, candidates: SceneCandidates) -> str:
    """What is wrong, with the number of the other scene."""
    rivals = ", ".join(map(str, sorted({item.rival for item in candidates.items if item.rival})))
    if cured is TWO and rivals:
        return f"two scenes in Stash have this file, this one and scene {rivals}"
    return cured.meaning


def _steps_of_rivals(cured: Cure, candidates: SceneCandidates) -> list[FixStep]:
    """Of two scenes with one file: the steps that let Plex show the other one."""
    return [
        _bind(f"Show scene {item.rival}, not this one", str(item.rival), item.key)
        for item in candidates.items
        if cured is TWO and item.rival
    ]


def _files(candidates: SceneCandidates, scene: SceneFacts | None) -> list[FixFile]:
    """The files in Stash; while Stash can't be asked, the path that the database knows."""
    if candidates.scene is not None:
        return [{"path": file.path, "size": file.size, "seconds": file.duration} for file in candidates.scene.files]
    return [{"path": scene["path"], "size": 0, "seconds": 0.0}] if scene and scene["path"] else []


def _candidate(key: str, item: CandidateItem, titles: Mapping[str, str]) -> FixCandidate:
    return {
        "key": item.key,
        "title": item.title,
        "library": titles.get(item.section, item.section),
        "file": {"path": item.file.path, "size": item.file.size, "seconds": item.file.duration / 1000},
        "reason": item.reason,
        "step": _step_of_candidate(key, item),
    }


def _step_of_candidate(key: str, item: CandidateItem) -> FixStep:
    """The step that binds an item; it says from which scene it would take it. One that is bound can be unbound first."""
    if item.is_taken:
        command = f"plexsync unbind {item.rival} {item.key}"
        label = f"Unbind {item.key} from scene {item.rival}"
        return step(FixAction.UNBIND, label, str(item.rival), item.key, command=command)
    return _bind(f"Show this scene, not {item.rival}" if item.rival else f"Bind {item.key}", key, item.key)


def _bind(label: str, key: str, item: str) -> FixStep:
    return step(FixAction.BIND, label, key, item, command=f"plexsync bind {key} {item}")


def _steps(row: JobRow, key: str, *, has_candidates: bool, held: bool) -> list[FixStep]:
    """The steps for one dead letter, besides binding a candidate."""
    if row.kind != Kind.SCENE:
        return [_retry(key), step(FixAction.DROP, "Drop", key, command=f"plexsync dlq drop {key}")]
    if held:
        return [step(FixAction.UNIGNORE, "Sync it", key, command=f"plexsync unignore {key}"), _ignore(key)]
    if row.cls == Cause.AMBIGUOUS and row.error.startswith(BOUND_ITEM):
        return [step(FixAction.UNBIND, "Unbind", key, command=f"plexsync unbind {key}"), _ignore(key)]
    return [*([] if has_candidates else [_retry(key)]), _ignore(key)]


def _retry(key: str) -> FixStep:
    return step(FixAction.RETRY, "Retry", key, command=f"plexsync dlq retry {key}")


def _ignore(key: str) -> FixStep:
    return step(FixAction.IGNORE, "Ignore", key, command=f"plexsync ignore {key}")


def _unqueued(scene: SceneFacts) -> FixEntry:
    """A scene that only the last comparison knows."""
    key = str(scene["id"])
    return {
        "key": key,
        "kind": Kind.SCENE,
        "id": scene["id"],
        "title": scene["title"],
        "since": scene["since"],
        "problem": scene["why"] or "the last full comparison could not compare it",
        "next": f"Retry it: PlexSync looks at it again, and plexsync explain {key} shows why it can't be synced.",
        "files": _files(SceneCandidates(None, ()), scene),
        "candidates": [],
        "steps": [step(FixAction.RETRY, "Retry", key, command=f"plexsync sync {key}"), _ignore(key)],
    }


def page_after(cause: str, after: str) -> tuple[str, int] | None:
    """The place after which a page of a cause begins; None if it is not a key."""
    return START if not (cause and after) else key_of(after)
