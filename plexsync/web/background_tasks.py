"""Long tasks started from a page: a full comparison, a preview, a sync of all scenes. One runs at a time.

A task has its own thread and its own parts, as a command has, so no page waits for it. It ends with the
dashboard; a comparison that is started again resumes where it stopped. Beside them, the scenes that a draft of settings
changes are counted, one draft at a time.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from plexsync.app.draft import DraftCount, open_draft
from plexsync.app.fingerprints import wishes
from plexsync.app.parts import Parts, open_parts
from plexsync.app.review import make_review
from plexsync.app.switches import approve_bulk, approve_settings, bulk_approved, waits_for_yes
from plexsync.engine.asked_probes import ask_at_once
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, preview_scenes
from plexsync.flows.scenes.verbs import want_all
from plexsync.reports.comparisons import (
    PollFacts,
    PreviewFacts,
    PreviewResult,
    QueuedFacts,
    TaskResult,
    report_facts,
    scene_facts,
)
from plexsync.reports.format import many
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.rules.servers.neighbours import Clock
from validation.config import PlexSyncConfig

log = logging.getLogger("PlexSync.web")

MOST_SAVED = 8
SHOWN_CHANGES = 25
LAST_WAIT = 5.0
# Seconds after which a count that no page has asked for ends: it asks both servers for every scene, and may read pictures.
UNSEEN = 300.0
# Seconds after which a count that another page has asked for gives way to a newer draft: that page may still look at it.
TURN = 3.0
ENDED = "no page was open for it, so counting has ended: press Preview"


@dataclass
class BackgroundTask:
    """One task, running or ended: its result as the command's --json has it, and in words."""

    name: str
    began: int
    ended: int | None = None
    done: int = 0
    total: int = 0
    why: str = ""
    facts: TaskResult | None = None
    words: str = ""
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    stopped: bool = False
    """Whether the task ended because it was asked to stop. False for one that had already completed when asked."""

    @property
    def state(self) -> str:
        """The state in one word."""
        if self.ended is None:
            return "stopping" if self.stop.is_set() else "running"
        return "failed" if self.why else "stopped" if self.stopped else "done"

    @property
    def stoppable(self) -> bool:
        """Whether the task can be stopped."""
        return self.name in STOPPABLE

    def stopping(self) -> bool:
        """Whether the task is to end now; a caller that gets True ends."""
        self.stopped = self.stop.is_set()
        return self.stopped

    def at(self, done: int, total: int) -> None:
        """Record the progress."""
        self.done, self.total = done, total


Do = Callable[[Parts, BackgroundTask], None]


def compare(parts: Parts, task: BackgroundTask, *, anew: bool = False) -> None:
    """As `plexsync reconcile`, or `reconcile --anew`."""
    if problem := approve_settings(parts):
        raise Unusable(problem)
    task.facts = facts = report_facts(parts.reconciler.reconcile(task.at, stopping=task.stopping, anew=anew))
    task.words = f"{many(facts['scenes'], 'scene')} compared, {facts['wanted']:,} queued"


def look(parts: Parts, task: BackgroundTask) -> None:
    """As `plexsync reconcile --quick`."""
    polled = parts.poller.poll()
    wanted = {kind.value: count for kind, count in polled.wanted.items()}
    task.facts = PollFacts(wanted=wanted, complete=not polled.reason, why=polled.reason)
    news = ", ".join(many(count, kind) for kind, count in wanted.items() if count)
    task.words, task.why = f"changed in Stash: {news or 'nothing'}", polled.reason


def preview(parts: Parts, task: BackgroundTask) -> None:
    """As `plexsync sync --all --dry-run`; the first changes in full. It is complete once every scene was inspected."""
    counts, held_count, scenes = Counter[str](), 0, list[PreviewFacts]()
    _found(task, counts, held_count, scenes, complete=False)
    for scene in preview_scenes(parts.inspector, progress=task.at, stopping=task.stopping):
        counts[scene.standing] += 1
        held_count += scene.kept_fields
        if scene.standing == WOULD_CHANGE and len(scenes) < SHOWN_CHANGES:
            scenes.append(scene_facts(scene))
        _found(task, counts, held_count, scenes, complete=False)
    _found(task, counts, held_count, scenes, complete=not task.stopped)


def _found(
    task: BackgroundTask, counts: Counter[str], kept: int, scenes: list[PreviewFacts], *, complete: bool
) -> None:
    """Record what a preview has found."""
    task.facts = PreviewResult(
        dry_run=True,
        total=counts.total(),
        counts=dict(counts),
        kept_fields=kept,
        complete=complete,
        scenes=scenes,
    )
    task.words = f"{many(counts.total(), 'scene')} compared, {counts[WOULD_CHANGE]:,} would change"


def sync_all(parts: Parts, task: BackgroundTask) -> None:
    """As `plexsync sync --all`; you have approved the first write, now or before."""
    # Before anything is queued: the worker goes by these settings from now on.
    waits = approve_settings(parts) if waits_for_yes(parts) else ""
    try:
        ids = want_all(parts.store, parts.stash, parts.gates, parts.clock)
    finally:
        # Not before: else the worker begins with a comparison of the same scenes.
        if not bulk_approved(parts):
            approve_bulk(parts)
    count = len(ids)
    task.facts, task.words = (
        QueuedFacts(wanted=count),
        f"{many(count, 'scene')} queued; {waits or 'the worker does the rest'}",
    )
    task.at(count, count)


def review(parts: Parts, task: BackgroundTask) -> None:
    """A preview of all scenes into the file that the page Review shows."""
    counts, held_count = Counter[str](), Counter[str]()

    def count(scene: Preview) -> None:
        counts[scene.standing] += 1
        held_count[scene.standing] += scene.kept_fields

    complete = make_review(parts, count, task.at, task.stopping)
    _found(task, counts, held_count.total(), [], complete=complete)


TASKS: dict[str, Do] = {
    "compare": compare,
    "compare anew": partial(compare, anew=True),
    "look": look,
    "preview": preview,
    "sync all": sync_all,
    "review": review,
}
COUNT = "count"
# The others take moments.
STOPPABLE = frozenset({"compare", "compare anew", "preview", "review", COUNT})


class BackgroundTasks:
    """The running task, the one that takes its place, and the ended ones, newest first."""

    def __init__(self, config: PlexSyncConfig, parts: Parts, ended: Callable[[], None]) -> None:
        self._config = config
        self._folder = parts.folder
        self._clock: Clock = parts.clock
        self._ended = ended
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._probing: threading.Thread | None = None
        self.current: BackgroundTask | None = None
        self._next: tuple[BackgroundTask, Do] | None = None
        self.past: deque[BackgroundTask] = deque(maxlen=MOST_SAVED)

    def start(self, name: str) -> bool:
        """Start a task; False while another is running."""
        return self._begin(BackgroundTask(name, self._clock.now()), TASKS[name])

    def _begin(self, task: BackgroundTask, do: Do, *, instead: bool = False) -> bool:
        """Start a task, `instead` of a running one as soon as that has stopped."""
        with self._lock:
            if self.current is not None:
                if instead:
                    self._next = task, do
                    self.current.stop.set()
                return instead
            self.current = task
            self._thread = threading.Thread(target=self._run, args=(task, do), name=task.name, daemon=True)
            self._thread.start()
            return True

    def ask_servers(self) -> None:
        """Probe closed servers at once, beside any task: you have pressed a button that needs them."""
        with self._lock:
            if self._probing is None or not self._probing.is_alive():
                self._probing = threading.Thread(target=self._probe, name="probe", daemon=True)
                self._probing.start()

    def stop(self) -> bool:
        """Stop the running task in good order; False if none is running or it can't be stopped."""
        with self._lock:
            if self.current is None or not self.current.stoppable:
                return False
            self._next = None
            self.current.stop.set()
            return True

    def last(self, name: str) -> BackgroundTask | None:
        """The last ended task of this name."""
        return next((task for task in list(self.past) if task.name == name), None)

    def close(self) -> None:
        """Stop the running task."""
        self.stop()
        for thread in (self._thread, self._probing):
            if thread is not None:
                thread.join(LAST_WAIT)

    def _probe(self) -> None:
        try:
            with open_parts(self._config, self._folder) as parts:
                ask_at_once(parts.store, parts.gates, parts.clock, *READS)
        except (LocalFault, NewerDatabase, Unusable) as error:
            log.warning("no server was asked: %s", error)
        except Exception:
            log.exception("asking a server failed by a fault of PlexSync")
        self._ended()

    def _run(self, task: BackgroundTask, do: Do) -> None:
        following: tuple[BackgroundTask, Do] | None = task, do
        while following:
            task, do = following
            try:
                with open_parts(self._config, self._folder) as parts:
                    ask_at_once(parts.store, parts.gates, parts.clock, *READS)
                    do(parts, task)
            except (NeighbourError, LocalFault, NewerDatabase, Unusable) as error:
                task.why = str(error)
            except Exception:
                log.exception("%s failed by a fault of PlexSync", task.name)
                task.why = "a fault of PlexSync; the log says more"
            task.ended = self._clock.now()
            self._ended()
            with self._lock:
                self.past.appendleft(task)
                following, self._next = self._next, None
                self.current = following[0] if following else None


@dataclass(kw_only=True)
class CountTask(BackgroundTask):
    """The count of what a draft changes; `asked_at` is when a page last asked for it (seconds, monotonic)."""

    config: PlexSyncConfig = field(repr=False)
    asked_at: float
    count: DraftCount = field(default_factory=DraftCount)


class DraftCounts(BackgroundTasks):
    """The count of the latest draft. A newer one ends it, and so does it that nobody asks for it for `unseen` seconds."""

    latest: CountTask | None = None
    unseen, turn = UNSEEN, TURN

    def find(self, config: PlexSyncConfig) -> CountTask | None:
        """The count of this draft, if it is the latest."""
        task = self.latest
        if task is None or task.stopped or wishes(task.config) != wishes(config):
            return None
        task.asked_at = self._clock.monotonic()
        return task

    def begin(self, config: PlexSyncConfig) -> CountTask | None:
        """Count this draft from now on, unless that is done already; one that failed is begun anew.

        None while a page still asks for the count that runs: this one comes after it.
        """
        now, task = self._clock.monotonic(), self.find(config)
        if task and not task.why:
            return task
        if not task and self.current and self.latest and now - self.latest.asked_at < self.turn:
            return None
        task = self.latest = CountTask(COUNT, self._clock.now(), config=config, asked_at=now)
        self._begin(task, lambda parts, _: self._count(parts, task), instead=True)
        return task

    def _count(self, parts: Parts, task: CountTask) -> None:
        def stopping() -> bool:
            if self._clock.monotonic() - task.asked_at > self.unseen:
                task.why = ENDED
            return bool(task.why) or task.stopping()

        with open_draft(parts, task.config) as draft:
            draft.count(task.count, stopping)
