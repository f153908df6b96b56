"""A world in which something stands in every way there is, for pages to be looked at."""

import math
import threading
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from plexsync.app.named_scenes import ignore_scenes
from plexsync.app.parts import Parts, at_work, open_parts
from plexsync.app.run import drain
from plexsync.flows.scenes.dead_letter_cures import NOTE as CURED
from plexsync.flows.scenes.verbs import count_unsettled, want_scenes
from plexsync.rules.queue.job import DAY, Kind, State, Why
from plexsync.rules.queue.note_keys import BEGUN
from plexsync.rules.queue.samples import HOUR, MINUTE, Sample
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.plex_changes import PlexBackup
from plexsync.simulator.stash_model import StashBackup
from tests.journey.world import World
from tests.stores import on_postgres
from validation.config import PlexSyncConfig

HOSTILE = (
    '<img src=x onerror="document.title=1"><script>document.title=2</script>',
    "\"><svg onload=alert(1)>{{7*7}}</title></textarea>'",
    "\u202eesrever\u2066 \x07\x1b[31m mixed \u200f\u061c",
    "🦊" * 40 + " e\u0301" * 40,
    "x" * 3_000,
    "javascript:alert(1) &lt;b&gt; &amp; %3Cscript%3E",
)


def config_of(world: World, **settings: object) -> PlexSyncConfig:
    """The settings of a world, and others in their place."""
    given = {name: value for name, value in world.texts.items() if name in PlexSyncConfig.model_fields}
    return PlexSyncConfig(**given | settings)


def work(world: World, ids: Iterable[int] = ()) -> None:
    """Want these scenes, and work until nothing waits."""
    with at_work(config_of(world), world.folder) as (parts, mine):
        assert mine
        want_scenes(parts.store, ids, Why.USER, parts.clock)
        drain(parts, threading.Event(), lambda _step: None, wait_for=lambda: count_unsettled(parts.store, None) == 0)


@contextmanager
def refusing(world: World, title: str):
    """Plex refuses every edit with this title in it."""

    def meant(request: Request) -> bool:
        return request.method == "PUT" and title in str(request)

    world.plex.faults.set(Fault("status", status=400, when=meant))
    yield
    world.plex.faults.clear()


@dataclass(frozen=True)
class Furniture:
    """A furnished world: the files of its data folder, both servers' databases, and Plex's time."""

    files: dict[str, bytes]
    stash: StashBackup
    plex: PlexBackup
    plex_now: int
    found: dict[str, int]

    @classmethod
    def of(cls, world: World, found: dict[str, int]) -> Self:
        """A copy of it, while nobody has its database open."""
        files = {
            str(path.relative_to(world.folder)): path.read_bytes() for path in world.folder.rglob("*") if path.is_file()
        }
        return cls(files, world.stash.backup(), world.plex.backup(), world.plex.now(), found)

    def put_into(self, world: World) -> dict[str, int]:
        """Make a new world the same."""
        for name, content in self.files.items():
            path = world.folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600)
        world.stash.restore(self.stash)
        world.plex.restore(self.plex)
        world.plex.advance(self.plex_now - world.plex.now())
        with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
            # That the servers have other addresses than those of then is no change that cures a dead letter.
            for name, value in parts.settings.cures.items():
                tx.notes.save(f"{CURED}{name}", value)
        return dict(self.found)


# What was furnished in this process: a world with the same settings and the same libraries in Plex gets a copy.
FURNISHED: dict[tuple[str, ...], Furniture] = {}


def furnish(world: World) -> dict[str, int]:
    """One scene for each way to stand, by its word, and some more; `hostile` is the first with a title that means harm."""
    libraries = {section.title: section.locations for section in world.plex.backup().rows["sections"].values()}
    given = (world.plex.machine, world.section, str(libraries), *map(str, sorted(world.settings.items())))
    if furniture := FURNISHED.get(given):
        return furniture.put_into(world)
    found = _furnish(world)
    if not on_postgres():
        FURNISHED[given] = Furniture.of(world, found)
    return found


def _furnish(world: World) -> dict[str, int]:
    ids = world.add(12)
    found = {"in_step": ids[0], "waiting": ids[1], "ignored": ids[2], "failed": ids[3], "gone": ids[4]}
    world.stash.edit_scene(ids[3], title="Refused by Plex")
    found["absent"] = _scene(world, "Not in Plex", "/media/scenes/nowhere.mp4")
    found["ambiguous"] = _scene(world, "Twice in Plex", "/elsewhere/twice.mp4", size=77)
    for place in ("a", "b"):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{place}/twice.mp4", 77, 60_000)], title="twice")
    hostile = [_scene(world, title, f"/media/scenes/hostile {n}.mp4", in_plex=True) for n, title in enumerate(HOSTILE)]
    found["hostile"] = hostile[0]
    with refusing(world, "Refused"):
        work(world, [*ids, found["absent"], found["ambiguous"], *hostile])
    world.stash.edit_scene(ids[0], title="A better title", tags=["Tag 1", "Another"])
    world.stash.destroy_scene(ids[4])
    work(world, [ids[0], ids[4]])
    world.stash.edit_scene(ids[1], title="Not pushed yet")
    with open_parts(config_of(world), world.folder) as parts:
        want_scenes(parts.store, [found["waiting"]], Why.USER, parts.clock)
        ignore_scenes(parts.store, [found["ignored"]], parts.clock)
        past(parts)
    return found


def _scene(world: World, title: str, path: str, *, size: int = 99, in_plex: bool = False) -> int:
    if in_plex:
        world.plex.add_movie(world.section, files=[(path, size, 60_000)], title="hostile")
    return world.stash.add_scene(title=title, details=title, tags=[title[:200]], files=[(path, size, 60.0)])


def past(parts: Parts) -> None:
    """A month of samples, and some outages."""
    now = parts.clock.now()
    with parts.store.writing() as tx:
        for hour in range(30 * 24):
            at = now - now % HOUR - hour * HOUR
            wave = 1 + math.sin(hour / 24 * math.tau)
            if hour > 48 and not 300 < hour < 330:
                tx.samples.add(
                    Sample(
                        at,
                        HOUR,
                        9_000 + 30 * (700 - hour),
                        round(900 * wave),
                        40,
                        7,
                        round(2_000 * wave),
                        2_300,
                        90,
                        minutes=60,
                    )
                )
        for minute in range(48 * 60):
            at = now - now % MINUTE - minute * MINUTE
            wave = 1 + math.sin(minute / 300)
            if not 400 < minute < 520:
                tx.samples.add(
                    Sample(at, MINUTE, 30_000 - minute, round(300 * wave), 42, 7, round(60 * wave), round(66 * wave), 4)
                )
        for who, ago, length, error in (
            (Neighbour.PLEX, 20 * DAY, 3 * HOUR, "Plex at nas:32400 does not answer"),
            (Neighbour.PLEX, 9 * DAY, 20 * MINUTE, "Plex at nas:32400 answered 502"),
            (Neighbour.STASH, 6 * DAY, 9 * HOUR, f"Stash said {HOSTILE[0]}"),
            (Neighbour.PLEX, 5 * HOUR, 40 * MINUTE, "Plex at nas:32400 dropped the connection"),
        ):
            at = now - ago
            tx.transitions.log(who, at=at, old="closed", new="open", cause="read", error=error)
            tx.transitions.log(who, at=at + length, old="half_open", new="closed", cause="", error="")
        tx.transitions.log(
            Neighbour.STASH,
            at=now - 2 * DAY,
            old="free",
            new="hold",
            cause="stash_api_key",
            error="Stash refuses the key",
        )
        tx.transitions.log(Neighbour.STASH, at=now - DAY, old="hold", new="free", cause="stash_api_key", error="")
        tx.notes.save(BEGUN, str(now - 40 * DAY))


def state_of(world: World, id: int) -> State | None:
    """What the database says of a scene."""
    rows = world.rows(f"select state from job where kind = '{Kind.SCENE}' and id = {id}")
    return State(rows[0][0]) if rows else None
