"""Undo of ratings that PlexSync wrote while they go both ways."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from plexsync.actions.model import (
    Action,
    ActionRequest,
    ActionResult,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Unfit,
    Verb,
    failed_facts,
    rest_words,
    unread,
)
from plexsync.app.parts import Parts
from plexsync.app.rating_back import rating_back
from plexsync.app.rules import rating_rules
from plexsync.engine.undo import wish_undone
from plexsync.engine.watching import pages_of
from plexsync.flows.plays.ratings import BOTH
from plexsync.reports.format import many, safe
from plexsync.reports.named_scenes import listed
from plexsync.reports.rows import title
from plexsync.rules.job import Kind
from plexsync.rules.ratings import NO_RATING, UNKNOWN
from plexsync.rules.taken_back import TakenBack
from plexsync.store.database import Database

OFF = 'ratings go one way, so none was replaced by another server: set rating_direction = "both" first'
# The number of scenes that are read together.
PAGE = 1_000


def written_scenes(store: Database, since: int = 0) -> list[int]:
    """The scenes of which PlexSync has written the rating on either side since then (UTC ms), and nobody else since."""
    pages = pages_of(store, lambda db, last: db.ratings.written(after=last, limit=PAGE, since=since), 0)
    return [scene for page in pages for scene in page]


class UndoRatings(Action):
    """Puts back the ratings that PlexSync's have replaced."""

    verb = Verb.UNDO
    subject = SubjectKind.RATINGS
    kinds = BOTH
    bar = "queueing"
    in_one_table = True
    unfit: Mapping[str, str] = {**Action.unfit, "run": "ratings have no runs: say since when, or all"}
    heads = ("scene", "where", "PlexSync wrote", "would be", "why")

    def refusal(self, parts: Parts) -> str:
        """While ratings go one way they are undone with their scenes."""
        return "" if rating_rules(parts.config) else OFF

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The scenes with a rating that PlexSync wrote."""
        written = written_scenes(parts.store, selection.since or 0)
        if not selection.ids:
            return written
        written_ids = set(written)
        return [id for id in dict.fromkeys(selection.ids) if id in written_ids]

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The ratings that would be put back, unless they were changed since."""
        for id in asked.ids:
            with asked.parts.store.reading() as db:
                rows, name = db.ratings.of_ids([id]), title(db, Kind.SCENE, id)
            heading = f"{id} {safe(name, 60)}".rstrip()
            changes = [
                PreviewRow(heading, where, _text(now), _text(before))
                for (_, item), row in rows.items()
                for where, now, before in (
                    ("in Stash", row.stash, row.stash_before),
                    (f"item {item}", row.plex, row.plex_before),
                )
                if before != UNKNOWN
            ]
            yield SubjectPreview(heading, changes, None, {"scenes": 1})

    def summed(self, counts: Counter[str]) -> str:
        """The number of scenes."""
        return f"{_ratings_of(counts['scenes'])}; nothing was changed"

    def carried(self, jobs: Sequence[int]) -> ActionResult:
        """The scenes that are queued."""
        return ActionResult(
            list(jobs), {"scenes": len(jobs)}, f"{_ratings_of(len(jobs))} to be put back", count=len(jobs)
        )

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Mark the ratings."""
        rules = rating_rules(asked.parts.config)
        if rules is None:
            raise Unfit(OFF)
        flow, _ = rating_back(asked.parts, rules).flows
        marked = wish_undone(asked.parts.store, flow, asked.parts.clock, asked.ids, TakenBack.UNDO, asked.progress)
        done = self.carried(marked.jobs)
        done.facts = {**done.facts, **failed_facts(marked.failed)}
        written_ids = {*marked.jobs, *marked.failed}
        if nothing := [id for id in dict.fromkeys(asked.selection.ids) if id not in written_ids]:
            done.complaints.append(f"PlexSync has not written the rating of {listed(nothing)}")
        done.complaints += unread(marked.failed)
        done.is_failed = bool(done.complaints)
        return done

    def settled(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:  # noqa: ARG002 - the queue knows it
        """How many ratings are not put back yet."""
        line = f"{_ratings_of(done.count)} put back{rest_words(unsettled)}"
        return ActionResult(done.jobs, {"unsettled": unsettled}, line, is_failed=bool(unsettled))


def _ratings_of(scenes: int) -> str:
    return f"the ratings of {many(scenes, 'scene')}"


def _text(rating: int) -> str:
    return "?" if rating == UNKNOWN else "none" if rating == NO_RATING else f"{rating}"


UNDO = UndoRatings("Put back the ratings of {}?", "to be put back", "put back")
