"""Plays on the way back, as facts: how many there are, and what became of them."""

from plexsync.app.stored import Stored
from plexsync.flows.plays.history_poll import account_in, approved_plays, count_plays, was_read_to_its_end
from plexsync.flows.plays.viewings import known_percent
from plexsync.reports.format import stamp
from plexsync.reports.shapes.plays import PlaysReport
from plexsync.reports.status import first_plays_facts, queued_plays, remembered_plays
from plexsync.rules.plays.plays import WatchRules
from validation.values import midnight


def plays_report(parts: Stored) -> PlaysReport:
    """How the way back stands, from the database and the settings alone."""
    config = parts.config
    rules = WatchRules(config.watch_account, midnight(config.watch_since), minimum=config.watch_minimum)
    summary = parts.summary()
    with parts.store.reading() as db:
        account = account_in(db, rules) if rules.number is None else rules.number
        approved, minimum = approved_plays(db, rules, account)
        in_plex, unsent, viewings, viewed, heard_at = 0, None, None, None, None
        if account is not None:
            in_plex, unsent = count_plays(db, account, rules.since)
            viewings, viewed = db.viewings.count(account, since=rules.since)
            heard_at = db.viewings.heard_at(account)
        counts = remembered_plays(summary)
        return {
            **queued_plays(*summary.plays),
            "watch_back": config.watch_back,
            "watch_account": config.watch_account,
            "account": account,
            "watch_since": stamp(rules.since * 1000) if rules.since else None,
            "watch_minimum": config.watch_minimum,
            "minimum_in_force": minimum,
            "stash_percent": known_percent(db),
            "heard_at": stamp(heard_at * 1000) if heard_at else None,
            "read_to_end": account is not None and was_read_to_its_end(db, account, rules.since),
            "first": first_plays_facts(summary.first_plays, in_plex),
            "plays": {
                "in_plex": None if account is None else in_plex,
                "unsent": None if approved is None else unsent,
                "viewings": viewings,
                "viewed": viewed,
                "adding": counts["adding"],
                "sent": counts["sent"],
                "present": counts["present"],
                "deleted": counts["deleted"],
                "undoing": counts["undoing"],
                "undone": counts["undone"],
                "play_time": round(db.play_times.added(), 3),
            },
        }
