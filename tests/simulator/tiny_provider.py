"""A metadata provider of the smallest kind, for the simulated Plex to ask: it knows files by their last name."""

import json
from collections.abc import Mapping

from plexsync.simulator.http import Answer, HttpServer, Request

IDENTIFIER = "tv.plex.agents.custom.test.tiny"
BASE = "/a-secret"
METADATA, MATCH = "/library/metadata", "/library/metadata/matches"


class TinyProvider(HttpServer):
    """`scenes` are the values of each file by its name; its rating key is the name without its ending. It is registered
    with what its public attributes say.
    """

    def __init__(self, scenes: Mapping[str, Mapping[str, object]] | None = None) -> None:
        super().__init__()
        self.scenes = {name: dict(values) for name, values in (scenes or {}).items()}
        self.identifier = IDENTIFIER
        self.features = {"metadata": METADATA, "match": MATCH}
        self.types = (1,)
        self.guid = "{identifier}://movie/{key}"
        self.extras: list[str] | None = None
        self.answers: dict[str, Answer] = {}
        """Other answers, by the path below the base."""

    @property
    def base(self) -> str:
        """The address to register."""
        return f"{self.url}{BASE}"

    def asked(self, kind: str = "") -> list[Request]:
        """The requests so far: those for `matches`, `metadata`, `extras`, `images`, the `root`, or all."""
        return [one for one in self.log if not kind or kind_of(one) == kind]

    def answer(self, request: Request) -> Answer:
        below = request.path.removeprefix(BASE)
        if below in self.answers:
            return self.answers[below]
        match kind_of(request):
            case "root":
                return said({"MediaProvider": self._root()})
            case "matches" if below == MATCH:
                return self._matches(json.loads(request.body))
            case "metadata" if below.startswith(f"{METADATA}/"):
                return self._metadata(below.removeprefix(f"{METADATA}/"))
            case "extras" if self.extras is not None:
                return container(*({"title": title, "type": "clip"} for title in self.extras))
        return Answer(404)

    def _root(self) -> dict[str, object]:
        return {
            "identifier": self.identifier,
            "title": "Tiny",
            "version": "1",
            "Types": [{"type": one, "Scheme": [{"scheme": self.identifier}]} for one in self.types],
            "Feature": [{"type": name, "key": key} for name, key in self.features.items()],
        }

    def _matches(self, asked: dict[str, object]) -> Answer:
        name = str(asked.get("filename", "")).rpartition("/")[2]
        if asked.get("manual") == 1:
            return container(*(self.entry(one) for one in self.scenes))
        return container(*([self.entry(name)] if name in self.scenes else []))

    def _metadata(self, key: str) -> Answer:
        found = [name for name in self.scenes if key_of(name) == key]
        return container(self.entry(found[0])) if found else Answer(404)

    def entry(self, name: str) -> dict[str, object]:
        """What is said of a file."""
        key = key_of(name)
        return {
            "ratingKey": key,
            "key": f"{METADATA}/{key}",
            "guid": self.guid.format(identifier=self.identifier, key=key),
            "type": "movie",
            "originallyAvailableAt": "",
            **self.scenes[name],
        }


def key_of(name: str) -> str:
    """The rating key of a file."""
    return name.rpartition(".")[0]


def kind_of(request: Request) -> str:
    """What a request is for."""
    below = request.path.removeprefix(BASE)
    if below in ("", "/"):
        return "root"
    last = below.rpartition("/")[2]
    return last if last in ("matches", "extras", "images") else "metadata"


def said(document: object, status: int = 200) -> Answer:
    """A JSON document as an answer."""
    return Answer(status, json.dumps(document).encode(), "application/json")


def container(*entries: Mapping[str, object]) -> Answer:
    """The answer with these items."""
    size = len(entries)
    return said({"MediaContainer": {"offset": 0, "totalSize": size, "size": size, "Metadata": list(entries)}})
