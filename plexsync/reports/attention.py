"""What needs you, and what resolves itself, one sentence each, worst first; and what you are asked."""

from collections.abc import Iterable

from plexsync.app.advice import SETTINGS_WAIT, UNAPPROVED
from plexsync.app.choices import open_questions
from plexsync.app.parts import Parts
from plexsync.app.rules import MINUTE, is_provider_on, provider_url
from plexsync.app.stored import Stored
from plexsync.engine.notifications import read_situation
from plexsync.reports.format import capitalize, many, parse_stamp, stamp
from plexsync.reports.shapes.status import NeedFacts, QuestionFacts, StatusFacts
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
from plexsync.rules.match.restored_stash import MissingPlays, missing_plays
from plexsync.rules.provider.standing import problem_of
from plexsync.rules.queue.choices import CHANGES, EFFECTS, HELD_BY
from plexsync.rules.queue.gate_names import CURE, GateName, caption, closed_words, is_covered
from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.note_keys import PLAYLISTS_PROBLEM, PLAYS_MISSING
from plexsync.rules.queue.notices import NoticeRules, conditions
from plexsync.rules.record_class import record
from plexsync.rules.words.status_words import ON_HOLD
from plexsync.store.database import Reader
from plexsync.store.files.provider_secrets import masked_address

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
# Who has restored a backup notices within that time.
MISSING_FOR = 14 * DAY

TITLE = "Plays are missing in Stash"


def find_missing_plays(db: Reader, now: int) -> MissingPlays | None:
    """The plays that were found missing lately, and still count as deleted; None if there are none."""
    missing = missing_plays(db.notes.text(PLAYS_MISSING))
    if missing is None or not 0 <= now - missing.at < MISSING_FOR:
        return None
    count = min(missing.count, db.plays.count_deleted(since=missing.since))
    return MissingPlays(count, missing.since, missing.at) if count else None


def missing_words(missing: MissingPlays) -> str:
    """What to do about them."""
    return (
        f"{missing.count:,} plays that PlexSync added are missing in Stash, and count as deleted by you. If you restored a "
        f"backup of Stash, add them again: {missing.command}"
    )


@record
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
        inspection = read_situation(db, None)
        missing, playlists = find_missing_plays(db, now), db.notes.text(PLAYLISTS_PROBLEM)
    told = [_of(one.key, one.text, one.since, facts) for one in conditions(inspection, rules, None, now)]
    told += machine_needs(facts)
    known = {one.key.partition(":")[2] for one in told if one.key.startswith(("away:", "hold:"))}
    current = facts["outages"]["current"]
    closed = {outage["server"] for outage in current}
    for one in current:
        server, why = one["server"], one["error"] or "It does not answer"
        if one["kind"] != "hold" and server not in known and not is_covered(server, closed):
            text = f"{why}{'' if why[-1] in '.!?' else '.'} {CURE if server == GateName.STASH_WRITES else BY_ITSELF}"
            told.append(Need(f"away:{server}", "wait", closed_words(server), text))
    if missing:
        told.append(Need("plays", "wait", TITLE, missing_words(missing), since=missing.at))
    if playlists:
        told.append(Need("playlists", "person", "Playlists wait for their tag", f"{playlists}.", "/settings"))
    told += provider_needs(parts)
    return sorted(told, key=lambda one: one.kind != "person")


def beside_verdict(needs: Iterable[Need]) -> list[Need]:
    """The findings of which the verdict says nothing: missing plays, playlists without a tag, libraries that do not ask."""
    return [need for need in needs if need.title == TITLE or need.key.startswith(("provider:", "playlists"))]


def provider_needs(parts: Stored) -> list[Need]:
    """The libraries that are to ask PlexSync, and don't; nothing is read while provider_listen is none."""
    if not is_provider_on(parts.config):
        return []
    with parts.store.reading() as db:
        rows = db.providers.all()
    address = masked_address(provider_url(parts.config))
    return [
        Need(
            f"provider:{row.library}", "person", f"Plex does not ask PlexSync in {row.title}", capitalize(f"{problem}.")
        )
        for row in rows
        if (problem := problem_of(row, address))
    ]


def _of(key: str, text: str, since: int, facts: StatusFacts) -> Need:
    head, _, rest = key.partition(":")
    held = facts["holds"].get(rest) if head == "hold" else None
    if held and held["choice"]:
        change = hold_words(rest, held)
        return Need(key, "person", capitalize(change), text, "/accept", since)
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
    worker, books = facts["worker"], facts["books"]
    told = []
    if not facts["bulk_approved"]:
        title = "The first write of the whole library needs your approval"
        told.append(Need("approve", "person", title, UNAPPROVED, "/review"))
    if change := facts["setting_change"]:
        told.append(Need("setting-change", "person", change["text"], SETTINGS_WAIT, "/reconcile"))
    if first := facts["plays"]["first"]:
        more = first["in_force"]
        held = f'These wait for your approval; to leave them out, set watch_minimum = "{more}".'
        plays = held if more else "Nothing is written before you have looked at it and approved it once."
        title = f"{'More' if more else 'The first'} plays for Stash need your approval"
        told.append(Need("plays", "person", title, f"{first_plays_words(first)}. {plays}", "/plays"))
    if not worker["enabled"]:
        off = "enabled = false: events are kept, and nothing is sent to Plex."
        told.append(Need("off", "person", "PlexSync is switched off", off, "/settings/change?name=enabled"))
    elif commits_wait(worker):
        told.append(Need("commits", "person", "The database stores nothing", COMMITS))
    elif worker_hangs(worker):
        told.append(Need("hung", "person", "The worker hangs", HUNG))
    elif worker["ended"] and worker_fails(worker):
        words = ended_words(worker["ended"], parse_stamp(facts["at"] or NEVER))
        told.append(Need("ended", "person", "The worker ended by itself", f"{capitalize(words)}."))
    elif worker_is_missed(worker):
        told.append(Need("idle", "person", "No worker runs", "Nothing is synced until plexsync serve runs again."))
    if facts["events"]["unread"]:
        events = many(facts["events"]["unread"], "event")
        unread = f"{events} of the hook can't be read: plexsync doctor tells where the files are."
        told.append(Need("unread", "person", "Events were set aside", unread))
    if not books["balanced"]:
        fault = "This is a fault of PlexSync: please report it."
        told.append(Need("books", "person", "The books do not balance", fault))
    return told


def need_facts(one: Need) -> NeedFacts:
    """The finding for JSON."""
    return {"key": one.key, "kind": one.kind, "title": one.title, "text": one.text, "since": stamp(one.since)}


def questions(parts: Parts) -> list[QuestionFacts]:
    """The facts of every open question."""
    return [
        {
            "choice": choice.value,
            "server": HELD_BY[choice].value,
            "change": CHANGES[choice],
            "message": row.message,
            "effect": EFFECTS[choice],
            "since": stamp(row.since),
        }
        for choice, row in open_questions(parts).items()
    ]
