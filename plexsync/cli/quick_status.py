"""`plexsync status` for all scenes, from the database alone, without loading the worker or the drawing code."""

import os
import sys

from plexsync.app import quick
from plexsync.app.status_settings import Sources
from plexsync.cli.terminal.plain import look_of
from plexsync.cli.terminal.status_page import page
from plexsync.reports.status import facts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from plexsync.reports.shapes.several import ServerStatusFacts
    from plexsync.reports.shapes.status import StatusFacts

    class CallOptions(Protocol):
        """The options of a call that matter here."""

        @property
        def config_file(self) -> "os.PathLike[str] | str | None": ...

        @property
        def data_dir(self) -> str | None: ...

        @property
        def json(self) -> bool: ...


def sources_of(call: "CallOptions") -> Sources:
    """The sources of this call's settings."""
    return Sources(os.environ, os.fspath(call.config_file) if call.config_file else None, call.data_dir)


def quick_facts(call: "CallOptions") -> "StatusFacts | None":
    """All facts of `status`; None if the database alone is not enough."""
    look = quick.look(sources_of(call))
    if look is None:
        return None
    return facts_of(
        look.snapshot,
        look.config,
        spooled=look.spooled,
        running=look.running,
        began=look.began,
        has_dashboard=look.has_dashboard,
    )


def tell_all(call: "CallOptions", facts: "StatusFacts") -> int:
    """Print the facts; raises OSError if standard output can't be written."""
    if call.json:
        import json

        text = json.dumps(facts, indent=2) + "\n"
    else:
        text = page(facts, look_of(sys.stdout, os.environ))
    _write(text)
    return 0


def tell_pages(servers: "Iterable[ServerStatusFacts]") -> None:
    """Print the facts of several Plex servers as text, in this order; raises OSError if that can't be written."""
    look = look_of(sys.stdout, os.environ)
    _write("\n".join(page(facts, look, plex=facts["plex"]) for facts in servers))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
