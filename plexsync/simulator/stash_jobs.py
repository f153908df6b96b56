"""Stash's job queue: one job at a time, in memory; it remembers the last ended ones for a while."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

REMEMBERED = 10
UNFINISHED = ("READY", "RUNNING", "STOPPING")


@dataclass(eq=False)
class Job:
    """A job; `kill` is set to end it early. Times are written as Stash writes them."""

    id: int
    description: str
    work: Callable[["Job"], None] = field(repr=False)
    addTime: str = ""
    startTime: str | None = None
    endTime: str | None = None
    status: str = "READY"
    progress: float | None = None
    error: str | None = None
    kill: threading.Event = field(default_factory=threading.Event, repr=False)


class Jobs:
    """The queue. Its thread starts with the first job and ends with `close()`."""

    def __init__(self, stamp: Callable[[], str]) -> None:
        self._stamp = stamp
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._last_id = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, description: str, work: Callable[[Job], None]) -> Job:
        """Queue a job and return at once."""
        with self._changed:
            self._last_id += 1
            job = Job(self._last_id, description, work, addTime=self._stamp())
            self._jobs.append(job)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="simulated-jobs")
                self._thread.start()
            self._changed.notify_all()
            return job

    def queue(self) -> list[Job]:
        """The jobs that have not ended."""
        with self._changed:
            return [job for job in self._jobs if job.status in UNFINISHED]

    def find(self, id_: str) -> Job | None:
        """A job in the queue or among the last ended ones; None if it is forgotten."""
        with self._changed:
            return next((job for job in self._jobs if str(job.id) == id_), None)

    def stop(self, id_: str) -> None:
        """Cancel a job: a waiting one never runs, a running one is asked to end."""
        with self._changed:
            for job in self._jobs:
                if str(job.id) != id_ or job.status not in UNFINISHED:
                    continue
                job.kill.set()
                if job.status == "READY":
                    self._end(job)
                else:
                    job.status = "STOPPING"
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until no job is left in the queue; False if that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: all(j.status not in UNFINISHED for j in self._jobs), timeout)

    def close(self) -> None:
        """End everything: the running job is asked to stop, waiting ones never run."""
        with self._changed:
            self._closed = True
            for job in self._jobs:
                job.kill.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            job.work(job)
            with self._changed:
                self._end(job)
                self._changed.notify_all()

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting() is not None)
            job = None if self._closed else self._waiting()
            if job is not None:
                job.status, job.startTime = "RUNNING", self._stamp()
            return job

    def _waiting(self) -> Job | None:
        return next((job for job in self._jobs if job.status == "READY"), None)

    def _end(self, job: Job) -> None:
        job.status, job.endTime = "CANCELLED" if job.kill.is_set() else "FINISHED", self._stamp()
        over = [known for known in self._jobs if known.status not in UNFINISHED]
        for forgotten in over[:-REMEMBERED]:
            self._jobs.remove(forgotten)
