"""Tells open pages that something has changed: one watcher for all of them, however many there are."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store.database import Database

LOOK = 0.5  # seconds between two looks at the database
AGAIN = 5.0  # seconds after which pages are told although nothing changed: what they say of time has aged
ALIVE = 15.0  # seconds after which a silent line says that it is there
MOST = 2_000


class LiveUpdates:
    """The watcher. It looks only while somebody listens."""

    def __init__(self, store: Database) -> None:
        self._store = store
        # A thread of its own: what has changed is told to each connection apart.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._news = asyncio.Event()
        self._over = False
        self._count = 0
        self._number = 0

    async def watch(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        told = loop.time()
        heard = False
        while True:
            await asyncio.sleep(LOOK)
            if not self._count:
                heard = False
                continue
            # What has changed before the first look is not known: whoever listens is told.
            changed, heard = not heard, True
            # What is wrong with the database is told by the pages themselves.
            with suppress(LocalFault, NewerDatabase, Unusable):
                changed = await loop.run_in_executor(self._thread, self._store.changed) or changed
            if changed or loop.time() - told >= AGAIN:
                told = loop.time()
                self._tell()

    @property
    def full(self) -> bool:
        """Whether more listen than are told."""
        return self._count >= MOST

    async def lines(self) -> AsyncIterator[bytes]:
        """Server-sent events, for one who listens."""
        self._count += 1
        try:
            yield b"retry: 3000\n\n"
            while not self._over:
                news = self._news
                try:
                    async with asyncio.timeout(ALIVE):
                        await news.wait()
                    yield b"event: changed\ndata: %d\n\n" % self._number
                except TimeoutError:
                    yield b": alive\n\n"
        finally:
            self._count -= 1

    def end(self) -> None:
        """Whoever listens is told for the last time; to be called in the event loop."""
        self._over = True
        self._tell()

    def _tell(self) -> None:
        self._number += 1
        self._news, news = asyncio.Event(), self._news
        news.set()

    def close(self) -> None:
        """Look no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)


async def listen(request: Request) -> Response:
    """The line on which an open page is told."""
    live: LiveUpdates = request.app.state.live
    if live.full:
        return PlainTextResponse("too many pages are open\n", 503, {"Retry-After": "30"})
    return StreamingResponse(live.lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


routes = [Route("/live", listen, methods=["GET"])]
