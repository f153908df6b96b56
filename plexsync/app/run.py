"""The worker: the engine, with poller, listener, schedule and notices around it; what a schedule waits for."""

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain

from plexsync.app.advice import UNAPPROVED, UNKNOWN_BEFORE
from plexsync.app.clients import lets_in, messengers, stash_lines
from plexsync.app.fingerprints import changed_names, words_of_change
from plexsync.app.flow_parts import COMPARE_LOOK, LONGEST_LOOK, FlowParts, NotedLook, RegularLook, look_at_changes
from plexsync.app.further_flows import clean_up, further_flows
from plexsync.app.parts import Assembled, Parts
from plexsync.app.rules import HOUR
from plexsync.app.switches import asked_settings, bring_into_force, bulk_approved, has_lost
from plexsync.app.turns import await_settings, turns
from plexsync.engine.engine import Engine, Idle, ProbeResult, Worked
from plexsync.engine.flow import AnyFlow
from plexsync.engine.loop import Commits, Farewell, Loop, Paused, Ran, Standstill, Watcher, tell_nobody
from plexsync.engine.server_return import CALLS, PACE as RETURN_LOOK, STASH_GATES, ServerReturn
from plexsync.engine.tickets import READ_PLEX, READS
from plexsync.engine.watchdog import Watchdog
from plexsync.flows.scenes.flow import SceneFlow
from plexsync.flows.scenes.metrics_sampler import SECONDS
from plexsync.flows.scenes.stash_lines import StashListener
from plexsync.rules.queue.note_keys import ASKED_SETTINGS, CHANGED, IN_USE, LAST_POLL, LAST_RECONCILE, LAST_RUN, WISHES
from plexsync.rules.queue.setting_question import SettingQuestion, read
from plexsync.rules.servers.errors import NeighbourError, Unusable
from plexsync.rules.servers.http_answers import whole_request
from plexsync.rules.servers.neighbours import Messenger
from plexsync.store.files.siblings import Siblings, siblings_of
from plexsync.store.files.storage import PauseFile
from plexsync.store.log_watch import watch_log
from plexsync.store.queue.notes import number_in

log = logging.getLogger("PlexSync.run")

# Seconds between checks whether to listen to Plex or Stash again.
LISTEN_LOOK = 0.5

# Seconds before a comparison that could not run is tried again.
RECONCILE_RETRY = 300.0

Told = Callable[[Worked | ProbeResult | Idle], None]
Act = Callable[[], None]
UNCOUNTED = "what changed settings would write can't be counted now"

Announce = Callable[[Parts, Sequence[Messenger], Standstill, threading.Event, str], threading.Thread]


def scene_flow(parts: Assembled, further: Sequence[FlowParts] = ()) -> SceneFlow:
    """Return the scene flow on these parts; it tells the further ones which scenes it has inspected."""
    return SceneFlow(
        parts.work_inspector,
        max_retries=parts.settings.work.max_retries,
        scans=parts.scans,
        observing=list(chain.from_iterable(added.observing for added in further)),
        asks=next((added.asks for added in further if added.asks is not None), None),
    )


def engine_on(
    parts: Assembled,
    *,
    holder: str,
    watchdog: Watchdog | None = None,
    pool: Executor | None = None,
    further: Sequence[FlowParts] = (),
    flows: Sequence[AnyFlow] = (),
) -> Engine:
    """Return an engine on these parts; `holder` marks the rows that it claims, and `pool` sends its edits.

    It works the scene flow, the `further` ones, and the given `flows`.
    """
    return Engine(
        parts.store,
        [scene_flow(parts, further), *chain.from_iterable(added.flows for added in further), *flows],
        parts.gates,
        parts.clock,
        parts.rng,
        parts.settings.work,
        holder=holder,
        pool=pool,
        watchdog=watchdog,
    )


@contextmanager
def engine(parts: Parts, stop: threading.Event, further: Sequence[FlowParts] | None = None) -> Iterator[Engine]:
    """Yield an engine for the holder of the worker's lock; call `take_up` before its first step.

    `further`: the further flows, if they are put together already. When `stop` is set, work that hangs is given back
    before this process can be killed for taking too long.
    """
    holder, further = secrets.token_hex(4), further_flows(parts) if further is None else further
    works = engine_on(parts, holder=holder, watchdog=parts.watchdog, further=further)
    farewell = Farewell(works.abandon, stop=stop)
    try:
        parts.watchdog.tell_of_the_last()
        farewell.start()
        yield works
    finally:
        farewell.done()
        works.close()


def take_up(parts: Parts, works: Engine) -> None:
    """Reclaim the jobs of a dead worker, and apply what changed settings cause. Safe to repeat."""
    parts.expiry.recall(parts.store)
    works.reclaim()
    clean_up(parts)
    parts.curer.apply()
    parts.reconciler.note_wishes()


def drain(
    parts: Parts,
    stop: threading.Event,
    report: Told,
    *,
    wait_for: Callable[[], bool] | None = None,
    before: Ran | None = None,
) -> Ran:
    """Work the queue until nothing is due or `wait_for` returns true; adds to the counts of the run `before`."""
    further = further_flows(parts)
    with engine(parts, stop, further) as works:
        take_up(parts, works)
        parts.curer.recheck(stopping=stop.is_set)
        for added in further:
            added.begin(stop.is_set)
        return loop_of(parts, works, stop, report).drain(wait_for=wait_for, before=before)


@contextmanager
def noticing(parts: Parts, stop: threading.Event, announce: Announce | None = None, plex: str = "") -> Iterator[Paused]:
    """Send notices of what needs you while the block runs. Yields what is told of pauses of the worker.

    `announce` makes the thread that sends them; without it, or without a messenger, none is sent.
    """
    file = PauseFile(parts.folder)
    standstill = Standstill(parts.clock, file.keep)
    ways = messengers(parts.config) if announce is not None else ()
    announcer = announce(parts, ways, standstill, stop, plex) if announce is not None and ways else None
    if announcer is not None:
        announcer.start()
    try:
        yield standstill
    finally:
        stop.set()
        if announcer is not None:
            announcer.join(timeout=1)
        file.close()


def serve(
    parts: Parts,
    stop: threading.Event,
    report: Told,
    *,
    announce: Announce | None = None,
    plex: str = "",
    first: Act | None = None,
) -> None:
    """Run worker, poller, schedule and notices until `stop`. A damaged database ends it, whichever thread finds it.

    `announce` makes the thread that sends notices. `plex` is the name that they give the Plex server, '' for a single
    one. `first` runs before each claim, and may wait.
    """
    further = further_flows(parts)
    with noticing(parts, stop, announce, plex) as paused, engine(parts, stop, further) as works, ExitStack() as held:
        looks = looks_beside(parts, stop.is_set, further)
        watchers = [watcher_of(look, parts, stop, paused) for look in looks]
        news = [look.sooner for look in looks if look.at_changes]

        def changed() -> None:
            for waits in news:
                waits.set()

        watch = watch_log(parts.store.log)
        wakes: list[Act] = [look.sooner.set for look in looks]
        if watch is not None:
            held.callback(watch.close)
            wakes.append(watch.wake)
        waker = threading.Thread(target=wake_at, args=(stop, wakes), name="stop", daemon=True)
        waker.start()
        try:
            for watcher in watchers:
                watcher.start()
            before = partial(await_settings, parts, stop, first)
            loop_of(parts, works, stop, report, paused, before, changed=changed, commits=watch).serve()
        finally:
            stop.set()
            # It wakes nobody any more when what waits is closed.
            waker.join()
            # Wait no longer than the current request can take: the store and the clients are closed next.
            for watcher in (watcher for watcher in watchers if watcher.ident):
                watcher.join(timeout=whole_request(parts.config.plex_read_timeout) + 5)
        for watcher in watchers:
            watcher.confess()


def looks_beside(parts: Parts, stopping: Callable[[], bool], further: Sequence[FlowParts]) -> list[RegularLook]:
    """Return all that a worker does beside its queue, each on a thread of its own."""
    schedule = Schedule(parts, stopping)
    # A worker's start polls at once, and so does each new connection to Stash's log.
    poll_now = threading.Event()
    edits = edit_listener(parts, poll_now.set)
    hearing = list(chain.from_iterable(added.hearing for added in further))
    return [
        RegularLook(
            "poll",
            parts.config.stash_poll_interval,
            lambda: parts.poller.poll().reason,
            poll_now,
            subject="edits in Stash",
        ),
        RegularLook("lines", LISTEN_LOOK, partial(edits, stopping)),
        RegularLook("listen", LISTEN_LOOK, partial(parts.listener, stopping, hearing)),
        RegularLook("events", LONGEST_LOOK, partial(parts.listener.look, stopping), parts.listener.sooner),
        RegularLook("sample", SECONDS, parts.sampler.sample),
        # A comparison can take long, and edits must not wait for it.
        look_at_changes("compare", partial(compare, parts, schedule, stopping), subject="the full comparison"),
        *further_looks(parts, poll_now.set, edits.connect_now),
        *chain.from_iterable(added.looks(stopping) for added in further),
    ]


def compare(parts: Parts, schedule: "Schedule", stopping: Callable[[], bool]) -> str:
    """Run a comparison if one is due; returns why that was not possible."""
    parts.curer.recheck(stopping=stopping)
    schedule()
    return schedule.problem


def watcher_of(look: RegularLook, parts: Parts, stop: threading.Event, paused: Paused) -> Watcher:
    """Return the thread that does this again and again."""
    return Watcher(
        NotedLook(look, parts.store, parts.gates, parts.clock) if look.subject else look.act,
        name=look.name,
        seconds=look.seconds,
        stop=stop,
        clock=parts.clock,
        sooner=look.sooner,
        least=look.least,
        again=look.again,
        paused=paused,
    )


def wake_at(stop: threading.Event, wakes: Sequence[Act]) -> None:
    """Wake whoever waits for something else than the stop, once that is asked for."""
    stop.wait()
    for wake in wakes:
        wake()


def edit_listener(parts: Parts, poll: Callable[[], None]) -> StashListener:
    """Return what listens to Stash's log for edits; `poll` polls Stash at once."""
    lines = stash_lines(parts.config)
    return StashListener(parts.store, parts.stash, lines, parts.gates, parts.clock, parts.rng, poll=poll)


def further_looks(parts: Parts, poll: Callable[[], None], connect: Callable[[], None]) -> Iterator[RegularLook]:
    """Yield what else is looked at, if it is there. `poll` polls Stash at once, and `connect` listens to its log at once."""
    config, of_all = parts.config, (parts.store, parts.settings.breaker, parts.clock)
    stash = ServerReturn(*of_all, partial(lets_in, config.stash_url), connect, STASH_GATES, CALLS, poll)
    plex = ServerReturn(*of_all, partial(lets_in, config.plex_url), lambda: None, (READ_PLEX,), (), poll)
    yield look_at_changes("return", stash, RETURN_LOOK, stash.is_away)
    yield look_at_changes("return of Plex", plex, RETURN_LOOK, plex.is_away)
    if (siblings := siblings_of(parts.store)).is_further:
        yield RegularLook("first hook", COMPARE_LOOK, FirstHook(siblings, poll))
    if parts.scans is not None:
        yield RegularLook("scan", COMPARE_LOOK, parts.scans.go_on)


def loop_of(
    parts: Parts,
    works: Engine,
    stop: threading.Event,
    report: Told,
    paused: Paused = tell_nobody,
    first: Act | None = None,
    *,
    changed: Act | None = None,
    commits: Commits | None = None,
) -> Loop:
    """Return the loop that drives this engine until `stop`; it reports every step to `report`.

    It waits for `commits`, and calls `changed` when the database has changed.
    """
    return Loop(
        works,
        parts.store,
        parts.clock,
        poll_seconds=parts.config.poll_interval,
        stop=stop,
        begin=lambda: take_up(parts, works),
        report=report,
        paused=paused,
        between=turns(parts, stop, first),
        changed=changed,
        commits=commits,
    )


class Schedule:
    """Runs a full comparison when the last one is old enough, or none has completed yet.

    The first one comes after the first sync of all scenes, if that is queued: both would inspect each of them.
    """

    def __init__(self, parts: Parts, stopping: Callable[[], bool]) -> None:
        self._parts = parts
        self._stopping = stopping
        self._tried: float | None = None
        self._told = False
        # Why the last one that was due could not be made; '' if it was, or waits for you.
        self.problem = ""

    def __call__(self) -> bool:
        """Run a comparison if one is due; True if it completed."""
        parts, now = self._parts, self._parts.clock.now()
        hours = parts.config.reconcile_interval_hours
        with parts.store.reading() as db:
            noted = db.notes.texts((LAST_RECONCILE, LAST_RUN, LAST_POLL, WISHES))
            lost = has_lost(db)
        # The poller has to note its start first, so that an edit during the comparison counts as a change after it.
        if not noted[LAST_POLL]:
            return False
        last = number_in(noted[LAST_RECONCILE]) or 0
        # A last comparison in the future was noted before the clock was set back: compare now instead of waiting.
        is_due = lost or (hours > 0 and not 0 <= now - last < hours * HOUR)
        if not parts.config.enabled or not (is_due or noted[WISHES] == CHANGED):
            return False
        is_first = not (lost or noted[LAST_RUN])

        def stopping() -> bool:
            return self._stopping() or (is_first and has_first_sync(parts))

        if stopping():
            return False
        if not bulk_approved(parts):
            if not self._told:
                log.warning("%s", UNAPPROVED)
                self._told = True
            return False
        if asked_settings(parts) and not is_due:
            # After your yes it runs at once.
            self._tried = None
            return False
        tried, passed = self._tried, parts.clock.monotonic()
        if tried is not None:
            rest = parts.config.stash_poll_interval if parts.gates.is_open(*READS) else RECONCILE_RETRY
            if passed - tried < rest:
                return False
        self._tried = passed
        waits = settings_wait(parts, self._stopping)
        if waits and (parts.settings.work.rests or not is_due):
            self.problem = "" if asked_settings(parts) else UNCOUNTED
            return False
        if parts.must_reload():
            return False
        try:
            is_complete, self.problem = parts.reconciler.reconcile(stopping=stopping).complete, ""
        except NeighbourError as error:
            log.info("reconcile put off: %s", error)
            is_complete, self.problem = False, str(error)
        return is_complete


def has_first_sync(parts: Parts) -> bool:
    """Whether a sync of all scenes is queued or in work, given that no comparison has completed yet."""
    with parts.store.reading() as db:
        return db.jobs.has_whole_sweep(parts.clock.now())


class FirstHook:
    """Makes the worker of a further Plex server poll Stash as soon as a hook has stored an event.

    The hook writes to the database of the first server alone. So each further worker looks there once a second for the time
    of the last event, and calls `poll` for each new one. Polls at their pace find what has changed without it.
    """

    def __init__(self, siblings: Siblings, poll: Callable[[], None]) -> None:
        self._siblings = siblings
        self._poll = poll
        # The worker polls at its start anyway.
        self._seen = siblings.last_hook()

    def __call__(self) -> None:
        """Look once."""
        last = self._siblings.last_hook()
        if last not in ("", self._seen):
            self._seen = last
            self._poll()


# --- changed settings ------------------------------------------------------------------------------------------------


def settings_wait(parts: Parts, stopping: Callable[[], bool]) -> bool:
    """Whether changed settings wait for your yes, because they would write many items, or it is not known how many.

    The worker goes on with those before, and counts once what would change; while a server is down nothing is counted. If
    it is little, the changed settings come into force without a question.
    """
    with parts.store.reading() as db:
        # A worker notes a change as it begins its work: a comparison may come before that.
        noted = db.notes.texts((WISHES, IN_USE, ASKED_SETTINGS))
    names = changed_names(noted[IN_USE], parts.settings.in_use)
    if parts.config.approve_bulk or not names or noted[WISHES] in ("", parts.settings.wishes):
        return False
    if parts.must_reload():
        # What is in force now may have been agreed to together with settings that these parts do not know yet.
        return True
    question = read(noted[ASKED_SETTINGS])
    if question is None or question.wishes != parts.settings.wishes:
        question = _count_effect(parts, names, stopping)
        return question is None or not _ask(parts, question, noted)
    return True


def _ask(parts: Parts, question: SettingQuestion, noted: Mapping[str, str]) -> bool:
    """Ask it, or let the settings come into force if they write little. True if they are in force."""
    with parts.store.writing() as tx:
        if tx.notes.texts(list(noted)) != noted:
            # The answer has come meanwhile, or it is about other settings.
            return False
        if question.is_small:
            bring_into_force(tx, parts.settings.in_use)
        else:
            tx.notes.save(ASKED_SETTINGS, question.to_text())
    if not question.is_small:
        log.warning("%s: they wait for your yes (plexsync sync --all)", question.text)
    return question.is_small


def _count_effect(parts: Parts, names: Collection[str], stopping: Callable[[], bool]) -> SettingQuestion | None:
    """The question about these settings; None if it could not be counted now."""
    # A worker has it only while changed settings are counted.
    from plexsync.app.draft import count_change

    try:
        count = count_change(parts, stopping)
    except (NeighbourError, Unusable) as error:
        log.info("what changed settings would write can't be counted now: %s", error)
        return None
    question = count.question(parts.settings.wishes, words_of_change(parts.saved, names))
    return question and question._replace(stops=parts.settings.work.rests == UNKNOWN_BEFORE)
