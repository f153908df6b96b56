"""`plexsync doctor`: checks everything that has to be right, and says how to mend what is not."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console

from cli.call import FAILED, FINE, NEWER, WRONG, Call, command
from cli.mapping import Pair, Suggestion, suggested
from cli.screen import LiveLine, paper, table
from cli.settings import Need
from cli.standing import books
from cli.start import Begun, begun
from cli.words import ago, many, noted, safe
from sync.errors import Barred, LocalFault, Neighbour, NeighbourError, NewerDatabase, Unusable
from sync.job import Kind
from sync.paths import map_path, name_key, path_key
from sync.ports import Reading, Section, Stash
from sync.scene import Scene
from validation.config import PlexSyncConfig, Setting, describe
from validation.redact import MASK, Redactor
from validation.sources import DEFAULT, ConfigError, Loaded
from wiring import DATABASE, Parts, events_in, opened, spooled, theirs, tried_ways
from worker.loop import HEARTBEAT

LEAST_STASH, LEAST_PLEX = (0, 28), (1, 41, 9)
LITTLE_SPACE = 200 * 2**20
# Scenes that are looked up for the path rules, from so many places of Stash.
SAMPLE, PLACES = 50, 5
# A rule that so many of their files agree with is worth telling also where most files are found by path.
MANY = 5
OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `code` is the exit code that a problem asks for."""

    name: str
    told: str
    state: str = OK
    mend: str = ""
    code: int = FINE


def warning(name: str, told: str, mend: str) -> Check:
    """Something that works, but not as well as it could."""
    return Check(name, told, WARNING, mend)


def problem(name: str, told: str, mend: str, code: int = FAILED) -> Check:
    """Something that stops work."""
    return Check(name, told, PROBLEM, mend, code)


@command("doctor")
@click.pass_obj
def doctor(call: Call) -> int:
    """Check settings, notifications, folders, database, both servers and path mapping; say how to mend what is not right.

    Run it first, and whenever something seems wrong. It asks both servers a few questions and writes to neither. A hold
    ("on hold until plex_token is put right") is lifted when the server lets us in again.

    Exits with 0 if work can go on (there may be warnings), 1 if something stops it, 2 if settings or database are wrong,
    3 if the database is newer than this program.

    \b
    Examples:
      plexsync doctor
      plexsync doctor --json
    """
    checks: list[Check] = []
    settings: list[dict[str, str]] = []
    try:
        with begun(call, need=Need.WORK) as start:
            settings = _settings(start.settings.loaded)
            with LiveLine(start.console) as line:
                hidden = Redactor(start.config.secrets)
                for check in _checks(start):
                    # What is told may quote a server: its name, its version.
                    checks.append(replace(check, told=hidden.redact(check.told)))
                    line.show(f"checked: {check.name}")
    except ConfigError as error:
        mend = "correct it there; docs/settings.md describes every setting"
        checks += [problem("configuration", line, mend, WRONG) for line in error.lines]
    code = max((check.code for check in checks), default=FINE)
    facts = {
        "well": code == FINE,
        "checks": [{"name": c.name, "state": c.state, "told": c.told, "mend": c.mend or None} for c in checks],
        "settings": settings,
    }
    call.answer(facts, lambda: _tell(checks, settings, paper()))
    return code


def _tell(checks: Sequence[Check], settings: Sequence[dict[str, str]], out: Console) -> None:
    given = [(one["name"], one["value"], one["origin"]) for one in settings if one["origin"] != DEFAULT]
    if given:
        out.print(table("Settings that were given", ("setting", "value", "from"), given))
    drawn = table("Checks", ("", "what", "found, and how to mend it"), [])
    for check in checks:
        told = "\n".join(safe(text) for text in (check.told, check.mend) if text)
        drawn.add_row(check.state, check.name, told, style=STYLES[check.state])
    out.print(drawn)
    counts = [sum(check.state == state for check in checks) for state in (PROBLEM, WARNING)]
    out.print(f"{many(counts[0], 'problem')}, {many(counts[1], 'warning')}")


STYLES = {OK: "", WARNING: "yellow", PROBLEM: "bold red"}


# --- the checks, in the order in which one needs the other -----------------------------------------------------------


def _checks(start: Begun) -> Iterator[Check]:
    yield from _configuration(start.settings.loaded)
    yield from _notices(start.config)
    yield from _folder(start.folder, start.settings.place.why)
    yield from _events(start.folder)
    try:
        with opened(start.config, start.folder) as parts:
            start.tell(parts)
            yield from _database(parts)
            yield from _worker(parts)
            stash_well = plex_well = True
            for check in _stash(parts):
                stash_well = stash_well and check.state != PROBLEM
                yield check
            for check in _plex(parts):
                plex_well = plex_well and check.state != PROBLEM
                yield check
            if stash_well and plex_well:
                yield from _mapping(parts)
    except NewerDatabase as error:
        yield problem("database", str(error), "install the newer PlexSync again", NEWER)
    except (LocalFault, Unusable) as error:
        yield problem("database", str(error), "mend that, or choose another folder with data_dir", WRONG)


def _settings(loaded: Loaded) -> list[dict[str, str]]:
    """Every setting as it is in effect, secrets masked."""
    values = loaded.config.model_dump(mode="json")
    return [
        {"name": one.name, "value": _shown(one, values[one.name]), "origin": loaded.origin[one.name]}
        for one in describe()
    ]


def _shown(one: Setting, value: object) -> str:
    if one.secret:
        return MASK if value else "(not set)"
    if one.name == "notify_command" and isinstance(value, list):
        # Its arguments may hold a secret too.
        return many(len(value), "word") if value else ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _configuration(loaded: Loaded) -> Iterator[Check]:
    given = sum(origin != DEFAULT for origin in loaded.origin.values())
    yield Check("configuration", f"{many(given, 'setting')} given, the others at their defaults")
    for line in loaded.warnings:
        told, _, file = line.rpartition(": chmod 600 ")
        yield warning("configuration", told or line, f"chmod 600 {file}" if told else "plexsync works on without that")
    if not loaded.config.enabled:
        yield warning("enabled", "PlexSync is switched off: events are kept, nothing is sent", "set enabled = true")


def _notices(config: PlexSyncConfig) -> Iterator[Check]:
    """Whether somebody is told when something needs a person. Nothing is sent."""
    name = "notifications"
    ways = list(tried_ways(config))
    # Without the package, all addresses lack the same.
    faults = [way for way in dict.fromkeys(ways) if way[1]]
    for setting, fault in faults:
        if setting == "notify_urls":
            mend = f"serve does not start like that: mend it (docs/outages.md says how), or take it out of {setting}"
            yield problem(name, fault, mend, WRONG)
        else:
            yield warning(name, f"{setting} can't be started: {fault}", f"correct {setting}, or make its program run")
    if not ways:
        yield Check(name, "not set up: nobody is told when something needs a person (notify_urls, notify_command)")
    elif not faults:
        yield Check(name, f"{many(len(ways), 'way')} set up, and usable as far as that shows without sending anything")


def _folder(folder: Path, why: str) -> Iterator[Check]:
    name = "data folder"
    if not folder.exists():
        yield Check(name, f"{folder} will be made and used: {why}")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield problem(name, f"{folder} can't be written", "give it to the user that runs PlexSync", WRONG)
        return
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        yield warning(name, f"others may look into {folder}", f"chmod 700 {folder}")
    else:
        yield Check(name, f"{folder} is used: {why}; it is writable, and for its owner only")
    file = folder / DATABASE
    if os.name == "posix" and file.exists() and file.stat().st_mode & 0o077:
        yield warning(name, f"others may read {file}", f"chmod 600 {file}")
    free = shutil.disk_usage(folder).free
    if free < LITTLE_SPACE:
        yield warning(
            "free space", f"{free // 2**20} MB left for the database", "make room: work pauses on a full disk"
        )


def _events(folder: Path) -> Iterator[Check]:
    """Events that hooks left as files, because they could not be stored or understood."""
    name = "events"
    waiting, unread = spooled(folder)
    if unread:
        told = f"{many(unread, 'event')} could not be read, and were set aside in {folder / 'spool' / 'unread'}"
        yield warning(name, told, "plexsync reconcile finds what they told of; look into the files, then delete them")
    if waiting:
        yield Check(name, f"{many(waiting, 'event')} left as files, which a worker takes over")


def _database(parts: Parts) -> Iterator[Check]:
    seen = parts.inspected()
    if seen.damage:
        yield problem("database", f"it is damaged: {seen.damage[0]}", "restore a backup, or move it away", WRONG)
        return
    where = f"on {seen.file_system}" if seen.file_system else "on a file system of unknown kind"
    told = f"sound; schema {seen.schema}, SQLite {seen.sqlite}, journal {seen.journal}, {where}"
    if seen.network:
        yield warning("database", f"{told}, a network share", "a local disk is faster and safer: see data_dir")
    else:
        yield Check("database", told)
    with parts.store.reading() as db:
        kept = books(db.overview(parts.clock.now()))
    if kept["balanced"]:
        yield Check("books", f"balanced: {kept['accepted']:,} accepted")
    else:
        yield problem("books", "accepted is not coalesced + done + pruned + open", "please report this fault", FAILED)


def _worker(parts: Parts) -> Iterator[Check]:
    with parts.store.reading() as db:
        beat = noted(db.note(HEARTBEAT))
    heard = ago(beat, parts.clock.now())
    if parts.someone_works():
        yield Check("worker", f"running; last heartbeat {heard}")
    else:
        yield warning("worker", f"not running; last heartbeat {heard}", "start plexsync serve")


def _stash(parts: Parts) -> Iterator[Check]:
    name = "Stash"
    try:
        parts.stash.probe()
        version, settings_file = parts.stash.version(), parts.stash.config_path()
    except NeighbourError as error:
        yield _away(name, error, "stash_url")
        return
    yield from _let_in(parts, Neighbour.STASH)
    yield version_check(name, version, LEAST_STASH, "it answers and accepts us")
    yield from other_database(parts.folder, settings_file)


def other_database(folder: Path, settings_file: str) -> Iterator[Check]:
    """The plugin stores its events beside Stash's own settings; where that is on this machine, it should be our folder."""
    place = theirs(settings_file)
    try:
        left = events_in(place) if place and not (place.exists() and folder.samefile(place)) else ""
    except OSError:
        mend = "run PlexSync as the user of Stash, or give both the same folder: data_dir here, PLEXSYNC_DATA_DIR for Stash"
        yield warning("plugin", f"its events go to {place}, where we may not look; {folder} is used", mend)
        return
    if left:
        yield warning(
            "plugin", f"its events go to {place}, where {left} is; {folder} is used", f"set data_dir to {place}"
        )


def _plex(parts: Parts) -> Iterator[Check]:
    name = "Plex"
    try:
        title, version = parts.plex.identity()
        sections = parts.plex.sections()
    except NeighbourError as error:
        yield _away(name, error, "plex_url")
        return
    yield from _let_in(parts, Neighbour.PLEX)
    yield version_check(name, version, LEAST_PLEX, f"{title or 'the server'} answers and accepts the token")
    if not sections:
        yield problem("libraries", "Plex has no movie library", "add one there that holds the files of Stash")
        return
    yield Check("libraries", "; ".join(map(_library, sections)))


def _library(section: Section) -> str:
    return f"{section.title} ({', '.join(section.locations)})"


def _away(name: str, error: NeighbourError, address: str) -> Check:
    if isinstance(error, Barred):
        return problem(name, str(error), f"change {error.setting}")
    return problem(name, str(error), f"is {address} right?")


def _let_in(parts: Parts, who: Neighbour) -> Iterator[Check]:
    """A server that lets us in has no reason to be on hold any longer."""
    with parts.store.reading() as db:
        held = db.hold(who)
    if held:
        parts.gates.let_in(who)
        yield Check(who.title(), "it was on hold, and lets us in again: work goes on")


def version_check(name: str, version: str, least: tuple[int, ...], told: str) -> Check:
    """Whether a version (as its server writes it) is new enough; `told` is what else is known of the server."""
    needed = ".".join(map(str, least))
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if not found:
        return warning(name, f"{told}; its version is not known", f"PlexSync needs {needed} or newer")
    if tuple(map(int, found[1].split("."))) < least:
        return problem(name, f"{told}, but is version {version}", f"update it: PlexSync needs {needed} or newer")
    return Check(name, f"{told}; version {version}")


# --- do both name the files alike? -----------------------------------------------------------------------------------


@dataclass
class Found:
    """How the files of some scenes were found in the index."""

    scenes: int = 0
    by_path: int = 0
    by_name: int = 0
    pairs: tuple[Pair, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def missing(self) -> int:
        return self.scenes - self.by_path - self.by_name


def _mapping(parts: Parts) -> Iterator[Check]:
    name = "path mapping"
    try:
        scenes = [scene for scene in _sample(parts.stash) if scene.files]
        if parts.indexer.empty():
            parts.indexer.freshen()
    except NeighbourError as error:
        yield problem(name, str(error), "run doctor again when both servers answer")
        return
    if not scenes:
        yield Check(name, "Stash has no scene with a file yet")
        return
    with parts.store.reading() as db:
        found = _looked_up(db, scenes, parts.config)
    yield _judged(name, found, given=bool(parts.config.path_map))


def _sample(stash: Stash) -> list[Scene]:
    """Some scenes from all over Stash, since those of one folder have often come together."""
    count = stash.newest()[Kind.SCENE].count
    places = [count * n // PLACES for n in range(PLACES)] if count > SAMPLE else [0]
    pages = (next(stash.walk(after=after, page=SAMPLE // len(places)), []) for after in places)
    return list({scene.id: scene for page in pages for scene in page}.values())


def _looked_up(db: Reading, scenes: Sequence[Scene], config: PlexSyncConfig) -> Found:
    found = Found(len(scenes))
    pairs: list[Pair] = []
    known: list[Pair] = []
    for scene in scenes:
        if at_path := _at_path(db, scene, config):
            found.by_path += 1
            known += at_path
        elif alike := _alike(db, scene):
            found.by_name += 1
            pairs += alike
    found.pairs = tuple(pairs)
    found.suggestions = tuple(suggested(pairs, config.path_rules, known=known))
    return found


def _at_path(db: Reading, scene: Scene, config: PlexSyncConfig) -> list[Pair]:
    """The scene's files that are in Plex where the path rules lead."""
    places = {path_key(path): file.path for file in scene.files for path in map_path(file.path, config.path_rules)}
    parts = [part for entry in db.entries_at(sorted(places)) for part in entry.parts]
    return [(places[path_key(part.path)], part.path) for part in parts if path_key(part.path) in places]


def _alike(db: Reading, scene: Scene) -> list[tuple[str, str]]:
    """(path in Stash, path in Plex) of the scene's files that exactly one file in Plex is like, by name and size."""
    pairs = []
    for file in scene.files:
        key = name_key(file.path)
        parts = [part for entry in db.entries_named([key]) for part in entry.parts]
        same = [part.path for part in parts if name_key(part.path) == key and part.size == file.size > 0]
        if len(same) == 1:
            pairs.append((file.path, same[0]))
    return pairs


def _rules_to_set(found: Found, *, given: bool) -> str:
    """What to set so that full paths decide, since most files were found by name and size alone."""
    rules = [json.dumps(" => ".join(one.rule), ensure_ascii=False) for one in found.suggestions]
    right, wrong = (sum(getattr(one, name) for one in found.suggestions) for name in ("right", "wrong"))
    agree = f"{right} of {many(right + wrong, 'file')} agree"
    if rules and given:
        return f"add to path_map, where it is set: {', '.join(rules)} ({agree})"
    if rules:
        where = "put that line into plexsync.toml, or the rules into path_map among the plugin's settings in Stash"
        return f"path_map = [{', '.join(rules)}] would find them by full path ({agree}): {where}"
    why = "set path_map: by name and size alone, look-alikes can't be told apart"
    return f"{why}. {found.pairs[0][0]} in Stash is {found.pairs[0][1]} in Plex" if found.pairs else why


def _judged(name: str, found: Found, *, given: bool) -> Check:
    told = f"of {many(found.scenes, 'scene')}, {found.by_path} found by full path"
    told += f", {found.by_name} by name and size, {found.missing} not at all"
    if not found.by_path and not found.by_name:
        return problem(name, told, "do the libraries hold these files? If their folders have other names: set path_map")
    if found.by_name > found.by_path:
        return warning(name, told, _rules_to_set(found, given=given))
    if any(one.right >= MANY for one in found.suggestions):
        return warning(name, told, _rules_to_set(found, given=given))
    if found.missing * 2 > found.scenes:
        return warning(name, told, "has Plex scanned these files, and do the libraries above hold them?")
    return Check(name, told)
