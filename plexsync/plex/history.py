"""Plays, viewings and ratings in Plex.

Plex shows its history, its accounts and its sessions to the owner of the server alone. Whoever else asks gets 401 or 403,
although the same token may read and write everything else. So these are Refused here and never Barred, which would hold
all of Plex.
"""

from collections.abc import Iterator

import msgspec

from plexsync.http.client import LISTING_CAP, MEGABYTE
from plexsync.http.connections import Answer
from plexsync.plex.answers import (
    LONGEST_DURATION,
    Body,
    Number,
    Page,
    check_size,
    digits,
    key_of,
    moment,
    rating_text,
    rows_of,
    short_number,
    viewing_of,
)
from plexsync.plex.edits import MOVIE
from plexsync.plex.requests import WITHOUT_FILES, PlexRequests, check_number, query, slice_of
from plexsync.rules.item import ViewState
from plexsync.rules.record_class import record
from plexsync.rules.records import PlexPlay, PlexSession, Rated, ViewingPage
from plexsync.rules.servers.errors import Barred, Refused
from plexsync.rules.words.text import clean_line, cut

# A row takes less than 1 kB.
HISTORY_CAP = 4 * MEGABYTE
ACCOUNTS_CAP = MEGABYTE
# A server has some hundred settings, each of less than 1 kB.
SETTINGS_CAP = MEGABYTE
THRESHOLD = "LibraryVideoPlayedThreshold"
# A session has its item in full.
SESSIONS_CAP = 8 * MEGABYTE
# The longest name of a player that is kept.
LONGEST_NAME = 200
# An item without its texts takes less than 16 kB.
VIEWINGS_CAP = 8 * MEGABYTE
# The number of new starts in a row that may bring nothing new.
RESTARTS = 10
# The rows of a page of viewings that are those of the page before, since items come and go meanwhile.
SHARED_ROWS = 10

MOVIE_PLAY = "movie"


class PlayAnswer(msgspec.Struct):
    """A row of the history. One whose item is gone has no `ratingKey`; old rows have no device."""

    historyKey: str | None
    ratingKey: Number | None = None
    librarySectionID: Number | None = None
    type: str | None = None
    viewedAt: Number | None = None
    accountID: Number | None = None


class AccountAnswer(msgspec.Struct):
    """An account of the server. The one with the id 0 has no name."""

    id: Number
    name: str | None = None


class AccountList(msgspec.Struct):
    """The accounts."""

    size: Number
    Account: list[AccountAnswer] = []


class ServerSetting(msgspec.Struct):
    """A setting of the server."""

    id: str | None = None
    value: object = None


class ServerSettings(msgspec.Struct):
    """The settings of the server."""

    size: Number
    Setting: list[ServerSetting] = []


class ViewingAnswer(msgspec.Struct):
    """An item of a library, and how far it was watched."""

    ratingKey: Number
    viewCount: Number | None = None
    lastViewedAt: Number | None = None
    viewOffset: Number | None = None


class RatedAnswer(msgspec.Struct):
    """An item of a listing, with its rating."""

    ratingKey: Number
    userRating: float | str | None = None
    lastRatedAt: Number | None = None


class UserAnswer(msgspec.Struct):
    """The account of a session."""

    id: Number


class PlayerAnswer(msgspec.Struct):
    """The player of a session."""

    title: str | None = None
    machineIdentifier: str | None = None


class SessionAnswer(msgspec.Struct):
    """A session with its item, of which the length may be unknown."""

    sessionKey: Number
    ratingKey: Number
    type: str
    User: UserAnswer
    Player: PlayerAnswer | None = None
    duration: Number | None = None


@record
class HistoryRow:
    """A row as it is listed: what tells it from other rows, its moment (0 if unreadable), and the play of a movie."""

    name: str
    moment: int
    play: PlexPlay | None


HISTORY = msgspec.json.Decoder(Body[Page[PlayAnswer]])
RATED = msgspec.json.Decoder(Body[Page[RatedAnswer]])
ACCOUNTS = msgspec.json.Decoder(Body[AccountList])
VIEWINGS = msgspec.json.Decoder(Body[Page[ViewingAnswer]])
SESSIONS = msgspec.json.Decoder(Body[Page[msgspec.Raw]])
SETTINGS = msgspec.json.Decoder(Body[ServerSettings])
SESSION = msgspec.json.Decoder(SessionAnswer)


class PlexHistory:
    """Who played and rated what in a Plex, read by its client. A row that can't be read is no play, but keeps its place."""

    def __init__(self, requests: PlexRequests) -> None:
        self._requests = requests

    def plays(self, account: int, *, since: int, page: int = 1000, with_gone: bool = False) -> Iterator[list[PlexPlay]]:
        """The plays of movies by one account from `since` on (UTC seconds), oldest first, in pages without repeats.

        A play that stays in Plex is never missed, also if others are deleted meanwhile. From a Plex that does not sort as
        asked, plays are returned once all are read. Items that Plex has no longer have no key, so their plays are left
        out unless `with_gone`. Raises Refused if Plex does not show its history to this token.
        """
        unsorted: list[PlexPlay] = []
        for rows, in_order in self._walk(account, since, page):
            # Plex ignores filters that it does not know.
            listed = [row.play for row in rows if row.play and row.play.account == account and row.play.moment >= since]
            plays = [play for play in listed if play.item or with_gone]
            if not in_order:
                unsorted += plays
            elif plays:
                yield plays
        unsorted.sort(key=lambda play: play.moment)
        yield from (unsorted[at : at + page] for at in range(0, len(unsorted), page))

    def accounts(self) -> dict[int, str]:
        """The names of the server's accounts by id, in one request. The owner's id is 1; names may be '' or double.

        Refused if Plex does not show them to this token.
        """
        accounts = self._requests.parsed(self._ask_as_owner("/accounts", ACCOUNTS_CAP), ACCOUNTS, _accounts)
        # An account may be named like the token.
        return {id: self._requests.redacted(name) for id, name in accounts.items()}

    def played_threshold(self) -> int | None:
        """The percentage of a movie from which on Plex counts a play, in one request; None if Plex does not tell.

        Refused if Plex does not show its settings to this token.
        """
        listed = self._requests.parsed(self._ask_as_owner("/:/prefs", SETTINGS_CAP), SETTINGS, _settings)
        percent = {setting.id: setting.value for setting in listed}.get(THRESHOLD)
        return percent if type(percent) is int and 0 < percent <= 100 else None

    def sessions(self) -> list[PlexSession]:
        """The movies that are played now, in one request; Refused if Plex does not show its sessions to this token."""
        answer = self._ask_as_owner("/status/sessions", SESSIONS_CAP)
        return list(filter(None, map(self._session, self._requests.parsed(answer, SESSIONS, rows_of))))

    def viewings(self, section: str, *, since: int, page: int = 500) -> Iterator[ViewingPage]:
        """What the account of the token has watched of a library from `since` on (UTC seconds), newest first, in pages.

        One request for each page, and at least one. See `ViewingPage` for a Plex that neither filters nor sorts as asked.
        """
        start, last = 0, ""
        while True:
            rows, total = self._page_of_viewings(section, since, start, page)
            if last and last not in {key for key, _ in rows}:
                raise self._requests.foreign("with a library that does not hold still")
            moments = [viewing.moment for _, viewing in rows]
            is_filtered = all(moment >= max(since, 1) for moment in moments)
            # Items that nobody has watched come last.
            is_sorted = moments == sorted(moments, reverse=True) and (bool(start) or any(moments))
            yield ViewingPage(
                {key: viewing for key, viewing in rows if viewing.moment and viewing.moment >= since},
                is_bounded=is_filtered or is_sorted,
            )
            if start + len(rows) >= total or (is_sorted and not is_filtered):
                return
            if len(rows) <= SHARED_ROWS:
                raise self._requests.foreign("with an incomplete library")
            start, last = start + len(rows) - SHARED_ROWS, rows[-1][0]

    def list_rated(self, section: str, *, since: int, limit: int) -> list[Rated]:
        """Up to `limit` items that were rated after `since` (UTC seconds), oldest rating first, in one request.

        Plex ignores filters and orders that it does not know: then a part of them is returned.
        """
        check_number(section)
        asked = {
            "type": MOVIE,
            "lastRatedAt>>": str(since),
            "sort": "lastRatedAt:asc",
            **WITHOUT_FILES,
            **slice_of(0, limit),
        }
        rated = self._requests.read(f"/library/sections/{section}/all?{query(asked)}", RATED, _rated, cap=LISTING_CAP)
        return sorted((item for item in rated if item.at > since), key=lambda item: item.at)[:limit]

    def _session(self, row: msgspec.Raw) -> PlexSession | None:
        """The session of a row; None if that can't be read, or if no movie is played."""
        try:
            read = SESSION.decode(row)
            session, item, account = key_of(read.sessionKey), key_of(read.ratingKey), int(key_of(read.User.id))
        except (ValueError, msgspec.MsgspecError, RecursionError):
            return None
        if read.type != MOVIE_PLAY:
            return None
        player = read.Player or PlayerAnswer()
        # A player may be named like the token.
        name, machine = (
            cut(clean_line(self._requests.redacted(text or "")), LONGEST_NAME)
            for text in (player.title, player.machineIdentifier)
        )
        return PlexSession(session, item, account, name, machine, short_number(read.duration, LONGEST_DURATION))

    def _walk(self, account: int, since: int, page: int) -> Iterator[tuple[list[HistoryRow], bool]]:
        """The rows from `since` on, in pages without repeats, and whether all rows so far came in the order of time.

        Each page begins with the last row of the one before. If it does not, rows were deleted or added meanwhile, and
        the walk starts again at the moment of that row.
        """
        known_names: set[str] = set()
        floor, start, last = since, 0, ""
        reached = restarts = 0
        in_order = True
        while True:
            rows, total = self._page_of_plays(account, floor, start, page + 1 if start else page)
            if start and (not rows or rows[0].name != last):
                restarts += 1
                if restarts > RESTARTS:
                    raise self._requests.foreign("with a history that does not hold still")
                floor, start = max(since, reached) if in_order else since, 0
                continue
            moments = [reached, *(row.moment for row in rows if row.moment)]
            in_order = in_order and moments == sorted(moments)
            reached = max(moments)
            fresh = [row for row in rows if row.name not in known_names]
            if fresh:
                restarts = 0
                known_names.update(row.name for row in fresh)
                yield fresh, in_order
            if start + len(rows) >= total:
                return
            if len(rows) < 2:
                raise self._requests.foreign("with an incomplete history")
            start, last = start + len(rows) - 1, rows[-1].name

    def _page_of_plays(self, account: int, since: int, start: int, size: int) -> tuple[list[HistoryRow], int]:
        """One page of at least two rows, since pages overlap by one, and the number of all rows."""
        size = max(size, 2)
        asked = {
            "sort": "viewedAt:asc",
            "accountID": str(account),
            # It is not certain whether the sign includes the moment itself.
            **({"viewedAt>": str(since - 1)} if since > 0 else {}),
            **slice_of(start, size),
        }
        answer = self._ask_as_owner(f"/status/sessions/history/all?{query(asked)}", HISTORY_CAP)
        return self._requests.page(answer, HISTORY, _row, start, size)

    def _page_of_viewings(
        self, section: str, since: int, start: int, size: int
    ) -> tuple[list[tuple[str, ViewState]], int]:
        """One page, with more rows than pages share, and the number of all rows."""
        check_number(section)
        size = max(size, 2 * SHARED_ROWS)
        asked = {
            "type": MOVIE,
            # It is not certain whether the sign includes the moment itself.
            "lastViewedAt>>": str(max(since - 1, 0)),
            "sort": "lastViewedAt:desc",
            **WITHOUT_FILES,
            **slice_of(start, size),
        }
        answer = self._requests.ask("GET", f"/library/sections/{section}/all?{query(asked)}", cap=VIEWINGS_CAP)
        return self._requests.page(answer, VIEWINGS, _viewing, start, size)

    def _ask_as_owner(self, target: str, cap: int) -> Answer:
        """The answer to a request that is the owner's; Refused if the token is not."""
        try:
            return self._requests.ask("GET", target, cap=cap)
        except Barred as error:
            if error.setting != "plex_token":
                raise
            refusal = Refused(error.neighbour, f"{error}; only the owner of a Plex server may read its history")
        raise refusal


def _settings(settings: ServerSettings) -> list[ServerSetting]:
    check_size(settings.size, settings.Setting)
    return settings.Setting


def _accounts(accounts: AccountList) -> dict[int, str]:
    """The names of the accounts by id; '' for one without a name."""
    check_size(accounts.size, accounts.Account)
    return {int(digits(account.id)): account.name or "" for account in accounts.Account if digits(account.id)}


def _viewing(row: ViewingAnswer) -> tuple[str, ViewState]:
    return key_of(row.ratingKey), viewing_of(row.viewCount, row.lastViewedAt, row.viewOffset)


def _rated(page: Page[RatedAnswer]) -> list[Rated]:
    """The items of a page, without those that don't say when they were rated."""
    rated = [
        Rated(digits(row.ratingKey), rating_text(row.userRating), moment(row.lastRatedAt)) for row in rows_of(page)
    ]
    return [item for item in rated if item.key and item.at]


def _row(metadata: PlayAnswer) -> HistoryRow:
    viewed_at = moment(metadata.viewedAt)
    name = metadata.historyKey or f"{metadata.viewedAt} {metadata.accountID} {metadata.ratingKey}"
    return HistoryRow(name, viewed_at, _play(metadata, viewed_at))


def _play(metadata: PlayAnswer, viewed_at: int) -> PlexPlay | None:
    """The play that a row tells of; None if that is no movie, or if the row does not say who played when."""
    history = digits((metadata.historyKey or "").rpartition("/")[2])
    account = digits(metadata.accountID)
    if metadata.type != MOVIE_PLAY or not (history and account and viewed_at):
        return None
    item, section = digits(metadata.ratingKey), digits(metadata.librarySectionID)
    return PlexPlay(history, item, section, int(account), viewed_at)
