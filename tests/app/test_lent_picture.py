"""The picture that PlexSync serves for one question of a probe: to whoever knows its address, and not a moment longer."""

import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from plexsync.app.probe.lent_picture import lent_picture
from tests.patience import HANG

CONTENT = b"\x89PNG a picture"


def read(address: str) -> bytes:
    with urlopen(address, timeout=HANG) as answer:
        assert answer.headers["Server"].strip() == "PlexSync"
        return bytes(answer.read())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_is_served_at_the_address_towards_the_host(host: str) -> None:
    with lent_picture(host, 9, CONTENT) as address:
        assert address.startswith(("http://127.0.0.1:", "http://[::1]:"))
        assert read(address) == CONTENT
        assert read(address) == CONTENT


def test_any_other_path_has_nothing_and_no_two_paths_are_equal() -> None:
    with lent_picture("127.0.0.1", 9, CONTENT) as address, lent_picture("127.0.0.1", 9, CONTENT) as other:
        assert address.rpartition("/")[2] != other.rpartition("/")[2]
        with pytest.raises(HTTPError, match="404"):
            read(address.rpartition("/")[0] + "/")


def test_afterwards_nobody_listens_and_a_client_that_never_ends_keeps_nothing_waiting() -> None:
    with lent_picture("127.0.0.1", 9, CONTENT) as address:
        port = int(address.split(":")[2].partition("/")[0])
        slow = socket.create_connection(("127.0.0.1", port), timeout=HANG)
        slow.sendall(b"GET /")
        assert read(address) == CONTENT
    slow.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=HANG).close()


def test_without_a_way_to_the_host_there_is_no_address() -> None:
    with lent_picture("no..host", 9, CONTENT) as address:
        assert address == ""
