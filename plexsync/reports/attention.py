"""What needs you, and what resolves itself: one sentence each, worst first."""

from dataclasses import dataclass

from plexsync.app.advice import SETTINGS_WAIT, UNAPPROVED
from plexsync.app.rules import MINUTE
from plexsync.app.stored import Stored
from plexsync.engine.notifications import seen
from plexsync.reports.format import many, stamp, unstamped
from plexsync.reports.missing_plays import TITLE, find_missing_plays, missing_words
from plexsync.reports.old_lists import old_lists_text
from plexsync.reports.shapes.outages import OutageFacts
from plexsync.reports.shapes.status import NeedFacts, StatusFacts
from plexsync.reports.verdict import (
    NEVER,
    commits_wait,
    ended_words,
    first_plays_words,
    hold_words,
    worker_fails,
    worker_hangs,
    worker_is_missed,
)
from plexsync.rules.gate_names import CURE, GateName, caption, closed_words, is_covered
from plexsync.rules.notices import NoticeRules, conditions
from plexsync.rules.status_words import ON_HOLD

BY_ITSELF = "Scenes stay queued, none becomes a dead letter for it, and PlexSync probes the server by itself."
COMMITS = (
    "Its commits wait for a standby server of PostgreSQL. Start that server, or take it out of "
    "synchronous_standby_names; plexsync doctor says more."
)
HUNG = (
    "It holds the database and has sent no heartbeat for two minutes or more, so nothing is synced. Restart plexsync "
    "serve; if it happens again, please report it with the log."
)

# While one of these needs you, nothing is written.
STOPS = ("off", "commits", "hung", "ended", "idle")


@dataclass(frozen=True)
class Need:
    """One finding: `key` is its stable name, `kind` is `person` (you have to act) or `wait` (it resolves itself).

    `where` is the dashboard page on which you can act, '' if there is none.
    """

    key: str
    kind: str
    title: str
    text: str
    where: str = ""
    since: int | None = None

    @property
    def stops(self) -> bool:
        """Whether nothing is written meanwhile."""
        head, _, name = self.key.partition(":")
        return head in STOPS or (head == "hold" and name != GateName.STASH_WRITES)


def needs(parts: Stored, facts: StatusFacts) -> list[Need]:
    """Derive the findings from the facts of `plexsync.reports.status`, by the rules that notifications use."""
    now = parts.clock.now()
    rules = NoticeRules(after=parts.config.notify_after_minutes * MINUTE, cap=parts.config.dlq_max)
    with parts.store.reading() as db:
        sight = seen(db, None)
        missing = find_missing_plays(db, now)
    told = [_of(one.key, one.text, one.since, facts) for one in conditions(sight, rules, None, now)]
    told += machine_needs(facts)
    known = {one.key.partition(":")[2] for one in told if one.key.startswith(("away:", "hold:"))}
    current = facts["outages"]["current"]
    closed = {outage["server"] for outage in current}
    told += [
        _away(one)
        for one in current
        if one["kind"] != "hold" and one["server"] not in known and not is_covered(one["server"], closed)
    ]
    if missing:
        told.append(Need("plays", "wait", TITLE, missing_words(missing), since=missing.at))
    return sorted(told, key=lambda one: one.kind != "person")


def _of(key: str, text: str, since: int, facts: StatusFacts) -> Need:
    head, _, rest = key.partition(":")
    held = facts["holds"].get(rest) if head == "hold" else None
    if held and held["choice"]:
        change = hold_words(rest, held)
        return Need(key, "person", f"{change[0].upper()}{change[1:]}", text, "/accept", since)
    title = {
        "hold": hold_words(rest, held) if held else f"{caption(rest)} is {ON_HOLD}",
        "away": closed_words(rest),
        "dead": "Too many dead letters",
        "repaired": "The database was rebuilt",
    }[head]
    where = {"hold": "/settings", "dead": "/dead"}.get(head, "")
    return Need(key, "wait" if head == "away" else "person", title, text, where, since)


def machine_needs(facts: StatusFacts) -> list[Need]:
    """What needs you of PlexSync itself: its worker, its events and its books, and the first writes."""
    worker, kept = facts["worker"], facts["books"]
    told = []
    if not facts["bulk_approved"]:
        told.append(
            Need(
                "approve",
                "person",
                "The first write of the whole library needs your approval",
                UNAPPROVED,
                "/review",
            )
        )
    if change := facts["setting_change"]:
        told.append(Need("setting-change", "person", change["text"], SETTINGS_WAIT, "/reconcile"))
    if first := facts["plays"]["first"]:
        plays = f"{first_plays_words(first)}. Nothing is written before you have looked at it and approved it once."
        told.append(Need("plays", "person", "The first plays for Stash need your approval", plays, "/plays"))
    if lists := facts["old_lists"]:
        title = "Locked lists look as an earlier PlexSync left them"
        told.append(Need("old-lists", "person", title, f"{old_lists_text(lists)}.", "/accept"))
    if not worker["enabled"]:
        off = "enabled = false: events are kept, and nothing is sent to Plex."
        told.append(Need("off", "person", "PlexSync is switched off", off, "/settings/change?name=enabled"))
    elif commits_wait(worker):
        told.append(Need("commits", "person", "The database stores nothing", COMMITS))
    elif worker_hangs(worker):
        told.append(Need("hung", "person", "The worker hangs", HUNG))
    elif worker["ended"] and worker_fails(worker):
        words = ended_words(worker["ended"], unstamped(facts["at"] or NEVER))
        told.append(Need("ended", "person", "The worker ended by itself", f"{words[0].upper()}{words[1:]}."))
    elif worker_is_missed(worker):
        told.append(Need("idle", "person", "No worker runs", "Nothing is synced until plexsync serve runs again."))
    if facts["events"]["unread"]:
        events = many(facts["events"]["unread"], "event")
        unread = f"{events} of the hook can't be read: plexsync doctor tells where the files are."
        told.append(Need("unread", "person", "Events were set aside", unread))
    if not kept["balanced"]:
        told.append(
            Need("books", "person", "The books do not balance", "This is a fault of PlexSync: please report it.")
        )
    return told


def _away(one: OutageFacts) -> Need:
    why = one["error"] or "It does not answer"
    end = "" if why[-1] in ".!?" else "."
    remedy = CURE if one["server"] == GateName.STASH_WRITES else BY_ITSELF
    return Need(f"away:{one['server']}", "wait", closed_words(one["server"]), f"{why}{end} {remedy}")


def need_facts(one: Need) -> NeedFacts:
    """The finding for JSON."""
    return {"key": one.key, "kind": one.kind, "title": one.title, "text": one.text, "since": stamp(one.since)}
