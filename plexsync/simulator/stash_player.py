"""Stash's own player: what it notes of a scene that is watched in it, as its `track-activity.ts` does (0.30.1).

* Each whole second of play counts one second; a part of a second before a stop counts nothing.
* It reports every `REPORT_EVERY` seconds of play, and at each stop: a pause, a wait for data, the end, another page.
* A report sets the resume point, and adds the seconds since the last one to the play time.
* The first report at which enough was played adds a play, whose moment is that of the report.
* At `WATCHED` percent of the scene a report sets the resume point to the beginning.
"""

import math
from collections.abc import Mapping
from typing import Any

from plexsync.simulator.stash_plays import ScenePlays

REPORT_EVERY = 10
WATCHED = 98


class StashPlayer:
    """One scene that is open in the player, which adds at most one play meanwhile.

    `length`: in seconds, 0 if it is not known. `settings`: those of the interface, of which `minimumPlayPercent` and
    `trackActivity` count.
    """

    def __init__(self, plays: ScenePlays, scene: int, length: float, settings: Mapping[str, Any]) -> None:
        self._plays = plays
        self._scene = scene
        self._length = length or math.nan
        self._minimum = settings.get("minimumPlayPercent") or 0
        self._is_tracking = settings.get("trackActivity") is not False
        self._played = self._unsent = 0
        self._has_play = False

    def watch(self, seconds: float, *, position: float = 0.0, begun: float | None = None) -> None:
        """Play for so long from this position, both in seconds, and stop.

        `begun`: when, in UTC seconds. Without it all is reported at the present moment.
        """
        for second in range(1, int(seconds) + 1):
            self._played += 1
            self._unsent += 1
            if self._played % REPORT_EVERY == 0:
                self._report(position + second, begun and begun + second)
        self._report(position + seconds, begun and begun + seconds)

    def _report(self, position: float, moment: float | None) -> None:
        if not self._is_tracking or not self._played:
            return
        if not self._has_play and 100 / self._length * self._played >= self._minimum:
            self._plays.add(self._scene, () if moment is None else (int(moment),))
            self._has_play = True
        is_watched = 100 / self._length * position >= WATCHED
        self._plays.save_activity(self._scene, 0.0 if is_watched else position, self._unsent)
        self._unsent = 0
