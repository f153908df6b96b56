"""What was watched of a scene in Plex, and the play time in Stash that came from that, as facts and in words."""

from collections.abc import Collection, Mapping, Sequence

from plexsync.reports.format import local, many, safe, spent, stamp
from plexsync.reports.shapes.scenes import PlayTimeOfScene, ViewingOfScene, WatchedOfScene
from plexsync.rules.plays.first_plays import rule_words
from plexsync.rules.plays.marked_plays import MARKED
from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.plays import PlaySource
from plexsync.rules.plays.viewings import AFTER, STASH, VIEWED, Viewing, least_played

# The most viewings that are told one by one.
MOST_TOLD = 5


def watched_facts(
    viewings: Sequence[Viewing],
    plays: Mapping[int, PlaySource],
    time: RememberedTime | None,
    *,
    rule: str,
    percent: float | None,
) -> WatchedOfScene:
    """The viewings of a scene, and its play time as it is remembered.

    `plays`: those of Plex's history and of viewings, by moment. `rule`: the one in force, with the `percent` of Stash's
    own player.
    """
    rows = [moment for moment, source in plays.items() if source.history_key not in (VIEWED, MARKED)]
    latest = sorted(viewings, key=lambda viewing: viewing.began, reverse=True)[:MOST_TOLD]
    facts = [_facts(viewing, rows, rule, percent) for viewing in latest]
    more = [f"and {many(len(viewings) - MOST_TOLD, 'earlier viewing')}"] if len(viewings) > MOST_TOLD else []
    play_time = _play_time(time or RememberedTime(0.0, 0.0), viewings)
    return {
        "viewings": facts,
        "viewing_count": len(viewings),
        "play_time": play_time,
        "lines": [*(viewing["text"] for viewing in facts), *more, *([play_time["text"]] if play_time else [])],
    }


def _facts(viewing: Viewing, rows: Collection[int], rule: str, percent: float | None) -> ViewingOfScene:
    row = min((row for row in rows if viewing.began <= row <= viewing.ended + AFTER), default=0)
    played = spent(viewing.played / 1000) + (f" of {spent(viewing.length / 1000)}" if viewing.length else "")
    player = f" by {safe(viewing.player, 60)}" if viewing.player else ""
    words = _judgement(viewing, bool(row), rule, percent)
    moment = viewing.moment or row
    return {
        "text": f"watched {played} on {local(viewing.began * 1000)} in Plex{player}: {words}",
        "began_at": stamp(viewing.began * 1000),
        "played": viewing.played / 1000,
        "length": viewing.length / 1000 if viewing.length else None,
        "player": viewing.player,
        "play_at": stamp(moment * 1000) if moment else None,
    }


def _judgement(viewing: Viewing, in_history: bool, rule: str, percent: float | None) -> str:
    """Whether it is a play, and by which rule."""
    least, by = least_played(rule, viewing.length, percent), rule_words(rule, percent)
    if rule == STASH and least is not None and least == least_played(rule, viewing.length, 0.0):
        by = rule_words(rule, None) + f" ({spent(least / 1000)})"
    if viewing.moment and least is not None and viewing.played >= least:
        return f"a play by {by}"
    if in_history:
        return "a play by Plex's rule"
    if viewing.moment:
        return "a play by the rule of that time"
    return f"no play{'' if viewing.is_over else ' yet'} by {by}"


def _play_time(memory: RememberedTime, viewings: Sequence[Viewing]) -> PlayTimeOfScene | None:
    """How much of the play time came from Plex, and what is still to come; None if nothing did."""
    unsent = sum(max(viewing.owed, 0) for viewing in viewings)
    undoes = memory.own_part + memory.owed if memory.wish is TimeWish.UNDO else 0.0
    added = 0.0 if undoes else memory.own_part
    again = memory.withdrawn if memory.wish is TimeWish.REDO else 0.0
    comes = unsent + again + (0.0 if undoes else memory.owed)
    back = memory.withdrawn - again
    parts = ((added, "came from Plex"), (comes, "on its way"), (undoes, "being taken back"), (back, "taken back"))
    words = [f"{spent(seconds)} {fate}" for seconds, fate in parts if seconds >= 1]
    if not words:
        return None
    return {
        "text": f"play time in Stash: {', '.join(words)}",
        "added": round(added, 3),
        "on_its_way": round(comes, 3),
        "taken_back": round(undoes + back, 3),
    }
