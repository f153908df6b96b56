"""The accounts of the simulated Plex, and what each of them has played.

The history outlives its items: of one that was removed, its title is left. "Mark as played" writes none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_model import Item, Library, Unacceptable
from plexsync.simulator.plex_render import Node, Ready, Value, picture_path
from plexsync.simulator.plex_traits import Traits

NOBODY = 0
OWNER = 1
# Values that can be compared: with one sign or two, later or earlier.
VIEWED = re.compile(r"viewedAt([<>]{0,2})")


@dataclass(frozen=True)
class Play:
    """One play of one item."""

    id: int
    item: int
    section: int
    title: str
    viewed_at: int
    account: int
    device: int


class History:
    """All plays, in the order of their rows, and the accounts by id; account 1 is the owner, whose token clients use.

    As on every server, there is an account 0 without a name.
    """

    def __init__(self, traits: Traits, owner: str = "someone") -> None:
        self.traits = traits
        self.accounts: dict[int, str] = {NOBODY: "", OWNER: owner}
        self.plays: list[Play] = []
        self._numbers = count(1)

    def add(self, item: Item, account: int, viewed_at: int, device: int) -> Play:
        """Record a play; raises KeyError for an unknown account."""
        if account not in self.accounts:
            raise KeyError(account)
        title = str(item.scalars.get("title", ""))
        play = Play(next(self._numbers), item.key, item.section.id, title, viewed_at, account, device)
        self.plays.append(play)
        return play

    def account_list(self, asked: Asked) -> Answer:
        """`/accounts`."""
        self.check_access()
        nodes: list[Node | Ready] = [
            Node(
                "Account",
                {
                    "id": number,
                    "key": f"/accounts/{number}",
                    "name": name,
                    "defaultAudioLanguage": "en",
                    "autoSelectAudio": True,
                    "defaultSubtitleLanguage": "en",
                    "subtitleMode": 0,
                    "thumb": "",
                },
            )
            for number, name in self.accounts.items()
        ]
        attributes: dict[str, Value] = {"size": len(nodes), "identifier": "com.plexapp.system.accounts"}
        return asked.answer(Node("MediaContainer", attributes, nodes))

    def listing(self, library: Library, asked: Asked, largest: int | None = None) -> Answer:
        """`/status/sessions/history/all`: filtered, sorted and paged. `largest` is the largest page."""
        self.check_access()
        ignored = self.traits.history_ignores
        asked = replace(
            asked,
            pairs=[(name, text) for name, text in asked.pairs if name not in ignored],
            params={name: text for name, text in asked.params.items() if name not in ignored},
        )
        plays = [play for play in self.plays if self._is_chosen(play, asked)]
        order = "viewedAt:desc" if "sort" in ignored else asked.params.get("sort", "viewedAt")
        for part in reversed(order.split(",")):
            name, _, direction = part.partition(":")
            if name in ("viewedAt", "accountID"):
                plays.sort(key=_sort_key(name), reverse=direction == "desc")
        shown, totals, headers = asked.page(len(plays), largest)
        nodes: list[Node | Ready] = [_play_node(library, play) for play in plays[shown]]
        return asked.answer(Node("MediaContainer", {"size": len(nodes), **totals}, nodes), headers)

    def entry(self, library: Library, asked: Asked) -> Answer:
        """`/status/sessions/history/{id}`: read, or deleted."""
        self.check_access()
        play = next((play for play in self.plays if play.id == int(asked.groups[0])), None)
        if play is None:
            raise Unacceptable(404)
        if asked.request.method == "DELETE":
            self.plays.remove(play)
            return Answer()
        return asked.answer(Node("MediaContainer", {"size": 1}, [_play_node(library, play)]))

    def check_access(self) -> None:
        """Raise `Unacceptable` (401, 403) if the token is not the owner's."""
        if self.traits.history_status != 200:
            raise Unacceptable(self.traits.history_status)

    def _is_chosen(self, play: Play, asked: Asked) -> bool:
        values = {"accountID": play.account, "librarySectionID": play.section, "metadataItemID": play.item}
        with_moment = self.traits.viewed_after == "not before"
        for name, text in asked.pairs:
            if name in values and text and values[name] != _number(text):
                return False
            if (found := VIEWED.fullmatch(name)) and text:
                moment = _number(text)
                if ">" in found[1] and play.viewed_at < moment + (not with_moment):
                    return False
                if "<" in found[1] and play.viewed_at >= moment:
                    return False
                if not found[1] and play.viewed_at != moment:
                    return False
        return True


def _sort_key(name: str) -> Callable[[Play], tuple[int, int]]:
    def key(play: Play) -> tuple[int, int]:
        return (play.viewed_at, play.id) if name == "viewedAt" else (play.account, 0)

    return key


def _number(text: str) -> int:
    if not text.isdecimal():
        raise Unacceptable(400)
    return int(text)


def _play_node(library: Library, play: Play) -> Node:
    item = library.items.get(play.item)
    attributes: dict[str, Value] = {
        "historyKey": f"/status/sessions/history/{play.id}",
        "key": f"/library/metadata/{play.item}" if item else None,
        "ratingKey": str(play.item) if item else None,
        "librarySectionID": str(play.section),
        "title": play.title,
        "type": "movie",
        "thumb": (picture_path(item, "posters") or None) if item else None,
        "originallyAvailableAt": item.scalars.get("originallyAvailableAt") if item else None,
        "viewedAt": play.viewed_at,
        "accountID": play.account,
        "deviceID": play.device,
    }
    return Node("Video", attributes, name="Metadata")
