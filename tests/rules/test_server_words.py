"""What a server says about its own failure is passed on, in one line, without secrets and file paths."""

import pytest

from plexsync.rules.servers.http_answers import LONGEST, page_words, scrub
from plexsync.rules.servers.redaction import Redactor
from tests.tables import table

MAINTENANCE = (
    '<?xml version="1.0"?>\n<Response code="503" title="Maintenance" status="The server is busy with maintenance" />\n'
)
STARTING = (
    "<html><head><title>Bad Request</title></head><body><h1>400 Bad Request</h1>"
    "the server is still starting up. Please retry later</body></html>"
)
NOTHING = (
    "<html><head><title>Internal Server Error</title></head><body><h1>500 Internal Server Error</h1></body></html>"
)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (MAINTENANCE, "Maintenance: The server is busy with maintenance"),
        (STARTING, "the server is still starting up. Please retry later"),
        (NOTHING, ""),
        ("<html><title>Sign in &amp; go on</title></html>", "Sign in & go on"),
        ("", ""),
        ("plain", ""),
        ("<Response", ""),
    ],
)
def test_a_page_of_an_error_says_its_title_and_reason(page: str, words: str) -> None:
    assert page_words(page) == words


@table(
    ("text", "shown"),
    [
        ("database is locked", "database is locked"),
        ("open /media/my films/a b.mp4: no such file", "open (a path): no such file"),
        (r"open D:\films\a b.mp4: denied", "open (a path): denied"),
        ('stat "//nas/share/a.mp4"', 'stat "(a path)"'),
        ('Cannot query field "foo" on type "Query".', 'Cannot query field "foo" on type "Query".'),
        ("no such table: scenes/files", "no such table: scenes/files"),
        ("open private/path.mp4: no", "open (a path): no"),
        ("two\nlines \x1b[31m and\tmore", "two lines [31m and more"),
        ("the key 0123456789abcdef is wrong", "the key *** is wrong"),
        ("GET http://nas:32400/x?X-Plex-Token=abc failed", "GET http://nas:32400/x failed"),
        ("X-Plex-Token=abcdef rejected", "X-Plex-Token=*** rejected"),
    ],
)
def test_what_is_shown_has_no_secret_and_no_path_and_is_one_line(text: str, shown: str) -> None:
    assert scrub(text, Redactor(["0123456789abcdef"]).redact) == shown


def test_a_long_text_is_cut() -> None:
    assert len(scrub("x" * 5_000)) == LONGEST
