"""Plays, viewings and ratings in Plex: implements `PlexWatch` and `PlexRatings` of `plexsync.rules.neighbours`.

Plex shows its history and its accounts to the owner of the server alone. Whoever else asks gets 401 or 403, although the
same token may read and write everything else. So these two are Refused here and never Barred, which would hold all of Plex.
"""

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import msgspec

from plexsync.http.client import LISTING_CAP, MEGABYTE, Answer
from plexsync.plex import answers, answers_history
from plexsync.plex.answers_history import HistoryRow
from plexsync.plex.client import UNWANTED, UNWANTED_FIELDS, PlexClient, check_number
from plexsync.plex.edits import MOVIE
from plexsync.rules.errors import Barred, Refused
from plexsync.rules.item import Viewing
from plexsync.rules.records import PlexPlay, Rated, ViewingPage

HISTORY = msgspec.json.Decoder(answers_history.HistoryAnswer)
RATED = msgspec.json.Decoder(answers_history.RatedItemsAnswer)
ACCOUNTS = msgspec.json.Decoder(answers_history.AccountsAnswer)
VIEWINGS = msgspec.json.Decoder(answers_history.ViewingsAnswer)
# A row takes less than 1 kB.
HISTORY_CAP = 4 * MEGABYTE
ACCOUNTS_CAP = MEGABYTE
# An item without its texts takes less than 16 kB.
VIEWINGS_CAP = 8 * MEGABYTE
# An item without its texts takes less than 16 kB.
VIEWINGS_CAP = 8 * MEGABYTE
# The number of new starts in a row that may bring nothing new.
RESTARTS = 10
# The rows of a page of viewings that are those of the page before, since items come and go meanwhile.
SHARED_ROWS = 10


class PlexHistory(PlexClient):
    """A Plex client that also reads who played and rated what."""

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
        """The names of the server's accounts by id, in one request; Refused if Plex does not show them to this token."""
        container = self._wire.decoded(ACCOUNTS, self._ask_as_owner("/accounts", ACCOUNTS_CAP).body).MediaContainer
        accounts = self._checked(lambda: answers_history.accounts_of(container))
        # An account may be named like the token.
        return {id: name.replace(self._token, "***") for id, name in accounts.items()}

    def viewings(self, section: str, *, since: int, page: int = 500) -> Iterator[ViewingPage]:
        """What the account of the token has watched of a library from `since` on (UTC seconds), newest first, in pages.

        One request for each page, and at least one. See `ViewingPage` for a Plex that neither filters nor sorts as asked.
        """
        start, last = 0, ""
        while True:
            rows, total = self._page_of_viewings(section, since, start, page)
            if last and last not in {key for key, _ in rows}:
                raise self._wire.foreign("with a library that does not hold still")
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
                raise self._wire.foreign("with an incomplete library")
            start, last = start + len(rows) - SHARED_ROWS, rows[-1][0]

    def rated(self, section: str, *, since: int, limit: int) -> list[Rated]:
        """Up to `limit` items that were rated after `since` (UTC seconds), oldest rating first, in one request.

        Plex ignores filters and orders that it does not know: then a part of them is returned.
        """
        check_number(section)
        query = {
            "type": MOVIE,
            "lastRatedAt>>": str(since),
            "sort": "lastRatedAt:asc",
            "excludeElements": f"{UNWANTED},Media",
            "excludeFields": UNWANTED_FIELDS,
            "X-Plex-Container-Start": "0",
            "X-Plex-Container-Size": str(limit),
        }
        target = f"/library/sections/{section}/all?{urlencode(query, quote_via=quote)}"
        container = self._wire.decoded(RATED, self._ask("GET", target, cap=LISTING_CAP).body).MediaContainer
        rated = self._checked(lambda: answers_history.rated_of(container))
        return sorted((item for item in rated if item.at > since), key=lambda item: item.at)[:limit]

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
                    raise self._wire.foreign("with a history that does not hold still")
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
                raise self._wire.foreign("with an incomplete history")
            start, last = start + len(rows) - 1, rows[-1].name

    def _page_of_plays(self, account: int, since: int, start: int, size: int) -> tuple[list[HistoryRow], int]:
        """One page of at least two rows, since pages overlap by one, and the number of all rows."""
        size = max(size, 2)
        query = {
            "sort": "viewedAt:asc",
            "accountID": str(account),
            # It is not certain whether the sign includes the moment itself.
            **({"viewedAt>": str(since - 1)} if since > 0 else {}),
            "X-Plex-Container-Start": str(start),
            "X-Plex-Container-Size": str(size),
        }
        target = f"/status/sessions/history/all?{urlencode(query, quote_via=quote, safe='')}"
        answer = self._ask_as_owner(target, HISTORY_CAP)
        container = self._wire.decoded(HISTORY, answer.body).MediaContainer
        rows = self._checked(lambda: answers_history.rows_of(container))
        return rows, self._total(container.totalSize, answer, start + len(rows) + (len(rows) == size))

    def _page_of_viewings(
        self, section: str, since: int, start: int, size: int
    ) -> tuple[list[tuple[str, Viewing]], int]:
        """One page, with more rows than pages share, and the number of all rows."""
        check_number(section)
        size = max(size, 2 * SHARED_ROWS)
        query = {
            "type": MOVIE,
            # It is not certain whether the sign includes the moment itself.
            "lastViewedAt>>": str(max(since - 1, 0)),
            "sort": "lastViewedAt:desc",
            "excludeElements": f"{UNWANTED},Media",
            "excludeFields": UNWANTED_FIELDS,
            "X-Plex-Container-Start": str(start),
            "X-Plex-Container-Size": str(size),
        }
        answer = self._ask(
            "GET", f"/library/sections/{section}/all?{urlencode(query, quote_via=quote)}", cap=VIEWINGS_CAP
        )
        container = self._wire.decoded(VIEWINGS, answer.body).MediaContainer
        rows = self._checked(lambda: answers_history.viewings_of(container))
        return rows, self._total(container.totalSize, answer, start + len(rows) + (len(rows) == size))

    def _total(self, total: answers.Number | None, answer: Answer, otherwise: int) -> int:
        """The number of all rows of a listing. Without a total, a full page can have another one behind it."""
        header = answer.headers.get("x-plex-container-total-size", "")
        if total is None and not header:
            return otherwise
        return self._checked(lambda: answers.total_of(total, header))

    def _ask_as_owner(self, target: str, cap: int) -> Answer:
        """The answer to a request that is the owner's; Refused if the token is not."""
        try:
            return self._ask("GET", target, cap=cap)
        except Barred as error:
            if error.setting != self._wire.server.key_setting:
                raise
            refusal = Refused(error.neighbour, f"{error}; only the owner of a Plex server may read its history")
        raise refusal
