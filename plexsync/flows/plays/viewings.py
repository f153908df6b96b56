"""Takes down what is watched in Plex, as players report it, and queues the scenes of viewings that are plays or have ended.

An event names no account, so Plex is asked for its sessions when one is first seen, and again after the line to Plex was
lost: numbers of sessions begin anew when Plex restarts. Each report is saved, so that a kill loses nothing. A viewing that
is a play by the rule in force is saved beside the history: from then on it is a play like any other. The rules are in
`plexsync.rules.plays.viewings`.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.flows.plays.history_poll import BATCH, HistoryPoll, UnknownAccount, want_many
from plexsync.flows.plays.listener import HeardReport, PlayListener
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.plex.history import PlexHistory
from plexsync.rules.plays.plays import PlaySource
from plexsync.rules.plays.viewings import (
    GAP,
    LEAST,
    STASH,
    VIEWED,
    Viewing,
    after_report,
    goes_on,
    judge_viewing,
)
from plexsync.rules.queue.events import SessionState
from plexsync.rules.queue.job import PLAYS
from plexsync.rules.records import PlexSession
from plexsync.rules.servers.errors import LocalFault, NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.stash.watching import StashWatching
from plexsync.store.connection import decimal
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.plays")

# The notes of the percentage of Stash's own player, and of the rule by which all viewings were judged.
PERCENT, JUDGED = "plays:percent", "plays:judged"


def _silence(viewing: Viewing, report: HeardReport, heard: Mapping[tuple[str, int], float]) -> float:
    """The seconds between the last report of a viewing and this one.

    `heard`: when this process heard it last, by item and beginning. Of one that it did not hear, they are those of the clock
    on the wall.
    """
    clock = heard.get((viewing.item, viewing.began))
    return report.at / 1000 - viewing.ended if clock is None else report.clock - clock


def known_percent(db: Reader) -> float | None:
    """The percentage of Stash's own player, as it was last read; None if it never was."""
    percent = decimal(db.notes.text(PERCENT), -1.0)
    return percent if percent >= 0 else None


@dataclass(eq=False)
class ViewingRecorder:
    """Takes down viewings, on one thread, from what the listener hears."""

    _store: Database
    _plex: PlexHistory
    _stash: StashWatching
    _history: HistoryPoll
    _listener: PlayListener
    _recovery: PlaysRecovery
    _gates: Gates
    _clock: Clock
    # Of sessions that Plex did not list yet: asked about again with the next report.
    _unlisted: list[HeardReport] = field(default_factory=list, init=False)
    # By session and item: the viewing, or None for one of another account, and when it was last heard of.
    _running: dict[tuple[str, str], tuple[Viewing | None, float]] = field(default_factory=dict, init=False)

    def record(self) -> str:
        """Take down what was reported, and queue scenes; returns why that is not possible now, '' if it was done."""
        reports = self._listener.reports()
        try:
            if reports:
                # What was not listed before the line was lost may be another session's by now.
                before = [report for report in self._unlisted if report.lost_at == self._listener.lost_at]
                self._unlisted = self._take_down([*before, *reports])
            reports = []
            self._queue()
            return ""
        except (NeighbourError, UnknownAccount, LocalFault) as error:
            self._listener.put_back(reports)
            if isinstance(error, LocalFault):
                raise
            return str(error)

    def _take_down(self, reports: Sequence[HeardReport]) -> list[HeardReport]:
        """Save the viewings after these reports; returns those of sessions that Plex does not list yet."""
        # What is played from now on is new to a database that is older than the journal.
        self._recovery.check()
        account = self._history.account()
        running, unlisted = dict(self._running), []
        sessions: dict[tuple[str, str], PlexSession] | None = None
        changed: dict[tuple[str, int], Viewing] = {}
        for report in reports:
            event = report.event
            key = (event.session, event.key)
            viewing, clock = running.get(key, (None, -1.0))
            # A session of others that fell silent: its name may be another one's by now.
            is_unknown = viewing is None and report.clock - clock > GAP / 1000
            if is_unknown or clock < report.lost_at:
                if sessions is None:
                    listed = self._gates.ask(READ_PLEX, self._plex.sessions)
                    sessions = {(session.session, session.item): session for session in listed}
                session = sessions.get(key)
                heard = {(other.item, other.began): last for other, last in running.values() if other}
                viewing = self._find(account, report, session, changed.values(), heard)
                if viewing is None and session is None:
                    if event.state is not SessionState.STOPPED:
                        if report.clock > self._clock.monotonic() - GAP / 1000:
                            unlisted.append(report)
                        else:
                            # Plex lists it not as a film: it is not asked about again.
                            running[key] = (None, report.clock)
                    continue
                clock = report.clock - (_silence(viewing, report, heard) if viewing else 0.0)
            if viewing is not None:
                viewing = after_report(viewing, event, at=report.at, step=round(1000 * (report.clock - clock)))
                changed[viewing.item, viewing.began] = viewing
            running.pop(key, None)
            if event.state is not SessionState.STOPPED:
                running[key] = (viewing, report.clock)
        if changed:
            self._save(account, changed)
        # Those that are plays by now are not judged again.
        self._running = {
            key: (viewing and changed.get((viewing.item, viewing.began), viewing), clock)
            for key, (viewing, clock) in running.items()
        }
        return unlisted

    def _find(
        self,
        account: int,
        report: HeardReport,
        session: PlexSession | None,
        changed: Iterable[Viewing],
        heard: Mapping[tuple[str, int], float],
    ) -> Viewing | None:
        """The viewing that a session begins or goes on with; None for one of another account, and if Plex lists none."""
        if session is not None and session.account != account:
            return None
        event, at = report.event, report.at
        with self._store.reading() as db:
            saved = db.viewings.last_of(account, event.key)
        latest = {viewing.began: viewing for viewing in (*saved, *changed) if viewing.item == event.key}
        for viewing in sorted(latest.values(), key=lambda it: it.began, reverse=True):
            is_same = viewing.machine == session.machine if session else viewing.session == event.session
            silence = _silence(viewing, report, heard)
            if is_same and goes_on(viewing, event.session, silence=silence, place=event.offset):
                return viewing
        if session is None:
            return None
        self._ask_percent()
        began = at // 1000
        while began in latest:
            began += 1
        joined = report.joins and event.offset > LEAST
        return Viewing(
            account, event.key, began, event.session, session.machine, session.player, session.length, began,
            event.offset, event.state, joined=joined,
        )  # fmt: skip

    def _ask_percent(self) -> bool:
        """Note when Stash's own player counts a play, if that rule may be in force; returns whether it was asked."""
        if self._history.rules.minimum == STASH and self._gates.is_open(READ_STASH):
            try:
                percent = self._gates.ask(READ_STASH, self._stash.player_rules).percent
            except NeighbourError as error:
                log.debug("when the player of Stash counts a play is not known: %s", error)
                return False
            with self._store.writing() as tx:
                tx.notes.save(PERCENT, str(percent))
            return True
        return False

    def _save(self, account: int, changed: dict[tuple[str, int], Viewing]) -> None:
        """Save these viewings, and the plays that they are by now."""
        with self._store.writing() as tx:
            rule, percent = self._history.minimum_in_force(tx), known_percent(tx)
            played = []
            judged_first = sorted(changed.items(), key=lambda it: judge_viewing(it[1], rule, percent).moment)
            for key, viewing in judged_first:
                if not viewing.moment and (moment := judge_viewing(viewing, rule, percent).moment):
                    of_item = {near.began: near for near in tx.viewings.last_of(account, viewing.item)}
                    of_item |= {near.began: near for near in changed.values() if near.item == viewing.item}
                    beside = [near for near in of_item.values() if near.covers(moment)]
                    # Two players at once make one play; one that shares the play of another hands it on to no third.
                    own = [near for near in beside if near == judge_viewing(replace(near, moment=0), rule, percent)]
                    moment = next((near.moment for near in own if near.moment), moment)
                    changed[key] = replace(viewing, moment=moment)
                    played.append(changed[key])
            tx.viewings.save(changed.values())
            if played:
                plays = [(PlaySource(viewing.item, VIEWED), viewing.moment) for viewing in played]
                tx.plays.save_history(account, plays, now=self._clock.now())
                self._history.note_plays(tx, account)

    def _queue(self) -> None:
        """Queue the scenes of viewings that are plays or have ended, all judged by the rule in force."""
        with self._store.reading() as db:
            account, (since, rule) = self._history.known_account(db), self._history.approval(db)
            is_judged = rule == db.notes.text(JUDGED)
            unqueued = db.viewings.unqueued(account) if account is not None and since is not None else []
        if account is not None and not is_judged and self._judge_anew(account, rule):
            self._queue()
            return
        ended = [viewing for viewing in unqueued if self._listener.has_ended(viewing)]
        fresh = [viewing for viewing in unqueued if viewing.moment and not viewing.queued and viewing not in ended]
        if ended or fresh:
            scenes = self._history.scenes_of(sorted({viewing.item for viewing in (*ended, *fresh)}))
            with self._store.writing() as tx:
                want_many(tx, PLAYS, scenes, self._clock.now())
                tx.viewings.mark_queued(ended, running=fresh)

    def _judge_anew(self, account: int, rule: str) -> bool:
        """Judge all viewings by this rule; False if what it asks for is unknown yet."""
        with self._store.reading() as db:
            is_known = rule != STASH or known_percent(db) is not None
            viewings = db.viewings.since(account, self._history.rules.since)
        if not is_known and not (viewings and self._ask_percent()):
            return False
        for start in range(0, len(viewings), BATCH):
            some = viewings[start : start + BATCH]
            self._save(account, {(viewing.item, viewing.began): viewing for viewing in some})
        with self._store.writing() as tx:
            tx.notes.save(JUDGED, rule)
        return True
