"""Checks of both servers: reachable, authorised, new enough, and consistent with PlexSync in files and time."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

from plexsync.app.clients import is_at, plex_by_address
from plexsync.app.parts import Parts
from plexsync.app.settings import PLUGIN, WAKE_UP
from plexsync.cli.checks.check import Check, problem
from plexsync.engine.tickets import READ, Gate
from plexsync.reports.evidence import evidence_words
from plexsync.reports.format import lasting, stamp
from plexsync.reports.status import edit_facts, edit_words
from plexsync.rules.queue.choices import hold_remedy
from plexsync.rules.records import Plugin, Section
from plexsync.rules.servers.errors import Barred, Neighbour, NeighbourError
from plexsync.rules.words.text import fold
from plexsync.store.files.place import events_in, theirs

LEAST_STASH, LEAST_PLEX = (0, 28), (1, 41, 9)
# The clock difference in milliseconds above which a check warns.
ASTRAY = 60_000
OTHER_VIDEOS = "Other Videos"
ABOUT_OTHER_VIDEOS = f"{OTHER_VIDEOS}: a library without a metadata agent; its videos are synced as movies are."


def stash(parts: Parts) -> Iterator[Check]:
    """Stash: the server, its clock, and the PlexSync plugin in it."""
    name = "Stash"
    try:
        parts.stash.probe()
        version, settings_file = parts.stash.version(), parts.stash.config_path()
        installed, wake_up = parts.stash.plugin(PLUGIN), parts.stash.plugin(WAKE_UP)
    except NeighbourError as error:
        yield other_server(parts, Neighbour.STASH) or away(name, error, "stash_url")
        return
    yield from _let_in(parts, Neighbour.STASH)
    yield version_check(name, version, LEAST_STASH, "it answers and accepts us")
    yield from clock_check(name, parts.stash.date, parts.clock.now())
    words, mend = "not installed: PlexSync works without it (docs/stash-plugin.md)", ""
    if installed is not None and installed.enabled:
        words = f"version {installed.version or 'unknown'} is installed and switched on"
    elif installed is not None:
        words, mend = "installed, and switched off there", "switch it on: Settings, Plugins"
    yield Check("plugin in Stash", words, mend)
    yield wake_up_check(wake_up, parts)
    yield from other_database(parts.folder, settings_file)


def wake_up_check(wake_up: Plugin | None, parts: Parts) -> Check:
    """How edits in Stash arrive, and how long ago the last one did."""
    name = "edits in Stash"
    summary = parts.summary()
    words = edit_words(edit_facts(summary.edits, summary.lines, running=parts.someone_works()), summary.now)
    if wake_up is None:
        mend = "install PlexSync wake-up in Stash: Settings, Plugins"
        return Check(name, f"{words}. With the plugin PlexSync wake-up an edit is in Plex about a second later: {mend}")
    if not wake_up.enabled:
        mend = "switch it on in Stash: Settings, Plugins"
        return Check(name, f"{words}. The plugin PlexSync wake-up is switched off", mend)
    return Check(name, words)


def other_database(folder: Path, settings_file: str) -> Iterator[Check]:
    """The plugin stores its events beside Stash's settings; on this machine, both programs should use one folder."""
    place = theirs(settings_file)
    try:
        events = events_in(place) if place and not (place.exists() and folder.samefile(place)) else ""
    except OSError:
        mend = "run PlexSync as the user of Stash, or give both the same folder: data_dir here, PLEXSYNC_DATA_DIR for Stash"
        yield Check("plugin", f"its events go to {place}, where we may not look; {folder} is used", mend)
        return
    if events:
        yield Check(
            "plugin", f"its events go to {place}, where {events} is; {folder} is used", f"set data_dir to {place}"
        )


def plex(parts: Parts) -> Iterator[Check]:
    """Plex: the server, its clock, its libraries, and write access."""
    name = "Plex"
    try:
        title, version = parts.plex.identity()
        sections = parts.plex.sections()
        parts.visitor.check()
    except NeighbourError as error:
        url = plex_by_address(parts.config) if isinstance(error, Barred) and error.setting == "plex_token" else ""
        if url:
            # Plex rejects the token under its host name and accepts it under its IP address.
            message = f"it does not know the host name in plex_url (401), and accepts plex_token at {url}"
            yield problem(name, message, f"set plex_url to {url}, or claim the server: sign in to it in Plex")
        else:
            yield other_server(parts, Neighbour.PLEX) or away(name, error, "plex_url")
        return
    yield from _let_in(parts, Neighbour.PLEX)
    yield version_check(name, version, LEAST_PLEX, f"{title or 'the server'} answers and accepts the token")
    yield traits_check(parts, version)
    yield evidence_check(parts, version)
    yield from clock_check(name, parts.plex.date, parts.clock.now())
    if not sections:
        yield problem("libraries", "Plex has no movie library", "add one there that holds the files of Stash")
        return
    yield Check("libraries", "; ".join(map(library_words, sections)))
    yield from other_videos_check(parts, sections)
    titles = {fold(section.title) for section in sections}
    if without := [table for table in parts.config.libraries if fold(table) not in titles]:
        tables = " and ".join(f'[libraries."{table}"]' for table in without)
        yield Check("libraries", f"{tables} in the settings fits none of them, so it has no effect", "correct the name")
    if not all(section.owned for section in sections):
        mend = "take the token of the account that owns the server: plexsync init signs in with it"
        shared = "the token seems to belong to somebody with whom the libraries are shared, and only the owner can edit"
        yield Check("libraries", shared, mend)


def library_words(section: Section) -> str:
    """A library with its kind, if it is one of Other Videos, and its folders."""
    kind = f", {OTHER_VIDEOS}" if section.other_videos else ""
    return f"{section.title}{kind} ({', '.join(section.locations)})"


def other_videos_check(parts: Parts, sections: Sequence[Section]) -> Iterator[Check]:
    """Whether the server takes a cast in the libraries of Other Videos to which one is synced; nothing without any."""
    tables = {fold(name): parts.config.of_library(name) for name in parts.config.libraries}
    titles = [
        section.title
        for section in sections
        if section.other_videos and tables.get(fold(section.title), parts.config).sync_cast
    ]
    if not titles:
        return
    with parts.store.reading() as db:
        learnt = db.probes.traits()
    words = {
        None: "whether this server takes one there is not known: plexsync probe ITEM, with an item of it, learns it",
        True: "this server takes one there",
        False: "this server takes none there, so none is sent; all other fields are synced",
    }[learnt.traits.cast_on_other if learnt else None]
    yield Check(f"cast in {OTHER_VIDEOS}", f"{', '.join(titles)}: {words}")


def traits_check(parts: Parts, version: str) -> Check:
    """Whether the answers of `plexsync probe` are from this version of Plex, and its item is restored."""
    name = "edits in Plex"
    with parts.store.reading() as db:
        learnt, probed = db.probes.traits(), db.probes.open_original()
    if probed is not None:
        mend = "run plexsync probe; a worker does it by itself"
        return Check(name, f"item {probed.key} is not restored after an interrupted plexsync probe", mend)
    if learnt is None:
        return Check(name, "how this Plex treats edits is not known: plexsync probe ITEM learns it")
    if learnt.version != version:
        mend = "run plexsync probe ITEM again"
        return Check(name, f"learnt from version {learnt.version}, and this is version {version}", mend)
    return Check(name, f"learnt from this version, {stamp(learnt.learnt_at)}")


def evidence_check(parts: Parts, version: str) -> Check:
    """How well what is in use is proven."""
    with parts.store.reading() as db:
        return Check("evidence", evidence_words(parts.config, db.probes.traits(), version))


def away(name: str, error: NeighbourError, address: str) -> Check:
    """A server that does not answer, or rejects the credentials."""
    if isinstance(error, Barred):
        return problem(name, str(error), hold_remedy(error.setting, error.choice))
    return problem(name, str(error), f"is {address} right?")


def other_server(parts: Parts, server: Neighbour) -> Check | None:
    """The other server answers at the address of this one: then its token or key is not what has to be changed."""
    config, setting = parts.config, f"{server.value}_url"
    if config.plex_url == config.stash_url:
        return problem(
            server.title(), "plex_url and stash_url are the same address", f"correct {setting}, or the other"
        )
    plex = is_at(Neighbour.PLEX, config.stash_url, config.tls_ca_file)
    stash = is_at(Neighbour.STASH, config.plex_url, config.tls_ca_file)
    if plex and stash:
        message = f"plex_url and stash_url are swapped: Plex answers at {config.stash_url}, Stash at {config.plex_url}"
        return problem(server.title(), message, "exchange the two addresses")
    if plex if server is Neighbour.STASH else stash:
        other = Neighbour.PLEX if server is Neighbour.STASH else Neighbour.STASH
        url = config.stash_url if server is Neighbour.STASH else config.plex_url
        message = f"at {setting} ({url}), {other.title()} answers"
        return problem(server.title(), message, f"set {setting} to the address of {server.title()}")
    return None


def _let_in(parts: Parts, server: Neighbour) -> Iterator[Check]:
    """Lift the pause of a server that answers and accepts the credentials."""
    gate = Gate(server, READ)
    with parts.store.reading() as db:
        held = db.holds.find(gate.row)
    if not parts.gates.is_open(gate) and parts.gates.retest(gate):
        was = "it was on hold, and accepts requests again" if held else "it was down, and answers again"
        yield Check(server.title(), f"{was}: work goes on")


def version_check(name: str, version: str, least: tuple[int, ...], status: str) -> Check:
    """Whether a version (as its server writes it) is new enough; `status` is the rest of the server's line."""
    needed = ".".join(map(str, least))
    number = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if not number:
        return Check(name, f"{status}; its version is not known", f"PlexSync needs {needed} or newer")
    if tuple(map(int, number[1].split("."))) < least:
        return problem(name, f"{status}, but is version {version}", f"update it: PlexSync needs {needed} or newer")
    return Check(name, f"{status}; version {version}")


def clock_check(server: str, date: str, now: int) -> Iterator[Check]:
    """Whether the server's clock, by the `date` of a fresh answer, agrees with this machine's."""
    name = f"clock of {server}"
    try:
        server_time = round(parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return
    apart = server_time - now
    if abs(apart) < ASTRAY:
        yield Check(name, "the same time as here")
        return
    way = "ahead of" if apart > 0 else "behind"
    offset = f"{lasting(abs(apart))} {way} the one here"
    yield Check(name, offset, "let both machines set their clocks by the network: PlexSync compares times of both")
