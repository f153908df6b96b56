"""The plays of a scene on both servers, as far as the database knows: what Plex lists, and what became of each play.

And what was watched of it in Plex, with the play time in Stash that came from that.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from plexsync.flows.plays.history_poll import account_in, approved_plays
from plexsync.flows.plays.viewings import known_percent
from plexsync.reports.format import local, many, place, safe, spent, stamp
from plexsync.reports.shapes.scenes import PlaysOfScene, PlayTimeOfScene, ViewingOfScene, WatchedOfScene
from plexsync.rules.plays.first_plays import rule_words
from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.plays import TAKEN_BACK, PlaySource, PlayState, WatchRules
from plexsync.rules.plays.resume import RememberedResume
from plexsync.rules.plays.viewings import PLEX, STASH, Viewing, least_played, plays_in_plex, rows_near, rows_of
from plexsync.store.database import Reader

# The most viewings that are told one by one.
MOST_TOLD = 5
# What became of plays that are not simply in Stash, in the order in which the sentence tells it.
FATES = (
    (PlayState.DELETED, "deleted by you in Stash, and never added again"),
    (TAKEN_BACK, "taken back"),
    (PlayState.REMOVING, "being taken back"),
)


def scene_plays(
    db: Reader, rules: WatchRules | None, id: int, *, created_at: str = "", items: Iterable[str] = ()
) -> PlaysOfScene | None:
    """The plays of a scene; None if the way back is off (`rules` is None) and none is remembered.

    `created_at` and `items`, the keys of its items, as both servers tell them now; else as they were known last.
    """
    stored = db.scene_names.known_scenes([id]).get(id)
    created_at = created_at or (stored.origin.created_at if stored else "")
    memory = db.plays.of({id: created_at}).get(id, {})
    time = db.play_times.of({id: created_at}).get(id)
    if rules is None and not (memory or time):
        return None
    account = account_in(db, rules) if rules else None
    keys = sorted(items) or sorted({key for _, key in db.memories.of([id])})
    listed = db.plays.history(account, keys, since=rules.since) if rules and account is not None else {}
    viewings = db.viewings.of(account, keys) if rules and account is not None else []
    rule = approved_plays(db, rules, account)[1] if rules else PLEX
    sources = {moment: source for plays in listed.values() for moment, source in plays.items()}
    moments = plays_in_plex(sources, memory, viewings, minimum=rule)
    missing = {moment for moment in moments if moment not in memory or memory[moment].state is PlayState.ADDING}
    states = Counter(play.word for play in memory.values())
    last = max(moments, default=None)
    resume = db.watches.of({id: created_at}).get(id) if rules and rules.resume else None
    if rules is None:
        words = [f"watch_back is off; {many(states[PlayState.SENT], 'play')} in Stash came from Plex"]
    elif account is None:
        words = ["the history of Plex has not been read yet"]
    elif last is None:
        words = ["Plex lists no play of it"]
    else:
        words = [f"played {many(len(moments), 'time')} in Plex, last on {local(last * 1000)}"]
    words += [f"{len(missing):,} not yet in Stash"] if missing else []
    words += [f"{states[state]:,} {fate}" for state, fate in FATES if states[state]]
    words += [_place_words(resume)] if resume and resume.last.viewing.offset else []
    return {
        "text": "; ".join(words),
        "in_plex": len(moments),
        "last_played_at": stamp(last * 1000) if last is not None else None,
        "not_in_stash": len(missing),
        "added": states[PlayState.SENT],
        "present": states[PlayState.PRESENT],
        "deleted": states[PlayState.DELETED],
        "undone": states[TAKEN_BACK] + states[PlayState.REMOVING],
        "left_at": resume.last.viewing.offset / 1000 if resume and resume.last.viewing.offset else None,
        **_watched_facts(viewings, sources, time, rule, known_percent(db)),
    }


def _place_words(resume: RememberedResume) -> str:
    fate = " (taken back)" if resume.undone else " (not yet in Stash)" if resume.sending is not None else ""
    return f"left at {place(resume.last.viewing.offset)} in Plex{fate}"


def _watched_facts(
    viewings: Sequence[Viewing],
    plays: Mapping[int, PlaySource],
    time: RememberedTime | None,
    rule: str,
    percent: float | None,
) -> WatchedOfScene:
    """The viewings of a scene, judged by this rule, and its play time as it is remembered. `plays`: those in Plex."""
    rows = rows_of(plays)
    latest = sorted(viewings, key=lambda viewing: viewing.began, reverse=True)[:MOST_TOLD]
    facts = [_viewing_facts(viewing, rows, rule, percent) for viewing in latest]
    more = [f"and {many(len(viewings) - MOST_TOLD, 'earlier viewing')}"] if len(viewings) > MOST_TOLD else []
    play_time = _time_facts(time or RememberedTime(0.0, 0.0), viewings)
    return {
        "viewings": facts,
        "viewing_count": len(viewings),
        "play_time": play_time,
        "lines": [*(viewing["text"] for viewing in facts), *more, *([play_time["text"]] if play_time else [])],
    }


def _viewing_facts(viewing: Viewing, rows: Collection[int], rule: str, percent: float | None) -> ViewingOfScene:
    row = min(rows_near(viewing, rows), default=0)
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


def _time_facts(memory: RememberedTime, viewings: Sequence[Viewing]) -> PlayTimeOfScene | None:
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
