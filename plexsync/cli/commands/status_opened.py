"""`plexsync status` with all settings: of one scene, of several Plex servers, and where the database is not enough."""

from collections.abc import Iterable

import click

from plexsync.app.rules import look_rules
from plexsync.app.stored import end_news
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.faults import code_of, lines_of
from plexsync.cli.settings import calls_of_all
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.screen import paper, say
from plexsync.cli.terminal.status_page import show_page
from plexsync.flows.scenes.verbs import standing_in
from plexsync.reports.comparisons import UnpairedFacts, lone_items, lone_scenes
from plexsync.reports.format import ago, local, parse_note, safe, stamp
from plexsync.reports.rows import row_facts, title
from plexsync.reports.scenes import left_out_facts, left_out_words
from plexsync.reports.shapes.plex_servers import ServerStatusFacts
from plexsync.reports.shapes.scenes import SceneReport
from plexsync.reports.status import facts as all_facts
from plexsync.reports.verdict import urgency
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.note_keys import LAST_RUN
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.rules.words.status_words import DECIDE, SceneStatus, in_sync_words


def tell_all(call: Call, *, ends_news: bool) -> int:
    """Print the status of all scenes, of every Plex server if there are several and none is chosen.

    `ends_news`: what is new is not shown again.
    """
    if calls := calls_of_all(call):
        return _tell_servers(call, calls, ends_news=ends_news)
    with open_call_store(call) as parts:
        facts = all_facts(parts)
        call.answer(facts, lambda: show_page(paper(), facts))
        if ends_news and facts["news"]:
            end_news(parts.store)
    return FINE


def _tell_servers(call: Call, calls: list[tuple[str, Call]], *, ends_news: bool) -> int:
    """Print the status of all Plex servers. One whose database can't be used is reported, and the others are shown."""
    servers: list[ServerStatusFacts] = []
    problems: list[str] = []
    codes = [FINE]
    for name, own_call in calls:
        try:
            with open_call_store(own_call) as parts:
                servers.append({"plex": name, **all_facts(parts)})
                if ends_news and servers[-1]["news"]:
                    end_news(parts.store)
        except (LocalFault, NewerDatabase, Unusable) as error:
            codes.append(code_of(error))
            problems += [f"{name}: {line}" for line in lines_of(error, own_call)]
        call.hide(*own_call.secrets)
    if call.json:
        first = {**servers[0]} if servers and servers[0]["plex"] == calls[0][0] else {}
        call.answer({**first, "servers": servers, "problem": "\n".join(problems)})
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
    with open_call_store(call) as parts, parts.store.reading() as db:
        now, names = parts.clock.now(), look_rules(parts.config).picture_names
        row, stands = db.jobs.find(Kind.SCENE, id), standing_in(db, id)
        scene_title = title(db, Kind.SCENE, id)
        results = db.pictures.of(id)
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
    word = in_sync_words(stands.kept_fields) if stands.kept_fields else stands.status.word
    word = word if word.startswith("needs") else f"is {word}"
    sentence = f"{name} {word}{lasts}{reason}" + (f"; {DECIDE} {id} decides" if stands.kept_fields else "")
    if stands.status is SceneStatus.UNKNOWN:
        sentence = f"scene {id} is unknown: plexsync explain {id} reads it from both servers"
    call.answer(facts, lambda: say(paper(), sentence))
    return FAILED if stands.status is SceneStatus.UNKNOWN else FINE


def tell_alone(call: Call, *, scenes: bool) -> int:
    """Print the unpaired items or scenes."""
    with open_call_store(call) as parts:
        with parts.store.reading() as db:
            run = parse_note(db.notes.text(LAST_RUN))
        lone: Iterable[int | UnpairedFacts] = lone_scenes(parts) if scenes else lone_items(parts)
        if call.json:
            call.answer({"compared": stamp(run), "scenes" if scenes else "items": list(lone)})
        elif run is None:
            click.echo("No full comparison has run yet: plexsync reconcile runs one.")
        else:
            _tell_list(lone, "scene" if scenes else "item")
    return FINE


def _tell_list(lone: Iterable[int | UnpairedFacts], noun: str) -> None:
    """Print the list line by line, of any length."""
    none = True
    for one in lone:
        none = False
        lines = [f"{one}"] if isinstance(one, int) else [f"{one['item']}  {f}" for f in one["files"] or ["(no file)"]]
        for line in lines:
            click.echo(safe(line, 4_200))
    if none:
        click.echo(f"No {noun} stands alone.")
