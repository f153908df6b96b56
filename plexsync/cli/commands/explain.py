"""`plexsync explain`: why a scene has its status."""

from collections.abc import Sequence

import click
from rich.console import Console

from plexsync.app.parts import Parts, open_parts
from plexsync.app.rules import watch_rules
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.rows import attempt_table, row_table
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.flows.scenes.verbs import Explanation, explain as look_at, standing_in
from plexsync.reports.explanation import explain_facts, known_facts
from plexsync.reports.format import safe
from plexsync.reports.rows import on_screen, short
from plexsync.reports.shapes.scenes import ExplainFacts, FieldFacts, PlaysOfScene, UnreadFacts
from plexsync.rules.collections.collection_status import named_status
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import Gone, Kind, State
from plexsync.rules.records import AttemptRow, JobRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.scene_status import Standing
from plexsync.rules.words.status_words import in_sync_words


@command("explain")
@click.argument("scene", type=SceneNumber())
@click.pass_obj
def explain(call: Call, scene: int) -> int:
    """Show how a scene stands and why, and what would happen to it now.

    Looks at Stash and Plex as the worker does, and writes to neither: every step of finding its item in Plex, the
    candidates if several items fit, each with the reason and the line that settles it (plexsync bind), and for each
    field what Stash says, what Plex has, whether it is locked, what would be done and why. If a server is down, the
    command shows what the database knows. Exits with 1 then, and for a scene that Stash does not have.

    \b
    Example:
      plexsync explain 7
    """
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        now = parts.clock.now()
        start.meet(parts)
        if start.settings.away:
            return _only_known(call, parts, scene, str(start.settings.away), now)
        try:
            explanation = look_at(parts.inspector, scene)
        except NeighbourError as error:
            return _only_known(call, parts, scene, str(error), now)
        facts = explain_facts(parts, explanation)
    call.answer(facts, lambda: _tell(explanation, facts, now, paper()))
    gone = isinstance(explanation.inspection.outcome or explanation.inspection.ends, Gone)
    return FAILED if gone or explanation.inspection.error else FINE


def _only_known(call: Call, parts: Parts, id: int, reason: str, now: int) -> int:
    """Report what the database knows if a server can't be asked."""
    with parts.store.reading() as db:
        row, attempts = db.jobs.find(Kind.SCENE, id), db.attempts.of(Kind.SCENE, id)
        known, stands = known_facts(db, id, watch_rules(parts.config)), standing_in(db, id)
    facts: UnreadFacts = {**known, "error": reason}
    remembered = known["remembered"]

    def tell() -> None:
        out = paper()
        out.print(f"Scene {id} can't be read now. What the database knows:")
        if known["plays"]:
            _tell_plays(known["plays"], out)
        _tell_row(row, attempts, now, out, stands)
        if remembered:
            rows = [
                (record["key"], short(record["field"]), *_values(record["field"], record["said"], record["left"]))
                for record in remembered
            ]
            out.print(table("Pushed before", ("item", "field", "Stash said", "Plex read back"), rows))

    call.answer(facts, tell)
    click.echo(f"plexsync: {safe(reason)}", err=True)
    return FAILED


def _tell_plays(plays: PlaysOfScene, out: Console) -> None:
    say(out, f"Plays: {plays['text']}.")
    for line in plays["lines"]:
        say(out, f"- {line}")


def _tell(explanation: Explanation, facts: ExplainFacts, now: int, out: Console) -> None:
    inspection = explanation.inspection
    title = f": {safe(inspection.scene.title)}" if inspection.scene and inspection.scene.title else ""
    out.print(f"Scene {inspection.id}{title}")
    out.print(safe(facts["verdict"]))
    if facts["plays"]:
        _tell_plays(facts["plays"], out)
    if inspection.steps:
        steps = [(f"{number}", step.rung, step.text) for number, step in enumerate(inspection.steps, start=1)]
        out.print(table("How its item was matched", ("", "by", "what was seen"), steps))
    if inspection.candidates:
        rows = [(row.key, row.path, row.reason) for row in inspection.candidates]
        out.print(table("Candidates", ("item", "file", "why it was not taken"), rows))
        rivals = {candidate.key: candidate.rival for candidate in inspection.candidates}
        if free := [row for row in facts["candidates"] if not row["bound_to"]]:
            say(out, "If you know which one it is, settle it for good:")
        for row in free:
            loses = f"  (scene {rivals[row['key']]} is not shown then)" if rivals[row["key"]] else ""
            out.print(f"  {row['bind']}{loses}")
    for target in facts["targets"]:
        out.print(table(f"Item {target['key']}", HEADS, [_field_row(row) for row in target["fields"]]))
    if facts["collections"]:
        out.print(table("Collections", ("", "collection", "of", "library", "stands"), _collection_rows(facts)))
    if facts["notes"]:
        notes = [(short(note["field"]), note["reason"], note["text"]) for note in facts["notes"]]
        out.print(table("Changed to fit Plex", ("field", "what", "why"), notes))
    _tell_row(explanation.job, explanation.attempts, now, out, explanation.stands)


def _collection_rows(facts: ExplainFacts) -> list[tuple[str, ...]]:
    return [
        (str(row["id"]), safe(row["name"], 60), row["source"], safe(row["library"], 60), status.word if status else "")
        for row in facts["collections"]
        for status in [named_status(row["stands"])]
    ]


HEADS = ("field", "Stash says", "Plex has", "locked", "would do", "why")


def _field_row(field: FieldFacts) -> tuple[str, ...]:
    reasons = "; ".join(filter(None, [field["reason"], *(note["text"] for note in field["why"])]))
    locked = "yes" if field["locked"] else ""
    in_stash, in_plex = _values(field["field"], field["stash"], field["plex"])
    return short(field["field"]), in_stash, in_plex, locked, field["action"], reasons


def _tell_row(row: JobRow | None, attempts: Sequence[AttemptRow], now: int, out: Console, stands: Standing) -> None:
    if row is None:
        out.print("The scene was never in the queue.")
        return
    word = in_sync_words(stands.kept_fields) if stands.kept_fields else stands.status.word
    rests = row.state in (State.IDLE, State.DROPPED)
    out.print(row_table(row, now, word=word if rests else "", since=stands.since))
    if attempts:
        out.print(attempt_table(attempts))


def _values(field: str, *values: Value | None) -> list[str]:
    texts = (on_screen(value, field) for value in values)
    return [safe(", ".join(value) if isinstance(value, tuple) else value or "", 120) or "-" for value in texts]
