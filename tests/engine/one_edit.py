"""What one edit of a title runs in a worker without options: counted in our own modules and functions.

A module that one edit runs is one that its reader has to know. A part that is switched off has no step in it.
"""

import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import CodeType, FrameType

from pytest import MonkeyPatch

from plexsync.app import parts as app_parts
from plexsync.app.parts import open_parts
from plexsync.app.run import edit_listener, engine, loop_of, take_up
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.log_lines import OURS, read_batch
from tests.engine.clocks import Clock
from tests.sources import ROOT
from validation.config import PlexSyncConfig

PRODUCT = tuple(f"{ROOT / name}/" for name in ("plexsync", "validation", "worker"))
# The simulators, and what writes the methods of a record once, at its first use.
NOT_COUNTED = (f"{ROOT / 'plexsync' / 'simulator'}/", f"{ROOT / 'plexsync' / 'rules' / 'record_class.py'}")
# The threads of the worker that send. Those of the simulators run modules of the product as well.
SENDS = "push"


@contextmanager
def entered() -> Iterator[Mapping[str, set[str]]]:
    """Count the functions of the product that this thread and the worker's sends enter, by module. Not comprehensions."""
    codes: set[CodeType] = set()
    functions: defaultdict[str, set[str]] = defaultdict(set)

    def note(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    def note_sends(frame: FrameType, event: str, arg: object) -> None:
        if threading.current_thread().name.startswith(SENDS):
            note(frame, event, arg)

    threading.setprofile(note_sends)
    sys.setprofile(note)
    try:
        yield functions
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    for code in codes:
        place = code.co_filename
        if place.startswith(PRODUCT) and not place.startswith(NOT_COUNTED) and not is_part_of_an_expression(code):
            functions[str(Path(place).relative_to(ROOT))].add(code.co_qualname)


def is_part_of_an_expression(code: CodeType) -> bool:
    """Whether this is a comprehension, which a later Python runs without a call."""
    return code.co_name.startswith("<") and code.co_name != "<lambda>"


def edit_title(folder: Path) -> Mapping[str, set[str]]:
    """Edit a title in Stash, and let the worker work from the line of Stash's log until its queue is empty.

    Returns the functions that were entered, by module.
    """
    clock = Clock()
    folder.chmod(0o700)
    stop = threading.Event()
    with ExitStack() as stack, MonkeyPatch.context() as patch:
        patch.setattr(app_parts, "clock_of", lambda *_: clock)
        stash, plex = stack.enter_context(StashSim()), stack.enter_context(PlexSim(token="t" * 20))
        section = plex.add_section("Movies", locations=("/media",))
        files = [("/media/1.mp4", 1000, 60.0)]
        key = plex.add_movie(section, files=[("/media/1.mp4", 1000, 60_000)], title="file")
        id = stash.add_scene(
            title="Before", details="Text", studio="Studio", performers=["Ann"], tags=["Tag"], rating100=80, files=files
        )
        config = PlexSyncConfig(
            plex_url=plex.url,
            plex_token="t" * 20,
            stash_url=stash.url,
            approve_bulk=True,
            poster="none",
            plex_parallel=1,
        )
        parts = stack.enter_context(open_parts(config, folder, worker=True))
        with engine(parts, stop) as works:
            take_up(parts, works)
            parts.reconciler.try_reconcile()
            loop_of(parts, works, stop, lambda _step: None).drain()
        assert plex.item(key).scalars["title"] == "Before"
        # Another engine, whose sends begin on new threads.
        loop = loop_of(parts, stack.enter_context(engine(parts, stop)), stop, lambda _step: None)
        clock.move(60)
        loop.drain()
        stash.quiet_edit(id, title="After")
        line = b'{"type":"next","payload":{"data":{"loggingSubscribe":[{"message":"' + OURS
        listener = edit_listener(parts, lambda: None)
        with entered() as functions:
            listener.take(read_batch(line + b'Scene.Update.Post %d"}]}}}' % id).edits)
            clock.move(2)
            loop.drain()
        assert plex.item(key).scalars["title"] == "After"
    return functions
