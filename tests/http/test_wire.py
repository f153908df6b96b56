"""One request over a real connection, whatever the other side does with it."""

import gzip
import http.server
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import pytest

from plexsync.http.address import address, by_address
from plexsync.http.client import Wire
from plexsync.http.connections import ERROR_CAP, AllInUse, Timeouts
from plexsync.rules.servers.errors import Barred, Missing, Neighbour, Refused, Throttled, TooLong, Unavailable, Unusable
from plexsync.rules.servers.http_answers import Server
from plexsync.simulator.http import Answer, Fault, HttpServer
from tests.patience import HANG
from tests.tables import table
from tests.transports import Answering

SECRET = "canary-0123456789"
QUICK = Timeouts(connect=30.0, read=0.3)
PATIENT = Timeouts(connect=HANG, read=HANG)
SERVER = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")


class Neighbourly(HttpServer):
    """Answers as it was told."""

    says = Answer(200, b'{"fine": true}', "application/json")

    def answer(self, request):
        return self.says


@pytest.fixture
def server():
    with Neighbourly() as running:
        yield running


@contextmanager
def wired(url, timeouts=PATIENT, **more):
    wire = Wire(SERVER, url, headers={"X-Plex-Token": SECRET}, timeouts=timeouts, **more)
    try:
        yield wire
    finally:
        wire.close()


@contextmanager
def raw_server(*scripts):
    """A server that accepts one connection for each script, which gets the socket once a request's headers are read."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def run():
            for script in scripts:
                connection, _ = listening.accept()
                with connection:
                    connection.settimeout(5)
                    received = b""
                    while b"\r\n\r\n" not in received:
                        received += connection.recv(65536)
                    try:
                        script(connection, over)
                    except OSError:
                        continue

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join(5)


def sending(*pieces, every=0.0):
    def script(connection, over):
        for piece in pieces:
            connection.sendall(piece)
            if every and over.wait(every):
                return

    return script


def whole(body, *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_good_answer_comes_back_whole(server):
    with wired(server.url) as wire:
        answer = wire.ask("GET", "/library?a=b%20c")
    assert (answer.status, answer.body) == (200, b'{"fine": true}')
    asked = server.log[0]
    assert asked.target == "/library?a=b%20c"
    assert asked.headers["x-plex-token"] == SECRET
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["accept-encoding"] == "gzip"


def test_an_address_may_have_a_path_of_its_own(server):
    with wired(server.url + "/plex/") as wire:
        wire.ask("GET", "/library?x=%2F")
    assert server.log[0].target == "/plex/library?x=%2F"


def test_what_is_encoded_stays_as_it_is(server):
    with wired(server.url) as wire:
        wire.ask("PUT", "/all?genre%5B0%5D.tag.tag=a%2526b%2Cc%23%3F")
    assert server.log[0].target == "/all?genre%5B0%5D.tag.tag=a%2526b%2Cc%23%3F"


def test_requests_share_a_connection():
    def twice(connection, over):
        connection.sendall(whole(b"one"))
        connection.recv(65536)
        connection.sendall(whole(b"two"))

    with raw_server(twice) as url, wired(url) as wire:
        assert [wire.ask("GET", "/").body, wire.ask("GET", "/").body] == [b"one", b"two"]


def test_a_closed_wire_opens_no_connection(server):
    with wired(server.url) as wire:
        wire.ask("GET", "/thing")
    with pytest.raises(RuntimeError):
        wire.ask("GET", "/thing")
    assert server.count() == 1


def test_an_error_does_not_cost_the_connection():
    def twice(connection, over):
        connection.sendall(whole(b"gone", status="404 Not Found"))
        connection.recv(65536)
        connection.sendall(whole(b"two"))

    with raw_server(twice) as url, wired(url) as wire:
        with pytest.raises(Missing):
            wire.ask("GET", "/")
        assert wire.ask("GET", "/").body == b"two"


def test_threads_share_one_wire(server):
    bodies = []
    with wired(server.url) as wire:
        threads = [threading.Thread(target=lambda: bodies.append(wire.ask("GET", "/").body)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bodies == [b'{"fine": true}'] * 16


def test_cookies_are_not_kept(server):
    server.says = Answer(200, b"", headers={"Set-Cookie": "session=1; Path=/"})
    with wired(server.url) as wire:
        wire.ask("GET", "/")
        wire.ask("GET", "/")
    assert ["cookie" in request.headers for request in server.log] == [False, False]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, Barred),
        (403, Barred),
        (404, Missing),
        (408, Unavailable),
        (413, TooLong),
        (414, TooLong),
        (422, Refused),
        (429, Throttled),
        (431, TooLong),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
    ],
)
def test_a_status_becomes_its_error(server, status, error):
    server.faults.set(Fault("status", status=status))
    with wired(server.url) as wire, pytest.raises(error) as raised:
        wire.ask("GET", "/secret?file=private.mp4")
    assert type(raised.value) is error
    assert "private" not in str(raised.value)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("3", 3, 3),
        ("0", 0, 0),
        ("-1", 0, 0),
        ("315360000", 3600, 3600),
        ("Fri, 01 Jan 2016 00:00:00 GMT", 0, 0),
        ("Fri, 01 Jan 2126 00:00:00 GMT", 3600, 3600),
        ("whenever", 60, 60),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_patience_that_is_asked_for_is_passed_on(server, status, header, least, most):
    server.says = Answer(status, b"", headers={"Retry-After": header, "Date": "Tue, 20 Jan 2026 12:00:00 GMT"})
    with wired(server.url) as wire, pytest.raises((Throttled, Unavailable)) as raised:
        wire.ask("GET", "/")
    assert least <= raised.value.retry_after <= most


def test_a_redirect_is_not_followed(server):
    server.says = Answer(302, b"", headers={"Location": "http://127.0.0.1:9/elsewhere?token=x"})
    with wired(server.url) as wire, pytest.raises(Unavailable, match="plex_url") as raised:
        wire.ask("GET", "/")
    assert "token=x" not in str(raised.value)
    assert len(server.log) == 1


def test_a_redirect_to_nonsense_is_no_better(server):
    server.says = Answer(302, b"", headers={"Location": "http://[::1/"})
    with wired(server.url) as wire, pytest.raises(Unavailable):
        wire.ask("GET", "/")


def test_a_refused_connection_sent_nothing(server):
    server.faults.set(Fault("refuse"))
    with wired(server.url) as wire, pytest.raises(Unavailable, match="refuses") as raised:
        wire.ask("PUT", "/")
    assert not raised.value.sent


def test_it_recovers_by_itself(server):
    with wired(server.url) as wire:
        wire.ask("GET", "/")
        server.faults.set(Fault("refuse"))
        with pytest.raises(Unavailable):
            wire.ask("GET", "/")
        server.faults.clear()
        assert wire.ask("GET", "/").status == 200


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
def test_a_dropped_connection_may_have_done_something(server, kind):
    server.faults.set(Fault(kind))
    with wired(server.url) as wire, pytest.raises(Unavailable) as raised:
        wire.ask("PUT", "/")
    assert raised.value.sent


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("trickle", seconds=0.05), Fault("slow", seconds=3)])
def test_silence_and_trickle_end_within_the_deadline(server, fault):
    server.says = Answer(200, b"x" * 1000)
    server.faults.set(fault)
    with wired(server.url, QUICK) as wire, pytest.raises(Unavailable, match="in time") as raised:
        wire.ask("GET", "/")
    assert raised.value.sent
    server.faults.clear()


def test_headers_that_trickle_end_within_the_deadline():
    slow = sending(b"HTTP/1.1 200 OK\r\nX-A: ", *([b"a"] * 100), every=0.05)
    with raw_server(slow) as url, wired(url, QUICK) as wire, pytest.raises(Unavailable, match="in time"):
        wire.ask("GET", "/")


@table(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"\x00\x01 nonsense\r\n\r\n",),
        (b"SSH-2.0-OpenSSH\r\n",),
        (b"",),
        (whole(gzip.compress(b"x" * 1000)[:-9], "Content-Encoding: gzip"),),
        (whole(b"no gzip at all", "Content-Encoding: gzip"),),
        (whole(gzip.compress(b"{}"), "Content-Encoding: br"),),
        (whole(b"", "X-Long: " + "x" * 200_000),),
    ],
)
def test_a_cut_or_garbled_answer_is_none(pieces):
    with raw_server(sending(*pieces)) as url, wired(url) as wire, pytest.raises(Unavailable) as raised:
        wire.ask("GET", "/")
    assert raised.value.sent


def test_a_packed_answer_is_unpacked():
    body = gzip.compress(b"x" * 300_000)
    with raw_server(sending(whole(body, "Content-Encoding: gzip"))) as url, wired(url) as wire:
        assert wire.ask("GET", "/").body == b"x" * 300_000


def test_an_empty_answer_may_claim_to_be_packed():
    with raw_server(sending(whole(b"", "Content-Encoding: gzip"))) as url, wired(url) as wire:
        assert wire.ask("GET", "/").body == b""


def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(bytes(60_000_000), 9)
    with raw_server(sending(whole(bomb, "Content-Encoding: gzip"))) as url, wired(url) as wire:
        with pytest.raises(Unavailable, match="more than 10 MB"):
            wire.ask("GET", "/")


def test_a_body_ends_at_its_cap(server):
    server.faults.set(Fault("huge", megabytes=50))
    with wired(server.url) as wire, pytest.raises(Unavailable, match="more than 10 MB"):
        wire.ask("GET", "/")


def test_the_cap_is_the_callers(server):
    server.says = Answer(200, b"x" * 12_000_000)
    with wired(server.url) as wire:
        assert len(wire.ask("GET", "/", cap=12_000_000).body) == 12_000_000
        with pytest.raises(Unavailable):
            wire.ask("GET", "/", cap=11_999_999)


def test_an_error_counts_whatever_its_body():
    endless = sending(b"HTTP/1.1 401 No\r\nContent-Length: 9999999\r\n\r\n", b"x" * (2 * ERROR_CAP))
    with raw_server(endless) as url, wired(url) as wire, pytest.raises(Barred):
        wire.ask("GET", "/")


@pytest.mark.parametrize("length", [ERROR_CAP - 1, ERROR_CAP, 3 * ERROR_CAP])
def test_of_an_error_the_beginning_is_read(server, length):
    server.says = Answer(422, bytes(range(256)) * (length // 256) + b"x" * (length % 256))
    with wired(server.url) as wire:
        assert wire.send("GET", "/").body == server.says.body[:ERROR_CAP]
        assert wire.send("GET", "/").status == 422


def test_an_address_that_is_too_long_says_so(server):
    with wired(server.url) as wire, pytest.raises(TooLong):
        wire.ask("PUT", "/all?summary.value=" + "x" * 100_000)
    assert server.log == []


DECODER = msgspec.json.Decoder(dict[str, int])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": 1',
        b'{"a": 1} trailing',
        b'{"a": "x"}',
        b"[]",
        b"null",
        b"NaN",
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        b'{"a": 1, "b": \xff}',
        b'{"a": 1,\x002}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000,
        b"<!DOCTYPE html><html></html>",
        b"<?xml version='1.0'?><MediaContainer size='0'/>",
    ],
)
def test_a_body_of_another_shape_is_no_answer(server, body):
    with wired(server.url) as wire, pytest.raises(Unavailable) as raised:
        wire.decode(DECODER, body)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a": "ab\xe8\xaf"}', "ab\ufffd"),
        (b'{"a": "\xff", "b": "\xe6\x97\xa5"}', "\ufffd"),
        (b'{"a": "a\x01\nb"}', "a  b"),
        (b'{"a": "' + b"x" * 63_992 + b'\xe6\x97\xa5\xe6"}', "x" * 63_992 + "日\ufffd"),
    ],
)
def test_what_can_not_be_read_inside_a_text_does_not_make_the_answer_unreadable(server, body, text):
    with wired(server.url) as wire:
        for form in (body, bytearray(body), memoryview(body)):
            assert wire.decode(msgspec.json.Decoder(dict[str, str]), form)["a"] == text


def test_a_connection_that_cannot_be_had_is_busy():
    def busy(request):
        raise AllInUse

    with wired("http://nas", transport=Answering(busy)) as wire, pytest.raises(Unavailable) as raised:
        wire.ask("GET", "/")
    assert not raised.value.sent


def test_a_name_that_cannot_be_one_is_not_found():
    with wired(f"http://{'a' * 64}.invalid") as wire, pytest.raises(Unavailable) as raised:
        wire.ask("GET", "/")
    assert not raised.value.sent


@table(
    "url",
    [
        *(
            "",
            "nas:32400",
            "ftp://nas",
            "http://",
            "http://u:p@nas",
            "http://nas?x=1",
            "http://nas#x",
            "http://[::1",
            "/x",
        ),
        *("http://nas:x", "http://nas:99999", "http://a b", "http://n\nas", "http://1.2.3.400", "http://[nas]"),
        # By the older standard this is another host, "strasse".
        "http://straße",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(Unusable, match="plex_url"), wired(url):
        pass


@pytest.mark.parametrize("token", ["", " x", "x\n", "\x00", "ключ", "a\tb"])
def test_a_token_that_cannot_be_sent_is_refused_at_once(token):
    with pytest.raises(Unusable, match="plex_token") as raised:
        Wire(SERVER, "http://nas", headers={"X-Plex-Token": token}, timeouts=PATIENT)
    assert not token.strip() or token not in str(raised.value)


@pytest.mark.parametrize("fault", [Fault("refuse"), Fault("reset"), Fault("status", status=401), Fault("hang")])
def test_no_secret_is_in_an_error_or_its_traceback(server, fault):
    server.faults.set(fault)
    with wired(server.url, QUICK) as wire, pytest.raises((Unavailable, Barred)) as raised:
        wire.ask("GET", "/x?file=private.mp4")
    shown = "".join(traceback.format_exception(raised.value)) + repr(wire) + repr(vars(raised.value))
    assert SECRET not in shown
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    server.faults.clear()


def test_nothing_of_a_request_is_logged(server, caplog):
    caplog.set_level(logging.DEBUG)
    with wired(server.url) as wire:
        wire.ask("GET", "/x?file=private.mp4")
    assert "private" not in caplog.text
    assert SECRET not in caplog.text


@pytest.fixture
def self_signed(tmp_path):
    """A TLS server whose certificate nobody vouches for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate of this test, and is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    subprocess.run([openssl, *words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle(self):
            try:
                self.request.do_handshake()
                seen.append(self.request.recv(10))
            except OSError:
                return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{listening.server_port}", seen
        listening.shutdown()
        thread.join()


def test_a_certificate_that_nobody_vouches_for_bars_the_way(self_signed):
    url, seen = self_signed
    with wired(url) as wire, pytest.raises(Barred, match="certificate") as raised:
        wire.ask("GET", "/")
    assert raised.value.setting == "plex_url"
    assert not any(seen)


def test_a_server_that_does_not_encrypt_gets_nothing(server):
    with wired(server.url.replace("http:", "https:")) as wire, pytest.raises(Unavailable, match="encrypted") as raised:
        wire.ask("GET", "/")
    assert not raised.value.sent
    assert server.log == []


def test_the_date_of_an_answer_that_has_none_is_that_of_the_one_before():
    dates = iter(["Thu, 01 Jan 2026 00:00:00 GMT", "", "Thu, 01 Jan 2026 00:00:09 GMT"])

    def answer(_request):
        date = next(dates)
        return Answer(200, headers={"Date": date} if date else {})

    with wired("http://nas", transport=Answering(answer)) as wire:
        seen = [wire.send("GET", "/") and wire.date for _ in range(3)]
    assert seen == [f"Thu, 01 Jan 2026 00:00:0{second} GMT" for second in (0, 0, 9)]


def test_each_thread_is_told_the_date_of_its_own_answers():
    """Pictures are read side by side, and each is judged by when it was read."""

    def answer(request):
        date = f"Thu, 01 Jan 2026 00:00:0{request.path[-1]} GMT"
        return Answer(200, headers={"Date": date})

    with wired("http://nas", transport=Answering(answer)) as wire, ThreadPoolExecutor(1) as pool:
        assert wire.send("GET", "/1")
        assert pool.submit(lambda: wire.send("GET", "/2") and wire.date).result(HANG) == "Thu, 01 Jan 2026 00:00:02 GMT"
        assert wire.date == "Thu, 01 Jan 2026 00:00:01 GMT"


@table(
    ("url", "place", "shown"),
    [
        ("HTTP://NAS:80/", "nas", "nas"),
        ("https://nas:443", "nas", "nas"),
        ("https://nas:80", "nas:80", "nas:80"),
        ("http://[FD00::5]:32400", "[fd00::5]:32400", "[fd00::5]:32400"),
        ("http://Müller.lan:32400", "xn--mller-kva.lan:32400", "müller.lan:32400"),
        ("http://xn--mller-kva.lan", "xn--mller-kva.lan", "müller.lan"),
        ("http://xn--strae-oqa", "xn--strae-oqa", "xn--strae-oqa"),
        ("http://my_host", "my_host", "my_host"),
    ],
)
def test_a_host_is_asked_for_by_its_name_in_ascii_and_told_as_people_write_it(server, url, place, shown):
    requests = []

    def answer(request):
        requests.append(request)
        return Answer()

    with wired(url, transport=Answering(answer)) as wire:
        wire.ask("GET", "/")
    assert requests[0].headers["host"] == place
    assert wire.server.name == f"Plex at {shown}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://plex:32400", "plex"),
        ("https://nas.lan", "nas.lan"),
        ("http://localhost:32400", ""),
        ("http://192.168.1.10:32400", ""),
        ("http://[::1]:32400", ""),
    ],
)
def test_the_host_name_of_an_address(url, name):
    assert address(url, "plex_url").name == name


def test_an_address_by_numbers_is_offered_where_the_name_resolves_and_no_certificate_needs_it(monkeypatch):
    def resolve(host, port, **_more):
        if host == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "x")
        return [(0, 0, 0, "", (number, port)) for number in ("10.0.0.5", "10.0.0.5", "fd00::5")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert by_address("http://plex:32400/base") == ["http://10.0.0.5:32400/base", "http://[fd00::5]:32400/base"]
    for url in ("https://plex:32400", "http://10.0.0.9:32400", "http://localhost:32400", "http://nowhere"):
        assert by_address(url) == []


# --- what the server says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            b'<Response code="503" title="Maintenance" status="Busy for now" />',
            "text/xml",
            ": Maintenance: Busy for now",
        ),
        (b'{"errors": [{"code": 1001, "message": "no /a/b/c", "status": 503}]}', "application/json", ": no (a path)"),
        (b"<html><title>Service Unavailable</title></html>", "text/html", ""),
        (b"\xff\xfe<", "text/html", ""),
        (b"{" * 60_000, "application/json", ""),
    ],
)
def test_the_words_of_a_failure_are_passed_on(server, body, kind, words):
    server.says = Answer(503, body, kind)
    with wired(server.url) as wire, pytest.raises(Unavailable) as raised:
        wire.ask("GET", "/")
    assert str(raised.value).endswith(f"is not ready (503){words}")


def test_the_words_of_a_failure_hold_no_secret(server):
    server.says = Answer(400, f"<html><title>bad {SECRET}</title></html>".encode(), "text/html")
    with wired(server.url) as wire, pytest.raises(Refused) as raised:
        wire.ask("GET", "/")
    assert str(raised.value).endswith("refuses the request (400): bad ***")
