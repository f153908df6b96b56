"""A library in step, and the real provider on its database, for `plexsync provider` to change and to take back."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from plexsync.app.parts import Parts, open_parts
from plexsync.app.provider_steps import steps
from plexsync.app.provider_steps.plan import plan_adding
from plexsync.plex.requests import PlexRequests
from plexsync.rules.queue.note_keys import LENT_LIBRARY
from plexsync.store.database import Database
from tests.journey.world import World, world_in
from tests.patience import HANG
from tests.provider.stage import answer_store, answering
from tests.web.stage import config_of

AGENT, GROUP = "tv.plex.agents.movie", "1"
PREFIX = "tv.plex.agents.custom.plexsync."


class Killed(BaseException):
    """The process ends here: nothing of ours runs any more."""


@contextmanager
def asking_world(folder: Path, **settings: str) -> Iterator[World]:
    """A library of Plex, a Stash, and the provider at `provider_listen`."""
    with world_in(folder) as world:
        plex = world.plex
        plex.set_section_pref(world.section, "includeAdultContent", "1")
        with answering(answer_store(folder), path="") as asked:
            world.settings |= {"provider_listen": asked.url.removeprefix("http://"), **settings}
            yield world
            plex.wait_for_asks(HANG)


@contextmanager
def parts_of(world: World) -> Iterator[Parts]:
    with open_parts(config_of(world), world.folder) as parts:
        yield parts


def library_of(world: World) -> str:
    """The uuid of the library."""
    with parts_of(world) as parts:
        return next(one.uuid for one in parts.plex.sections() if one.key == world.section)


def add(parts: Parts) -> None:
    """As `plexsync provider add Movies` after your yes."""
    plan = plan_adding(parts, "Movies")
    steps.begin_adding(parts, plan.library, plan.identifier)
    steps.go_on(parts, plan.library.uuid)


def remove(parts: Parts) -> steps.PutBack:
    """As `plexsync provider remove Movies` after your yes."""
    with parts.store.reading() as db:
        (row,) = db.providers.all()
    steps.begin_removing(parts, row.library)
    return steps.put_back_of(steps.go_on(parts, row.library))


def lend(world: World) -> str:
    """An item in a library whose scratch provider is gone, as an earlier PlexSync left it when it was killed."""
    key = world.plex.add_movie(world.section, files=[("/media/scenes/home.mp4", 5, 1000)], genre=["Family"])
    world.plex.match(key, b"a poster", b"another poster")
    with parts_of(world) as parts:
        add(parts)
        with parts.store.writing() as tx:
            (row,) = tx.providers.all()
            item = next(each for each in tx.providers.items(row.library) if each.item == key)
            left = {name: vars(row)[name] for name in ("library", "section", "title", "identifier")}
            saved = {"key": item.item, "document": item.document, "machine": parts.plex.server().machine, "mark": "x"}
            tx.notes.save(LENT_LIBRARY, json.dumps({**left, **saved, "agent": AGENT, "group": GROUP}))
            tx.providers.forget(row.library)
    return key


def whole(world: World) -> Mapping[str, object]:
    """Everything that Plex has of the library, but for stamps."""
    world.plex.wait_for_asks(HANG)
    items = {key: dict(vars(world.plex.item(key))) for key in world.plex.keys(world.section)}
    for item in items.values():
        del item["updated_at"]
    return {"agent": world.plex.agent_of(world.section), "items": items}


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], bool]:
    """The process ends at the boundary of this number: before or after a write to Plex, or to the database.

    Returns what tells whether that boundary was reached.
    """
    count, ours = 0, threading.current_thread()

    def boundary() -> None:
        nonlocal count
        # The provider, which runs beside it, goes on.
        if threading.current_thread() is ours:
            count += 1
            if count == number:
                raise Killed

    ask, writing = PlexRequests.ask, Database.writing

    def killing(self: PlexRequests, method: str, target: str, **more: object) -> object:
        if method == "GET":
            return ask(self, method, target, **more)  # type: ignore[arg-type]
        boundary()
        answer = ask(self, method, target, **more)  # type: ignore[arg-type]
        boundary()
        return answer

    @contextmanager
    def committing(self: Database) -> Iterator[object]:
        with writing(self) as tx:
            yield tx
            boundary()
        boundary()

    monkeypatch.setattr(PlexRequests, "ask", killing)
    monkeypatch.setattr(Database, "writing", committing)
    return lambda: count >= number
