"""Secrets stay out of every text, however it is encoded, and a log event is one line."""

import base64
import html
import io
import json
import logging
import textwrap
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, strategies as st

from tests.tables import table
from validation.redact import MASK, RedactingFilter, Redactor, is_safe, one_line

TOKEN = "aB3-xY_9zQ7+/k=Lm&p'"
COOKIE = 'sess|"ün\\icode 💿 <x>'
SECRETS = {"token": TOKEN, "cookie": COOKIE, "plain": "sN4xT7qLw2Vb9KcR5hJd"}

SPELLINGS = {
    "raw": lambda s: s,
    "url": lambda s: quote(s, safe=""),
    "url, slashes kept": quote,
    "url, lower case": lambda s: quote(s, safe="").replace("%2B", "%2b").replace("%3D", "%3d"),
    "url twice": lambda s: quote(quote(s, safe=""), safe=""),
    "form": quote_plus,
    "json": lambda s: json.dumps(s)[1:-1],
    "json, not ascii": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "json, slashes escaped": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "repr": repr,
    "ascii": ascii,
    "html": html.escape,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64url, unpadded": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64 in a url": lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
}


@table("secret", SECRETS.values())
@table("spelling", SPELLINGS.values())
def test_a_secret_is_masked_in_every_spelling(spelling, secret):
    text = Redactor([secret]).redact(f"before {spelling(secret)} after")

    assert text.startswith("before ")
    assert text.endswith(" after")
    assert text.removeprefix("before ").removesuffix(" after").strip("'\"\\") == MASK


@table("secret", SECRETS.values())
@table("encode", [base64.b64encode, base64.urlsafe_b64encode])
@table("offset", range(7))
def test_base64_of_a_text_around_a_secret_does_not_carry_it(secret, encode, offset):
    encoded = encode(("u" * offset + secret + ":rest").encode()).decode()

    text = Redactor([secret]).redact(encoded)

    before, after = text.split(MASK)
    assert len(before) * 6 // 8 <= offset  # not one whole byte of the secret
    assert len(after.rstrip("=")) * 6 // 8 <= len(":rest")


@pytest.mark.parametrize("width", [4, 7, 19])
@pytest.mark.parametrize("indent", ["", "    "])
def test_a_secret_broken_over_lines_is_masked(width, indent):
    secret = SECRETS["plain"]
    broken = ("\n" + indent).join(textwrap.wrap(f"key={secret}; the end", width, drop_whitespace=False))

    text = Redactor([secret]).redact(broken)

    assert secret not in text.replace("\n", "").replace(" ", "")
    assert MASK in text
    assert text.startswith("key"[:width])


def test_base64_in_lines_of_76_characters_is_masked():
    encoded = base64.encodebytes(b"x" * 50 + TOKEN.encode() + b"y" * 50).decode()

    assert MASK in Redactor([TOKEN]).redact(encoded)


def test_text_without_secrets_is_left_alone():
    text = "Nothing to see in http://plex:32400/library?x=%2B&y=1\nsecond line \\u002b"

    assert Redactor([TOKEN, COOKIE]).redact(text) == text
    assert Redactor([]).redact(text) == text
    assert Redactor(["", ""]).redact(text) == text


def test_of_two_secrets_with_the_same_beginning_the_longer_is_masked_whole():
    assert Redactor(["abcdefgh", "abcdefghijkl"]).redact("abcdefghijkl abcdefgh") == "*** ***"


def test_the_shortest_secret_is_masked_too():
    assert Redactor(["q"]).redact("a q b") == "a *** b"


@given(st.text(min_size=1, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_survives_in_any_text(secret, before, after):
    if secret in MASK or secret in before + MASK + after:
        return
    text = Redactor([secret]).redact(before + secret + after)

    assert secret not in text


def test_a_secret_of_the_greatest_length_and_a_long_text_take_no_time():
    secret = "".join(chr(33 + (n * 31) % 94) for n in range(4_096))
    started = time.thread_time()

    redactor = Redactor([secret])
    text = redactor.redact("lorem ipsum " * 20_000 + secret)

    assert text.endswith("lorem ipsum ***")
    assert time.thread_time() - started < 10


@pytest.mark.parametrize("secret", ["_abcdefghij012345678", TOKEN, COOKIE])
def test_a_long_run_of_backslashes_takes_no_time(secret):
    redactor, started = Redactor([secret]), time.thread_time()

    assert redactor.redact("\\" * 60_000 + " " + secret).endswith(MASK)

    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb", r"a\r\nb"),
        ("\x00\x1b[31m\x7f\x9b", r"\x00\x1b[31m\x7f\x9b"),
        ("a\u2028b\x85", r"a\u2028b\x85"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("\ud800", r"\ud800"),
        ("tab\there", r"tab\there"),
        ("Ünï 💿 👩\u200d👧 日本", "Ünï 💿 👩\u200d👧 日本"),
    ],
)
def test_control_characters_and_reading_direction_are_spelled_out(text, shown):
    assert one_line(text) == shown
    assert is_safe(text) == (text == shown)


@given(st.text(alphabet=st.characters(), max_size=50))
def test_one_line_is_one_line_that_can_be_written(text):
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    assert one_line(line) == line
    line.encode("utf-8")


@pytest.fixture
def log():
    """A logger with the filter on its handler, and what the handler wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(RedactingFilter(Redactor([TOKEN])))
    logger = logging.Logger("a logger of its own")
    logger.addHandler(handler)
    logger.written = stream.getvalue
    return logger


def test_message_and_arguments_are_masked_when_finished(log):
    log.info("token=%s %s", TOKEN, {"k": TOKEN})

    assert log.written() == "INFO token=*** {'k': '***'}\n".replace("'***'", '"***"')


def test_a_secret_put_together_by_the_format_is_masked(log):
    log.info("%s%s", TOKEN[:7], TOKEN[7:])

    assert log.written() == "INFO ***\n"


def test_an_exception_is_masked_and_stays_on_the_line_of_its_event(log):
    try:
        raise ValueError(f"refused: {TOKEN}")
    except ValueError:
        log.exception("failed with %s", TOKEN)

    lines = log.written().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ERROR failed with *** | Traceback")
    assert lines[0].endswith("ValueError: refused: ***")


def test_a_chained_exception_is_masked(log):
    try:
        try:
            raise KeyError(TOKEN)
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        log.exception("failed")

    assert TOKEN not in log.written()
    assert "KeyError" in log.written()
    assert log.written().count("\n") == 1


def test_a_stack_is_masked_and_stays_on_the_line_of_its_event(log):
    log.info("here", stack_info=True)

    assert log.written().startswith("INFO here | Stack (most recent call last):")
    assert log.written().count("\n") == 1


def test_a_formatted_exception_of_another_handler_is_masked(log):
    record = log.makeRecord("x", logging.ERROR, "f", 1, "failed", (), None)
    record.exc_text = f"ValueError: {TOKEN}\nmore"

    log.handle(record)

    assert log.written() == "ERROR failed | ValueError: ***\\nmore\n"


def test_exc_info_without_an_exception_adds_nothing(log):
    log.info("fine", exc_info=True)

    assert log.written() == "INFO fine\n"


def test_a_title_cannot_forge_a_second_event(log):
    log.info("title=%s", "Nice\r\nERROR forged\u202e")

    assert log.written() == "INFO title=Nice\\r\\nERROR forged\\u202e\n"


@pytest.mark.parametrize(
    ("message", "arguments"),
    [("%d", ("x",)), ("no place", (1,)), ("%(name)s", ({"other": 1},)), ("%", (1,)), ("%z", (1,))],
)
def test_arguments_that_do_not_fit_are_shown_masked(log, capsys, message, arguments):
    log.info(
        message, *arguments[:-1], *([{**arguments[-1], "t": TOKEN}] if isinstance(arguments[-1], dict) else [TOKEN])
    )

    assert message in log.written()
    assert MASK in log.written()
    assert TOKEN not in log.written() + "".join(capsys.readouterr())


def test_an_argument_that_cannot_be_shown_does_not_stop_the_work(log, capsys):
    class Unspeakable:
        def __str__(self):
            raise RuntimeError(TOKEN)

    log.info("got %s and %s", Unspeakable(), TOKEN)

    assert log.written().startswith("INFO got %s and %s (")
    assert TOKEN not in log.written() + "".join(capsys.readouterr())


def test_extra_fields_are_masked_and_keep_their_shape():
    record = logging.Logger("x").makeRecord("x", logging.INFO, "f", 1, "msg", (), None)
    fields = {
        "text": f"t {TOKEN}\n",
        "number": 7,
        "none": None,
        "nested": {"list": [TOKEN, 1.5, True], TOKEN: (TOKEN,)},
        "error": ValueError(TOKEN),
    }
    vars(record).update(fields)

    assert RedactingFilter(Redactor([TOKEN])).filter(record)

    assert {name: getattr(record, name) for name in fields} == {
        "text": "t ***\\n",
        "number": 7,
        "none": None,
        "nested": {"list": [MASK, 1.5, True], MASK: [MASK]},
        "error": MASK,
    }
    assert record.name == "x"


def test_passing_a_second_filter_changes_nothing(log):
    log.handlers[0].addFilter(RedactingFilter(Redactor([TOKEN])))

    log.info("%s\n100%%", TOKEN)

    assert log.written() == "INFO ***\\n100%\n"


def test_where_one_secret_begins_with_another_the_longer_one_is_hidden_whole():
    short, long = "0123456789", "0123456789abcdef"
    for secrets in ([short, long], [long, short]):
        assert Redactor(secrets).redact(f"a {long} b {short} c") == f"a {MASK} b {MASK} c"
