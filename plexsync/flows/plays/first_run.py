"""The first write of plays: what it would do, scene by scene, and its scenes in the queue once you have approved it.

The same is asked again about a rule that makes more plays of what you watch than the one that you have approved: then only
those are counted.

Scenes are inspected by the plays flow, a page of played items at a time, so a history of any length needs little memory.
A scene comes with the first of its items that was played.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READS
from plexsync.engine.undo import Progress, quiet
from plexsync.flows.plays.flow import PlaysFlow
from plexsync.flows.plays.history_poll import CROWD, HistoryPoll, UnknownAccount, count_plays
from plexsync.flows.plays.viewings import known_percent
from plexsync.flows.plays.writes import PlaysFinding
from plexsync.plex.history import PlexHistory
from plexsync.rules.plays.first_plays import FirstPlays, counted_text
from plexsync.rules.plays.viewings import VIEWED, Viewing, judge_viewing
from plexsync.rules.queue.job import PLAYS, Waiting, Why
from plexsync.rules.queue.note_keys import PLAYS_APPROVED, PLAYS_COUNTED, PLAYS_QUEUED
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.servers.redaction import one_line
from plexsync.store.database import Database, Reader

PAGE = 100
LONGEST_NAME = 60
# Milliseconds after which plays are counted again: if there are new ones or scenes could not be read, for each of them and
# at most, and in any case.
EACH, PACE, LONGEST = 60, 600_000, 86_400_000


@record
class PreviewedPlays:
    """The plays of one scene: the moments that would be added, and how many Stash has already.

    `viewed` of the moments are those of viewings, which last `viewed_time`; `play_time` would be added to that of the scene
    (both in seconds). `error` says why it could not be read.
    """

    id: int
    title: str = ""
    missing: tuple[int, ...] = ()
    present: int = 0
    error: str = ""
    viewed: int = 0
    viewed_time: float = 0.0
    play_time: float = 0.0


@record
class PlaysPage:
    """The scenes of a page of played items. `unmatched` items have no scene to be synced.

    `last` is the last of the items, after which the next page begins, unless it `is_last`.
    """

    scenes: tuple[PreviewedPlays, ...]
    unmatched: int
    last: str
    is_last: bool


@dataclass(eq=False)
class FirstRun:
    """Previews the plays of an account, and holds them back until you have approved them.

    `flow` finds what it would do, and writes nothing; `history` is the saved history of the account. `page`: how many
    items, and scenes, are read together.
    """

    _store: Database
    _plex: PlexHistory
    _flow: PlaysFlow
    _history: HistoryPoll
    _gates: Gates
    _clock: Clock
    page: int = field(default=PAGE, kw_only=True)
    # What was counted by this worker: the settings may have been others before.
    _counted: FirstPlays | None = field(default=None, init=False)

    def freshen(self) -> None:
        """Read what was played since the last time. Raises NeighbourError and UnknownAccount."""
        self._gates.enter(*READS)
        self._history.freshen(soon=False)

    def rule_meanwhile(self, db: Reader) -> str:
        """The approved rule by which PlexSync goes on while that of the setting waits for your yes; '' if none waits."""
        minimum = self._history.minimum_in_force(db)
        return minimum if minimum != self._history.rules.minimum else ""

    def _asks_since(self, db: Reader) -> int | None:
        """From which moment on plays wait for your approval; None if none do."""
        approved = self._history.approved_since(db)
        if approved is None:
            return self._history.rules.since
        return approved if self.rule_meanwhile(db) else None

    def _further_viewings(self, db: Reader, account: int, since: int) -> list[Viewing]:
        """The viewings that are plays by the rule that waits for your approval alone."""
        rule, percent = self._history.rules.minimum, known_percent(db)
        viewings = (viewing for viewing in db.viewings.since(account, since) if not viewing.moment)
        return [viewing for viewing in viewings if judge_viewing(viewing, rule, percent).moment >= max(since, 1)]

    def _count_plays(self, db: Reader, account: int, since: int) -> int:
        """The number of plays in Plex, or of those by the rule that waits for your approval alone."""
        if self.rule_meanwhile(db):
            return len(self._further_viewings(db, account, since))
        return count_plays(db, account, since)[0]

    def _item_pages(
        self, since: int, after: str = "", only: set[str] | None = None
    ) -> Iterator[tuple[list[str], list[str]]]:
        """Yield pages of the items that were played, each with the items that have the files of those that are gone now.

        `only`: of these items instead.
        """
        account = self._history.account()
        while True:
            with self._store.reading() as db:
                if only is None:
                    items = db.plays.played_items(account, since=since, after=after, limit=self.page)
                else:
                    items = sorted(item for item in only if item > after)[: self.page]
                heirs = db.plays.heirs(account, items)
            if items:
                yield items, heirs
            if len(items) < self.page:
                return
            after = items[-1]

    def pages(self, *, since: int, after: str = "") -> Iterator[PlaysPage]:
        """Yield the plays from the moment `since` on in pages, from the item after `after` on. Raises NeighbourError."""
        account, rule, only = self._history.account(), self._history.rules.minimum, None
        with self._store.reading() as db:
            if self.rule_meanwhile(db):
                only = {viewing.item for viewing in self._further_viewings(db, account, since)}
        for items, heirs in self._item_pages(since, after, only):
            self._gates.enter(*READS)
            scenes = sorted(self._history.scenes_of([*items, *heirs]))
            findings = [
                finding
                for start in range(0, len(scenes), self.page)
                for finding in self._flow.look(scenes[start : start + self.page], since=since, minimum=rule)
            ]
            matched = {item for finding in findings for item in finding.played}
            yield PlaysPage(
                tuple(
                    _plays(finding, viewed_only=only is not None)
                    for finding in findings
                    # A scene with plays of an item before was shown with that one.
                    if finding.error or finding.plan is None or _first_of(finding, only) > after
                ),
                len(set(items) - matched),
                items[-1],
                len(items) < self.page,
            )
            after = items[-1]

    def count(
        self,
        *,
        since: int,
        take: Callable[[PlaysPage], None] = lambda _page: None,
        progress: Progress = quiet,
        stopping: Callable[[], bool] = lambda: False,
    ) -> FirstPlays | None:
        """Count what would be done, and hand on each page to `take`; None if it was stopped. Raises NeighbourError.

        Raises UnknownAccount as well. `progress` counts plays.
        """
        account = self._history.account()
        name = one_line(self._gates.ask(READ_PLEX, self._plex.accounts).get(account, "")).strip()
        with self._store.reading() as db:
            in_plex, held, percent = (
                self._count_plays(db, account, since),
                self.rule_meanwhile(db),
                round(known_percent(db) or 0),
            )
        first = FirstPlays(name[:LONGEST_NAME] or str(account), account, since, 0, in_plex)
        first = replace(first, minimum=self._history.rules.minimum, percent=percent, in_force=held)
        for page in self.pages(since=since):
            if stopping():
                return None
            first = _with_page(first, page)
            take(page)
            progress(min(first.present + first.missing, in_plex), in_plex)
        return replace(first, at=self._clock.now())

    def count_if_due(self) -> str:
        """Count what waits for your approval, if it is time to; returns why that is not possible now, or ''.

        The history was read just now. Nothing is asked about a rule that would add no play.
        """
        try:
            since = self._due_since()
            counted = self.count(since=since) if since is not None else None
            if counted:
                with self._store.writing() as tx:
                    # The approval may have been given meanwhile.
                    if self._asks_since(tx) == counted.since and self.rule_meanwhile(tx) == counted.in_force:
                        asks = counted.missing or not counted.in_force
                        tx.notes.save(PLAYS_COUNTED, counted_text(counted) if asks else "")
                        self._counted = counted
        except (NeighbourError, UnknownAccount) as error:
            return str(error)
        return ""

    def _due_since(self) -> int | None:
        """From which moment on plays are to be counted now; None if they need not be."""
        account, counted = self._history.account(), self._counted
        age = self._clock.now() - counted.at if counted else -1
        if counted and 0 <= age < min(EACH * counted.in_plex, PACE):
            return None
        with self._store.reading() as db:
            since = self._asks_since(db)
            if since is None:
                return None
            present = self._count_plays(db, account, since), self.rule_meanwhile(db), 0
        is_same = counted is not None and (counted.in_plex, counted.in_force, counted.unread) == present
        return None if is_same and 0 <= age < LONGEST else since

    def begin(self) -> int:
        """Queue the scenes of all saved plays once, after your approval; returns how many were queued now."""
        with self._store.reading() as db:
            since, approval = self._history.approved_since(db), db.notes.text(PLAYS_APPROVED)
            is_begun = db.notes.text(PLAYS_QUEUED) == approval
            asks = bool(db.notes.text(PLAYS_COUNTED)) and not self.rule_meanwhile(db)
        if since is None or (is_begun and not asks) or not self._gates.is_open(*READS):
            return 0
        try:
            count = 0 if is_begun else self._queue(since)
        except (NeighbourError, UnknownAccount):
            # The next call tries again.
            return 0
        with self._store.writing() as tx:
            tx.notes.save(PLAYS_QUEUED, approval)
            if not self.rule_meanwhile(tx):
                tx.notes.save(PLAYS_COUNTED, "")
        return count

    def _queue(self, since: int) -> int:
        account, count = self._history.account(), 0
        with self._store.reading() as db:
            total, _ = db.plays.count_history(account, since=since)
        for items, heirs in self._item_pages(since):
            scenes = self._history.scenes_of([*items, *heirs])
            with self._store.writing() as tx:
                tx.jobs.want_all(PLAYS, scenes, Why.EDIT, self._clock.now(), behind=total > CROWD)
            count += len(scenes)
        return count


def _with_page(first: FirstPlays, page: PlaysPage) -> FirstPlays:
    """The counts with those of another page."""
    moments = [moment for scene in page.scenes for moment in scene.missing]
    bounds = [*moments, first.oldest, first.newest] if first.missing else moments
    return replace(
        first,
        missing=first.missing + len(moments),
        scenes=first.scenes + sum(bool(scene.missing) for scene in page.scenes),
        present=first.present + sum(scene.present for scene in page.scenes),
        unmatched=first.unmatched + page.unmatched,
        unread=first.unread + sum(bool(scene.error) for scene in page.scenes),
        oldest=min(bounds, default=0),
        newest=max(bounds, default=0),
    )


def _first_of(finding: PlaysFinding, only: set[str] | None) -> str:
    """The first item of a scene that was played, among these; '' if there is none."""
    return min((item for item in finding.played if only is None or item in only), default="")


def _plays(finding: PlaysFinding, *, viewed_only: bool) -> PreviewedPlays:
    title = finding.watched.scene.title if finding.watched else ""
    if finding.error is not None:
        return PreviewedPlays(finding.id, title, error=str(finding.error))
    if finding.plan is None or finding.watched is None:
        return PreviewedPlays(
            finding.id, title, error=finding.outcome.error if isinstance(finding.outcome, Waiting) else ""
        )
    present = set(finding.watched.plays).intersection(finding.listed)
    added = finding.plan.add or ()
    viewed = [moment for moment in added if finding.plan.requests[moment].source.history_key == VIEWED]
    viewed_time = sum(viewing.played for viewing in finding.viewings if viewing.moment in viewed) / 1000
    time = None if viewed_only else finding.time.send
    return PreviewedPlays(
        finding.id,
        title,
        tuple(viewed if viewed_only else added),
        len(present),
        viewed=len(viewed),
        viewed_time=viewed_time,
        play_time=(time.adding or 0.0) if time else 0.0,
    )
