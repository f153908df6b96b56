"""An application on a real port, with the server of the product, in a thread of this process; and a client before it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import httpx2

from plexsync.cli.daemon.child import listening
from plexsync.web.server import Patient, Quiet, server
from tests.patience import HANG, until


@dataclass
class Served:
    """An application that answers, and a client that asks it."""

    url: str
    client: httpx2.Client
    serving: Quiet
    loop: asyncio.AbstractEventLoop

    @property
    def connections(self) -> list[Patient]:
        """The connections that the server holds."""
        return [one for one in tuple(self.serving.server_state.connections) if isinstance(one, Patient)]


@contextmanager
def served(
    app: Callable[..., Awaitable[None]],
    *,
    lifespan: Literal["on", "off"] = "on",
    end: Callable[[], None] = lambda: None,
) -> Iterator[Served]:
    """Serve it; `end` is called in the event loop, when the server ends."""
    serving = server(app, lifespan=lifespan)
    at = listening("127.0.0.1", 0)
    url = f"http://127.0.0.1:{at.getsockname()[1]}"
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await serving.serve(sockets=[at])
        # What a browser has not taken in is left out: the loop ends with every socket closed.
        for connection in tuple(serving.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="served")
    thread.start()
    try:
        until(lambda: serving.started)
        with httpx2.Client(base_url=url, trust_env=False, timeout=HANG) as client:
            yield Served(url, client, serving, loops[0])
    finally:
        serving.should_exit = True
        if loops:
            loops[0].call_soon_threadsafe(serving.end)
            loops[0].call_soon_threadsafe(end)
        thread.join(HANG)
