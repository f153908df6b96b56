"""Decodes Plex's answers about plays, viewings, accounts and ratings, as strictly as `plexsync.plex.answers` does.

A row that can't be read is no play, but it keeps its place in the listing, which pages are joined by.
"""

from dataclasses import dataclass

import msgspec

from plexsync.plex.answers import Number, check_size, digits, moment, rating_text, viewing_of
from plexsync.rules.item import Viewing
from plexsync.rules.records import PlexPlay, Rated

MOVIE = "movie"


class PlayAnswer(msgspec.Struct):
    """A row of the history. One whose item is gone has no `ratingKey`; old rows have no device."""

    historyKey: str | None
    ratingKey: Number | None = None
    librarySectionID: Number | None = None
    type: str | None = None
    viewedAt: Number | None = None
    accountID: Number | None = None


class HistoryPage(msgspec.Struct):
    """A page of the history."""

    size: Number
    totalSize: Number | None = None
    Metadata: list[PlayAnswer] = []


class HistoryAnswer(msgspec.Struct):
    """The body of a page of the history."""

    MediaContainer: HistoryPage


class AccountAnswer(msgspec.Struct):
    """An account of the server. The one with the id 0 has no name."""

    id: Number
    name: str | None = None


class AccountList(msgspec.Struct):
    """The accounts."""

    size: Number
    Account: list[AccountAnswer] = []


class AccountsAnswer(msgspec.Struct):
    """The body of the list of accounts."""

    MediaContainer: AccountList


class ViewingAnswer(msgspec.Struct):
    """An item of a library, and how far it was watched."""

    ratingKey: Number
    viewCount: Number | None = None
    lastViewedAt: Number | None = None
    viewOffset: Number | None = None


class ViewingList(msgspec.Struct):
    """A page of the items of a library that were watched."""

    size: Number
    totalSize: Number | None = None
    Metadata: list[ViewingAnswer] = []


class ViewingsAnswer(msgspec.Struct):
    """The body of such a page."""

    MediaContainer: ViewingList


class RatedAnswer(msgspec.Struct):
    """An item of a listing, with its rating."""

    ratingKey: Number
    userRating: float | str | None = None
    lastRatedAt: Number | None = None


class RatedPage(msgspec.Struct):
    """A page of a listing."""

    size: Number
    Metadata: list[RatedAnswer] = []


class RatedItemsAnswer(msgspec.Struct):
    """The body of a listing of rated items."""

    MediaContainer: RatedPage


@dataclass(frozen=True)
class HistoryRow:
    """A row as it is listed: what tells it from other rows, its moment (0 if unreadable), and the play of a movie."""

    name: str
    moment: int
    play: PlexPlay | None


def rows_of(page: HistoryPage) -> list[HistoryRow]:
    """The rows of a page, in their order."""
    check_size(page.size, page.Metadata)
    return [_row(metadata) for metadata in page.Metadata]


def accounts_of(accounts: AccountList) -> dict[int, str]:
    """The names of the accounts by id; '' for one without a name."""
    check_size(accounts.size, accounts.Account)
    return {int(digits(account.id)): account.name or "" for account in accounts.Account if digits(account.id)}


def viewings_of(page: ViewingList) -> list[tuple[str, Viewing]]:
    """The rating keys and viewings of a page, in its order."""
    check_size(page.size, page.Metadata)
    viewings = [
        (digits(row.ratingKey), viewing_of(row.viewCount, row.lastViewedAt, row.viewOffset)) for row in page.Metadata
    ]
    if not all(key for key, _ in viewings):
        raise ValueError("a key that is no number")
    return viewings


def rated_of(page: RatedPage) -> list[Rated]:
    """The items of a page, without those that don't say when they were rated."""
    check_size(page.size, page.Metadata)
    rated = [
        Rated(digits(row.ratingKey), rating_text(row.userRating), moment(row.lastRatedAt)) for row in page.Metadata
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
    if metadata.type != MOVIE or not (history and account and viewed_at):
        return None
    item, section = digits(metadata.ratingKey), digits(metadata.librarySectionID)
    return PlexPlay(history, item, section, int(account), viewed_at)
