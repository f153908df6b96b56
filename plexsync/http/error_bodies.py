"""The bodies of errors in JSON, as Plex and GraphQL write them."""

from collections.abc import Sequence

import msgspec


class ErrorWords(msgspec.Struct):
    """An error as Plex and GraphQL write it in JSON."""

    message: str = ""
    status: str | int = ""
    title: str = ""


class ErrorBody(msgspec.Struct):
    """The body of an error in JSON."""

    errors: list[ErrorWords] = []
    error: str = ""
    message: str = ""


ERRORS = msgspec.json.Decoder(ErrorBody, strict=False)


def json_words(body: bytes | bytearray) -> str:
    """What an error in JSON says; '' for nothing, or for another form."""
    try:
        answer = ERRORS.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    texts = (error.message or error.title or str(error.status) for error in answer.errors)
    return "; ".join(filter(None, dict.fromkeys((answer.message, answer.error, *texts))))


def messages(errors: Sequence[msgspec.Raw]) -> str:
    """What the errors of a GraphQL answer say."""
    return json_words(b'{"errors":[%s]}' % b",".join(map(bytes, errors)))
