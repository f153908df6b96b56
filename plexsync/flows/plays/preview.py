"""Previews what the first write of plays would do, scene by scene. Writes nothing to Stash, to Plex or to the queue.

Scenes are inspected by the plays flow, a page of played items at a time, so a history of any length needs little memory.
A scene comes with the first of its items that was played.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READS
from plexsync.engine.undo import Progress, quiet
from plexsync.flows.plays.errands import PlaysFinding
from plexsync.flows.plays.flow import PlaysFlow
from plexsync.flows.plays.history_poll import HistoryPoll
from plexsync.rules.first_plays import FirstPlays
from plexsync.rules.job import Waiting
from plexsync.rules.neighbours import Clock, PlexWatch
from plexsync.rules.redaction import one_line
from plexsync.store.database import Database

# The number of items, and of scenes, that are read together.
PAGE = 100
LONGEST_NAME = 60


@dataclass(frozen=True)
class PreviewedPlays:
    """The plays of one scene: the moments that would be added, and how many Stash has already.

    `error` says why it could not be read.
    """

    id: int
    title: str = ""
    missing: tuple[int, ...] = ()
    present: int = 0
    error: str = ""


@dataclass(frozen=True)
class PlaysPage:
    """The scenes of a page of played items. `unmatched` items have no scene to be synced.

    `last` is the last of the items, after which the next page begins, unless it `is_last`.
    """

    scenes: tuple[PreviewedPlays, ...]
    unmatched: int
    last: str
    is_last: bool


def item_pages(store: Database, account: int, *, since: int, after: str = "") -> Iterator[tuple[list[str], list[str]]]:
    """Yield pages of the items that were played, each with the items that have the files of those that are gone now."""
    while True:
        with store.reading() as db:
            items = db.plays.played_items(account, since=since, after=after, limit=PAGE)
            heirs = db.plays.heirs(account, items)
        if items:
            yield items, heirs
        if len(items) < PAGE:
            return
        after = items[-1]


class PlaysPreviewer:
    """Previews the plays of one account. `flow` finds what it would do, and `history` is its saved history."""

    def __init__(
        self, store: Database, plex: PlexWatch, flow: PlaysFlow, history: HistoryPoll, gates: Gates, clock: Clock
    ) -> None:
        self._store = store
        self._plex = plex
        self._flow = flow
        self._history = history
        self._gates = gates
        self._clock = clock

    def freshen(self) -> None:
        """Read what was played since the last time. Raises NeighbourError and UnknownAccount."""
        self._gates.enter(*READS)
        self._history.freshen(soon=False)

    def name(self) -> str:
        """The name of the account, or its number if Plex has no name for it. Raises NeighbourError and UnknownAccount."""
        number = self._history.account()
        name = one_line(self._gates.ask(READ_PLEX, self._plex.accounts).get(number, "")).strip()
        return name[:LONGEST_NAME] or str(number)

    def pages(self, *, since: int, after: str = "") -> Iterator[PlaysPage]:
        """Yield the plays from the moment `since` on in pages, from the item after `after` on. Raises NeighbourError."""
        for items, heirs in item_pages(self._store, self._history.account(), since=since, after=after):
            self._gates.enter(*READS)
            scenes = sorted(self._history.scenes_of([*items, *heirs]))
            findings = [
                finding
                for start in range(0, len(scenes), PAGE)
                for finding in self._flow.look(scenes[start : start + PAGE], since=since)
            ]
            matched = {item for finding in findings for item in finding.played}
            yield PlaysPage(
                tuple(_plays(finding) for finding in findings if _is_shown(finding, after)),
                len(set(items) - matched),
                items[-1],
                len(items) < PAGE,
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
        name, account, total = self.name(), self._history.account(), PlaysCount()
        with self._store.reading() as db:
            in_plex, _ = db.plays.count_history(account, since=since)
        for page in self.pages(since=since):
            if stopping():
                return None
            total.add(page)
            take(page)
            progress(min(total.present + total.missing, in_plex), in_plex)
        return total.result(FirstPlays(name, account, since, self._clock.now(), in_plex))


class PlaysCount:
    """Counts the pages of a preview."""

    def __init__(self) -> None:
        self.missing = self.scenes = self.present = self.unmatched = self.unread = 0
        self._moments: list[int] = []

    def add(self, page: PlaysPage) -> None:
        """Count a page."""
        self.unmatched += page.unmatched
        for scene in page.scenes:
            self.missing += len(scene.missing)
            self.scenes += bool(scene.missing)
            self.present += scene.present
            self.unread += bool(scene.error)
            moments = [*self._moments, *scene.missing]
            self._moments = [min(moments), max(moments)] if moments else []

    def result(self, plays: FirstPlays) -> FirstPlays:
        """These plays with what was counted of them."""
        return replace(
            plays,
            missing=self.missing,
            scenes=self.scenes,
            present=self.present,
            unmatched=self.unmatched,
            unread=self.unread,
            oldest=min(self._moments, default=0),
            newest=max(self._moments, default=0),
        )


def _plays(finding: PlaysFinding) -> PreviewedPlays:
    title = finding.watched.scene.title if finding.watched else ""
    if finding.error is not None:
        return PreviewedPlays(finding.id, title, error=str(finding.error))
    if finding.plan is None or finding.watched is None:
        return PreviewedPlays(
            finding.id, title, error=finding.outcome.error if isinstance(finding.outcome, Waiting) else ""
        )
    present = set(finding.watched.plays).intersection(finding.listed)
    return PreviewedPlays(finding.id, title, tuple(finding.plan.add or ()), len(present))


def _is_shown(finding: PlaysFinding, after: str) -> bool:
    """Whether a scene belongs to the page of items after this one: it has no plays of an item before."""
    return finding.error is not None or finding.plan is None or min(finding.played, default="") > after
