"""A simulated Plex with one item to probe, and all of the server's state that a probe must leave as it was."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from plexsync.app.probe.questions import probe
from plexsync.app.probe.restore import restore_left
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.servers.scratch import ProbeOutcome
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.plex_traits import Traits
from plexsync.store.database import Database
from tests.engine.clocks import Clock

TOKEN = "stage-plex-token-0123456789"
PHOTO = "https://photos.example.org/ann.jpg"
UNHURRIED = 24 * 3600.0
AGENTS = {"movies": "tv.plex.agents.movie", "other videos": "com.plexapp.agents.none"}
# Every value of each switch of the simulated Plex that a probe can tell apart.
SWITCHES: dict[str, tuple[Any, ...]] = {
    "tag_mode": ("add", "replace"),
    "mixed_removals": (True, False),
    "removals_at_once": (None, 1, 2),
    "tags_lock": (True, False),
    "cast_on_other": (True, False),
    "people_pictures": ("any", "public", "none"),
    "people_own": ("shown", "kept", "none"),
    "people_house": ("shown", "kept"),
    "people_https": ("shown", "kept"),
    "rating_by_edit": ("account", "item", "none"),
    "added_by_edit": (True, False),
    "collection_edits": ("both", "section", "item"),
    "upload_selects": (True, False),
    "picture_lag": (0.0, 2.0),
    "one_stamp": (True, False),
    "file_filter": ("exact", "any case", "folder"),
}


@dataclass
class Stage:
    """The item `key` has values, locks and pictures of its own; another item shares its folder."""

    plex: PlexSim
    client: ProbeClient
    store: Database
    clock: Clock
    section: str
    key: str
    other: str

    def probe(self, **more: Any) -> ProbeOutcome:
        return probe(self.store, self.client, self.clock, self.key, **{"photo": PHOTO, **more})

    def restore(self) -> object:
        return restore_left(self.store, self.client, self.clock)

    def saved(self) -> object:
        with self.store.reading() as db:
            return db.probes.open_original()

    def learnt(self) -> dict[str, object]:
        with self.store.reading() as db:
            learnt = db.probes.traits()
        return learnt.traits.answers() if learnt else {}


@contextmanager
def stage(folder: Path, traits: Traits | None = None, library: str = "movies", **fields: Any) -> Iterator[Stage]:
    """A stage for one test. Hours pass between the item's last change and the probe."""
    folder.mkdir(mode=0o700, exist_ok=True)
    clock = Clock()
    with ExitStack() as stack:
        plex = stack.enter_context(PlexSim(token=TOKEN, scan_seconds=None, clock=clock.monotonic, traits=traits))
        plex.idle_seconds = UNHURRIED
        section, key, other = furnish(plex, library, **fields)
        for _ in range(2):
            # A picture that is listed late is listed before the probe.
            clock.move(3600)
            plex.item(key)
        client = ProbeClient(plex.url, TOKEN, connect_timeout=UNHURRIED, read_timeout=UNHURRIED)
        stack.callback(client.close)
        store = Database(folder / "plexsync.db", worker=True)
        stack.callback(store.close)
        yield Stage(plex, client, store, clock, section, key, other)


def furnish(plex: PlexSim, library: str = "movies", **fields: Any) -> tuple[str, str, str]:
    """(library, item to probe, another item). A person has edited some fields, and locked them."""
    section = plex.add_section("Library", locations=("/media",), agent=AGENTS[library])
    own = {"title": "One", "genre": ["Drama"], "label": ["mine", "yours"], "collection": ["Best", "Late"]}
    key = plex.add_movie(
        section, files=[("/media/a/One.mp4", 1, 60_000), ("/media/b/One, again.mp4", 2, 60_000)], **{**own, **fields}
    )
    other = plex.add_movie(section, files=[("/media/a/Two.mp4", 3, 60_000)], title="Two", collection=["Best"])
    plex.hand_edit(key, label=["mine", "yours, too"], actor=[("Ann", "A nurse"), ("Bo", "")], thumb=b"\x89PNG mine")
    plex.hand_edit(key, locked=False, collection=["Late", "Best"])
    return section, key, other


STAMPS = ("updated_at",)


def state_of(plex: PlexSim) -> dict[str, Any]:
    """All items with their lists, locks and pictures, all collections and all tags in use, without stamps."""
    state: dict[str, Any] = {"collections": {}, "items": {}, "collection items": {}, "tags": {}, "ratings": {}}
    for section in map(str, plex._library.sections):
        for key in plex.keys(section):
            item = asdict(plex.item(key))
            state["items"][key] = {name: value for name, value in item.items() if name not in STAMPS}
            state["ratings"][key] = plex._library.items[int(key)].account_rating
        state["collections"][section] = plex.collections(section)
        for title, key in plex.collection_keys(section).items():
            item = asdict(plex.item(key))
            state["collection items"][title] = {name: value for name, value in item.items() if name not in STAMPS}
        kinds = ("genre", "label", "actor", "collection", "director")
        place = plex._library.sections[int(section)]
        state["tags"][section] = {
            kind: [(tag.tag, tag.thumb) for tag in plex._library.tags(place, kind)] for kind in kinds
        }
    return state


def expected(traits: Traits, library: str) -> dict[str, object]:
    """What a probe of an item in this library learns of a server with these traits."""
    answers = {name: getattr(traits, name) for name in SWITCHES}
    answers["removals_at_once"] = answers["removals_at_once"] or 0
    if traits.people_pictures != "any":
        answers["people_house"] = "none"
    if traits.people_pictures == "none":
        answers["people_https"] = "none"
    if library == "movies":
        answers["cast_on_other"] = None
    elif not traits.cast_on_other:
        answers |= {"people_pictures": None, "people_own": None, "people_house": None, "people_https": None}
    return answers


def every_pair(values: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
    """Combinations in which every pair of values occurs, the fewest that a greedy choice needs."""
    names = list(values)
    missing = {
        ((one, a), (two, b))
        for place, one in enumerate(names)
        for two in names[place + 1 :]
        for a, b in product(values[one], values[two])
    }
    rows: list[dict[str, object]] = []
    while missing:
        (one, a), (two, b) = min(missing, key=repr)
        row: dict[str, object] = {one: a, two: b}
        for name in names:
            if name not in row:
                row[name] = max(values[name], key=lambda value: _gain(missing, row, name, value))
        covered = {pair for pair in missing if all(row[name] == value for name, value in pair)}
        missing -= covered
        rows.append({name: row[name] for name in names})
    return rows


def _gain(missing: set, row: dict[str, object], name: str, value: object) -> int:
    return sum(
        1
        for pair in missing
        if (name, value) in pair and all(known == name or row.get(known, object()) == other for known, other in pair)
    )
