"""`plexsync explain`: why a scene stands as it stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from cli.call import FAILED, FINE, Call, command
from cli.keys import SceneNumber
from cli.rows import attempt_facts, attempt_table, row_facts, row_table, short
from cli.screen import paper, say, table
from cli.settings import Need
from cli.start import begun
from cli.words import safe
from sync.errors import NeighbourError
from sync.item import FIELDS, PICTURES
from sync.job import Absent, Dead, Gone, Kind, OutOfScope
from sync.plan import Change, Note, Remembered, Value, held, undone
from sync.ports import AttemptRow, JobRow
from wiring import Parts, opened
from worker.looking import Sight, Target
from worker.verbs import Explanation
from worker.verbs import explain as look_at

Facts = dict[str, Any]


@command("explain")
@click.argument("scene", type=SceneNumber())
@click.pass_obj
def explain(call: Call, scene: int) -> int:
    """Show why a scene stands as it stands, and what would happen to it now.

    Looks at Stash and Plex as the worker does, and writes to neither: every step of finding its item in Plex, the
    candidates if it is ambiguous, each with the reason and the line that settles it (plexsync bind), and for each field
    what Stash wants, what Plex has, whether it is locked, what would be done and why. If a server is away it shows what
    the database knows and exits with 1, and so it does for a scene that Stash does not have.

    \b
    Example:
      plexsync explain 7
    """
    with begun(call, need=Need.LOOK) as start, opened(start.config, start.folder) as parts:
        now = parts.clock.now()
        start.tell(parts)
        if start.settings.away:
            return _only_known(call, parts, scene, str(start.settings.away), now)
        try:
            seen = look_at(parts.store, parts.looker, parts.gates, parts.clock, scene)
        except NeighbourError as error:
            return _only_known(call, parts, scene, str(error), now)
    facts = {**_sight_facts(seen.sight), **_row_facts(seen.job, seen.attempts)}
    call.answer(facts, lambda: _tell(seen, facts, now, paper()))
    gone = isinstance(seen.sight.outcome or seen.sight.ends, Gone)
    return FAILED if gone or seen.sight.error else FINE


def _only_known(call: Call, parts: Parts, id: int, why: str, now: int) -> int:
    """What the database knows, when a side can't be asked."""
    with parts.store.reading() as db:
        row, attempts = db.job(Kind.SCENE, id), db.attempts(Kind.SCENE, id)
        memories = db.memories([id])
    remembered: list[Facts] = [
        {"key": key, "field": name, "said": one.said, "left": one.left.value, "left_locked": one.left.locked}
        for (_, key), memory in sorted(memories.items())
        for name, one in memory.items()
    ]
    facts = {"id": id, "error": why, **_row_facts(row, attempts), "remembered": remembered}

    def tell() -> None:
        out = paper()
        out.print(f"Scene {id} can't be looked at now. What is known:")
        _tell_row(row, attempts, now, out)
        if remembered:
            rows = [(one["key"], short(one["field"]), _shown(one["said"]), _shown(one["left"])) for one in remembered]
            out.print(table("Pushed before", ("item", "field", "Stash wanted", "Plex read back"), rows))

    call.answer(facts, tell)
    click.echo(f"plexsync: {safe(why)}", err=True)
    return FAILED


# --- as facts --------------------------------------------------------------------------------------------------------


def _row_facts(row: JobRow | None, attempts: Sequence[AttemptRow]) -> Facts:
    return {"job": row_facts(row), "attempts": attempt_facts(attempts)}


def _sight_facts(sight: Sight) -> Facts:
    notes = sight.wanted.notes if sight.wanted else ()
    return {
        "id": sight.id,
        "title": sight.scene.title if sight.scene else None,
        "files": [file.path for file in sight.scene.files] if sight.scene else [],
        "verdict": verdict(sight),
        "undone": sight.undone or None,
        "steps": [{"rung": step.rung, "text": step.text} for step in sight.steps],
        "candidates": [
            {
                "key": one.key,
                "section": one.section,
                "path": one.path,
                "why": one.why,
                "bind": f"plexsync bind {sight.id} {one.key}",
            }
            for one in sight.candidates
        ],
        "notes": [_note_facts(note) for note in notes],
        "targets": [_target_facts(target) for target in sight.targets],
    }


def _note_facts(note: Note) -> Facts:
    return {"field": note.field, "reason": note.reason, "text": note.text}


def _target_facts(target: Target) -> Facts:
    item = target.item
    return {
        "key": item.key,
        "section": item.section,
        "files": [part.path for part in item.parts],
        "fields": [
            _field_facts(target, name)
            for name in FIELDS + PICTURES
            if name in target.wanted.values or name in target.memory
        ],
    }


def _field_facts(target: Target, name: str) -> Facts:
    wants = target.wanted.values
    now = held(target.item, name)
    change = target.plan.edit.get(name)
    notes = [note for note in target.plan.notes if note.field == name]
    return {
        "field": name,
        "stash": wants.get(name),
        "plex": now.value,
        "locked": now.locked,
        "action": action(name, change, wants),
        "reason": ("undone" if undone(target.plan.memory) else reason(target.memory.get(name), wants.get(name)))
        if change
        else "",
        "why": [_note_facts(note) for note in notes],
    }


def verdict(sight: Sight) -> str:
    """One sentence on how the scene stands."""
    match sight.outcome:
        case Gone():
            return f"Stash has no scene {sight.id}"
        case Absent(error=error) | Dead(error=error) | OutOfScope(error=error):
            return error
    if isinstance(sight.ends, Gone):
        return f"Stash has no scene {sight.id}; {_undone_words(sight)}"
    if sight.error is not None:
        what = f"its item {sight.key} can't be read" if sight.key else "it can't be looked at"
        return f"{what}: {sight.error}"
    changes = sum(len(target.plan.edit) for target in sight.targets)
    if sight.undone:
        return _undone_words(sight)
    if not changes:
        return "in step"
    return f"{changes} {'field' if changes == 1 else 'fields'} would be changed"


def _undone_words(sight: Sight) -> str:
    what = (
        "released: its values were left in Plex"
        if sight.undone == "release"
        else "undone: what was pushed is taken back"
    )
    changes = sum(len(target.plan.edit) for target in sight.targets)
    if changes:
        return f"{what}; {changes} {'field is' if changes == 1 else 'fields are'} still to be changed"
    return f"{what}; it is left alone until it is edited in Stash"


def action(name: str, change: Change | None, wants: Mapping[str, Value]) -> str:
    """What would be done to a field."""
    if change is None:
        if name not in wants:
            return "nothing (switched off)"
        return "nothing" if wants[name] else "nothing (empty in Stash)"
    lock = {True: "lock", False: "unlock", None: ""}[change.lock]
    added = [f"add {', '.join(change.adds)}"] if change.adds else []
    removed = [f"remove {', '.join(change.removes)}"] if change.removes else []
    if added or removed:
        return "; ".join([*added, *removed])
    if change.value is None or (isinstance(change.value, tuple) and lock):
        return lock or "nothing"
    return "write" if change.value else "empty"


def reason(known: Remembered | None, wants: Value | None) -> str:
    """Why a field would be changed, from what was remembered of it."""
    if known is None:
        return "first push"
    return "changed in Stash" if known.said != wants else "not as it was left in Plex"


# --- as words --------------------------------------------------------------------------------------------------------


def _tell(seen: Explanation, facts: Facts, now: int, out: Console) -> None:
    sight = seen.sight
    title = f": {safe(sight.scene.title)}" if sight.scene and sight.scene.title else ""
    out.print(f"Scene {sight.id}{title}")
    out.print(safe(facts["verdict"]))
    if sight.steps:
        steps = [(f"{number}", step.rung, step.text) for number, step in enumerate(sight.steps, start=1)]
        out.print(table("How its item was looked for", ("", "by", "what was seen"), steps))
    if sight.candidates:
        rows = [(one.key, one.path, one.why) for one in sight.candidates]
        out.print(table("Candidates", ("item", "file", "why it was not taken"), rows))
        say(out, "If you know which one it is, settle it for good:")
        for one in facts["candidates"]:
            out.print(f"  {one['bind']}")
    for target in facts["targets"]:
        out.print(table(f"Item {target['key']}", HEADS, [_field_row(one) for one in target["fields"]]))
    if facts["notes"]:
        notes = [(short(note["field"]), note["reason"], note["text"]) for note in facts["notes"]]
        out.print(table("Changed to fit Plex", ("field", "what", "why"), notes))
    _tell_row(seen.job, seen.attempts, now, out)


HEADS = ("field", "Stash wants", "Plex has", "locked", "would do", "why")


def _field_row(one: Facts) -> tuple[str, ...]:
    why = "; ".join(filter(None, [one["reason"], *(note["text"] for note in one["why"])]))
    locked = "yes" if one["locked"] else ""
    return short(one["field"]), _shown(one["stash"]), _shown(one["plex"]), locked, one["action"], why


def _tell_row(row: JobRow | None, attempts: Sequence[AttemptRow], now: int, out: Console) -> None:
    if row is None:
        out.print("It was never in the queue.")
        return
    out.print(row_table(row, now))
    if attempts:
        out.print(attempt_table(attempts))


def _shown(value: Value | None) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else value or ""
    return safe(text, 120) or "-"
