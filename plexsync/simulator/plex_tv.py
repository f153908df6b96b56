"""A simulated plex.tv: the sign-in with a PIN, as `plexapi` uses it, and the servers of the account.

A PIN waits for `confirm`; `servers` are those of the account. Every answer is XML, as from the real service without a
request for JSON. Guarantees: a request without a client identifier is rejected, and the account's data needs a valid
token.
"""

import itertools
import threading
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from plexsync.simulator.http import Answer, HttpServer, Request
from plexsync.simulator.plex_server import MACHINE

TOKEN = "tv-account-token-0123"  # noqa: S105 - opens nothing but this simulation
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
LASTS = 900


@dataclass(frozen=True)
class Connection:
    """One address of a server."""

    uri: str
    address: str
    port: int
    local: bool = True
    relay: bool = False


@dataclass(frozen=True)
class Resource:
    """A server (or a player, by what it `provides`) of the account."""

    name: str
    token: str = field(repr=False)
    connections: tuple[Connection, ...] = ()
    owned: bool = True
    provides: str = "server"
    https_required: bool = False
    machine: str = MACHINE


@dataclass
class Pin:
    """A requested PIN; `token` once it is confirmed."""

    id: int
    code: str
    client: str
    token: str = ""
    expired: bool = False


class PlexTvSim(HttpServer):
    """plex.tv with one account; see the module."""

    def __init__(self, *, token: str = TOKEN, user: str = "someone") -> None:
        super().__init__()
        self.token = token
        self.user = user
        self.servers: list[Resource] = []
        self.pins: dict[int, Pin] = {}
        self._numbers = itertools.count(1_000_001)
        self._mutex = threading.Lock()

    def confirm(self, code: str) -> None:
        """Confirm the PIN, as a user does at plex.tv/link."""
        with self._mutex:
            next(pin for pin in self.pins.values() if pin.code == code and not pin.expired).token = self.token

    def expire(self) -> None:
        """Let every PIN expire."""
        with self._mutex:
            for pin in self.pins.values():
                pin.expired = True

    def answer(self, request: Request) -> Answer:
        """See `HttpServer`."""
        client = request.headers.get("x-plex-client-identifier", "")
        if not client:
            return _error(400, 1000, "X-Plex-Client-Identifier is missing")
        with self._mutex:
            match request.method, request.path.strip("/").split("/"):
                case "POST", ["api", "v2", "pins"]:
                    return _xml(_pin(self._new_pin(client)), 201)
                case "GET", ["api", "v2", "pins", number]:
                    pin = self.pins.get(int(number)) if number.isdigit() else None
                    if pin is None or pin.expired or pin.client != client:
                        return _error(404, 1020, "Code not found or expired")
                    return _xml(_pin(pin))
                case "GET", ["api", "v2", ("user" | "resources") as what]:
                    if request.headers.get("x-plex-token", "") != self.token:
                        return _error(401, 1001, "User could not be authenticated")
                    return _xml(self._user() if what == "user" else self._resources())
                case _:
                    return _error(404, 1002, "Not found")

    def _new_pin(self, client: str) -> Pin:
        number = next(self._numbers)
        left, code = number * 7919, ""
        for _ in range(4):
            left, place = divmod(left, len(LETTERS))
            code += LETTERS[place]
        self.pins[number] = Pin(number, code, client)
        return self.pins[number]

    def _user(self) -> Element:
        user = Element(
            "user",
            id="1",
            uuid="0123456789abcdef",
            username=self.user,
            title=self.user,
            email=f"{self.user}@plex.invalid",
            authToken=self.token,
            scrobbleTypes="",
            joinedAt="1600000000",
            rememberExpiresAt="1900000000",
            confirmed="1",
            guest="0",
            home="0",
        )
        ElementTree.SubElement(user, "subscription", active="0", status="Inactive", plan="")
        ElementTree.SubElement(
            user, "profile", autoSelectAudio="1", autoSelectSubtitle="0", defaultSubtitleAccessibility="0"
        ).set("defaultSubtitleForced", "0")
        return user

    def _resources(self) -> Element:
        found = Element("resources")
        for one in self.servers:
            resource = ElementTree.SubElement(
                found,
                "resource",
                name=one.name,
                product="Plex Media Server" if one.provides == "server" else "Plex Web",
                provides=one.provides,
                clientIdentifier=one.machine,
                createdAt="2024-01-01T00:00:00Z",
                lastSeenAt="2024-01-02T00:00:00Z",
                owned="1" if one.owned else "0",
                accessToken=one.token,
                httpsRequired="1" if one.https_required else "0",
                presence="1",
                relay="1",
            )
            ways = ElementTree.SubElement(resource, "connections")
            for way in one.connections:
                ElementTree.SubElement(
                    ways,
                    "connection",
                    protocol=way.uri.partition(":")[0],
                    address=way.address,
                    port=str(way.port),
                    uri=way.uri,
                    local="1" if way.local else "0",
                    relay="1" if way.relay else "0",
                    IPv6="0",
                )
        return found


def _pin(pin: Pin) -> Element:
    return Element(
        "pin",
        id=str(pin.id),
        code=pin.code,
        product="",
        trusted="0",
        clientIdentifier=pin.client,
        expiresIn=str(LASTS),
        authToken=pin.token,
    )


def _error(status: int, code: int, words: str) -> Answer:
    errors = Element("errors")
    ElementTree.SubElement(errors, "error", code=str(code), message=words, status=str(status))
    return _xml(errors, status)


def _xml(root: Element, status: int = 200) -> Answer:
    body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Answer(status, body, "application/xml; charset=utf-8")
