"""`plexsync` alone, on a real terminal: where nothing is set up it sets PlexSync up and starts, else it prints help."""

import base64
import os
import re
import tomllib
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from plexsync.cli.terminal.pictured_scenes import draws_kitty, half_blocks, kitty_messages
from plexsync.plex.imaging import PillowImaging
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from tests import forked
from tests.cli.terminal import ROOT, Terminal
from tests.journey.world import KEY, TOKEN, World
from tests.patience import until

PICTURE = BytesIO()
Image.new("RGB", (40, 60), (200, 30, 30)).save(PICTURE, "PNG")


@pytest.fixture
def tv(world: World) -> Iterator[PlexTvSim]:
    with PlexTvSim() as made:
        made.servers = [Resource("NAS", TOKEN, (Connection(world.plex.url, "127.0.0.1", world.plex.port),))]
        yield made


def titles(world: World) -> list[str]:
    return [world.plex.item(key).scalars["title"] for key in world.plex.keys(world.section)]


def typed(terminal: Terminal, tv: PlexTvSim, world: World) -> None:
    """Everything up to the scenes that are shown."""
    terminal.until("confirm it in the browser")
    (pin,) = tv.pins.values()
    tv.confirm(pin.code)
    terminal.answer("Address of Stash", world.stash.url)
    terminal.answer("API key of Stash", KEY)
    terminal.answer("Use this rule?")
    terminal.until("Some scenes as they would look in Plex. Nothing is written yet.")


def test_plexsync_alone_goes_from_nothing_to_a_library_in_sync(tmp_path: Path, world: World, tv: PlexTvSim) -> None:
    for n in range(7):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", 10 + n, 9_000)], title=f"file {n}")
        world.stash.add_scene(title=f"Title {n}", files=[(f"/data/scenes/{n}.mp4", 10 + n, 9.0)])
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PLEX_TV": tv.url}
    with Terminal([], environ, columns=120, cwd=tmp_path) as terminal:
        typed(terminal, tv, world)
        shown = terminal.until("plexsync.toml?")
        assert len(re.findall(r"Scene \d+: Title \d", shown)) == 5
        assert "title: file 0 -> Title 0\n" in shown, "and no word of locks"
        assert world.plex.count("PUT") == 0, "nothing is written before it is agreed to"
        terminal.press("\n")
        terminal.answer("Write 7 scenes to Plex now, and keep Plex in sync?")
        terminal.until("keeps Plex in sync with Stash.")
        until(lambda: titles(world) == [f"Title {n}" for n in range(7)])
        terminal.interrupt()
        assert terminal.end() == 130
        for secret in (TOKEN, KEY, tv.token):
            assert secret not in terminal.raw
        assert "Traceback" not in terminal.text
    with Terminal([], environ, cwd=tmp_path) as terminal:
        assert terminal.end() == 2
        assert "Usage: plexsync" in terminal.text, "it is set up now"


@pytest.mark.parametrize(
    ("kind", "picture"),
    [({"TERM": "xterm-kitty"}, "\x1b_Ga=T"), ({"COLORTERM": "truecolor"}, "\N{UPPER HALF BLOCK}"), ({}, "")],
    ids=["kitty", "16 million colours", "plain"],
)
def test_a_no_at_the_end_leaves_plex_alone(
    kind: dict[str, str], picture: str, tmp_path: Path, world: World, tv: PlexTvSim
) -> None:
    world.plex.add_movie(world.section, files=[("/media/scenes/1.mp4", 10, 9_000)], title="file")
    world.plex.add_movie(world.section, files=[("/media/scenes/2.mp4", 11, 9_000)], title="file")
    world.stash.add_scene(title="Title", files=[("/data/scenes/1.mp4", 10, 9.0)], cover=PICTURE.getvalue())
    world.stash.add_scene(title="Title", files=[("/data/scenes/2.mp4", 11, 9.0)])
    with Terminal([], {"HOME": str(tmp_path), "PLEX_TV": tv.url, **kind}, columns=120, cwd=tmp_path) as terminal:
        typed(terminal, tv, world)
        terminal.answer("plexsync.toml?")
        assert picture in terminal.raw
        assert {"\x1b_G" in terminal.raw, "\N{UPPER HALF BLOCK}" in terminal.raw} == {bool(picture), False}
        terminal.answer("Write 2 scenes to Plex now", "n")
        assert terminal.end() == 0
        assert "Nothing was written to Plex." in terminal.text
    assert tomllib.loads((tmp_path / ".config/plexsync/plexsync.toml").read_text())["plex_url"] == world.plex.url
    assert world.plex.count("PUT") == 0


@pytest.mark.parametrize("streams", ["no terminal", "a setting"])
def test_elsewhere_plexsync_alone_prints_help(streams: str, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    if streams == "no terminal":
        done = forked.run(["-m", "plexsync"], cwd=ROOT, env=environ, capture_output=True, text=True)
        assert (done.returncode, "Usage: plexsync" in done.stderr) == (2, True)
        return
    with Terminal([], {**environ, "PLEXSYNC_PLEX_URL": "http://nas:32400"}, cwd=tmp_path) as terminal:
        assert terminal.end() == 2
        assert "Usage: plexsync" in terminal.text


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_is_sent_to_kitty_in_messages_that_together_are_its_pixels() -> None:
    noise = Image.effect_noise((40, 60), 90).convert("RGB")
    content = BytesIO()
    noise.save(content, "PNG")
    size, pixels = PillowImaging().pixels(content.getvalue(), (40, 60))
    messages = list(kitty_messages(size, pixels))
    assert len(messages) > 1
    parts = [re.fullmatch(r"\x1b_G(.*?)m=([01]);([A-Za-z0-9+/=]{1,4096})\x1b\\\n?", message) for message in messages]
    assert [part[2] for part in parts] == ["1"] * (len(parts) - 1) + ["0"]
    assert parts[0][1] == "a=T,f=24,o=z,q=2,s=40,v=60,"
    assert zlib.decompress(base64.b64decode("".join(part[3] for part in parts))) == noise.tobytes()
    assert list(kitty_messages((0, 0), b"")) == []


def test_half_blocks_show_two_pixels_a_cell_and_a_picture_is_never_larger_than_it_may_be() -> None:
    size, pixels = PillowImaging().pixels(PICTURE.getvalue(), (24, 36))
    assert size == (24, 36)
    text = half_blocks(size, pixels)
    assert text.plain == ("\N{UPPER HALF BLOCK}" * 24 + "\n") * 18
    assert {str(span.style) for span in text.spans} == {"#c81e1e on #c81e1e"}
    assert half_blocks((0, 0), b"").plain == ""


@pytest.mark.parametrize(
    ("environ", "draws"),
    [
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, False),
        ({}, False),
    ],
)
def test_graphics_are_sent_only_to_a_terminal_that_is_known_to_draw_them(environ: dict[str, str], draws: bool) -> None:
    assert draws_kitty(environ) is draws
