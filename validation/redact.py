"""Keeps secrets out of the log, and every log event on one line: `RedactingFilter` applies a `Redactor` to a log handler."""

import logging
import traceback
from collections.abc import Mapping

from plexsync.rules.servers.redaction import (
    MASK as MASK,
    Redactor as Redactor,
    is_safe as is_safe,
    one_line as one_line,
)

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RedactingFilter(logging.Filter):
    """Rewrites each record into one line without secrets. Attach it to handlers, which see the records of all loggers.

    The finished message replaces message and arguments, and the text of an exception or stack is appended to it. Fields
    given as `extra` are cleaned too: texts, numbers and plain containers keep their shape, other objects become text.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def use(self, redactor: Redactor) -> None:
        """Hide the secrets of this redactor from now on."""
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place. Always True: no record is dropped."""
        record.msg = " | ".join(map(self._clean, _texts(record)))
        record.args = record.exc_info = record.exc_text = record.stack_info = None
        for name in vars(record).keys() - _OWN_FIELDS:
            setattr(record, name, self._clean_field(getattr(record, name)))
        return True

    def _clean(self, text: str) -> str:
        return one_line(self._redactor.redact(text))

    def _clean_field(self, value: object) -> object:
        match value:
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {self._clean(str(key)): self._clean_field(item) for key, item in value.items()}
            case list() | tuple():
                return [self._clean_field(item) for item in value]
            case _:
                return self._clean(str(value))


def _texts(record: logging.LogRecord) -> list[str]:
    """The texts that a formatter would write for the record: the message, then the exception, then the stack."""
    try:
        texts = [record.getMessage()]
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        # Arguments that don't fit are appended: `logging` would print them to stderr unredacted.
        texts = [f"{record.msg} {record.args!r}"]
    if record.exc_info and record.exc_info[0] is not None:
        texts.append("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
    elif record.exc_text:
        texts.append(record.exc_text)
    if record.stack_info:
        texts.append(record.stack_info)
    return texts
