"""The one table from HTTP to our errors, and how long a Retry-After makes us wait."""

import socket
import ssl
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.servers.errors import Barred, Conflict, Missing, Neighbour, Refused, Throttled, TooLong, Unavailable
from plexsync.rules.servers.http_answers import LONGEST_PATIENCE, USUAL_PATIENCE, Server, judge, patience, unreachable
from tests.tables import table

PLEX = Server(Neighbour.PLEX, "Plex at nas:32400", "plex_url", "plex_token")
NOON = "Tue, 20 Jan 2026 12:00:00 GMT"
NOON_UTC = 1_768_910_400.0


@table(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("2.5", 2.5),
        ("-5", 0),
        ("99999999", LONGEST_PATIENCE),
        ("9" * 6000, LONGEST_PATIENCE),
        ("", USUAL_PATIENCE),
        ("soon", USUAL_PATIENCE),
        ("nan", USUAL_PATIENCE),
        ("1e3", USUAL_PATIENCE),
        ("٣", USUAL_PATIENCE),
        ("Tue, 20 Jan 2026 12:01:30 GMT", 90),
        ("Tue, 20 Jan 2026 13:01:30 +0100", 90),
        ("Tue, 20 Jan 2026 12:01:30 -0000", 90),
        ("Tue, 20 Jan 2026 11:59:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 20 Jan 2036 12:00:00 GMT", LONGEST_PATIENCE),
        ("Tue, 99 Jan 2026 12:00:00 GMT", USUAL_PATIENCE),
        ("Tue, 20 Jan 20266 12:00:00 GMT", USUAL_PATIENCE),
    ],
)
def test_every_form_of_retry_after_gives_seconds_within_an_hour(header, seconds):
    assert patience(header, date=NOON) == seconds
    assert patience(header, now=NOON_UTC) == seconds


def test_a_moment_is_measured_by_the_clock_of_who_named_it():
    assert patience("Tue, 20 Jan 2026 12:00:10 GMT", date=NOON, now=NOON_UTC + 5000) == 10


def test_a_moment_without_any_clock_is_the_usual_patience():
    assert patience(NOON) == USUAL_PATIENCE
    assert patience(NOON, date="yesterday", default=5) == 5


@given(st.text(), st.text())
def test_no_header_breaks_it(header, date):
    assert 0 <= patience(header, date=date, now=NOON_UTC) <= LONGEST_PATIENCE


@table(
    ("statuses", "error"),
    [
        ((301, 302, 303, 304, 307, 308), Unavailable),
        ((400, 402, 405, 406, 410, 415, 422, 451, 499), Refused),
        ((409,), Conflict),
        ((401, 403), Barred),
        ((404,), Missing),
        ((408, 500, 501, 502, 503, 504, 507, 599), Unavailable),
        ((413, 414, 431), TooLong),
        ((429,), Throttled),
        ((100, 199, 600, 999), Unavailable),
    ],
)
def test_each_status_has_one_consequence(statuses, error):
    for status in statuses:
        made = judge(status, PLEX)
        assert type(made) is error
        assert made.neighbour is Neighbour.PLEX
        assert str(made).count("\n") == 0
        assert str(status) in str(made) or status in (100, 199, 600, 999)
        assert "nas:32400" in str(made)


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_a_good_status_is_no_error(status):
    assert judge(status, PLEX) is None


def test_a_locked_door_names_the_setting_that_opens_it():
    assert judge(401, PLEX).setting == "plex_token"
    assert judge(403, PLEX).setting == "plex_token"


def test_429_always_says_how_long():
    assert judge(429, PLEX, retry_after="12").retry_after == 12
    assert judge(429, PLEX).retry_after == USUAL_PATIENCE


def test_503_says_how_long_only_when_it_was_told():
    assert judge(503, PLEX, retry_after="12").retry_after == 12
    assert judge(503, PLEX, retry_after="garbage").retry_after == USUAL_PATIENCE
    assert judge(503, PLEX).retry_after is None
    assert judge(500, PLEX, retry_after="12").retry_after is None


def test_an_answered_request_was_sent():
    assert judge(500, PLEX).sent


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        (ConnectionRefusedError(111, "x"), "refuses"),
        (socket.gaierror(-2, "x"), "resolve"),
        (UnicodeError("label too long"), "resolve"),
        (TimeoutError(), "in time"),
        (ssl.SSLError(1, "wrong version"), "encrypted"),
        (OSError(101, "x"), "reached"),
        (None, "reached"),
    ],
)
def test_without_a_connection_nothing_was_sent(cause, word):
    error = unreachable(PLEX, cause)
    assert type(error) is Unavailable
    assert not error.sent
    assert word in str(error)


def test_a_certificate_that_is_not_trusted_waits_for_a_person():
    cause = ssl.SSLCertVerificationError(1, "x")
    cause.verify_message = "certificate has expired"
    error = unreachable(PLEX, cause)
    assert type(error) is Barred
    assert error.setting == "plex_url"
    assert "certificate has expired" in str(error)


def test_a_401_under_a_host_name_can_mean_that_plex_does_not_know_the_name():
    named = replace(PLEX, host="plex")
    assert str(judge(401, named)) == (
        "Plex at nas:32400 does not accept plex_token (401), or does not know the host name plex"
    )
    assert "host name" not in str(judge(401, PLEX))
    assert "host name" not in str(judge(401, replace(named, neighbour=Neighbour.STASH)))
    assert "host name" not in str(judge(403, named))
