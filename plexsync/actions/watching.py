"""Undo, redo and check of plays, resume points and play times in Stash, and undo of ratings that go both ways."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

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
    run_named,
    unread,
)
from plexsync.app.parts import Parts
from plexsync.app.rating_back import rating_back
from plexsync.app.rules import rating_rules
from plexsync.app.way_back import plays_recovery
from plexsync.engine.undo import Marked, wish_undone
from plexsync.engine.watching import pages_of
from plexsync.flows.plays.ratings import BOTH
from plexsync.flows.plays.wishes import Wished, WishForPlays, wished_plays
from plexsync.reports.format import local, many, safe, stamp
from plexsync.reports.named_scenes import name_scenes
from plexsync.reports.rows import title
from plexsync.reports.shapes.plays import PlaysToChange, PlaysWished
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import AGAIN, REDO, UNDO, PlayWish, is_wanted_back
from plexsync.rules.plays.plays import PlayState, RememberedPlay
from plexsync.rules.plays.ratings import NO_RATING, UNKNOWN
from plexsync.rules.queue.job import PLAYS, Kind
from plexsync.rules.records import LAST_ID

OFF = 'watch_back is off, so no play would be sent: set watch_back = "plays" first'
NO_MOMENT = "a resume point has no moment and no run of its own: name its scene, or say all"
ONE_WAY = 'ratings go one way, so none was replaced by another server: set rating_direction = "both" first'
MOST_LISTED = 10
# The number of scenes that are read together.
PAGE = 1_000


def _is_on_its_way(play: RememberedPlay) -> bool:
    return play.state in (PlayState.ADDING, PlayState.REMOVING)


class WatchAction(Action):
    """A wish for plays, resume points and play times (`plexsync.rules.plays.play_wishes`).

    `is_open`: whether a play is not settled yet. `sends`: it is possible only while the way back is on.
    """

    subject = SubjectKind.PLAYS
    kinds = (PLAYS,)
    bar = "queueing"
    in_one_table = True
    heads = ("scene", "what", "plays, resume point and play time", "would be", "why")

    def __init__(
        self,
        verb: Verb,
        wish: PlayWish,
        question: str,
        begun: str,
        done: str,
        is_open: Callable[[RememberedPlay], bool],
        *,
        sends: bool = True,
        always_asks: bool = False,
        only_resume: bool = False,
    ) -> None:
        super().__init__(question, begun, done)
        self.verb = verb
        self.subject = SubjectKind.RESUME if only_resume else SubjectKind.PLAYS
        self.unfit = {**Action.unfit, **(dict.fromkeys(("run", "since"), NO_MOMENT) if only_resume else {})}
        self.always_asks = always_asks
        self._wish = wish
        self._is_open = is_open
        self._sends = sends
        self._only_resume = only_resume

    def refusal(self, parts: Parts) -> str:
        """Nothing is sent while the way back is off."""
        return OFF if self._sends and parts.config.watch_back == "off" else ""

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The scenes with such a play, resume point or play time."""
        return sorted(self._choose_wished(parts, selection))

    def _choose_wished(self, parts: Parts, selection: Selection) -> dict[int, Wished]:
        scenes, (since, until) = list(dict.fromkeys(selection.ids)) or None, self._while(parts, selection)
        chosen = wished_plays(parts.store, self._wish, scenes=scenes, since=since, until=until)
        if not self._only_resume:
            return chosen
        return {id: Wished((), resume=True) for id, wished in chosen.items() if wished.resume}

    def _while(self, parts: Parts, selection: Selection) -> tuple[int, int]:
        """The first and the last moment of the requests that are meant. Raises Unfit."""
        if selection.run is None:
            return selection.since or 0, LAST_ID
        with parts.store.reading() as db:
            run = run_named(db, PLAYS, selection.run, undone=self.verb is not Verb.UNDO)
        return run.start, run.end

    def amount(self, asked: ActionRequest) -> str:
        """How many plays, resume points and play times it is about."""
        chosen = self._choose_wished(asked.parts, asked.selection).values()
        counts = [(len(wished.plays), wished.resume, wished.time) for wished in chosen] or [(0, False, False)]
        return _of_scenes(*map(sum, zip(*counts, strict=True)), scenes=len(asked.ids))

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The plays of each scene."""
        chosen = self._choose_wished(asked.parts, asked.selection)
        with asked.parts.store.reading() as db:
            titles = {id: title(db, Kind.SCENE, id) for id in sorted(chosen)}
        for id, name in titles.items():
            plays, resume, time = chosen[id].plays, chosen[id].resume, chosen[id].time
            more = [f"{len(plays) - MOST_LISTED:,} more"] if len(plays) > MOST_LISTED else []
            wishes = [
                *(local(at * 1000) for at in plays[:MOST_LISTED]),
                *more,
                *(["its resume point"] if resume else []),
                *(["its play time"] if time else []),
            ]
            heading = f"{id} {safe(name, 60)}".rstrip()
            facts: PlaysToChange = {
                "id": id,
                "title": name,
                "plays": [stamp(at * 1000) or "" for at in plays],
                "resume_point": resume,
                "play_time": time,
            }
            counts = {"scenes": 1, "plays": len(plays), "resume_points": resume, "play_times": time}
            yield SubjectPreview(heading, [PreviewRow(heading, self.verb.value, ", ".join(wishes))], facts, counts)

    def summary(self, counts: Counter[str]) -> str:
        """The number of plays, resume points and play times."""
        numbers = (counts[name] for name in ("plays", "resume_points", "play_times"))
        return f"{_of_scenes(*numbers, scenes=counts['scenes'])}; nothing was changed"

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The scenes that are queued."""
        return self._answer(Marked(list(jobs)), (0, 0, 0), [])

    def _answer(self, marked: Marked, counts: tuple[int, int, int], nothing: list[int]) -> ActionResult:
        line = f"{_of_scenes(*counts, scenes=len(marked.jobs))} {self._begun}"
        plays, resume, times = counts
        facts: PlaysWished = {"plays": plays, "scenes": len(marked.jobs)}
        if resume:
            facts["resume_points"] = resume
        if times:
            facts["play_times"] = times
        if nothing:
            facts["nothing"] = nothing
        done = ActionResult(marked.jobs, {**facts, **failed_facts(marked.failed)}, line, count=plays)
        if nothing:
            done.complaints.append(f"nothing {self._begun} for {name_scenes(nothing)}")
        done.complaints += unread(marked.failed)
        done.is_failed = bool(nothing or marked.failed)
        return done

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Make the wish."""
        since, until = self._while(asked.parts, asked.selection)
        wishes = WishForPlays(
            asked.parts.stash.watching,
            asked.parts.gates,
            plays_recovery(asked.parts),
            self._wish,
            since=since,
            until=until,
            only_resume=self._only_resume,
        )
        marked = wish_undone(asked.parts.store, wishes, asked.parts.clock, asked.ids, TakenBack.UNDO, asked.progress)
        nothing = [id for id in dict.fromkeys(asked.selection.ids) if id not in asked.ids or id in marked.untouched]
        return self._answer(marked, (wishes.plays, wishes.resume_points, wishes.play_times), nothing)

    def outcome(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:
        """How many plays and play times are settled."""
        resume, times = (cast("int", done.facts.get(name, 0)) for name in ("resume_points", "play_times"))
        # Resume points are counted by their scenes, which leave the queue when they are done.
        open_plays, open_times = 0, 0
        if not self._only_resume:
            with parts.store.reading() as db:
                memory, remembered = db.plays.of_ids(done.jobs), db.play_times.of_ids(done.jobs)
            still_open = sum(self._is_open(play) for plays in memory.values() for play in plays.values())
            open_plays = min(done.count, still_open)
            open_times = min(times, sum(time.is_unsettled for time in remembered.values()))
        rest = unsettled if self._only_resume else open_plays + open_times
        resume -= min(resume, rest) if self._only_resume else 0
        counted = _name_counts(done.count - open_plays, resume, times - open_times)
        line = f"{counted} {self._done}{rest_words(rest, ' (plexsync plays status)')}"
        return ActionResult(done.jobs, {"unsettled": rest}, line, is_failed=bool(rest))


def _name_counts(plays: int, resume: int, times: int, time_words: str = "") -> str:
    named = [many(plays, "play")] if plays or not (resume or times) else []
    named += [many(resume, "resume point")] if resume else []
    named += [time_words or many(times, "play time")] if times else []
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _of_scenes(plays: int, resume: int, times: int, *, scenes: int) -> str:
    """What it is about: `3 plays, 1 resume point and the play time of 1 scene`."""
    named = _name_counts(plays, resume, times, "the play time" if times == scenes else "")
    return f"{named} of {many(scenes, 'scene')}"


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
        return "" if rating_rules(parts.config) else ONE_WAY

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The scenes with a rating that PlexSync wrote."""
        since = selection.since or 0
        pages = pages_of(parts.store, lambda db, last: db.ratings.list_written(after=last, limit=PAGE, since=since), 0)
        written = dict.fromkeys(scene for page in pages for scene in page)
        return [id for id in dict.fromkeys(selection.ids or written) if id in written]

    def amount(self, asked: ActionRequest) -> str:
        """How many scenes it is about."""
        return _ratings_of(len(asked.ids))

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The ratings that would be put back, unless they were changed since."""
        for id in asked.ids:
            with asked.parts.store.reading() as db:
                rows, name = db.ratings.of_ids([id]), title(db, Kind.SCENE, id)
            heading = f"{id} {safe(name, 60)}".rstrip()
            changes = [
                PreviewRow(heading, where, _rating_text(now), _rating_text(before))
                for (_, item), row in rows.items()
                for where, now, before in (
                    ("in Stash", row.stash, row.stash_before),
                    (f"item {item}", row.plex, row.plex_before),
                )
                if before != UNKNOWN
            ]
            yield SubjectPreview(heading, changes, None, {"scenes": 1})

    def summary(self, counts: Counter[str]) -> str:
        """The number of scenes."""
        return f"{_ratings_of(counts['scenes'])}; nothing was changed"

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The scenes that are queued."""
        return ActionResult(
            list(jobs), {"scenes": len(jobs)}, f"{_ratings_of(len(jobs))} to be put back", count=len(jobs)
        )

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Mark the ratings."""
        rules = rating_rules(asked.parts.config)
        if rules is None:
            raise Unfit(ONE_WAY)
        flow, _ = rating_back(asked.parts, rules).flows
        marked = wish_undone(asked.parts.store, flow, asked.parts.clock, asked.ids, TakenBack.UNDO, asked.progress)
        done = self.answer_for(marked.jobs)
        done.facts = {**done.facts, **failed_facts(marked.failed)}
        written_ids = {*marked.jobs, *marked.failed}
        if nothing := [id for id in dict.fromkeys(asked.selection.ids) if id not in written_ids]:
            done.complaints.append(f"PlexSync has not written the rating of {name_scenes(nothing)}")
        done.complaints += unread(marked.failed)
        done.is_failed = bool(done.complaints)
        return done

    def outcome(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:  # noqa: ARG002 - the queue knows it
        """How many ratings are not put back yet."""
        line = f"{_ratings_of(done.count)} put back{rest_words(unsettled)}"
        return ActionResult(done.jobs, {"unsettled": unsettled}, line, is_failed=bool(unsettled))


def _ratings_of(scenes: int) -> str:
    return f"the ratings of {many(scenes, 'scene')}"


def _rating_text(rating: int) -> str:
    return "?" if rating == UNKNOWN else "none" if rating == NO_RATING else f"{rating}"


def _pair(*, only_resume: bool) -> tuple[WatchAction, WatchAction]:
    return (
        WatchAction(
            Verb.UNDO,
            UNDO,
            "Take back {} from Stash?",
            "to be taken back",
            "taken back",
            is_wanted_back,
            sends=False,
            only_resume=only_resume,
        ),
        WatchAction(
            Verb.REDO, REDO, "Send {} again?", "to be sent again", "sent again", _is_on_its_way, only_resume=only_resume
        ),
    )


UNDO_PLAYS, REDO_PLAYS = _pair(only_resume=False)
UNDO_RESUME, REDO_RESUME = _pair(only_resume=True)
CHECK_PLAYS = WatchAction(
    Verb.AGAIN,
    AGAIN,
    "Check {}, and send again what Stash does not have, also what was deleted there?",
    "to be checked",
    "checked",
    _is_on_its_way,
    always_asks=True,
)
UNDO_RATINGS = UndoRatings("Put back {}?", "to be put back", "put back")
