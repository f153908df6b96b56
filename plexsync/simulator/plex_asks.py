"""The simulated Plex as a client: its calls to a metadata provider, and the threads that make them.

Each call has a connection of its own, and is given up after `seconds`; the last 10,000 are remembered. `Pool` works on
jobs in the background, on no job twice at once.
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlencode, urlsplit

KEPT = 10_000
MOST_BYTES = 16 * 1024 * 1024
CHUNK = 64 * 1024

Job = tuple[str, int]


@dataclass
class Ask:
    """One question. `status` is None if no answer came; `wrong` says why an answer of status 200 was not used."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: Mapping[str, object] | None = None
    status: int | None = None
    wrong: str = ""


class Asks:
    """The calls that are made, and those that were. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._log: deque[Ask] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopped = False

    def so_far(self) -> list[Ask]:
        """What was asked, oldest first."""
        with self._lock:
            return list(self._log)

    def call(
        self,
        method: str,
        uri: str,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: Mapping[str, object] | None = None,
    ) -> tuple[Ask, object]:
        """The call as it was made, and the JSON document that answers it with 200; None if there is none."""
        sent = {"Accept": "application/json", **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        ask = Ask(method, uri, dict(params), sent, body)
        with self._lock:
            self._log.append(ask)
        try:
            ask.path = urlsplit(uri).path or "/"
            ask.status, content = self._answer(uri, ask)
        except (OSError, HTTPException, ValueError):
            return ask, None
        if ask.status != 200:
            return ask, None
        try:
            return ask, json.loads(content)
        except ValueError:
            ask.wrong = "no JSON"
            return ask, None

    def _answer(self, uri: str, ask: Ask) -> tuple[int, bytes]:
        if self._stopped:
            raise ConnectionAbortedError
        end = time.monotonic() + self.seconds
        parts = urlsplit(uri)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.seconds)
        connection.connect()
        sock = connection.sock
        try:
            with self._lock:
                if self._stopped:
                    raise ConnectionAbortedError
                self._open.add(sock)
            query = f"?{urlencode(ask.params)}" if ask.params else ""
            body = None if ask.body is None else json.dumps(ask.body).encode()
            connection.request(ask.method, f"{ask.path}{query}", body=body, headers=ask.headers)
            answer = connection.getresponse()
            return answer.status, _content(answer, sock, end)
        finally:
            with self._lock:
                self._open.discard(sock)
            connection.close()

    def cut(self) -> None:
        """End all calls that are under way: no answer comes."""
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the provider had closed it first

    def stop(self) -> None:
        """End all calls, and make no more."""
        self._stopped = True
        self.cut()


def _content(answer: HTTPResponse, sock: socket.socket, end: float) -> bytes:
    """The body; raises TimeoutError if it is not there by `end`, and ConnectionAbortedError if it is too large."""
    found = bytearray()
    while not answer.isclosed():
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        piece = answer.read1(CHUNK)
        if not piece:
            break
        found += piece
        if len(found) > MOST_BYTES:
            raise ConnectionAbortedError
    return bytes(found)


class Pool:
    """Threads that work on jobs, as many as `threads` says at most, and none while there is nothing to do."""

    def __init__(self, work: Callable[[Job], None], threads: int) -> None:
        self.threads = threads
        self._work = work
        self._changed = threading.Condition()
        self._waiting: dict[Job, None] = {}
        self._running: set[Job] = set()
        self._workers: set[threading.Thread] = set()
        self._stopped = False

    def add(self, job: Job) -> None:
        """Have this done. A job that waits already is done once; one that runs is done again afterwards."""
        with self._changed:
            if self._stopped:
                return
            self._waiting.setdefault(job)
            if len(self._workers) < self.threads:
                worker = threading.Thread(target=self._run, name="plex-asks")
                self._workers.add(worker)
                worker.start()

    def wait(self, seconds: float) -> None:
        """Return when nothing is left to do; raises TimeoutError after so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._waiting and not self._running, seconds):
                raise TimeoutError(f"{len(self._waiting)} jobs wait and {len(self._running)} run")

    def drop(self) -> None:
        """Forget the jobs that wait."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Forget all jobs, and return when the last thread is gone."""
        with self._changed:
            self._stopped = True
            workers = list(self._workers)
        self.drop()
        for worker in workers:
            worker.join()

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                try:
                    self._work(job)
                finally:
                    self._note_end(job)
        finally:
            with self._changed:
                self._workers.discard(threading.current_thread())

    def _next(self) -> Job | None:
        """The first job that does not run already; without one, the thread is counted out."""
        with self._changed:
            job = next((one for one in self._waiting if one not in self._running), None)
            if job is None:
                self._workers.discard(threading.current_thread())
                return None
            del self._waiting[job]
            self._running.add(job)
            return job

    def _note_end(self, job: Job) -> None:
        with self._changed:
            self._running.discard(job)
            self._changed.notify_all()
