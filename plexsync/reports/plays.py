"""Plays on the way back, as facts: how many there are, and what became of them."""

from plexsync.app.stored import Stored
from plexsync.flows.plays.history_poll import account_in, approved_plays, was_read_to_its_end
from plexsync.flows.plays.viewings import known_percent
from plexsync.reports.format import stamp
from plexsync.reports.shapes.plays import PlayCounts, PlaysReport
from plexsync.reports.status import first_plays_facts, queued_plays
from plexsync.rules.plays.play_wishes import OURS
from plexsync.rules.plays.plays import PlayState, WatchRules
from plexsync.store.database import Reader
from validation.values import midnight


def plays_report(parts: Stored) -> PlaysReport:
    """How the way back stands, from the database and the settings alone."""
    config = parts.config
    rules = WatchRules(config.watch_account, midnight(config.watch_since), minimum=config.watch_minimum)
    summary = parts.summary()
    with parts.store.reading() as db:
        account = account_in(db, rules) if rules.number is None else rules.number
        heard_at = db.viewings.heard_at(account) if account is not None else None
        return {
            **queued_plays(*summary.plays),
            "watch_back": config.watch_back,
            "watch_account": config.watch_account,
            "account": account,
            "watch_since": stamp(rules.since * 1000) if rules.since else None,
            "watch_minimum": config.watch_minimum,
            "minimum_in_force": approved_plays(db, rules, account)[1],
            "stash_percent": known_percent(db),
            "heard_at": stamp(heard_at * 1000) if heard_at else None,
            "read_to_end": account is not None and was_read_to_its_end(db, account, rules.since),
            "first": first_plays_facts(summary.first_plays),
            "plays": _counts(db, account, rules.since),
        }


def _counts(db: Reader, account: int | None, since: int) -> PlayCounts:
    in_plex, unsent, viewings, viewed = None, None, None, None
    if account is not None:
        in_plex, unsent = db.plays.count_history(account, since=since, is_listed=True)
        viewings, viewed = db.viewings.count(account, since=since)
    counts = db.plays.count_states()
    return {
        "in_plex": in_plex,
        "unsent": unsent,
        "viewings": viewings,
        "viewed": viewed,
        "adding": counts[PlayState.ADDING, False],
        # A row too many, or one that is kept after all, is being removed: the play itself is PlexSync's.
        "sent": counts[PlayState.SENT, False] + counts[PlayState.REMOVING, False],
        "present": counts[PlayState.PRESENT, False] + counts[PlayState.PRESENT, True],
        "deleted": counts[PlayState.DELETED, False],
        "undoing": sum(counts[state, True] for state in OURS),
        "undone": counts[PlayState.DELETED, True],
        "play_time": round(db.play_times.added(), 3),
    }
