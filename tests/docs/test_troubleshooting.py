"""What docs/troubleshooting.md says that a command answers, it answers, in a world where that is so."""

import re
import sqlite3
from collections.abc import Callable
from random import Random

import pytest
from plexapi.server import PlexServer

from tests.docs.pages import pages
from tests.journey.world import TOKEN, World
from tests.store.fifteen import old_database

PAGE = pages()["docs/troubleshooting.md"]


def sections() -> dict[str, list[str]]:
    """The console blocks of the page, by the heading they stand under."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^#{2,3} ", PAGE, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        found[title] = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {title: blocks for title, blocks in found.items() if blocks}


def absent(world: World) -> None:
    world.add(9)
    world.stash.add_scene(title="New", files=[("/media/scenes/new.mp4", 99, 60.0)])
    world.run("sync", "--all", "--wait")


def elsewhere(world: World) -> None:
    for n in range(8):
        world.plex.add_movie(
            world.section, files=[(f"/media/scenes/clip {n}.mp4", 1000 + n, 60_000)], title=f"clip {n}"
        )
        world.stash.add_scene(title=f"T{n}", files=[(f"/data/clip {n}.mp4", 1000 + n, 60.0)])


def unclear(world: World) -> None:
    world.add(9)
    for n in (1, 2):
        world.plex.add_movie(world.section, files=[(f"/media/other{n}/twin.mp4", 555, 60_000)], title=f"twin {n}")
    world.stash.add_scene(title="Twin", files=[("/data/x/twin.mp4", 555, 60.0)])
    world.run("sync", "10", "--wait")


def out_of_scope(world: World) -> None:
    world.settings["scope"] = "organized"
    world.add(3)
    world.run("sync", "--all", "--wait")


def by_hand(world: World) -> None:
    world.add(9)
    world.run("sync", "--all", "--wait")
    server = PlexServer(world.plex.url, TOKEN)
    server.fetchItem(int(world.plex.keys(world.section)[6])).editTitle("By hand")
    server._session.close()


def never_begun(world: World) -> None:
    world.settings |= {"approve_bulk": "false", "enabled": "false"}
    world.add(3)


def refused(world: World) -> None:
    world.add(3)
    world.run("sync", "1", "--wait")
    world.settings["plex_token"] = "no-such-token-0123456789"
    world.run("sync", "2", "--wait")


def no_library(world: World) -> None:
    world.settings["plex_libraries"] = "Films"


def reinstalled(world: World) -> None:
    well(world)
    world.plex.reinstall(Random(1))
    world.run("sync", "1", "--wait")


def well(world: World) -> None:
    world.add(1)
    world.run("sync", "1", "--wait")


def misspelt(world: World) -> None:
    world.settings["max_retrys"] = "3"


def newer(world: World) -> None:
    well(world)
    db = sqlite3.connect(world.folder / "plexsync.db")
    db.execute("pragma user_version = 99")
    db.close()


def too_old(world: World) -> None:
    well(world)
    (world.folder / "plexsync.db").unlink()
    old_database(world.folder / "plexsync.db", 7)


WORLDS: dict[str, Callable[[World], None]] = {
    "Why is this scene not in Plex?": absent,
    '"no item in Plex has this file (yet)"': absent,
    "The paths differ": elsewhere,
    '"several files could be it"': unclear,
    '"out of scope"': out_of_scope,
    "Plex shows an old title": by_hand,
    "Nothing happens": never_begun,
    "The token is refused": refused,
    "A library is not found": no_library,
    "This is another Plex server": reinstalled,
    "Plex or Stash is down": well,
    "Scenes need you": unclear,
    "A setting is wrong": misspelt,
    "The database was written by a newer PlexSync": newer,
    "The database is too old": too_old,
}


def test_every_answer_that_is_quoted_has_a_world() -> None:
    assert set(sections()) == set(WORLDS)


@pytest.mark.parametrize("title", WORLDS)
def test_the_answer_is_what_the_page_quotes(title: str, world: World) -> None:
    WORLDS[title](world)
    for block in sections()[title]:
        first, *quoted = block.splitlines()
        assert first.startswith("$ plexsync ")
        done = world.run(*first.split()[2:])
        said = " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in said
        for line in quoted:
            pattern = ".*?".join(re.escape(" ".join(piece.split())) for piece in line.split("…"))
            pattern = pattern.replace(r"\ .*?\ ", ".*?")
            assert re.search(pattern, said), f"{line!r} is not in what {first!r} said: {said}"
