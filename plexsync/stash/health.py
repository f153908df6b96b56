"""Tells Stash from other servers by its health page, which needs no key."""

from contextlib import closing, suppress

from plexsync.http.client import Timeouts, Wire
from plexsync.rules.errors import NeighbourError, Unusable
from plexsync.stash.client import STASH

HEALTHY = b"."


def is_stash(url: str, ca_file: str, connect: float, read: float) -> bool:
    """Whether Stash answers at an address; sends no key."""
    with suppress(NeighbourError, Unusable):
        with closing(Wire(STASH, url, headers={}, timeouts=Timeouts(connect, read), ca_file=ca_file)) as wire:
            return bytes(wire.ask("GET", "/healthz").body) == HEALTHY
    return False
