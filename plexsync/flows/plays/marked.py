"""Marks in the plays flow: what you mark as played in Plex is a play in Stash, if you ask for that (`watch_marked`).

Plex tells views of the account of its token alone, so only with the owner's account. Inspections of scenes notice a mark,
that is those after an event of its item and those of a full comparison. The look of the plays flow decides about it
(`plexsync.rules.plays.marked_plays`), and saves it beside the history: from then on it is a play like any other. While marks
are not asked for, the inspections only remember that there is one.
"""

from collections.abc import Collection, Mapping, Sequence

from plexsync.flows.plays.history_poll import HistoryPoll
from plexsync.flows.plays.writes import PlaysFinding
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.item import Item
from plexsync.rules.plays.marked_plays import (
    CountedViews,
    MarkDecisions,
    counted_views,
    decide_mark,
    grows,
    marked_plays,
)
from plexsync.rules.plays.plays import OWNER
from plexsync.rules.queue.job import PLAYS, Why
from plexsync.rules.record_class import record
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Reader, Writer

OTHER_VIEWER = "marks are those of the owner's account, and watch_account is another one"


@record
class MarkedPlays:
    """Finds what was marked as played. Safe to call from several threads."""

    _history: HistoryPoll
    _clock: Clock

    def observe(self, tx: Writer, inspections: Sequence[Inspection], now: int) -> None:
        """Queue the inspected scenes with an item that may have been marked, and remember the views of all others."""
        items = {target.item.key: target.item for inspection in inspections for target in inspection.targets}
        if not items or not self._history.tells_views or not self._history.was_read(tx):
            return
        counted = tx.view_counts.of(items)
        moments = tx.plays.moments(OWNER, items)
        writes = self._history.rules.marks
        changes: dict[str, tuple[CountedViews | None, CountedViews]] = {}
        marked = set()
        for key, item in items.items():
            before, plays = counted.get(key), moments.get(key, set())
            if writes and before and grows(item.viewing, plays, before):
                marked.add(key)
                continue
            after = counted_views(item.viewing, plays, before)
            if writes or before or after.unexplained > 0:
                changes[key] = (before, after)
        tx.view_counts.save(changes)
        if marked and self._history.approved_since(tx) is not None:
            for inspection in inspections:
                if marked.intersection(target.item.key for target in inspection.targets):
                    tx.jobs.want(PLAYS, inspection.id, Why.SWEEP, now)

    def decide(
        self, db: Reader, items: Sequence[Item], remembered: Mapping[str, Collection[int]], *, since: int | None
    ) -> MarkDecisions:
        """Decide about the views of these items.

        `remembered`: the moments that are remembered of their scenes, by item. `since`: from which second on plays are
        approved, None if they are not.
        """
        history = self._history
        if since is None or not items or not (history.rules.marks and history.tells_views and history.was_read(db)):
            return {}
        keys = [item.key for item in items]
        counted, moments = db.view_counts.of(keys), db.plays.moments(OWNER, keys)
        now = self._clock.now()
        return {
            item.key: (
                counted[item.key],
                decide_mark(
                    item.viewing,
                    moments.get(item.key, set()),
                    counted[item.key],
                    others=remembered.get(item.key, ()),
                    since=since,
                    now=now,
                    read_at=history.read_at,
                ),
            )
            # What was never counted is dealt with by the next inspection of the scene.
            for item in items
            if item.key in counted
        }

    @staticmethod
    def save(tx: Writer, finding: PlaysFinding, *, now: int) -> None:
        """Save the marks of a scene's items beside the history, and what is remembered of their views."""
        marked = marked_plays(finding.marks)
        plays = [(source, moment) for moments in marked.values() for moment, source in moments.items()]
        tx.plays.save_history(OWNER, plays, now=now)
        tx.view_counts.save({item: (before, decision.counted) for item, (before, decision) in finding.marks.items()})
