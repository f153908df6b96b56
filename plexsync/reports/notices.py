"""The conditions that notifications announce: the table of needs, as far as a row is to be announced."""

import threading
from collections.abc import Iterator, Sequence
from functools import partial

from plexsync.app.rules import MINUTE
from plexsync.app.stored import Stored
from plexsync.engine.loop import Standstill
from plexsync.engine.notifications import Announcer, Noticer
from plexsync.reports.format import parse_stamp
from plexsync.reports.needs import LATER, SILENT, Need, needs, storage_need
from plexsync.reports.status import facts, storage_facts
from plexsync.rules.queue.notices import Condition, NoticeRules, Pause, Situation, moment
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.rules.servers.neighbours import Messenger


def announcer(
    parts: Stored, ways: Sequence[Messenger], standstill: Standstill, stop: threading.Event, plex: str
) -> Announcer:
    """The thread that sends notices by these ways until `stop`."""
    rules = NoticeRules(after=parts.config.notify_after_minutes * MINUTE)
    look = partial(situation, parts, rules)
    return Announcer(Noticer(parts.store, parts.clock, ways, rules, standstill, look, plex), stop=stop)


def situation(parts: Stored, rules: NoticeRules, pause: Pause | None) -> Situation:
    """What is open now, by the database; while that can't be read, that the worker is paused.

    What ends by itself is left out until it has lasted for `rules.after`.
    """
    now = parts.clock.now()
    try:
        found = facts(parts, pause)
    except (LocalFault, Unusable):
        storage = storage_facts(parts.folder, pause, is_postgres=parts.address.is_postgres)
        away = [storage_need(storage, now)] if storage else []
        return Situation(tuple(_conditions(away, rules, now)))
    dlq = found["dlq"]
    return Situation(tuple(_conditions(needs(found), rules, now)), dlq["count"], dlq["died"], dlq["pruned"])


def _conditions(found: list[Need], rules: NoticeRules, now: int) -> Iterator[Condition]:
    for need in found:
        since = parse_stamp(need.since) if need.since else now
        if need.notify == SILENT or (need.notify == LATER and need.since and now - since < rules.after):
            continue
        head = f"{need.title} since {moment(since)}." if need.since and need.over else f"{need.title}."
        text = " ".join(filter(None, [head, need.text, need.next]))
        # What has no end is another condition each time.
        key = need.key if need.over else f"{need.key}:{since}"
        yield Condition(key, since, f"PlexSync needs you: {text}" if need.is_yours else text, need.over, need.size)
