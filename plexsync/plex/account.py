"""A plex.tv account, by the package `plexapi`: sign-in with a PIN, and the servers of the account.

Only `plexsync init` and the set-up guide in Stash use it. It connects to plex.tv only; redirects are not followed, and
proxies and `.netrc` of the environment are ignored. The token is never printed or logged.
"""

import importlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from hashlib import blake2b
from typing import Any

from plexsync.extras import advice
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Barred, Neighbour, Unavailable, Unusable

MISSING = "signing in to Plex needs the package plexapi, which is not installed"
# The page where you confirm the PIN.
LINK = "https://plex.tv/link"
PATIENCE = 10.0


@record
class OwnServer:
    """A media server of the account, with its token and its possible addresses, the best first."""

    name: str
    token: str = field(repr=False)
    addresses: tuple[str, ...]
    machine: str = ""
    """The identifier by which it says who it is."""


class SignIn:
    """One sign-in: a PIN that you confirm at `LINK`. Raises Unusable without the package, Unavailable, Barred.

    `before` is the `number` and `pin` of a sign-in that another process has begun.
    """

    def __init__(self, before: tuple[str, str] | None = None) -> None:
        self._session = _session()
        headers = dict(_package("plexapi").BASE_HEADERS)
        login = _package("plexapi.myplex").MyPlexPinLogin
        self._login = login(session=self._session, requestTimeout=PATIENCE, headers=headers)
        if before is not None:
            # The package keeps both here, and has no other way to go on with a PIN.
            self._login._id, self._login._code = before
        with _translate_errors():
            self.pin = str(self._login.pin or "")
            self.number = str(self._login._id or "")
        if not self.pin:
            raise Unavailable(Neighbour.PLEX, "plex.tv answered without a PIN")

    def is_confirmed(self) -> bool:
        """Ask plex.tv once whether the PIN was confirmed; raises Unavailable, and Barred for a PIN that expired."""
        with _translate_errors(gone="the PIN was not confirmed in time"):
            return bool(self._login._checkLogin())

    def account(self) -> "Account":
        """The account that confirmed the PIN."""
        return Account(str(self._login.token), self._session)


class Account:
    """A signed-in account; `name` is its display name. Raises Unavailable, and Barred for a rejected token."""

    def __init__(self, token: str, session: Any) -> None:
        self._token = token
        with _translate_errors():
            self._account = _package("plexapi.myplex").MyPlexAccount(token=token, session=session, timeout=PATIENCE)
            self.name = str(self._account.title or self._account.username or "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to redact."""
        return (self._token,)

    def servers(self) -> list[OwnServer]:
        """The media servers that the account owns; others can't be written to."""
        with _translate_errors():
            devices = [
                device
                for device in self._account.resources()
                if "server" in (device.provides or "").split(",") and device.owned
            ]
            return [
                OwnServer(
                    device.name or "",
                    device.accessToken or self._token,
                    tuple(_addresses(device)),
                    device.clientIdentifier or "",
                )
                for device in devices
            ]


def _addresses(server: Any) -> Iterator[str]:
    """Plain local addresses first, which you can recognise; then encrypted ones.

    Never a token in the clear over the internet, and never Plex's relay, which is slow.
    """
    addresses = set[str]()
    for locations, schemes in ((["local"], ["http"]), (["local"], ["https"]), (["remote"], ["https"])):
        if server.httpsRequired and schemes == ["http"]:
            continue
        for address in server.preferred_connections(locations=locations, schemes=schemes):
            # An address with the other scheme may be listed in either group.
            if address.startswith(f"{schemes[0]}://") and address not in addresses:
                addresses.add(address)
                yield address


def _package(name: str) -> Any:
    # Imported on use: the package is an extra, and loading it takes a while.
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Unusable(f"{MISSING}: {advice('setup')}") from None


def _session() -> Any:
    plexapi, requests = _package("plexapi"), _package("requests")
    # plex.tv lists PlexSync by this id among the account's devices: one entry per machine, however often it signs in.
    device = blake2b(uuid.getnode().to_bytes(8, "big"), digest_size=8, person=b"plexsync").hexdigest()
    plexapi.BASE_HEADERS.update({"X-Plex-Product": "PlexSync", "X-Plex-Client-Identifier": f"plexsync-{device}"})
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


@contextmanager
def _translate_errors(gone: str = "") -> Iterator[None]:
    """The one place that translates the package's errors; their messages, which quote answers, are dropped.

    `gone`: what it means if plex.tv does not know what was asked for.
    """
    errors, requests = _package("plexapi.exceptions"), _package("requests")
    try:
        yield
    except errors.Unauthorized:
        raise Barred(Neighbour.PLEX, "plex.tv does not accept this sign-in any more", setting="plex_token") from None
    except errors.PlexApiException as error:
        status = str(error)[1:4]
        if gone and status == "404":
            raise Barred(Neighbour.PLEX, gone, setting="plex_token") from None
        code = f" ({status})" if status.isdigit() else ""
        raise Unavailable(Neighbour.PLEX, f"plex.tv refused what was asked{code}: try again in a while") from None
    except requests.exceptions.SSLError:
        raise Unavailable(Neighbour.PLEX, "plex.tv showed a certificate that can't be trusted") from None
    except requests.exceptions.RequestException:
        raise Unavailable(Neighbour.PLEX, "plex.tv can't be reached from here") from None
    except (AttributeError, LookupError, SyntaxError, TypeError, ValueError):
        raise Unavailable(Neighbour.PLEX, "plex.tv answered in a form that is not known") from None
