"""Some scenes as they would look in Plex, with their pictures where the terminal shows any.

A terminal with the graphics of kitty gets the picture; any other with 16 million colours gets it as half blocks, two pixels
a cell. Behind `tmux` or `screen`, which pass neither on reliably, and without Pillow, there are words alone.
"""

import base64
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from plexsync.app.clients import pillow
from plexsync.app.parts import Parts
from plexsync.cli.terminal.preview_output import FIRST_FEW, scene_lines
from plexsync.cli.terminal.screen import LiveLine, say
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, preview_scenes
from plexsync.reports.pictures import scene_picture
from plexsync.rules.servers.errors import NeighbourError, Unusable

# The scenes that are looked at for some that would change.
MOST_LOOKED = 500
# The largest picture in pixels: of the graphics of kitty, and in half blocks.
LARGE, SMALL = (200, 300), (24, 36)
CHUNK = 4_096  # bytes of one message to kitty
NO_PICTURE = ((0, 0), b"")


def show_scenes(parts: Parts, console: Console) -> bool:
    """Show the first few scenes that would change, and write nothing. Raises NeighbourError."""
    with LiveLine(console) as line:
        line.show("comparing some scenes")
        looked = islice(preview_scenes(parts.inspector), MOST_LOOKED)
        scenes = list(islice((scene for scene in looked if scene.standing == WOULD_CHANGE), FIRST_FEW))
    if scenes:
        say(console, "Some scenes as they would look in Plex. Nothing is written yet.", style="bold")
    for scene in scenes:
        _show(parts, console, scene)
    return bool(scenes)


def _show(parts: Parts, console: Console, scene: Preview) -> None:
    lines = Text("\n".join(scene_lines(scene, locks=False)))
    if draws_kitty(os.environ) and console.is_terminal:
        size, pixels = _pixels(parts, scene, LARGE)
        console.file.write("".join(kitty_messages(size, pixels)))
    elif console.color_system == "truecolor" and not is_multiplexed(os.environ):
        size, pixels = _pixels(parts, scene, SMALL)
        beside = Table.grid(padding=(0, 2))
        beside.add_row(half_blocks(size, pixels), lines)
        console.print(beside)
        return
    console.print(lines)


def _pixels(parts: Parts, scene: Preview, largest: tuple[int, int]) -> tuple[tuple[int, int], bytes]:
    """The poster that the scene would have, as pixels; none if it can't be had."""
    imaging = pillow(needed=False)
    with suppress(NeighbourError, Unusable):
        content = scene_picture(parts, scene.id, "thumb") if imaging else b""
        if imaging and content:
            return imaging.pixels(content, largest)
    return NO_PICTURE


def is_multiplexed(environ: Mapping[str, str]) -> bool:
    """Whether another program stands between this one and the terminal."""
    return bool(environ.get("TMUX") or environ.get("STY"))


def draws_kitty(environ: Mapping[str, str]) -> bool:
    """Whether the terminal takes the graphics of kitty."""
    is_one = environ.get("TERM") == "xterm-kitty" or environ.get("TERM_PROGRAM") in ("ghostty", "WezTerm")
    return is_one and not is_multiplexed(environ)


def kitty_messages(size: tuple[int, int], pixels: bytes) -> Iterator[str]:
    """A picture in the messages that kitty takes; none without pixels."""
    content = base64.standard_b64encode(zlib.compress(pixels)).decode() if pixels else ""
    for start in range(0, len(content), CHUNK):
        head = f"a=T,f=24,o=z,q=2,s={size[0]},v={size[1]}," if not start else ""
        more = int(start + CHUNK < len(content))
        yield f"\x1b_G{head}m={more};{content[start : start + CHUNK]}\x1b\\{'' if more else chr(10)}"


def half_blocks(size: tuple[int, int], pixels: bytes) -> Text:
    """A picture as text: each character shows two pixels, one above the other."""
    width, height = size
    text = Text()
    for top in range(0, height - 1, 2):
        for column in range(width):
            upper, lower = (pixels[3 * (row * width + column) :][:3] for row in (top, top + 1))
            text.append("\N{UPPER HALF BLOCK}", Style(color="#" + upper.hex(), bgcolor="#" + lower.hex()))
        text.append("\n")
    return text
