"""Signing in at plex.tv, by plexapi against a simulated one: what comes of it, and what every trouble is called."""

from collections.abc import Iterator

import pytest
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource

from plexsync.plex.account import SignIn
from plexsync.rules.servers.errors import Barred, NeighbourError, Unavailable
from plexsync.simulator.http import Answer, Fault, HttpServer, Request
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource


def stand_in(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for owner, name in ((MyPlexPinLogin, "PINS"), (MyPlexAccount, "key"), (MyPlexResource, "key")):
        monkeypatch.setattr(owner, name, getattr(owner, name).replace("https://plex.tv", url))


@pytest.fixture
def tv(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlexTvSim]:
    with PlexTvSim() as made:
        stand_in(monkeypatch, made.url)
        yield made


def signed_in(tv: PlexTvSim) -> SignIn:
    login = SignIn()
    tv.confirm(login.pin)
    assert login.is_confirmed()
    return login


def test_a_pin_counts_once_it_is_confirmed(tv: PlexTvSim) -> None:
    login = SignIn()
    assert len(login.pin) == 4
    assert not login.is_confirmed()
    tv.confirm(login.pin)
    assert login.is_confirmed()
    assert login.account().name == "someone"


def test_a_pin_that_is_too_old_is_over(tv: PlexTvSim) -> None:
    login = SignIn()
    tv.expire()
    with pytest.raises(Barred, match="not confirmed in time"):
        login.is_confirmed()


WAYS = (
    Connection("https://1-2-3-4.x.plex.direct:32400", "1.2.3.4", 32400, local=False),
    Connection("https://10-0-0-5.x.plex.direct:32400", "10.0.0.5", 32400),
    Connection("https://relay.plex.direct:8443", "9.9.9.9", 8443, local=False, relay=True),
)


@pytest.mark.parametrize(
    ("needs_tls", "addresses"),
    [
        (
            False,
            (
                "http://10.0.0.5:32400",
                "https://10-0-0-5.x.plex.direct:32400",
                "https://1-2-3-4.x.plex.direct:32400",
            ),
        ),
        (True, ("https://10-0-0-5.x.plex.direct:32400", "https://1-2-3-4.x.plex.direct:32400")),
    ],
    ids=["as it is usual", "encrypted only"],
)
def test_addresses_at_home_go_first_and_nothing_goes_in_the_clear_through_the_internet(
    needs_tls: bool, addresses: tuple[str, ...], tv: PlexTvSim
) -> None:
    tv.servers = [Resource("NAS", "its-token", WAYS, https_required=needs_tls)]
    (server,) = signed_in(tv).account().servers()
    assert (server.name, server.token, server.addresses) == ("NAS", "its-token", addresses)
    assert "its-token" not in repr(server)


def test_servers_of_others_and_players_are_left_out(tv: PlexTvSim) -> None:
    tv.servers = [Resource("Friend", "x", WAYS, owned=False), Resource("TV", "y", WAYS, provides="client,player")]
    assert signed_in(tv).account().servers() == []


TROUBLES = {
    "refuse": (Fault("refuse"), "can't be reached"),
    "reset": (Fault("reset"), "can't be reached"),
    "cut": (Fault("cut"), "can't be reached|form that is not known"),
    "garbage": (Fault("garbage"), "form that is not known"),
    "html": (Fault("html"), "form that is not known|without a PIN"),
    "patience": (Fault("status", status=429), r"\(429\)"),
    "broken": (Fault("status", status=500), r"\(500\)"),
}


@pytest.mark.parametrize(("fault", "words"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_is_one_of_our_errors_with_no_word_of_the_answer(fault: Fault, words: str, tv: PlexTvSim) -> None:
    tv.faults.set(fault)
    with pytest.raises(NeighbourError, match=words) as caught:
        SignIn()
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


def test_a_token_that_was_revoked_is_no_outage(tv: PlexTvSim) -> None:
    login = signed_in(tv)
    tv.token = "another"
    with pytest.raises(Barred):
        login.account()


class Pointing(HttpServer):
    to = ""

    def answer(self, request: Request) -> Answer:
        return Answer(302, b"", headers={"Location": self.to})


def test_redirects_and_proxies_lead_nowhere(tv: PlexTvSim, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pointing() as elsewhere:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere.url)
        signed_in(tv).account()
        assert elsewhere.log == []
        elsewhere.to = f"{tv.url}/api/v2/pins"
        stand_in(monkeypatch, elsewhere.url)
        monkeypatch.setattr(MyPlexPinLogin, "PINS", f"{elsewhere.url}/api/v2/pins")
        count = len(tv.log)
        with pytest.raises(Unavailable):
            SignIn()
        assert len(tv.log) == count


def test_plex_tv_hears_one_name_of_this_machine_and_not_its_address(tv: PlexTvSim) -> None:
    for _ in range(2):
        signed_in(tv).account()
    names = {request.headers["x-plex-client-identifier"] for request in tv.log}
    assert len(names) == 1
    assert names.pop().startswith("plexsync-")
    assert {request.headers["x-plex-product"] for request in tv.log} == {"PlexSync"}
