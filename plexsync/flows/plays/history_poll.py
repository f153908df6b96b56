"""Polls Plex's history of one account, saves it, and queues the scenes that were played.

The history is read from the newest saved play on, with an overlap, because Plex lists a play of a device that was offline
with its old moment. A play is saved in the transaction that queues its scenes, so that none is saved and forgotten.

The whole history is read once a day, and as soon as Plex lists a saved play no more. What it does not list then, nor in
a second reading, is forgotten here, and stays in Stash: Plex may be a restored backup, which gives the keys of items to
other ones.
"""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.watching import asked_pages
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.scene_matching import entry_of, files_of
from plexsync.plex.history import PlexHistory
from plexsync.rules.item import Item
from plexsync.rules.match.paths import base_name
from plexsync.rules.plays.first_plays import EARLIER, approval_text, approved_minimum, approved_since
from plexsync.rules.plays.plays import OWNER, PlaySource, WatchRules
from plexsync.rules.plays.viewings import PLEX, Viewing, asks_less, plays_in_plex
from plexsync.rules.queue.job import DAY, PLAYS, Why
from plexsync.rules.queue.note_keys import PLAYS_APPROVED, PLAYS_COUNTED, PLAYS_IN_PLEX, PLAYS_QUEUED
from plexsync.rules.records import PlexPlay
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.servers.neighbours import Clock, Plex, Stash
from plexsync.rules.words.status_words import DOWN
from plexsync.store.database import Database, Reader, Writer

log = logging.getLogger("PlexSync.plays")

# The note of the server, and of the second from which on the history of an account there was read once to its end.
READ_SINCE = "plays:since:"
# The note of the number of an account, by the name that `watch_account` has for it.
NUMBER_OF = "plays:account:"
# The note of the name that Plex told last for the number of an account, without case.
PERSON_OF = "plays:person:"
# The note of when the whole history of an account was last read.
WALKED = "plays:walked:"
# Seconds of history that are read again each time.
OVERLAP = 86_400
# Seconds for which the history that was just read is new enough.
FRESH = 2.0
# More scenes than this at once go behind edits.
CROWD = 20
# The number of items of which the scenes are looked up together.
BATCH = 50


class UnknownAccount(Exception):
    """`watch_account` names no account of the server, or several. The message is one line for display."""


def account_in(db: Reader, rules: WatchRules) -> int | None:
    """The number of the account whose history is saved; None if it was never read."""
    number = _noted_number(db, rules)
    return number if number is not None and db.notes.text(f"{READ_SINCE}{number}") else None


def _noted_number(db: Reader, rules: WatchRules) -> int | None:
    """The number of the account; of a name, the one that Plex told last, None if it told none."""
    if rules.number is not None:
        return rules.number
    text = db.notes.text(f"{NUMBER_OF}{rules.account.casefold()}")
    return int(text) if text.isdecimal() else None


def was_read_to_its_end(db: Reader, account: int, since: int) -> bool:
    """Whether the account's history on this server was read once to its end, from the second `since` on."""
    machine, start = _read_of(db, account)
    return machine == _machine(db) and start.isdecimal() and int(start) <= since


def _machine(db: Reader) -> str:
    server = db.servers.find()
    return server.machine if server else ""


def _read_of(db: Reader, account: int) -> tuple[str, str]:
    """The server of which the account's history was read, and from which second on; empty texts if it was not."""
    machine, _, since = db.notes.text(f"{READ_SINCE}{account}").partition(" ")
    return machine, since


def approved_plays(db: Reader, rules: WatchRules, account: int | None) -> tuple[int | None, str]:
    """From which moment on you have approved the account's plays, None if you have not, and the rule that is in force.

    That is the rule of the setting, or the approved one if that makes fewer plays.
    """
    server, text = db.servers.find(), db.notes.text(PLAYS_APPROVED)
    if server is None or account is None:
        return None, rules.minimum
    person = db.notes.text(f"{PERSON_OF}{account}")
    since = approved_since(text, server.machine, account, watch_since=rules.since, person=person)
    approved = approved_minimum(text)
    is_held = since is not None and asks_less(rules.minimum, approved)
    return since, approved if is_held else rules.minimum


def approve_plays(tx: Writer, account: int, *, watch_since: int, since: int, minimum: str, now: int) -> None:
    """Save your approval of the account's plays from `since` on by the rule `minimum`; it ends the question.

    It is for the account, the person who has it, the Plex server and the `watch_since` of its time. Another account, person
    or server, an earlier `watch_since`, or a rule that makes more plays, asks again.
    """
    approval_of = partial(approval_text, _machine(tx), account, watch_since=watch_since, since=since, at=now)
    text = approval_of(minimum=minimum, person=tx.notes.text(f"{PERSON_OF}{account}"))
    tx.notes.save(PLAYS_APPROVED, text)
    tx.notes.save(PLAYS_COUNTED, "")


def count_plays(db: Reader, account: int, since: int) -> tuple[int, int]:
    """Count the account's plays in Plex from the second `since` on, and those of them of which nothing is remembered.

    A viewing and its row of the history are one. Every screen shows these numbers.
    """
    total, unsent = db.plays.count_history(account, since=since)
    viewings: dict[str, list[Viewing]] = {}
    for viewing in db.viewings.since(account, since):
        if viewing.moment >= max(since, 1):
            viewings.setdefault(viewing.item, []).append(viewing)
    plays = db.plays.history(account, list(viewings), since=since)
    same = {
        (listed[moment].item, moment)
        for item, listed in plays.items()
        for moment in listed.keys() - plays_in_plex(listed, {}, viewings[item], minimum=PLEX)
    }
    return total - len(same), unsent - len(same - db.plays.holders([item for item, _ in same]).keys())


def want_many(tx: Writer, kind: str, scenes: Collection[int], now: int) -> None:
    """Queue scenes of which a server told something at once; a crowd of them goes behind edits."""
    tx.jobs.want_all(kind, scenes, Why.EDIT, now, behind=len(scenes) > CROWD)


@dataclass(eq=False)
class HistoryPoll:
    """Keeps the saved history of the account up to date. Safe to call from several threads."""

    _store: Database
    _stash: Stash
    _plex: PlexHistory
    _items: Plex
    _indexer: Indexer
    _gates: Gates
    _clock: Clock
    _identity: ServerIdentity
    rules: WatchRules

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._problem = ""
        # Whether Plex lists saved plays no more, as after a restore: until all is read again, its keys may be others'.
        self.lacks_plays = False
        # A name is looked up at the first request, and who has a number.
        self._account = self.rules.number
        self._has_met = False

    @property
    def tells_views(self) -> bool:
        """Whether Plex tells the account's views of an item: those of the token's account alone, which is the owner's."""
        return self._account == OWNER

    def was_read(self, db: Reader) -> bool:
        """Whether the history of the account was read once to its end."""
        account = self.known_account(db)
        return account is not None and was_read_to_its_end(db, account, self.rules.since)

    def known_account(self, db: Reader) -> int | None:
        """The number of the account, also if only an earlier process has asked for it; None if its name alone is known."""
        return _noted_number(db, self.rules) if self._account is None else self._account

    def approval(self, db: Reader) -> tuple[int | None, str]:
        """See `approved_plays`: of the account whose history this is."""
        return approved_plays(db, self.rules, self.known_account(db))

    def approved_since(self, db: Reader) -> int | None:
        """The moment from which on you have approved that plays are written; None before that."""
        return self.approval(db)[0]

    def minimum_in_force(self, db: Reader) -> str:
        """The rule by which a viewing is a play: that of the setting, unless you have approved one that makes fewer."""
        return self.approval(db)[1]

    def account(self) -> int:
        """The number of the account, asked once with who has it. Raises UnknownAccount and NeighbourError."""
        if self._account is None or not self._has_met:
            self._account = self._meet_account()
            self._has_met = True
        return self._account

    def _meet_account(self) -> int:
        """Ask Plex for the number of the account, and note it with the name of the person who has it."""
        name, number = self.rules.account.casefold(), self.rules.number
        persons = {key: text.casefold() for key, text in self._gates.ask(READ_PLEX, self._plex.accounts).items()}
        numbers = [key for key, text in persons.items() if text == name] if number is None else [number]
        with self._store.writing() as tx:
            if number is None:
                tx.notes.save(f"{NUMBER_OF}{name}", str(numbers[0]) if len(numbers) == 1 else "")
            for key in numbers:
                tx.notes.save(f"{PERSON_OF}{key}", persons.get(key, ""))
        if len(numbers) != 1:
            count = "no account" if not numbers else f"{len(numbers)} accounts"
            raise UnknownAccount(f"{count} of the Plex server with the name of watch_account")
        return numbers[0]

    def note_plays(self, tx: Writer, account: int) -> None:
        """Note how many plays are in Plex now, after these have changed."""
        tx.notes.save(PLAYS_IN_PLEX, str(count_plays(tx, account, self.rules.since)[0]))

    def poll(self, stopping: Callable[[], bool] = lambda: False) -> str:
        """Read what was played since the last time; returns why that is not possible now, '' if it was.

        Ends after a page if `stopping` returns true; the next poll reads again then.
        """
        if not self._gates.is_open(READ_PLEX, READ_STASH):
            return f"Plex or Stash is {DOWN}"
        before, self._problem = self._problem, ""
        try:
            self.freshen(soon=False, stopping=stopping)
        except (NeighbourError, UnknownAccount) as error:
            self._problem = str(error)
            if self._problem != before:
                log.warning("the history of Plex can't be read: %s", self._problem)
        return self._problem

    def freshen(self, *, soon: bool = True, stopping: Callable[[], bool] = lambda: False) -> None:
        """Read what was played since the last time. Raises NeighbourError and UnknownAccount.

        `soon`: for a worker, which has no time for a long history, unless its scenes wait for that. What was read less than
        `FRESH` seconds ago is new enough then, and so is what another thread reads meanwhile: it queues the scenes of what
        is new.
        """
        if not self._lock.acquire(blocking=not soon):
            return
        try:
            now = self._clock.monotonic()
            if not (soon and self._asked_at is not None and now - self._asked_at < FRESH):
                self._read(self.account(), soon=soon, stopping=stopping)
                self._asked_at = now
        finally:
            self._lock.release()

    def _read(self, account: int, *, soon: bool, stopping: Callable[[], bool]) -> None:
        self._identity.ensure(self._gates)
        # Where no poll runs, scenes would wait for ever.
        soon = soon and not self.lacks_plays
        now, wanted = self._clock.now(), self.rules.since
        with self._store.reading() as db:
            newest, machine, of_machine = db.plays.newest(account), _machine(db), _read_of(db, account)[0]
            is_whole = was_read_to_its_end(db, account, wanted)
            # Plays that were written by a version that did not ask count as your approval.
            was_asked = db.notes.text(PLAYS_APPROVED) or db.notes.text(PLAYS_COUNTED)
            used_before = not was_asked and db.plays.has_memory()
            walked = db.notes.number(f"{WALKED}{account}") if db.notes.text(PLAYS_IN_PLEX) else None
        if soon and not is_whole:
            return
        if of_machine and of_machine != machine:
            # Another server, which you have accepted: its rating keys name other items.
            with self._store.writing() as tx:
                tx.plays.forget_history()
                tx.viewings.forget()
        if used_before:
            with self._store.writing() as tx:
                approve_plays(tx, account, watch_since=wanted, since=wanted, minimum=EARLIER, now=now)
        is_due = self.lacks_plays or walked is None or not 0 <= now - walked < DAY
        if is_whole and (soon or not is_due):
            start = wanted if newest is None else max(wanted, newest - OVERLAP)
            if not self._list(account, start, now, stopping):
                return
            with self._store.reading() as db:
                self.lacks_plays |= db.plays.has_unlisted(account, since=start, listed_at=now)
            if soon or not self.lacks_plays:
                return
        if is_whole:
            # The number may be another person's by now.
            account = self._account = self._meet_account()
        if not (self._list(account, wanted, now, stopping) and self._list_missing(account, wanted, now, stopping)):
            return
        with self._store.writing() as tx:
            dropped = tx.plays.drop_unlisted(account, listed_at=now)
            self.note_plays(tx, account)
            tx.notes.save(f"{READ_SINCE}{account}", f"{machine} {wanted}")
            tx.notes.save(f"{WALKED}{account}", str(now))
        self.lacks_plays = False
        if dropped:
            log.info("%d plays are no longer in the history of Plex; nothing is removed from Stash", dropped)

    def _list_missing(self, account: int, since: int, now: int, stopping: Callable[[], bool]) -> bool:
        """Read all once more if saved plays are missing, since the first answer may be an old one; see `_list`."""
        with self._store.reading() as db:
            is_missing = db.plays.has_unlisted(account, since=since, listed_at=now)
        return not is_missing or self._list(account, since, now, stopping)

    def _list(self, account: int, since: int, now: int, stopping: Callable[[], bool]) -> bool:
        """Save what Plex lists from this second on; False if `stopping` ended that."""
        count = 0
        for page in asked_pages(self._gates, READ_PLEX, self._plex.plays(account, since=since, with_gone=True)):
            count += self._take(account, page, now)
            if stopping():
                return False
        if count:
            log.info("%d new plays in Plex", count)
        return True

    def _take(self, account: int, page: Sequence[PlexPlay], now: int) -> int:
        """Save one page, and queue the scenes of what is new in it; returns the number of new plays.

        A row without an item is that of an item that Plex has no longer, or does not name while it is refreshed.
        """
        plays = {(play.item, play.moment): PlaySource(play.item, play.history) for play in page if play.item}
        unnamed = [(play.history, play.moment) for play in page if not play.item]
        with self._store.reading() as db:
            fresh = plays.keys() - db.plays.list_saved(account, plays)
            is_approved, is_whole = self.approved_since(db) is not None, self.was_read(db)
        items = sorted({item for item, _ in fresh})
        if items and not (is_whole and self._correct_files(items)):
            # A history names no server, and another one behind the address has plays of its own.
            self._identity.check_again(self._gates)
        scenes = self.scenes_of(items) if is_approved else set()
        with self._store.writing() as tx:
            tx.plays.save_history(account, [(source, moment) for (_, moment), source in plays.items()], now=now)
            tx.plays.mark_listed(account, unnamed, now=now)
            if fresh:
                self.note_plays(tx, account)
            if fresh and not is_approved:
                # They are queued with all others, after your approval.
                tx.notes.save(PLAYS_QUEUED, "")
            want_many(tx, PLAYS, scenes, self._clock.now())
        return len(fresh)

    def _correct_files(self, keys: Sequence[str]) -> bool:
        """Save the files that these items have now: a restored Plex gives the keys of some to others.

        False if none of them is in a library that is known, so that they may be another server's.
        """
        is_known = False
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            answers = read_each(self._gates, Neighbour.PLEX, self._items.items, some).values()
            with self._store.reading() as db:
                uuids = {row.key: row.uuid for row in db.sections.all() if row.uuid}
                files = {entry.key: files_of(entry) for entry in db.index.entries(some)}
            items = [item for item in answers if isinstance(item, Item) and uuids.get(item.section) == item.library]
            moved = [entry_of(item) for item in items if files.get(item.key, files_of(item)) != files_of(item)]
            if moved:
                self._indexer.correct(moved, gone=[])
            is_known |= bool(items)
        return is_known

    def scenes_of(self, items: Sequence[str]) -> set[int]:
        """The scenes that may be of these items, too many rather than too few. Raises NeighbourError."""
        scenes: set[int] = set()
        for start in range(0, len(items), BATCH):
            some = items[start : start + BATCH]
            with self._store.reading() as db:
                owners = {item: db.index.scenes_of([item]) for item in some}
                entries = db.index.entries([item for item, pushed in owners.items() if not pushed])
            scenes |= set().union(*owners.values())
            names = sorted({base_name(part.path) for entry in entries for part in entry.parts})
            if names:
                rivals = self._gates.ask(READ_STASH, partial(self._stash.rivals, names))
                scenes |= {scene.id for scene in rivals}
        return scenes
