"""The way of a ping as facts, and in one line."""

from typing import TypedDict

from plexsync.app.ping import Ping

# Names of hops of which the line says no time.
UNTIMED = ("read_back",)


class HopFacts(TypedDict):
    """A part of the way."""

    name: str
    """`saved`, `told`, `queued`, `worked`, `matched`, `answered` or `read_back`."""
    words: str
    ms: int
    """The time that it took, in milliseconds."""


class PingFacts(TypedDict):
    """The way of a change that changes nothing, from Stash to Plex: `plexsync ping`."""

    scene: int
    hops: list[HopFacts]
    ms: int
    """The time of the whole way, in milliseconds."""
    error: str
    """Why it went no further, or empty."""
    line: str
    """The way in one line."""


def ping_facts(way: Ping) -> PingFacts:
    """The hops of a ping."""
    return {
        "scene": way.scene,
        "hops": [{"name": hop.name, "words": hop.words, "ms": hop.ms} for hop in way.hops],
        "ms": way.ms,
        "error": way.error,
        "line": ping_line(way),
    }


def ping_line(way: Ping) -> str:
    """The hops with their times, and the time of all."""
    hops = [hop.words if hop.name in UNTIMED else f"{hop.words} {duration(hop.ms)}" for hop in way.hops]
    return " · ".join([*hops, way.error or duration(way.ms)])


def duration(ms: int) -> str:
    """A time as text: `38 ms`, `1.1 s`."""
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
