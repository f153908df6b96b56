"""What people play on the simulated Plex: the reports of players, sessions, and the events that tell of them.

* A player reports its state and its place, and every report is an event, also one that changes nothing: players repeat
  theirs every ten seconds. An event names no account.
* A place in the middle is where the account goes on. A stop behind `PLAYED` of the length ends a play.
* The items show what one account sees, that of the token, which is the owner. A guest's play is in the history alone.
* What was played offline is reported later, with its moment. It is no session, and no event tells of it.

Not documented, and assumed: how much of an item makes a play, and that the history gets its row when the player stops.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from threading import RLock

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_history import OWNER, History
from plexsync.simulator.plex_model import Item, Library, Unacceptable
from plexsync.simulator.plex_render import Node, Ready, Value, detailed_node

STATES = ("playing", "paused", "buffering", "stopped")
PLAYED = 0.9
PLAYER = "a-player"
# What an item tells of one account.
OF_AN_ACCOUNT = ("viewCount", "lastViewedAt", "userRating", "lastRatedAt")


@dataclass(frozen=True)
class Session:
    """One player of one account, and the item that it plays. `offset` is in milliseconds."""

    number: int
    item: int
    account: int
    player: str
    state: str
    offset: int


@dataclass(frozen=True)
class PlayerReport:
    """What a player says.

    `moment`: when it was so, if it was offline then. `length`: in milliseconds; that of the item, if it is known, counts.
    """

    item: int
    account: int
    player: str
    state: str
    offset: int
    moment: int | None = None
    length: int = 0


class Sessions:
    """What is being played now. The methods with a key are what people do; they raise KeyError for what is not there."""

    def __init__(
        self, library: Library, history: History, lock: RLock, tell: Callable[[Mapping[str, object]], None]
    ) -> None:
        self._library = library
        self._history = history
        self._lock = lock
        self._tell = tell
        self._numbers = count(1)
        self._sessions: dict[tuple[int, str], Session] = {}
        self._devices: dict[str, int] = {}
        # Rows that the history does not have yet: when they come, and what adds them.
        self._late: list[tuple[float, Callable[[], object]]] = []

    def start(self, key: str, offset: int = 0, *, account: int = OWNER, player: str = PLAYER) -> None:
        """Play from this place on, also after a pause."""
        self._do(PlayerReport(int(key), account, player, "playing", offset))

    def pause(self, key: str, offset: int, *, account: int = OWNER, player: str = PLAYER) -> None:
        """Pause at this place."""
        self._do(PlayerReport(int(key), account, player, "paused", offset))

    def buffer(self, key: str, offset: int, *, account: int = OWNER, player: str = PLAYER) -> None:
        """Wait for data at this place."""
        self._do(PlayerReport(int(key), account, player, "buffering", offset))

    def stop(self, key: str, offset: int, *, account: int = OWNER, player: str = PLAYER) -> None:
        """Stop at this place. Near the end it is a play."""
        self._do(PlayerReport(int(key), account, player, "stopped", offset))

    def finish(self, key: str, *, account: int = OWNER, player: str = PLAYER) -> None:
        """Play to the end."""
        with self._lock:
            length = length_of(self._library.items[int(key)]) or 1
            self._do(PlayerReport(int(key), account, player, "stopped", length, length=length))

    def _do(self, report: PlayerReport) -> None:
        with self._lock:
            if report.account not in self._history.accounts:
                raise KeyError(report.account)
            item = self._library.items[report.item]
            if item.type != "movie":
                raise KeyError(report.item)
            self._take(item, report)

    def _take(self, item: Item, report: PlayerReport) -> None:
        moment = self._library.now() if report.moment is None else report.moment
        length = length_of(item) or report.length
        ends = report.state == "stopped" and 0 < PLAYED * length <= report.offset
        if ends:
            self._history_gets(item, report, moment)
        if report.account == OWNER:
            (count_play if ends else keep_place)(item, moment, report.offset)
        if report.moment is None:
            self._tell_of(self._session_of(report))

    def _history_gets(self, item: Item, report: PlayerReport, moment: int) -> None:
        device = self._devices.setdefault(report.player, len(self._devices) + 1)
        due = self._library.moment() + self._history.traits.history_lag
        self._late.append((due, lambda: self._history.add(item, report.account, moment, device)))
        self.settle()

    def _session_of(self, report: PlayerReport) -> Session:
        """The session after the report: that of the player, or a new one if it plays another item than before."""
        place = (report.account, report.player)
        session = self._sessions.get(place)
        is_new = report.state == "stopped" and self._history.traits.stops_anew
        if session is None or session.item != report.item or is_new:
            number = next(self._numbers)
            session = Session(number, report.item, report.account, report.player, report.state, report.offset)
        session = replace(session, state=report.state, offset=report.offset)
        if session.state == "stopped":
            self._sessions.pop(place, None)
        else:
            self._sessions[place] = session
        return session

    def _tell_of(self, session: Session) -> None:
        entry = {
            "sessionKey": str(session.number),
            "guid": "",
            "ratingKey": str(session.item),
            "url": "",
            "key": f"/library/metadata/{session.item}",
            "viewOffset": session.offset,
            "state": session.state,
        }
        self._tell({"type": "playing", "PlaySessionStateNotification": [entry]})

    def settle(self) -> None:
        """Add the rows to the history that are due."""
        now = self._library.moment()
        for _, add in (row for row in self._late if row[0] <= now):
            add()
        self._late = [row for row in self._late if row[0] > now]

    def restart(self) -> None:
        """Forget all sessions, their numbers, and the rows that the history does not have yet, as a server that restarts."""
        self._numbers = count(1)
        self._sessions.clear()
        self._late.clear()

    def drop(self, *, account: int = OWNER, player: str = PLAYER) -> None:
        """Give up a player that says nothing any more. No event tells of it."""
        with self._lock:
            self._sessions.pop((account, player), None)

    # requests

    def listing(self, asked: Asked) -> Answer:
        """`/status/sessions`, for the owner alone."""
        self._history.check_access()
        nodes: list[Node | Ready] = [
            self._node(self._library.items[session.item], session)
            for session in self._sessions.values()
            if session.item in self._library.items
        ]
        return asked.answer(Node("MediaContainer", {"size": len(nodes)}, nodes))

    def _node(self, item: Item, session: Session) -> Node:
        node = detailed_node(item, check_files=False)
        hidden = {} if session.account == OWNER else dict.fromkeys(OF_AN_ACCOUNT)
        player: dict[str, Value] = {
            "address": "127.0.0.1",
            "machineIdentifier": session.player,
            "platform": "Linux",
            "product": "Simulated player",
            "state": session.state,
            "title": session.player,
            "local": True,
            "relayed": False,
            "secure": False,
            "userID": session.account,
        }
        name = self._history.accounts[session.account]
        children: list[Node | Ready] = [
            *node.children,
            Node("User", {"id": str(session.account), "title": name, "thumb": ""}, single=True),
            Node("Player", player, single=True),
            Node("Session", {"id": f"session-{session.number}", "bandwidth": 5000, "location": "lan"}, single=True),
        ]
        shown = {**node.attributes, **hidden, "sessionKey": str(session.number), "viewOffset": session.offset}
        return Node(node.tag, shown, children, name=node.name)

    def timeline(self, asked: Asked) -> Answer:
        """`/:/timeline`: the report of a player of the token's account."""
        player = asked.request.headers.get("x-plex-client-identifier")
        key = asked.params.get("ratingKey") or asked.params.get("key", "").rpartition("/")[2]
        if not player:
            raise Unacceptable(400)
        return self._reported(asked, key, player)

    def progress(self, asked: Asked) -> Answer:
        """`/:/progress`: the same without a player. Not documented; `plexapi` sends it."""
        return self._reported(asked, asked.params.get("key", ""), PLAYER)

    def _reported(self, asked: Asked, key: str, player: str) -> Answer:
        state, offset, length, updated = (
            asked.params.get(name, "") for name in ("state", "time", "duration", "updated")
        )
        is_offline = asked.params.get("offline") == "1"
        numbers = [key, offset, *([updated] if is_offline else ())]
        item = self._library.items.get(int(key)) if all(text.isdecimal() for text in numbers) else None
        if state not in STATES or item is None or item.type != "movie":
            raise Unacceptable(400)
        moment = int(updated) if is_offline else None
        duration = int(length) if length.isdecimal() else 0
        self._take(item, PlayerReport(item.key, OWNER, player, state, int(offset), moment, duration))
        return asked.answer(Node("MediaContainer", {"size": 0}))


def length_of(item: Item) -> int:
    """The length of an item in milliseconds, which is that of its first version."""
    return sum(one.duration for one in item.media()[0]) if item.files else 0


def count_play(item: Item, moment: int, _offset: int = 0) -> None:
    """The token's account has played the item to its end."""
    item.view_count += 1
    item.view_offset = 0
    item.last_viewed_at = max(item.last_viewed_at or 0, moment)
    item.listed.clear()


def keep_place(item: Item, moment: int, offset: int) -> None:
    """The token's account goes on from this place."""
    item.view_offset = offset
    item.last_viewed_at = max(item.last_viewed_at or 0, moment)
    item.listed.clear()
