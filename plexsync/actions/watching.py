"""Undo, redo and check of what was brought to Stash: plays and resume points."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from plexsync.actions.model import (
    Action,
    ActionRequest,
    ActionResult,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Verb,
    rest_words,
    unread,
)
from plexsync.app.parts import Parts
from plexsync.app.way_back import plays_recovery
from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.plays.wishes import Wished, WishForPlays, wished_plays
from plexsync.reports.format import local, many, safe, unstamped
from plexsync.reports.named_scenes import listed
from plexsync.reports.plays import plays_to_change, plays_wished, wished_counts
from plexsync.rules.job import PLAYS
from plexsync.rules.play_wishes import AGAIN, REDO, UNDO, PlayWish, is_wanted_back
from plexsync.rules.plays import PlayState, RememberedPlay
from plexsync.rules.taken_back import TakenBack

OFF = 'watch_back is off, so no play would be sent: set watch_back = "plays" first'
NO_RUNS = "plays and resume points have no runs: say since when, or all"
NO_MOMENT = "a resume point has no moment of its own: name its scene, or say all"
SHOWN = 10


def _is_on_its_way(play: RememberedPlay) -> bool:
    return play.state in (PlayState.ADDING, PlayState.REMOVING)


class WatchAction(Action):
    """A wish for plays and resume points (`plexsync.rules.play_wishes`).

    `is_open`: whether a play is not settled yet. `sends`: it is possible only while the way back is on.
    """

    subject = SubjectKind.PLAYS
    kinds = (PLAYS,)
    bar = "queueing"
    in_one_table = True
    heads = ("scene", "what", "plays and resume point", "would be", "why")

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
        self.unfit = {**Action.unfit, "run": NO_RUNS, **({"since": NO_MOMENT} if only_resume else {})}
        self.always_asks = always_asks
        self._wish = wish
        self._is_open = is_open
        self._sends = sends
        self._only_resume = only_resume

    def refusal(self, parts: Parts) -> str:
        """Nothing is sent while the way back is off."""
        return OFF if self._sends and parts.config.watch_back == "off" else ""

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The scenes with such a play or resume point."""
        return sorted(self._wished(parts, selection))

    def _wished(self, parts: Parts, selection: Selection) -> dict[int, Wished]:
        scenes = list(dict.fromkeys(selection.ids)) or None
        chosen = wished_plays(parts.store, self._wish, scenes=scenes, since=selection.since or 0)
        if not self._only_resume:
            return chosen
        return {id: Wished((), resume=True) for id, wished in chosen.items() if wished.resume}

    def question(self, asked: ActionRequest) -> str:
        """How many plays and resume points it is about."""
        counts = wished_counts(self._wished(asked.parts, asked.selection))
        named = _named(counts["plays"], counts["resume_points"])
        return self._question.format(f"{named} of {many(len(asked.ids), 'scene')}")

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The plays of each scene."""
        for scene in plays_to_change(asked.parts, self._wished(asked.parts, asked.selection)):
            plays = scene["plays"]
            more = [f"{len(plays) - SHOWN:,} more"] if len(plays) > SHOWN else []
            resume = ["its resume point"] if scene["resume_point"] else []
            moments = ", ".join([*(local(unstamped(moment)) for moment in plays[:SHOWN]), *more, *resume])
            heading = f"{scene['id']} {safe(scene['title'], 60)}".rstrip()
            counts = {"scenes": 1, "plays": len(plays), "resume_points": scene["resume_point"]}
            change = PreviewRow(heading, self.verb.value, moments)
            yield SubjectPreview(heading, [change], scene, counts)

    def summed(self, counts: Counter[str]) -> str:
        """The number of plays and resume points."""
        counted = f"{_named(counts['plays'], counts['resume_points'])} of {many(counts['scenes'], 'scene')}"
        return f"{counted}; nothing was changed"

    def carried(self, jobs: Sequence[int]) -> ActionResult:
        """The scenes that are queued."""
        return self._answer(Marked(list(jobs)), 0, 0, [])

    def _answer(self, marked: Marked, plays: int, resume: int, nothing: list[int]) -> ActionResult:
        line = f"{_named(plays, resume)} of {many(len(marked.jobs), 'scene')} {self._begun}"
        done = ActionResult(marked.jobs, plays_wished(marked, plays, resume, nothing), line, count=plays)
        if nothing:
            done.complaints.append(f"nothing {self._begun} for {listed(nothing)}")
        done.complaints += unread(marked.failed)
        done.is_failed = bool(nothing or marked.failed)
        return done

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Make the wish."""
        wishes = WishForPlays(
            asked.parts.stash.watching,
            asked.parts.gates,
            plays_recovery(asked.parts),
            self._wish,
            since=asked.selection.since or 0,
            only_resume=self._only_resume,
        )
        marked = wish_undone(asked.parts.store, wishes, asked.parts.clock, asked.ids, TakenBack.UNDO, asked.progress)
        nothing = [id for id in dict.fromkeys(asked.selection.ids) if id not in asked.ids or id in marked.untouched]
        return self._answer(marked, wishes.plays, wishes.resume_points, nothing)

    def settled(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:
        """How many plays are settled."""
        with parts.store.reading() as db:
            memory = db.plays.of_ids(done.jobs)
        still_open = sum(self._is_open(play) for plays in memory.values() for play in plays.values())
        # Resume points are counted by their scenes, which leave the queue when they are done.
        rest = unsettled if self._only_resume else min(done.count, still_open)
        resume = cast("int", done.facts.get("resume_points", 0))
        resume -= min(resume, rest) if self._only_resume else 0
        line = f"{_named(max(0, done.count - rest), resume)} {self._done}{rest_words(rest, ' (plexsync plays status)')}"
        return ActionResult(done.jobs, {"unsettled": rest}, line, is_failed=bool(rest))


def _named(plays: int, resume: int) -> str:
    named = [many(plays, "play")] if plays or not resume else []
    return " and ".join([*named, *([many(resume, "resume point")] if resume else [])])


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
