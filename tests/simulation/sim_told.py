"""What hooks have told of, and whether the worker has heard of it: kept by what passes between the product and Stash.

A scene that was told of has been heard when Stash has answered for it, after the change, while its row was in work. Until
then something has to know of it still: its row, the row of the studio, performer, tag or group that was told of, or a file
in the spool. Only a row that died since can have taken the word with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plexsync.rules.queue.job import Kind
from tests.simulation.sim_truth import Violation

NEVER = -1
STATE = "select state from job where kind = ? and id = ?"


class Witness(Protocol):
    """Who tells what the database says to another process."""

    def rows(self, sql: str, *values: object) -> list[tuple]: ...


@dataclass
class Word:
    """The last that was told of a scene: when (`Truth.seq`), what for, the files it lies in, the last attempt by then."""

    seq: int
    causes: set[tuple[Kind, int]]
    files: set[str]
    attempt: int
    died: bool = False


class Told:
    """The words of all scenes, and when Stash was last heard about each."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.words: dict[int, Word] = {}
        self.heard: dict[int, int] = {}
        self._states: dict[int, str] = {}

    def note(self, scenes: Iterable[int], kind: Kind, id: int, file: str, seq: int) -> None:
        """A hook has told of a thing that shows on these scenes; `file` is where it lies in the spool, or ''."""
        ((attempt,),) = self._witness.rows("select coalesce(max(number), 0) from attempt")
        for scene in scenes:
            word = Word(seq, {(kind, id)}, {file} if file else set(), attempt)
            if scene in self.words and (before := self._unheard(scene)) is not None:
                word.causes |= before.causes
                word.files |= before.files
            self.words[scene] = word

    def forget(self, scene: int) -> None:
        """A scene is no more, and no hook tells of that: what was told of it before is nobody's affair."""
        self.words.pop(scene, None)

    def hear(self, scenes: Iterable[int], seq: int) -> None:
        """Stash has answered for these scenes."""
        for scene in scenes:
            if self._state(Kind.SCENE, scene) == "running":
                self.heard[scene] = seq

    def judge(self) -> None:
        """Raise Violation for a word that nobody knows of any more and nobody has heard. To be called after every step."""
        self._states |= dict(self._witness.rows("select id, state from job where kind = 'scene'"))
        for scene in self.words:
            word = self._unheard(scene)
            if word is not None and not self._waits(scene, word):
                state = self._state(Kind.SCENE, scene)
                raise Violation("lost", f"scene {scene} was told of and not looked at since, and its row is {state}")

    def is_forgotten(self, scene: int) -> bool:
        """Whether the row of a scene was one that grows too old to be kept, when it was last there."""
        return self._states.get(scene) in ("dead", "gone")

    def _unheard(self, scene: int) -> Word | None:
        word = self.words[scene]
        return word if self.heard.get(scene, NEVER) < word.seq else None

    def _waits(self, scene: int, word: Word) -> bool:
        rows = {(kind, id): self._state(kind, id) for kind, id in (*word.causes, (Kind.SCENE, scene))}
        if {"ready", "running"} & set(rows.values()) or any(Path(file).exists() for file in word.files):
            return True
        word.died = word.died or any(state == "dead" and self._died(*row, word.attempt) for row, state in rows.items())
        return word.died and {"dead", ""} >= set(rows.values())

    def _died(self, kind: Kind, id: int, after: int) -> bool:
        sql = "select 1 from attempt where kind = ? and id = ? and number > ? and state = 'dead'"
        return bool(self._witness.rows(sql, kind, id, after))

    def _state(self, kind: Kind, id: int) -> str:
        return next((state for (state,) in self._witness.rows(STATE, kind, id)), "")
