"""The address of a server, and the certificates by which it proves that it is the one."""

import re
import socket
import ssl
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlsplit

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Unusable

if sys.platform in ("win32", "darwin"):
    import truststore

PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"[!-\[\]-~]+")
IP_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
# Where systems have the certificates that they trust.
BUNDLES = (
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)


@record
class Address:
    """The address of a server. Its host is in ASCII and without brackets; its path has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """The host and, if it is not the usual one, the port, as they are sent."""
        return self._place(self.host)

    @property
    def shown_place(self) -> str:
        """The same for a person: "müller:32400"."""
        return self._place(_to_unicode(self.host))

    @property
    def name(self) -> str:
        """The host name for a person; '' for an IP address, and for this machine, which every server knows."""
        try:
            ip_address(self.host)
        except ValueError:
            return "" if self.host == "localhost" else _to_unicode(self.host)
        return ""

    def _place(self, host: str) -> str:
        host = f"[{host}]" if ":" in host else host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def address(url: str, setting: str) -> Address:
    """Parse an address; raises Unusable if it is invalid."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        if ":" in host or IP_ADDRESS.fullmatch(host):
            ip_address(host)
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
        # Two names that only the newer standard tells apart are the same in the older one: the wrong one may be meant.
        is_same = host.isascii() or _to_unicode(ascii_host) == host
        if not (is_same and HOST.fullmatch(ascii_host) and url.strip().isprintable()):
            raise ValueError("no address")
    except (KeyError, ValueError):
        raise Unusable(f"{setting} must be an address like http://host:port") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Unusable(f"{setting} must be an address alone, without a user, a query or a fragment")
    return Address(parts.scheme, ascii_host, port, quote(parts.path.rstrip("/"), safe="/%!$&'()*+,;=:@~|"))


def by_address(url: str) -> list[str]:
    """The same address with the IP addresses of its host in place of its name; none if it has no name or is not `http`.

    Blocks until the name is resolved. (A certificate names the host, so `https` needs the name.)
    """
    base = address(url, "the address")
    if not base.name or base.scheme == "https":
        return []
    try:
        resolved = socket.getaddrinfo(base.host, base.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(f"http://{replace(base, host=str(place[0])).place}{base.path}" for *_, place in resolved))


def _to_unicode(host: str) -> str:
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


def trusting(ca_file: str) -> ssl.SSLContext:
    """A context that verifies certificates and host names, by the system's certificates and those in the file."""
    context = _trusting_the_system()
    if ca_file:
        # With this flag the file may hold the server's own certificate instead of its authority's.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise Unusable("tls_ca_file can't be read, or holds no certificates in PEM form") from error
    return context


def _trusting_the_system() -> ssl.SSLContext:
    if sys.platform in ("win32", "darwin"):
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Not `load_default_certs()`, which heeds the environment.
    paths = ssl.get_default_verify_paths()
    folder = paths.openssl_capath if any(Path(paths.openssl_capath).glob("????????.[0-9]")) else None
    # A Python that was built elsewhere may look at places that this system does not have.
    files = map(Path, (paths.openssl_cafile, *(() if folder else BUNDLES)))
    file = next(filter(Path.is_file, files), None)
    if file or folder:
        context.load_verify_locations(file, folder)
    return context
