"""The ASGI application that Plex asks: routes below a secret, small bodies, and figures of what was asked."""

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

from plexsync.provider.answers import CallAnswer, Page, answer_list, answer_match, answer_root, answer_values
from plexsync.provider.libraries import AskingLibraries, AskingLibrary
from plexsync.provider.notes import FigureNotes
from plexsync.rules.provider.documents import KEY, MATCHES, METADATA
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable

log = logging.getLogger("PlexSync.provider")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Work = Callable[[], CallAnswer]

LARGEST_BODY = 64 * 1024
PATIENCE = 20.0  # seconds until a database that does not answer is given up; Plex waits for 90
THREADS = 2
MOST_ITEMS = 1_000
# Words by which calls without an answer are counted.
ADDRESS, METHOD, SIZE, ENDED, FAULT = "refused_address", "refused_method", "refused_size", "broken_off", "failed"
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
NOTHING = CallAnswer(404, "refused_secret")
QUIET = 10.0  # seconds without a failure until a trouble counts as over


class CallRefused(Exception):
    """A request that is answered at once."""

    def __init__(self, status: int, result: str, *, allow: bytes = b"") -> None:
        super().__init__(result)
        self.answer = CallAnswer(status, result)
        self.allow = allow


class Provider:
    """The application. Close it after the server has stopped."""

    def __init__(self, libraries: AskingLibraries, notes: FigureNotes, version: str) -> None:
        self._libraries = libraries
        self._notes = notes
        self._version = version
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="answer")
        self._trouble = ""
        self._failed_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        began, asking, allow = monotonic(), None, b""
        try:
            asking, rest = self._asking(scope["path"])
            answer = await self._run(await self._work(asking, rest, scope, receive)) if asking else NOTHING
        except CallRefused as refused:
            answer, allow = refused.answer, refused.allow
        except (LocalFault, NewerDatabase, Unusable, TimeoutError) as fault:
            answer = self._fail(str(fault) or "the database does not answer")
        except Exception as error:  # noqa: BLE001 - the edge of an answer: Plex is never told of a fault of PlexSync
            # Its words may be what Plex asked, with a path.
            place = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{type(error).__name__} in line {place.lineno} of {Path(place.filename).name}"
            answer = self._fail(f"an answer failed by a fault of PlexSync: {name}")
        else:
            self._succeed(answer)
        self._notes.count(asking, answer.result, monotonic() - began)
        await _send(send, answer, allow)

    def close(self) -> None:
        """End the threads that answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _asking(self, path: str) -> tuple[AskingLibrary | None, str]:
        """The library that asks, by its secret, and what follows the secret in the path."""
        secret, _, rest = path.lstrip("/").partition("/")
        return self._libraries.with_secret(secret), rest.strip("/")

    async def _work(self, asking: AskingLibrary, rest: str, scope: Scope, receive: Receive) -> Work:
        """What answers a request for the rest of a path. Raises CallRefused."""
        if not rest:
            _allow(scope, "GET")
            return partial(answer_root, asking, self._version)
        if rest == MATCHES[1:]:
            _allow(scope, "POST")
            return partial(answer_match, asking, await _body(scope, receive), _page(scope))
        key, _, part = rest.removeprefix(f"{METADATA[1:]}/").partition("/")
        if not rest.startswith(f"{METADATA[1:]}/") or not KEY.fullmatch(key) or part not in PARTS:
            raise CallRefused(404, ADDRESS)
        _allow(scope, "GET")
        if part:
            return partial(answer_list, asking, PARTS[part], _page(scope))
        return partial(answer_values, asking, key)

    async def _run(self, work: Work) -> CallAnswer:
        """Run the work in a thread, so that a database that waits holds nobody else up."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _fail(self, trouble: str) -> CallAnswer:
        """Log a trouble once, as long as it lasts. Plex keeps what it has, and asks again later."""
        self._failed_at = monotonic()
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("Plex gets status 500 and asks again later: %s", trouble)
        return CallAnswer(500, FAULT)

    def _succeed(self, answer: CallAnswer) -> None:
        if self._trouble and answer.status == 200 and monotonic() - self._failed_at >= QUIET:
            self._trouble = ""
            log.info("Plex is answered again")


PARTS: Mapping[str, str] = {"": "Metadata", "images": "Image", "extras": "Metadata"}


def _allow(scope: Scope, method: str) -> None:
    if scope["method"] != method:
        raise CallRefused(405, METHOD, allow=method.encode())


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for header, value in scope["headers"] if header == name), "")


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body of a request. Raises CallRefused."""
    length = _header(scope, b"content-length")
    if length and (not length.isdecimal() or int(length) > LARGEST_BODY):
        raise CallRefused(413, SIZE)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallRefused(400, ENDED)
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise CallRefused(413, SIZE)
    return bytes(body)


def _page(scope: Scope) -> Page:
    """The part of a list that is asked for, by query or header; None for all of it. Plex counts from 0 or from 1."""
    query = parse_qs(scope["query_string"].decode("latin-1")) if scope["query_string"] else {}
    texts = [
        query.get(f"X-Plex-Container-{name}", [""])[0] or _header(scope, f"x-plex-container-{name.lower()}".encode())
        for name in ("Start", "Size")
    ]
    start, size = (int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None for text in texts)
    if start is None and size is None:
        return None
    return (0 if start in (None, 1) else start or 0), MOST_ITEMS if size is None else min(size, MOST_ITEMS)


async def _send(send: Send, answer: CallAnswer, allow: bytes) -> None:
    content, kind = answer.text.encode(), b"text/plain; charset=utf-8"
    if answer.document is not None:
        content, kind = json.dumps(answer.document, ensure_ascii=False).encode("utf-8", "replace"), b"application/json"
    headers = [(b"content-length", str(len(content)).encode()), *HEADERS]
    if content:
        headers.append((b"content-type", kind))
    if allow:
        headers.append((b"allow", allow))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
