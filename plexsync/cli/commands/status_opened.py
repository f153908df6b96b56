"""`plexsync status` with all settings: of one scene, of several Plex servers, and where the database is not enough."""

from collections.abc import Iterable

import click

from plexsync.app.rules import look_rules
from plexsync.app.stored import Stored
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.faults import code_of, lines_of
from plexsync.cli.several import calls_of_all
from plexsync.cli.start import opened
from plexsync.cli.terminal.screen import paper, say
from plexsync.cli.terminal.status_page import show_page
from plexsync.flows.scenes.verbs import standing_in
from plexsync.reports.comparisons import lone_items, lone_scenes
from plexsync.reports.format import ago, local, noted, safe, stamp
from plexsync.reports.rows import row_facts, title
from plexsync.reports.scenes import left_out_facts, left_out_words
from plexsync.reports.shapes.scenes import SceneReport
from plexsync.reports.shapes.several import ServerStatusFacts
from plexsync.reports.status import facts as all_facts
from plexsync.reports.verdict import urgency
from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.rules.job import Kind
from plexsync.rules.note_keys import LAST_RUN
from plexsync.rules.status_words import DECIDE, SceneStatus, in_sync_words


def tell_all(call: Call) -> int:
    """Print the status of all scenes, of every Plex server if there are several and none is chosen."""
    if calls := calls_of_all(call):
        return _tell_servers(call, calls)
    with opened(call) as parts:
        facts = all_facts(parts)
    call.answer(facts, lambda: show_page(paper(), facts))
    return FINE


def _tell_servers(call: Call, calls: list[tuple[str, Call]]) -> int:
    """Print the status of all Plex servers. One whose database can't be used is reported, and the others are shown."""
    servers: list[ServerStatusFacts] = []
    problems: list[str] = []
    codes = [FINE]
    for name, own_call in calls:
        try:
            with opened(own_call) as parts:
                servers.append({"plex": name, **all_facts(parts)})
        except (LocalFault, NewerDatabase, Unusable) as error:
            codes.append(code_of(error))
            problems += [f"{name}: {line}" for line in lines_of(error, own_call)]
        call.hide(*own_call.secrets)
    if call.json:
        first = {**servers[0]} if servers and servers[0]["plex"] == calls[0][0] else {}
        call.answer({**first, "servers": servers, "problem": "\n".join(problems)}, lambda: None)
    else:
        out = paper()
        for number, facts in enumerate(sorted(servers, key=lambda facts: urgency(facts["verdict"]))):
            out.print("\n" * bool(number), end="")
            show_page(out, facts, facts["plex"])
    for line in problems:
        click.echo(f"plexsync: {line}", err=True)
    return max(codes)


def tell_scene(call: Call, id: int) -> int:
    """Print the status of one scene; returns 1 for an unknown one."""
    with opened(call) as parts:
        return _tell_scene(call, parts, id)


def _tell_scene(call: Call, parts: Stored, id: int) -> int:
    now = parts.clock.now()
    with parts.store.reading() as db:
        row, stands = db.jobs.find(Kind.SCENE, id), standing_in(db, id)
        scene_title = title(db, Kind.SCENE, id)
        results = db.pictures.of(id)
    names = look_rules(parts.config).picture_names
    since = stamp(stands.since)
    facts: SceneReport = {
        "id": id,
        "title": scene_title or None,
        "stands": stands.status.value,
        "since": since,
        "why": stands.why,
        "left_out": left_out_facts(stands.status, results, names),
        "kept_fields": stands.kept_fields,
        "job": row_facts(row),
    }
    lasts = f" since {local(stands.since)} ({ago(stands.since, now)})" if since else ""
    name = f"scene {id} ({safe(scene_title, 80)})" if scene_title else f"scene {id}"
    reason = f": {safe(stands.why)}" if stands.why else ""
    if facts["left_out"]:
        reason = f", but {safe(left_out_words(facts['left_out']))}"
    word = f"is {in_sync_words(stands.kept_fields)}" if stands.kept_fields else _is(stands.status)
    sentence = f"{name} {word}{lasts}{reason}" + (f"; {DECIDE} {id} decides" if stands.kept_fields else "")
    if stands.status is SceneStatus.UNKNOWN:
        sentence = f"scene {id} is unknown: plexsync explain {id} reads it from both servers"
    call.answer(facts, lambda: say(paper(), sentence))
    return FAILED if stands.status is SceneStatus.UNKNOWN else FINE


def _is(status: SceneStatus) -> str:
    return status.word if status.word.startswith("needs") else f"is {status.word}"


def tell_alone(call: Call, *, scenes: bool) -> int:
    """Print the unpaired items or scenes."""
    with opened(call) as parts:
        return _tell_alone(call, parts, scenes=scenes)


def _tell_alone(call: Call, parts: Stored, *, scenes: bool) -> int:
    with parts.store.reading() as db:
        run = noted(db.notes.text(LAST_RUN))
    if scenes:
        ids = list(lone_scenes(parts))
        call.answer({"compared": stamp(run), "scenes": ids}, lambda: _tell_list(run, (str(id) for id in ids), "scene"))
        return FINE
    if call.json:
        call.answer({"compared": stamp(run), "items": list(lone_items(parts))}, lambda: None)
        return FINE
    lines = (f"{item['item']}  {file}" for item in lone_items(parts) for file in item["files"] or ["(no file)"])
    _tell_list(run, lines, "item")
    return FINE


def _tell_list(run: int | None, lines: Iterable[str], noun: str) -> None:
    """Print the list line by line, of any length."""
    if run is None:
        click.echo("No full comparison has run yet: plexsync reconcile runs one.")
        return
    none = True
    for line in lines:
        none = False
        click.echo(safe(line, 4_200))
    if none:
        click.echo(f"No {noun} stands alone.")
