"""What needs you, what stops the work, and what goes on by itself: one table, of which every screen is a view.

A condition is one row of `ROWS`: the first line of each screen, Fix and `plexsync fix`, `status`, `doctor`, health,
metrics, notifications and the page in Stash show what `needs` finds open in one gathering of facts. To add a condition,
add a row. Imports little, because `plexsync status` has to start fast.
"""

from typing import NamedTuple, cast

from plexsync.app.advice import SETTINGS_WAIT, UNAPPROVED, UNKNOWN_BEFORE
from plexsync.reports.format import DAY, ago, capitalize, lasting, many, parse_stamp, size, stamp
from plexsync.rules.plays.first_plays import rule_words
from plexsync.rules.queue.choices import EFFECTS, Choice, hold_cause
from plexsync.rules.queue.gate_names import (
    CURE,
    GATES,
    REFUSES,
    TAKES_NO_EDITS,
    GateName,
    caption,
    closed_words,
    is_covered,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from plexsync.reports.shapes.outages import OutageFacts
    from plexsync.reports.shapes.status import (
        BareFacts,
        FirstPlaysFacts,
        HoldFacts,
        MissingPlaysFacts,
        NeedFacts,
        StallFacts,
        StorageFacts,
    )
    from plexsync.reports.shapes.workers import WorkerEndFacts, WorkerFacts

    # Words, or what makes them of the facts and the subject: a gate, a library; '' where a row has only one.
    Words = str | Callable[[BareFacts, str], str]

# Red where nothing is written, amber where somebody is needed soon, green for the rest. `NEEDS` is amber and needs you.
BAD, WAIT, WELL, NEEDS = "bad", "wait", "well", "needs"
# When a notification is sent: never, at once, or only if it does not end by itself in `notify_after_minutes`.
SILENT, AT_ONCE, LATER = "silent", "at once", "later"
NEVER = "1970-01-01T00:00:00Z"
# A worker that ended by itself so often in a row, and runs again, is told.
AGAIN = 2
# Seconds that a commit may wait for a standby server of PostgreSQL.
LONG_COMMIT = 5.0
# Milliseconds after which a Plex that takes no edit needs you; and the longest pause between two requests.
LONG_REFUSAL, BREATH = 120_000, 5_000
FIRST_PLAYS = "plexsync plays sync"
# A Stash that refuses writes stops plays on their way back, and nothing else.
SCENES_GO_ON, PLAYS_WAIT = "scenes go on, plays wait", "plays wait"
BY_ITSELF = "Scenes stay queued, none becomes a dead letter for it, and PlexSync probes the server by itself."
COMMITS = (
    "Its commits wait for a standby server of PostgreSQL. Start that server, or take it out of "
    "synchronous_standby_names; plexsync doctor says more."
)
HUNG = (
    "It holds the database and has sent no heartbeat for two minutes or more, so nothing is synced. Restart plexsync "
    "serve; if it happens again, please report it with the log."
)
REBUILT = (
    "It was found damaged, and the damaged file is beside it. A full comparison runs by itself and finds what is "
    "missing. Check the dead letters and bindings. The message ends after a day."
)


class NeedStep(NamedTuple):
    """A step that mends it: a button if `plexsync.app.fixes` can take it, else a page, and the command for it."""

    action: str
    label: str
    target: str = ""
    item: str = ""
    page: str = ""
    command: str = ""


class Need(NamedTuple):
    """A condition that is open. `key` is its stable name, such as `hold:plex`; `tone` says how bad it is.

    `short` is for the first line, `text` explains it, and `next` says what mends it. `over` is what is told when it has
    ended; '' for an event without an end. `since` is a moment of the facts.
    """

    key: str
    tone: str
    short: str
    title: str
    text: str
    next: str
    steps: "Sequence[NeedStep]"
    page: str
    since: str | None
    notify: str
    over: str
    size: int

    @property
    def is_yours(self) -> bool:
        """Whether you have to act."""
        return self.tone in (BAD, NEEDS)


class NeedRow(NamedTuple):
    """A condition: whether it is open, and what it says. `open_for` names its subjects, '' for the only one."""

    key: str
    tone: "Words"
    open_for: "Callable[[BareFacts], Iterable[str]]"
    short: "Words"
    title: "Words" = ""
    text: "Words" = ""
    next: "Words" = ""
    steps: "Sequence[NeedStep] | Callable[[BareFacts, str], Sequence[NeedStep]]" = ()
    page: "Words" = ""
    since: "Callable[[BareFacts, str], str | None]" = lambda _facts, _subject: None
    notify: "Words" = SILENT
    over: "Words" = ""
    size: "Callable[[BareFacts], int]" = lambda _facts: 0


def needs(facts: "BareFacts") -> list[Need]:
    """What is open, in the order of the table."""
    return [_need(row, facts, subject) for row in ROWS for subject in row.open_for(facts)]


def _need(row: NeedRow, facts: "BareFacts", subject: str) -> Need:
    def say(words: "Words") -> str:
        return words if isinstance(words, str) else words(facts, subject)

    short = say(row.short)
    return Need(
        key=f"{row.key}:{subject}" if subject else row.key,
        tone=say(row.tone),
        short=short,
        title=say(row.title) or capitalize(short),
        text=say(row.text) or f"{capitalize(short)}.",
        next=say(row.next),
        steps=row.steps(facts, subject) if callable(row.steps) else row.steps,
        page=say(row.page),
        since=row.since(facts, subject),
        notify=say(row.notify),
        over=say(row.over),
        size=row.size(facts),
    )


def need_facts(need: Need) -> "NeedFacts":
    """The need for JSON."""
    kind = "person" if need.is_yours else "wait"
    return {"key": need.key, "kind": kind, "title": need.title, "text": need.text, "since": need.since}


def storage_need(storage: "StorageFacts", now: int) -> Need:
    """The need of a worker that can't use its database, so that nothing else is known."""
    facts: BareFacts = {"storage": storage, "at": stamp(now)}  # type: ignore[typeddict-item]
    return _need(ROWS[0], facts, "")


def when(is_open: "Callable[[BareFacts], object]") -> "Callable[[BareFacts], Iterable[str]]":
    """The only subject of a row, while it is open."""
    return lambda facts: ("",) if is_open(facts) else ()


def now_of(facts: "BareFacts") -> int:
    """When the facts were gathered."""
    return parse_stamp(facts["at"] or NEVER)


# --- servers -----------------------------------------------------------------------------------------------------------


def closed_gates(facts: "BareFacts") -> "list[str]":
    """The gates that are closed by their breaker or on hold."""
    return [
        name for name, breaker in facts["breakers"].items() if breaker["state"] != "closed" or name in facts["holds"]
    ]


def plays_wait(facts: "BareFacts") -> bool:
    """Whether plays on their way wait, since one has failed or Stash refuses writes."""
    return bool(facts["plays"]["error"]) or GateName.STASH_WRITES in closed_gates(facts)


def _goes_on(facts: "BareFacts") -> str:
    """What a Stash that refuses writes means: scenes go on, if nothing else stops them."""
    works = facts["worker"]["enabled"] and facts["worker"]["alive"]
    return SCENES_GO_ON if works and closed_gates(facts) == [GateName.STASH_WRITES] else PLAYS_WAIT


def _held_gates(facts: "BareFacts") -> "list[str]":
    closed = closed_gates(facts)
    return [name for name in facts["holds"] if not is_covered(name, closed)]


def hold_words(server: str, held: "HoldFacts") -> str:
    """A hold in a few words: what has changed, what Plex lacks, or that the server refuses PlexSync."""
    if held["choice"]:
        return hold_cause(held["choice"])
    if held["setting"] == "plex_libraries":
        return "Plex lacks a library that plex_libraries names"
    return REFUSES if server == GateName.STASH_WRITES else f"{server.title()} does not let PlexSync in"


def _hold_short(facts: "BareFacts", server: str) -> str:
    words = hold_words(server, facts["holds"][server])
    return f"{words}: {_goes_on(facts)}" if server == GateName.STASH_WRITES else words


def _hold_text(facts: "BareFacts", server: str) -> str:
    why = facts["holds"][server]["message"]
    return " ".join(filter(None, [_sentence(why), waiting_words(facts, server)]))


def _hold_next(facts: "BareFacts", server: str) -> str:
    held = facts["holds"][server]
    if held["choice"]:
        effect = EFFECTS[Choice(held["choice"])]
        return f"Accept it, or go back. {effect} When what has changed is back, PlexSync goes on by itself."
    remedy = f"Put {held['setting']} right: PlexSync tries again at once when it changes."
    return f"{remedy} {CURE}" if server == GateName.STASH_WRITES else remedy


def _hold_steps(facts: "BareFacts", server: str) -> "list[NeedStep]":
    held = facts["holds"][server]
    choice, setting = held["choice"], held["setting"]
    test = NeedStep("test", "Test again", server)
    if choice:
        return [NeedStep("accept", "Accept", choice, command=f"plexsync accept {choice}"), test]
    change = NeedStep("setting", f"Change {setting}", setting, page=f"/settings/change?name={setting}")
    signs_in = [NeedStep("sign-in", "Sign in to Plex again", setting, command="plexsync fix")]
    return [*(signs_in if setting == "plex_token" else []), change, test]


def _hold_over(facts: "BareFacts", server: str) -> str:
    if facts["holds"][server]["choice"]:
        return f"The work with {server.title()} goes on."
    return TAKES_AGAIN if server == GateName.STASH_WRITES else f"{server.title()} lets PlexSync in again."


TAKES_AGAIN = "Stash accepts writes again, and plays go on."


def _away(facts: "BareFacts") -> "list[str]":
    """The gates of servers that do not answer; an outage lasts while tests of it seem to succeed."""
    lasting = [outage["server"] for outage in facts["outages"]["current"] if outage["kind"] != "hold"]
    closed = {*closed_gates(facts), *lasting}
    return [name for name in GATES if name in closed and name not in facts["holds"] and not is_covered(name, closed)]


def _away_words(facts: "BareFacts", server: str) -> str:
    outage = _outage(facts, server)
    return closed_words(server, facts["breakers"][server]["cause"] or (outage["cause"] if outage else ""))


def _away_tone(facts: "BareFacts", server: str) -> str:
    """A Plex that answers and takes no edit for minutes may wait for you; one that is down comes back by itself."""
    since = _away_since(facts, server)
    lasts = since is not None and now_of(facts) - parse_stamp(since) >= LONG_REFUSAL
    return NEEDS if lasts and _away_words(facts, server) == TAKES_NO_EDITS else WAIT


def _away_steps(_: "BareFacts", server: str) -> "list[NeedStep]":
    return [NeedStep("test", "Try one again", server), LOG]


def _failing(facts: "BareFacts") -> "list[str]":
    """The servers whose last request failed, and that are not called down yet."""
    told = {*closed_gates(facts), *_away(facts)}
    failed = [name for name, breaker in facts["breakers"].items() if breaker["failures"] and breaker["error"]]
    return [name for name in failed if name not in told]


def _failures(facts: "BareFacts", name: str) -> str:
    breaker = facts["breakers"][name]
    return f"{breaker['failures']} of {breaker['failures_allowed']}"


def _asked_waits(facts: "BareFacts") -> "list[str]":
    """The servers that have asked for a wait; a breath between two requests is none."""
    closed, soon = closed_gates(facts), now_of(facts) + BREATH
    waits = {name: pace["not_before"] for name, pace in facts["paces"].items() if name not in closed}
    return [name for name, until in waits.items() if until and parse_stamp(until) > soon]


def _wait_short(facts: "BareFacts", name: str) -> str:
    until = facts["paces"][name]["not_before"]
    return f"{caption(name)} asks PlexSync to wait, until {ago(parse_stamp(until or NEVER), now_of(facts))}"


def _outage(facts: "BareFacts", server: str) -> "OutageFacts | None":
    return next((outage for outage in facts["outages"]["current"] if outage["server"] == server), None)


def _away_since(facts: "BareFacts", server: str) -> str | None:
    outage = _outage(facts, server)
    return outage["since"] if outage else None


def _sentence(text: str) -> str:
    """A message of a server or a file system as a full sentence; the name of a file or a setting stays as it is."""
    line = " ".join(text.split())
    first = line.partition(" ")[0]
    line = line if "." in first or "_" in first else capitalize(line)
    return line if not line or line[-1] in ".!?" else f"{line}."


def _away_text(facts: "BareFacts", server: str) -> str:
    why = facts["breakers"][server]["error"] or "it does not answer"
    return f"{_sentence(why)} {CURE if server == GateName.STASH_WRITES else BY_ITSELF}"


def waiting_words(facts: "BareFacts", server: str) -> str:
    """What waits for a server that is away or on hold."""
    outage = _outage(facts, server)
    count = outage["waiting"] if outage else 0
    if not count:
        return "Nothing is lost."
    waits = (
        f"Plays of {many(count, 'scene')} wait" if server == GateName.STASH_WRITES else f"{many(count, 'scene')} queued"
    )
    return f"{waits}; nothing is lost."


# --- plays -------------------------------------------------------------------------------------------------------------


def first_plays_words(first: "FirstPlaysFacts") -> str:
    """How many plays the first write of plays would add, and of how many; and for how many that is not known yet."""
    if first["in_force"]:
        by = rule_words(first["minimum"], first["percent"])
        is_not = "is not" if first["missing"] == 1 else "are not"
        return f"{many(first['missing'], 'play')} of {first['account']} by {by} {is_not} in Stash"
    oldest = f", oldest {first['oldest'][:10]}" if first["oldest"] else ""
    plays = f"{many(first['in_plex'], 'play')} of {first['account']} in Plex"
    if first["uncompared"] >= first["in_plex"] > 0:
        return f"{plays}, not compared with Stash yet"
    if not first["missing"] and not first["uncompared"]:
        return f"{plays}, all of them in Stash" if first["in_plex"] else plays
    more = f", {first['uncompared']:,} not compared yet" if first["uncompared"] else ""
    return f"{plays}, {first['missing']:,} of them not in Stash{oldest}{more}"


def _first(facts: "BareFacts") -> "FirstPlaysFacts":
    return cast("FirstPlaysFacts", facts["plays"]["first"])


def _first_short(facts: "BareFacts", _: str) -> str:
    first = _first(facts)
    later = "" if first["missing"] or first["uncompared"] else "later ones "
    goes_on = f"; PlexSync goes on by {rule_words(first['in_force'])}" if first["in_force"] else ""
    return f"{first_plays_words(first)}: {later}wait for your yes ({FIRST_PLAYS}){goes_on}"


def _first_text(facts: "BareFacts", _: str) -> str:
    first = _first(facts)
    more = first["in_force"]
    held = f'These wait for your approval; to leave them out, set watch_minimum = "{more}".'
    unseen = "Nothing is written before you have looked at it and approved it once."
    return f"{first_plays_words(first)}. {held if more else unseen}"


def _missing(facts: "BareFacts") -> "MissingPlaysFacts":
    return cast("MissingPlaysFacts", facts["missing_plays"])


def _missing_text(facts: "BareFacts", _: str) -> str:
    missing = _missing(facts)
    return (
        f"{missing['count']:,} plays that PlexSync added are missing in Stash, and count as deleted by you. If you "
        f"restored a backup of Stash, add them again: {missing['command']}"
    )


# --- the worker --------------------------------------------------------------------------------------------------------


def commits_wait(worker: "WorkerFacts") -> bool:
    """Whether nothing is stored, since commits wait for a standby server of the database."""
    return worker["commit_wait"] > LONG_COMMIT


def worker_fails(worker: "WorkerFacts") -> bool:
    """Whether the worker has ended by itself and does not run, or does so again and again."""
    ended = worker["ended"]
    return worker["enabled"] and ended is not None and (not worker["running"] or ended["count"] >= AGAIN)


def worker_is_missed(worker: "WorkerFacts") -> bool:
    """Whether no worker runs, and none starts by itself inside Stash."""
    return worker["enabled"] and not (worker["running"] or worker["inside"])


def worker_hangs(worker: "WorkerFacts") -> bool:
    """Whether a worker runs that does nothing any more."""
    return worker["enabled"] and worker["running"] and not (worker["alive"] or worker["starting"])


def ended_words(ended: "WorkerEndFacts", now: int) -> str:
    """How often the worker ended by itself, since when, and with which error."""
    return f"the worker ended by itself {_times(ended, now)}: {ended['error'] or 'worker.log may tell why'}"


def thread_words(ended: "WorkerEndFacts", now: int) -> str:
    """How often a thread of the worker ended, since when, and which one."""
    return f"a thread of the worker ended by a fault {_times(ended, now)} and was started again: {ended['error']}"


def _times(ended: "WorkerEndFacts", now: int) -> str:
    since = ago(parse_stamp(ended["since"]), now) if ended["since"] else ""
    return since if ended["count"] == 1 else f"{many(ended['count'], 'time')} since {since}"


def _stores(facts: "BareFacts") -> bool:
    """Whether the worker can store anything: what else is wrong with one that can't follows from that."""
    return not commits_wait(facts["worker"]) and facts["storage"] is None


def _end_words(facts: "BareFacts") -> str:
    ended = facts["worker"]["ended"]
    return ended_words(ended, now_of(facts)) if ended else ""


def _ends(facts: "BareFacts") -> bool:
    return _stores(facts) and worker_fails(facts["worker"])


def _hangs(facts: "BareFacts") -> bool:
    return _stores(facts) and worker_hangs(facts["worker"])


def _is_missed(facts: "BareFacts") -> bool:
    worker = facts["worker"]
    return not commits_wait(worker) and worker_is_missed(worker) and not worker_fails(worker)


def _starts(facts: "BareFacts") -> bool:
    worker = facts["worker"]
    return _stores(facts) and worker["enabled"] and worker["starting"]


def _thread(facts: "BareFacts", _: str) -> str:
    ended = facts["worker"]["thread_ended"]
    return thread_words(ended, now_of(facts)) if ended else ""


def _standbys(facts: "BareFacts", _: str = "") -> str:
    return ", ".join(row["host"] for row in facts["worker"]["standbys"] if row["differing"])


# --- the data folder ---------------------------------------------------------------------------------------------------


def _storage(facts: "BareFacts") -> "StorageFacts":
    return cast("StorageFacts", facts["storage"])


def _storage_title(storage: "StorageFacts") -> str:
    return "the disk is full" if storage["full"] else "the database can't be written"


def _storage_short(facts: "BareFacts", _: str) -> str:
    storage = _storage(facts)
    since = f", found {ago(parse_stamp(storage['since']), now_of(facts))}" if storage["since"] else ""
    return f"{_storage_title(storage)}{since}: nothing is stored, so nothing is written"


def _storage_text(facts: "BareFacts", _: str) -> str:
    """Why nothing can be stored, how much is free, and what goes on without it."""
    storage = _storage(facts)
    is_known = storage["folder"] and storage["free"] >= 0
    return " ".join(
        [
            _sentence(storage["error"]),
            *([f"{storage['folder']} has {size(storage['free'])} free."] if is_known else []),
            "Pages and commands that only read go on; nothing is written to Plex or Stash meanwhile.",
            "What you edit in Stash is found afterwards, and nothing is lost.",
        ]
    )


def _storage_next(facts: "BareFacts", _: str) -> str:
    storage = _storage(facts)
    folder = storage["folder"] or "the database"
    makes = f"Make room on the disk of {folder}" if storage["full"] else f"Make {folder} writable for PlexSync"
    return f"{makes}: it goes on by itself."


# --- what can't be read ------------------------------------------------------------------------------------------------


def _stalls(facts: "BareFacts") -> "list[str]":
    """What was not read for three of its intervals, while a worker runs."""
    now = now_of(facts)
    alive = facts["worker"]["alive"]
    return [row["subject"] for row in facts["stalled"] if alive and now - _moment(row["since"]) > 3000 * row["seconds"]]


def _moment(stamped: str | None) -> int:
    return parse_stamp(stamped or NEVER)


def _stall(facts: "BareFacts", subject: str) -> "StallFacts":
    return next(row for row in facts["stalled"] if row["subject"] == subject)


def _stall_short(facts: "BareFacts", subject: str) -> str:
    return f"{subject} could not be read for {lasting(now_of(facts) - _moment(_stall(facts, subject)['since']))}"


# --- the table ---------------------------------------------------------------------------------------------------------


def _is_rebuilt(facts: "BareFacts") -> bool:
    repaired = facts["repaired_at"]
    return bool(repaired) and abs(now_of(facts) - parse_stamp(repaired or NEVER)) < DAY


def _asks(facts: "BareFacts") -> "list[str]":
    return [row["library"] for row in facts["asking"] if row["problem"]]


def _asks_text(facts: "BareFacts", library: str) -> str:
    return next(f"{capitalize(row['problem'])}." for row in facts["asking"] if row["library"] == library)


DOCTOR = NeedStep("open", "Check everything", command="plexsync doctor")
LOG = NeedStep("open", "Look at its log", command="plexsync log")
COMPARE = NeedStep("open", "Compare everything", page="/reconcile", command="plexsync reconcile")
STATUS_OF_PROVIDER = NeedStep(
    "open", "Look at its libraries", page="/settings/provider", command="plexsync provider status"
)

ROWS: tuple[NeedRow, ...] = (
    NeedRow(
        "storage",
        BAD,
        when(lambda facts: facts["storage"]),
        _storage_short,
        title=lambda facts, _: capitalize(_storage_title(_storage(facts))),
        text=_storage_text,
        next=_storage_next,
        steps=(DOCTOR,),
        since=lambda facts, _: _storage(facts)["since"],
        notify=lambda facts, _: AT_ONCE if _storage(facts)["full"] else LATER,
        over="The data folder can be written again, and PlexSync goes on.",
    ),
    NeedRow(
        "hold",
        lambda _, server: NEEDS if server == GateName.STASH_WRITES else BAD,
        _held_gates,
        _hold_short,
        title=lambda facts, server: capitalize(hold_words(server, facts["holds"][server])),
        text=_hold_text,
        next=_hold_next,
        steps=_hold_steps,
        page=lambda facts, server: "/accept" if facts["holds"][server]["choice"] else "/settings",
        since=lambda facts, server: facts["holds"][server]["since"],
        notify=AT_ONCE,
        over=_hold_over,
    ),
    NeedRow(
        "approve",
        NEEDS,
        when(lambda facts: not facts["bulk_approved"]),
        "the first write needs your approval",
        title="The first write of the whole library needs your approval",
        text=UNAPPROVED,
        next="Look at what would change, then approve it once.",
        steps=(NeedStep("open", "Look at the changes…", page="/reconcile", command="plexsync sync --all"),),
        page="/review",
    ),
    NeedRow(
        "setting-change",
        lambda facts, _: BAD if _change_stops(facts) else NEEDS,
        when(lambda facts: facts["setting_change"]),
        lambda facts, _: (
            f"{_change(facts)}: {'nothing is written until you ' if _change_stops(facts) else ''}look, write, or set it back"
        ),
        title=lambda facts, _: _change(facts),
        text=lambda facts, _: UNKNOWN_BEFORE if _change_stops(facts) else SETTINGS_WAIT,
        next="Look at what would change, then write it; or set it back.",
        steps=(
            NeedStep("open", "Look at the changes, or write them…", page="/reconcile", command="plexsync sync --all"),
            NeedStep("open", "Set it back…", page="/settings?changed=1", command="plexsync config list --changed"),
        ),
        page="/reconcile",
    ),
    NeedRow(
        "plays",
        NEEDS,
        when(lambda facts: facts["plays"]["first"]),
        _first_short,
        title=lambda facts, _: (
            f"{'More' if _first(facts)['in_force'] else 'The first'} plays for Stash need your approval"
        ),
        text=_first_text,
        next="Look at the plays that would be added to Stash, then approve them once.",
        steps=(NeedStep("open", "Look at the plays…", page="/plays", command=FIRST_PLAYS),),
        page="/plays",
    ),
    NeedRow(
        "off",
        BAD,
        when(lambda facts: not facts["worker"]["enabled"]),
        "PlexSync is switched off",
        text="enabled = false: events are kept, and nothing is sent to Plex.",
        next="Set enabled = true.",
        steps=(NeedStep("setting", "Switch PlexSync on", "enabled", page="/settings/change?name=enabled"),),
        page="/settings/change?name=enabled",
    ),
    NeedRow(
        "unread",
        NEEDS,
        when(lambda facts: facts["events"]["unread"]),
        lambda facts, _: f"{many(facts['events']['unread'], 'event')} can't be read",
        title="Events were set aside",
        text="An event of the hook can't be read: plexsync doctor tells where the files are.",
        steps=(NeedStep("open", "Find them", command="plexsync doctor"),),
        notify=AT_ONCE,
        over="No event is set aside any more.",
    ),
    NeedRow(
        "books",
        NEEDS,
        when(lambda facts: not facts["books"]["balanced"]),
        "the books do not balance",
        text="This is a fault of PlexSync: please report it.",
        notify=LATER,
        over="The books balance again.",
    ),
    NeedRow(
        "repaired",
        NEEDS,
        when(_is_rebuilt),
        "the database was rebuilt",
        text=REBUILT,
        steps=(COMPARE,),
        since=lambda facts, _: facts["repaired_at"],
        notify=AT_ONCE,
    ),
    NeedRow(
        "dead-limit",
        NEEDS,
        when(lambda facts: facts["dlq"]["over"]),
        lambda facts, _: f"more dead letters than dlq_max ({facts['dlq']['max']:,})",
        title="Too many dead letters",
        text=lambda facts, _: (
            f"{many(facts['dlq']['count'], 'dead letter')}, more than dlq_max ({facts['dlq']['max']:,}). None is deleted: "
            "plexsync dlq list shows why and what cures them."
        ),
        steps=(NeedStep("open", "Look at them", page="/dead", command="plexsync dlq list"),),
        page="/dead",
        notify=AT_ONCE,
        over="The dead letters are within the limit again.",
        size=lambda facts: facts["dlq"]["count"],
    ),
    NeedRow(
        "playlists",
        NEEDS,
        when(lambda facts: facts["playlists_problem"]),
        "playlists wait for their tag",
        text=lambda facts, _: _sentence(facts["playlists_problem"]),
        steps=(NeedStep("setting", "Change playlists", "playlists", page="/settings/change?name=playlists"),),
        page="/settings",
        notify=LATER,
        over="The playlists have their tag.",
    ),
    NeedRow(
        "stalled",
        NEEDS,
        _stalls,
        _stall_short,
        text=lambda facts, subject: _sentence(_stall(facts, subject)["reason"]),
        next=lambda facts, subject: f"PlexSync tries again every {_stall(facts, subject)['seconds']:.0f} s by itself.",
        steps=(DOCTOR, LOG),
        since=lambda facts, subject: _stall(facts, subject)["since"],
        notify=LATER,
        over=lambda _, subject: f"{capitalize(subject)} can be read again.",
    ),
    NeedRow(
        "provider",
        NEEDS,
        _asks,
        lambda _, library: f"Plex does not ask PlexSync in {library}",
        text=_asks_text,
        steps=(STATUS_OF_PROVIDER,),
        page="/settings/provider",
        since=lambda facts, library: next(row["added_at"] for row in facts["asking"] if row["library"] == library),
        notify=LATER,
        over=lambda _, library: f"Plex asks PlexSync in {library}.",
    ),
    NeedRow(
        "failing",
        WAIT,
        _failing,
        lambda facts, name: f"{caption(name)} does not answer (failure {_failures(facts, name)})",
        text=lambda facts, name: _sentence(facts["breakers"][name]["error"]),
        next="PlexSync tries again by itself.",
        page="/state",
    ),
    NeedRow(
        "throttled",
        WAIT,
        _asked_waits,
        _wait_short,
        title=lambda _, name: f"{caption(name)} asks PlexSync to wait",
        text="Scenes stay queued, and the work goes on by itself then.",
        page="/state",
    ),
    NeedRow(
        "away",
        _away_tone,
        _away,
        lambda facts, name: (
            _away_words(facts, name) + (f": {_goes_on(facts)}" if name == GateName.STASH_WRITES else "")
        ),
        title=_away_words,
        text=lambda facts, name: f"{_away_text(facts, name)} {waiting_words(facts, name)}",
        steps=_away_steps,
        page="/state",
        since=_away_since,
        notify=LATER,
        over=lambda _, name: TAKES_AGAIN if name == GateName.STASH_WRITES else f"{name.title()} answers again.",
    ),
    NeedRow(
        "commits",
        BAD,
        when(lambda facts: commits_wait(facts["worker"])),
        "the database waits for a standby server, and stores nothing (plexsync doctor)",
        title="The database stores nothing",
        text=COMMITS,
        steps=(DOCTOR,),
        since=lambda facts, _: stamp(now_of(facts) - round(facts["worker"]["commit_wait"] * 1000)),
        notify=LATER,
        over="The database stores again.",
    ),
    NeedRow(
        "ended",
        lambda facts, _: NEEDS if facts["worker"]["alive"] else BAD,
        when(_ends),
        lambda facts, _: f"{_end_words(facts)} (plexsync log, plexsync doctor)",
        title="The worker ended by itself",
        text=lambda facts, _: f"{capitalize(_end_words(facts))}.",
        next="A worker that stays up for ten minutes, or ends in good order, ends this message.",
        steps=(LOG, DOCTOR),
        notify=AT_ONCE,
        over="The worker stays up.",
    ),
    NeedRow(
        "hung",
        BAD,
        when(_hangs),
        "the worker hangs",
        text=HUNG,
        steps=(NeedStep("open", "Restart it", command="plexsync serve"),),
        notify=AT_ONCE,
        over="The worker works again.",
    ),
    NeedRow(
        "idle",
        BAD,
        when(_is_missed),
        "no worker runs",
        text="Nothing is synced until plexsync serve runs again.",
        steps=(NeedStep("open", "Start it", command="plexsync serve"),),
    ),
    NeedRow(
        "moving",
        WELL,
        when(lambda facts: facts["moving"]["remaining"]),
        lambda facts, _: (
            f"{facts['moving']['remaining']:,} of {facts['moving']['members']:,} members still to be moved"
        ),
        title="Collections and playlists are being put in order",
        text="PlexSync moves their members one after the other, and goes on by itself.",
        page="/collections",
    ),
    NeedRow("starting", WELL, when(_starts), "the worker is starting"),
    NeedRow(
        "thread",
        WAIT,
        when(lambda facts: facts["worker"]["thread_ended"] and facts["worker"]["running"]),
        _thread,
        title="A thread of the worker ended",
        next="It goes on by itself: please report the fault.",
        page="/state",
    ),
    NeedRow(
        "standby",
        WAIT,
        when(_standbys),
        lambda facts, _: f"a standby would not take over, since its settings differ: {_standbys(facts)}",
        title="A standby would not take over",
        page="/state",
    ),
    NeedRow(
        "missing-plays",
        WAIT,
        when(lambda facts: facts["missing_plays"]),
        lambda facts, _: f"{_missing(facts)['count']:,} plays are missing in Stash",
        title="Plays are missing in Stash",
        text=_missing_text,
        page="/plays",
        since=lambda facts, _: _missing(facts)["at"],
    ),
)


def _change_stops(facts: "BareFacts") -> bool:
    return bool(facts["setting_change"] and facts["setting_change"]["stops"])


def _change(facts: "BareFacts") -> str:
    return facts["setting_change"]["text"] if facts["setting_change"] else ""
