"""A row of the queue, its failed attempts and its past pushes, as facts; and what a sync would do to a field, in words."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, overload

from plexsync.app.stored import Stored
from plexsync.reports.format import local, parse_stamp, stamp
from plexsync.reports.shapes.scenes import (
    AttemptFacts,
    JobFacts,
    NoteFacts,
    PastAttempt,
    PastPlays,
    PastPush,
    PushFacts,
)
from plexsync.rules.item import FIELDS, PICTURES, ROLE, beside_whom
from plexsync.rules.merge.added_dates import FIELD as ADDED
from plexsync.rules.merge.plan_records import Change, Note, Remembered
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Value
from plexsync.rules.plays.plays import TAKEN_BACK, PlayState
from plexsync.rules.queue.job import COLLECTION, KINDS, PLAYS, Kind, Lane, State
from plexsync.rules.records import LAST_ID, AttemptRow, JobRow, PlaysRow, PushRow
from plexsync.store.database import Reader
from validation.redact import one_line

AnyValue = TypeVar("AnyValue", bound=str | tuple[str, ...] | None)
PastRow = AttemptRow | PushRow | PlaysRow
WAITING = (State.READY, State.ABSENT)
PAGE = 500


def rows_in(parts: Stored, state: State, cause: str = "") -> Iterator[JobRow]:
    """Yield every row of a state (and cause), by kind and id; page by page, so that a slow reader blocks nothing."""
    after: tuple[str, int] = ("", 0)
    while True:
        with parts.store.reading() as db:
            page = db.jobs.in_state(state, error_class=cause, limit=PAGE, after=after)
        if not page:
            return
        yield from page
        after = (page[-1].kind, page[-1].id)


def title(db: Reader, kind: str, id: int) -> str:
    """The last known title of a scene, or name of a collection; '' if it was never read or has none. Sends no request."""
    if kind == COLLECTION:
        return next((row.name for row in db.collections.of([id]).values()), "")
    if kind != Kind.SCENE:
        return ""
    if id in (called := db.scene_names.of([id])):
        return called[id].title
    said = (memory["title"].said for memory in db.memories.of([id]).values() if "title" in memory)
    return next((text for text in said if isinstance(text, str)), "")


@overload
def row_facts(row: JobRow) -> JobFacts: ...
@overload
def row_facts(row: JobRow | None) -> JobFacts | None: ...
def row_facts(row: JobRow | None) -> JobFacts | None:
    """The row for JSON; None when there is none."""
    if row is None:
        return None
    return {
        "kind": row.kind,
        "id": row.id,
        "state": row.state.value,
        "lane": Lane(row.lane).name.lower(),
        "cause": row.cls,
        "error": row.error,
        "attempts": row.attempts,
        "failures_in_a_row": row.streak,
        "crashes": row.crashes,
        "next_try_at": stamp(row.due) if row.state in WAITING else None,
        "since": stamp(row.since),
        "lease_until": stamp(row.lease_until),
        "revisions": {"wanted": row.wanted_rev, "claimed": row.claimed_rev, "settled": row.settled_rev},
    }


def attempt_facts(attempts: Sequence[AttemptRow]) -> list[AttemptFacts]:
    """Failed attempts for JSON, newest first."""
    return [
        {
            "at": stamp(attempt.at),
            "cause": attempt.cls,
            "error": attempt.error,
            "attempts": attempt.attempts,
            "then": attempt.state.value,
        }
        for attempt in attempts
    ]


def push_facts(pushes: Sequence[PushRow]) -> list[PushFacts]:
    """Past pushes for JSON, newest first."""
    return [
        {
            "at": stamp(push.at),
            "item": push.key,
            "fields": [
                {
                    "field": name,
                    "old": moved.old.value,
                    "new": moved.new.value,
                    "was_locked": moved.old.locked,
                    "locked": moved.new.locked,
                }
                for name, moved in push.moved.items()
            ],
        }
        for push in pushes
    ]


def note_facts(notes: Iterable[Note]) -> list[NoteFacts]:
    """Notes on fields for JSON."""
    return [{"field": note.field, "reason": note.reason, "text": note.text} for note in notes]


# What a history says of plays, by what became of them.
PLAY_WORDS: Mapping[str, str] = {
    PlayState.SENT: "plays added to Stash",
    PlayState.ADDING: "plays sent to Stash",
    PlayState.DELETED: "plays added to Stash, deleted by you since",
    PlayState.REMOVING: "plays to be taken back from Stash",
    TAKEN_BACK: "plays taken back from Stash",
}
# The kind of a push, by how it took something back.
PUSHES: Mapping[str, str] = {mark: mark for mark in TakenBack} | {TakenBack.NO: "push", TakenBack.GONE: "undo"}


def past_of(db: Reader, kind: str, id: int) -> list[PastRow]:
    """The pushes and failed attempts of an object, newest first; for a scene also its plays."""
    entries: list[PastRow] = [*db.attempts.of(kind, id), *db.pushes.of(kind, id)]
    if kind == Kind.SCENE:
        entries += [*db.attempts.of(PLAYS, id), *db.plays.requests(id)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def past_facts(entry: PastRow) -> PastAttempt | PastPush | PastPlays:
    """An entry of the history for JSON."""
    if isinstance(entry, PlaysRow):
        return {
            "what": "plays undo" if entry.state in (TAKEN_BACK, PlayState.REMOVING) else "plays",
            "at": stamp(entry.at),
            "state": entry.state,
            "plays": [stamp(moment * 1000) for moment in entry.moments],
        }
    if isinstance(entry, PushRow):
        return {"what": PUSHES[entry.undone], **push_facts([entry])[0]}
    return {"what": "attempt", **attempt_facts([entry])[0]}


def row_key(kind: str, id: int) -> str:
    """The key of a row as you write it: `7` is scene 7, `tag:12` is tag 12."""
    return str(id) if kind == Kind.SCENE else f"{kind}:{id}"


def key_of(text: str) -> tuple[str, int] | None:
    """Parse a key in the format of `written`; None if it is not a key."""
    matched = re.fullmatch(r"(?:([a-z]+):)?([0-9]{1,19})", text)
    if not matched or not 1 <= int(matched[2]) <= LAST_ID or (kind := matched[1] or "scene") not in KINDS:
        return None
    return kind, int(matched[2])


SHORT = {
    "originallyAvailableAt": "date",
    "addedAt": "date added",
    "userRating": "rating",
    "actor": "cast",
    "genre": "genres",
    "thumb": "poster",
    "art": "background",
}


def short(name: str) -> str:
    """The display name of a field."""
    about = beside_whom(name)
    if about is None:
        return SHORT.get(name, name)
    what, member = about
    return f"{'role' if what == ROLE else 'picture'} of {one_line(member[:60])}"


@overload
def on_screen(value: str, field: str) -> str: ...
@overload
def on_screen(value: AnyValue, field: str) -> AnyValue: ...
def on_screen(value: object, field: str) -> object:
    """The value of a field for a screen: a picture in words, a date added in local time, any other as it is."""
    if field in PICTURES and isinstance(value, str) and "://" in value:
        return "an uploaded picture" if value.startswith("upload://") else "a picture of Plex's own"
    if field != ADDED or not isinstance(value, str) or not value:
        return value
    try:
        return local(parse_stamp(value))
    except ValueError:
        return value


def in_order(names: Iterable[str]) -> list[str]:
    """Field names in display order, each once; fields that are shown beside the cast come last."""
    there = dict.fromkeys(names)
    return [name for name in (*FIELDS, *PICTURES) if name in there] + sorted(filter(beside_whom, there))


def action(name: str, change: Change | None, wants: Mapping[str, Value]) -> str:
    """What a sync would do to a field."""
    if change is None:
        if name not in wants:
            return "nothing (switched off)"
        return "nothing" if wants[name] else "nothing (empty in Stash)"
    lock = {True: "lock", False: "unlock", None: ""}[change.lock]
    added = [f"add {', '.join(change.adds)}"] if change.adds else []
    removed = [f"remove {', '.join(change.removes)}"] if change.removes else []
    if added or removed:
        return "; ".join([*added, *removed])
    if change.value is None or (isinstance(change.value, tuple) and lock):
        return lock or "nothing"
    return "write" if change.value else "empty"


def reason(remembered: Remembered | None, wants: Value | None) -> str:
    """Why a sync would change a field, judged by its remembered values."""
    if remembered is None:
        return "first push"
    return "changed in Stash" if remembered.said != wants else "not as it was left in Plex"
