"""What needs you as a report, by cause: each problem with its candidates, and the steps that mend it, in words."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TypedDict
from urllib.parse import urlencode

from plexsync.app.fixes import ALIKE, FixAction, FixOrder, FixResult
from plexsync.app.stored import Stored
from plexsync.engine.dead_letters import Key
from plexsync.flows.scenes.ambiguity import BOUND_ITEM
from plexsync.flows.scenes.bindings import CandidateItem, SceneCandidates, candidates_known
from plexsync.reports.dead_letters import DURATION, ONE, SEVERAL, TWO, cure
from plexsync.reports.format import length, many, sentences, size, stamp
from plexsync.reports.named_scenes import missing_words, unchecked_words
from plexsync.reports.needs import Need, needs
from plexsync.reports.rows import key_of, row_key, title
from plexsync.reports.scenes import facts_of
from plexsync.reports.shapes.scenes import SceneFacts
from plexsync.reports.shapes.status import StatusFacts
from plexsync.reports.shapes.values import Moment
from plexsync.reports.undo import rests
from plexsync.rules.match.paths import telling_folders
from plexsync.rules.queue.choices import CHANGES, Choice
from plexsync.rules.queue.gate_names import GATES, GateName, caption
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.record_class import record
from plexsync.rules.records import JobRow
from plexsync.rules.servers.causes import DEADLY, Cause, Cure, cure_of
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Reader


class FixFile(TypedDict):
    """A file, in Stash or in Plex."""

    path: str
    size: int
    """In bytes; 0 if it is unknown."""
    seconds: float
    """The length of the video; 0 if it is unknown."""


class FixStep(TypedDict):
    """A step that mends a problem: a button of the dashboard, a choice of `plexsync fix`."""

    action: str
    """`bind`, `unbind`, `unignore`, `ignore`, `retry`, `retry-all`, `drop`, `accept`, `test`, `sign-in`, `setting`,
    or `open` for a page."""
    label: str
    target: str
    """The key of the scene, such as `7`; else the cause, choice, server or setting."""
    item: str
    """The rating key to bind; empty for any other action."""
    page: str
    """The page of the dashboard on which you take the step; empty if a button takes it, or if only a terminal can."""
    command: str
    """The command that does the same; empty if there is none."""


class FixCandidate(TypedDict):
    """An item in Plex that may be the scene's, and the step that binds it, or that unbinds it from another scene first."""

    key: str
    """The rating key."""
    title: str
    """Empty while Plex can't be asked."""
    library: str
    file: FixFile
    reason: str
    """Why PlexSync did not choose it; empty while a server can't be asked."""
    step: FixStep


class FixEntry(TypedDict):
    """One problem."""

    key: str
    """The key of the scene, such as `7` or `tag:12`; else a stable name, such as `hold:plex`."""
    kind: str
    """`scene`, `performer`, `studio`, `tag` or `group`; `system` if it is not about one of them."""
    id: int
    """The number in Stash; 0 for `system`."""
    title: str
    """The title of the scene, which may be unknown; else the problem in a few words."""
    since: Moment | None
    problem: str
    next: str
    """What mends it, in words."""
    files: list[FixFile]
    """The files of the scene in Stash."""
    candidates: list[FixCandidate]
    steps: list[FixStep]
    alike: int
    """The number of other problems with this cause and remedy, for which the same can be done; at most 500."""


class FixGroup(TypedDict):
    """The problems with one cause."""

    cause: str
    """A cause of dead letters; `system` for servers, settings and the worker; `comparison` for scenes without a job."""
    meaning: str
    count: int
    entries: list[FixEntry]
    """One page of them."""
    after: str | None
    """Pass this as `after`, with the cause, to get the next page; null on the last page."""
    steps: list[FixStep]
    """The steps for all of them."""


class FixReport(TypedDict):
    """Everything that needs you, by cause: `plexsync fix`, `/api/fix`."""

    count: int
    """The number of problems, on all pages."""
    groups: list[FixGroup]
    away: str
    """Why the servers could not be asked for the candidates; else empty. What the database knows is shown then."""


SIGN_IN, SETTING = "sign-in", "setting"


def step(action: str, label: str, target: str = "", item: str = "", *, page: str = "", command: str = "") -> FixStep:
    """A step; without a page it is a button, if `action` is one of `FixAction`."""
    return {"action": action, "label": label, "target": target, "item": item, "page": page, "command": command}


def machine_entries(facts: StatusFacts) -> list[FixEntry]:
    """What needs you of servers, settings and the worker."""
    return [_machine_entry(need) for need in needs(facts) if need.is_yours]


def _machine_entry(need: Need) -> FixEntry:
    return {
        "key": need.key,
        "kind": "system",
        "id": 0,
        "title": need.title,
        "since": need.since,
        "problem": need.text,
        "next": need.next,
        "files": [],
        "candidates": [],
        "steps": [step(*taken[:4], page=taken.page, command=taken.command) for taken in need.steps],
        "alike": 0,
    }


def order_of(action: str, target: str, item: str = "") -> FixOrder | None:
    """The order for a step; None if it is none that can be carried out."""
    if action not in set(FixAction):
        return None
    order = FixOrder(FixAction(action), name=target, item=item)
    if order.action is FixAction.ACCEPT:
        return order if target in set(Choice) else None
    if order.action is FixAction.TEST:
        return order if target in GATES else None
    if order.action is FixAction.RETRY_ALL:
        return order if target else None
    key = key_of(target)
    if key is None or (key[0] != Kind.SCENE and order.action not in (FixAction.RETRY, FixAction.DROP)):
        return None
    is_rating_key = item.isascii() and item.isdecimal() and len(item) <= 18 and int(item) > 0
    if not is_rating_key and (item or order.action is FixAction.BIND):
        return None
    return FixOrder(order.action, key, item=item)


def result_words(result: FixResult) -> str:
    """What a step did, as sentences."""
    words, asked = _result_words(result), len(result.order.alike)
    if not (asked and result.done):
        return words
    unfit = asked - len(result.others)
    rest = f"; {unfit:,} left, which it does not fit" if unfit else ""
    return f"{words} The same was done for {many(len(result.others), 'other')}{rest}."


def _result_words(result: FixResult) -> str:
    order, (kind, id) = result.order, result.order.key
    name = f"Scene {id}" if kind == Kind.SCENE else f"{kind.title()} {id}"
    match order.action:
        case FixAction.BIND:
            return _say_binding(result)
        case FixAction.IGNORE:
            named = result.named
            if named is not None and named.missing:
                return f"Nothing was ignored: {missing_words(named)}."
            if not result.done:
                return f"Scene {id} was ignored already."
            return sentences(f"Scene {id} is ignored from now on", unchecked_words(named) if named is not None else "")
        case FixAction.UNBIND:
            return f"{name} is found by its files again." if result.done else f"That was not bound to scene {id}."
        case FixAction.UNIGNORE:
            return f"{name} is synced again." if result.done else f"{name} was not ignored."
        case FixAction.RETRY:
            return f"{name} will be tried again." if result.done else f"{name} needs you no more."
        case FixAction.RETRY_ALL:
            return f"{many(result.done, 'scene')} will be tried again."
        case FixAction.DROP:
            return (
                f"{name} is dropped: only an edit brings it back." if result.done else f"{name} was not in the queue."
            )
        case FixAction.ACCEPT:
            if not result.done:
                return "Nobody asks for that any more."
            return sentences(f"Accepted: {CHANGES[Choice(order.name)]}", result.follows)
        case FixAction.TEST:
            server = caption(order.name)
            if order.name == GateName.STASH_WRITES and result.done:
                return "Stash answers: the next play shows whether it accepts writes again."
            return f"{server} answers, and PlexSync goes on." if result.done else f"Not yet: {result.problem}"


def _say_binding(result: FixResult) -> str:
    id, bound = result.order.key[1], result.bound
    if bound is None:
        return f"Nothing was bound: {result.problem}"
    items = ", ".join(f"item {item.key} of {library}" for item, library in bound.items)
    others = ", ".join(map(str, bound.looked_again))
    more = f" Scene {others} had it, and is queued again." if others else ""
    if bound.undone:
        return f"Scene {id} is bound to {items}.{more} {rests(id, bound.undone)}."
    return f"Scene {id} is bound to {items}, and is queued.{more}"


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
NO_CANDIDATES = SceneCandidates(None, ())
# For how many problems alike the same is done at once.
MOST_ALIKE = 500
# Of how many ambiguous scenes the folders of their candidates are compared, and how many folders are offered.
COMPARED, FOLDERS = 500, 4


@record
class Looked:
    """The candidates of scenes as both servers have them now; `away` says why the servers could not be asked."""

    scenes: Mapping[int, SceneCandidates] = field(default_factory=dict)
    away: str = ""


Look = Callable[[Sequence[int]], Looked]


@record
class FixPage:
    """Which problems to show: those of one `cause` ('': of all) after a key, and at most `limit` of each cause."""

    cause: str = ""
    after: tuple[str, int] = START
    limit: int = 10


def fix_count(parts: Stored, facts: StatusFacts) -> int:
    """The number of problems."""
    return sum(_counts(parts, facts).values())


def fix_report(parts: Stored, facts: StatusFacts, page: FixPage, look: Look) -> FixReport:
    """The problems of this page; `look` asks both servers for the candidates of scenes."""
    report: FixReport = {"count": 0, "groups": [], "away": ""}
    for cause, count in _counts(parts, facts).items():
        report["count"] += count
        if not count or page.cause not in ("", cause):
            continue
        meaning = MEANINGS.get(cause) or cure_of(cause).meaning
        group: FixGroup = {
            "cause": cause,
            "meaning": meaning,
            "count": count,
            "entries": [],
            "after": None,
            "steps": [],
        }
        report["groups"].append(group)
        if cause == SYSTEM:
            group["entries"] = machine_entries(facts)
        elif cause == COMPARISON:
            _fill_unqueued(parts, group, page)
        else:
            report["away"] = _fill_letters(parts, group, page, look) or report["away"]
    return report


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


def _folders(db: Reader) -> dict[str, int]:
    """The folders that tell the candidates of at least two scenes apart, those of most scenes first."""
    rows = db.jobs.in_state(State.DEAD, error_class=Cause.AMBIGUOUS, limit=COMPARED)
    known = candidates_known(db, {row.id: row.desired for row in rows})
    counts = Counter(
        folder for scene in known.values() for folder in telling_folders([item.file.path for item in scene.items])
    )
    return {folder: count for folder, count in counts.most_common(FOLDERS) if count > 1}


def _fill_unqueued(parts: Stored, group: FixGroup, page: FixPage) -> None:
    """Scenes that only the last comparison knows."""
    with parts.store.reading() as db:
        listed = db.standings.without_job(NEEDING, limit=page.limit + 1, after=page.after[1] if page.cause else 0)
        scenes = facts_of(db, listed[: page.limit], ())
    group["after"] = str(listed[page.limit - 1]) if len(listed) > page.limit else None
    for scene in scenes:
        key = str(scene["id"])
        group["entries"].append(
            {
                "key": key,
                "kind": Kind.SCENE,
                "id": scene["id"],
                "title": scene["title"],
                "since": scene["since"],
                "problem": scene["why"] or "the last full comparison could not compare it",
                "next": f"Retry it: PlexSync looks at it again, and plexsync explain {key} shows why it can't be synced.",
                "files": _files(NO_CANDIDATES, scene),
                "candidates": [],
                "steps": [step(FixAction.RETRY, "Retry", key, command=f"plexsync sync {key}"), _ignore(key)],
                "alike": min(group["count"], MOST_ALIKE) - 1,
            }
        )


def _fill_letters(parts: Stored, group: FixGroup, page: FixPage, look: Look) -> str:
    """Dead letters with their candidates; returns why the servers could not be asked for these, or ''."""
    cause = group["cause"]
    with parts.store.reading() as db:
        after = page.after if page.cause else START
        rows = db.jobs.in_state(State.DEAD, error_class=cause, limit=page.limit + 1, after=after)
        page_rows = rows[: page.limit]
        ids = [row.id for row in page_rows if row.kind == Kind.SCENE]
        scenes = {scene["id"]: scene for scene in facts_of(db, ids, ())}
        ambiguous = {row.id: row.desired for row in page_rows if row.kind == Kind.SCENE and cause == Cause.AMBIGUOUS}
        candidates = candidates_known(db, ambiguous)
        libraries = {section.key: section.title for section in db.sections.all()}
        names = {row_key(row.kind, row.id): title(db, row.kind, row.id) for row in page_rows}
        held = db.notes.held_ignores(ids)
        alike = _alike(db, cause)
        folders = _folders(db) if cause == Cause.AMBIGUOUS else {}
    looked = look(list(ambiguous)) if ambiguous else Looked()
    for row in page_rows:
        key, is_scene = row_key(row.kind, row.id), row.kind == Kind.SCENE
        known = (looked.scenes.get(row.id) or candidates.get(row.id)) if is_scene else None
        entry = _entry(row, names[key], known or NO_CANDIDATES, scenes.get(row.id) if is_scene else None, libraries)
        entry["alike"] = len(set(alike.get(_likeness(row), ())) - {(row.kind, row.id)})
        entry["steps"] += _steps(row, key, has_candidates=bool(entry["candidates"]), held=is_scene and row.id in held)
        group["entries"].append(entry)
    group["after"] = row_key(page_rows[-1].kind, page_rows[-1].id) if len(rows) > page.limit else None
    group["steps"] = _steps_for_all(cause, group["count"], page_rows, folders)
    return looked.away


def _likeness(row: JobRow) -> tuple[bool, str]:
    """What dead letters of one kind share: the same can be done for them."""
    return row.kind == Kind.SCENE, cure(row.cls, row.error).meaning


def _alike(db: Reader, cause: str) -> dict[tuple[bool, str], list[Key]]:
    """The dead letters of a cause by likeness, at most `MOST_ALIKE`."""
    alike: dict[tuple[bool, str], list[Key]] = {}
    for row in db.jobs.in_state(State.DEAD, error_class=cause, limit=MOST_ALIKE):
        alike.setdefault(_likeness(row), []).append((row.kind, row.id))
    return alike


def with_alike(parts: Stored, order: FixOrder, problem: str) -> FixOrder:
    """The order for this problem (its key) and for the others of its kind."""
    key = key_of(problem)
    # A step about another scene, such as a rival of this one, says nothing about problems alike.
    if order.action not in ALIKE or key is None or order.key != key:
        return order
    with parts.store.reading() as db:
        row = db.jobs.find(*key)
        if row is None:
            keys = [(key[0], id) for id in db.standings.without_job(NEEDING, limit=MOST_ALIKE)]
        else:
            keys = _alike(db, row.cls).get(_likeness(row), []) if row.state is State.DEAD else []
    return replace(order, alike=tuple(other for other in keys if other != key))


@record
class FixCard:
    """One problem, with the cause that it is of: `count` problems there are in all; `away` as in `FixReport`."""

    count: int
    group: FixGroup | None = None
    entry: FixEntry | None = None
    away: str = ""


def fix_card(parts: Stored, facts: StatusFacts, cause: str, after: str, look: Look) -> FixCard:
    """The first problem after one (its key; '': from the beginning) of a cause ('': the first one), cause by cause."""
    # In an order that does not change when problems are mended meanwhile.
    ranks = {name: rank for rank, name in enumerate(CAUSES)}
    counts = {name: count for name, count in _counts(parts, facts).items() if count}
    total = sum(counts.values())

    def place_of(name: str) -> tuple[int, str]:
        return ranks.get(name, len(ranks)), name

    for name in sorted(counts, key=place_of):
        if cause and place_of(name) < place_of(cause):
            continue
        place = page_after(name, after if name == cause else "") or START
        report = fix_report(parts, facts, FixPage(name, place, 1), look)
        for group in report["groups"]:
            entries = group["entries"]
            if name == SYSTEM and name == cause:
                keys = [entry["key"] for entry in entries]
                entries = entries[keys.index(after) + 1 :] if after in keys else entries
            if entries:
                return FixCard(total, group, entries[0], report["away"])
    return FixCard(total)


def _steps_for_all(cause: str, count: int, rows: Sequence[JobRow], folders: Mapping[str, int]) -> list[FixStep]:
    """The steps for all problems of one cause."""
    steps = []
    if cause == Cause.AMBIGUOUS and any(cure(row.cls, row.error) is DURATION for row in rows):
        page, command = "/dead/by-duration", "plexsync bind --by-duration"
        steps.append(step("open", "Bind all that fit by duration…", page=page, command=command))
    for folder, scenes in folders.items():
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


def _entry(
    row: JobRow, name: str, candidates: SceneCandidates, scene: SceneFacts | None, libraries: Mapping[str, str]
) -> FixEntry:
    """A dead letter, with the steps that its candidates allow."""
    key, cured = row_key(row.kind, row.id), cure(row.cls, candidates.error or row.error)
    return {
        "key": key,
        "kind": row.kind,
        "id": row.id,
        "title": (candidates.scene.title if candidates.scene else "") or name,
        "since": stamp(row.since),
        "problem": _problem(cured, candidates) if candidates.items else row.error,
        "next": CHOOSE.get(cured, cured.advice) if candidates.items else cured.advice,
        "files": _files(candidates, scene),
        "candidates": [
            {
                "key": item.key,
                "title": item.title,
                "library": libraries.get(item.section, item.section),
                "file": {"path": item.file.path, "size": item.file.size, "seconds": item.file.duration / 1000},
                "reason": item.reason,
                "step": _step_of_candidate(key, item),
            }
            for item in candidates.items
        ],
        "steps": [
            _bind(f"Show scene {item.rival}, not this one", str(item.rival), item.key)
            for item in candidates.items
            if cured is TWO and item.rival
        ],
        "alike": 0,
    }


def _problem(cured: Cure, candidates: SceneCandidates) -> str:
    """What is wrong, with the number of the other scene."""
    rivals = ", ".join(map(str, sorted({item.rival for item in candidates.items if item.rival})))
    if cured is TWO and rivals:
        return f"two scenes in Stash have this file, this one and scene {rivals}"
    return cured.meaning


def _files(candidates: SceneCandidates, scene: SceneFacts | None) -> list[FixFile]:
    """The files in Stash; while Stash can't be asked, the path that the database knows."""
    if candidates.scene is not None:
        return [{"path": file.path, "size": file.size, "seconds": file.duration} for file in candidates.scene.files]
    return [{"path": scene["path"], "size": 0, "seconds": 0.0}] if scene and scene["path"] else []


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


def page_after(cause: str, after: str) -> tuple[str, int] | None:
    """The place after which a page of a cause begins; None if it is not a key."""
    return START if not (cause and after) else key_of(after)


def measures(file: FixFile) -> str:
    """Length and size: `1:32:10 · 1.4 GB`; '' if neither is known."""
    parts = [length(file["seconds"]) if file["seconds"] else "", size(file["size"]) if file["size"] else ""]
    return " · ".join(filter(None, parts))


def compare_files(file: FixFile, files: Sequence[FixFile]) -> str:
    """Whether a candidate's file has the length and size of one of the scene's: `same length, other size`; '' if unknown."""
    measured = (("length", "seconds", 1.0), ("size", "size", 0.0))
    words = []
    for word, name, slack in measured:
        values = [float(other[name]) for other in files if other[name]]  # type: ignore[literal-required]
        value = float(file[name])  # type: ignore[literal-required]
        if value and values:
            words.append(f"{'same' if any(abs(value - other) <= slack for other in values) else 'other'} {word}")
    return ", ".join(words)
