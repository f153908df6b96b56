"""The act of the demo in which Plex asks PlexSync, and its share in the verdict."""

import time
from typing import TypedDict

from plexsync.cli.commands.demo_stage import ASKING, Stage
from plexsync.reports.format import many
from plexsync.rules.record_class import record
from plexsync.simulator.demo import differences_of, edits_of

LONGEST_ANSWER = 60.0
LOOK = 0.05
FOLDERS = "/data/films", "/media/mirror"
NAME = "A new file, 2026 (4K).mp4"
BYTES, SECONDS = 123_456_789, 1_800.0


class NewFileFacts(TypedDict):
    """A new file: whether its item was right when the scan had ended; its locks, and the edits sent to it, at the end."""

    right: bool
    locks: int
    edits: int


@record
class NewFile:
    """A file that has come while Plex asked: its scene, its item, and what was wrong with that when the scan had ended."""

    scene: int
    item: str
    wrong: tuple[str, ...]

    def facts(self, stage: Stage) -> NewFileFacts:
        """What is true of it now."""
        locks = len(stage.plex.item(self.item).locks)
        return {"right": not self.wrong, "locks": locks, "edits": edits_of(stage.plex, self.item)}

    def faults(self, stage: Stage) -> list[str]:
        """What is not as the act claims."""
        facts, of = self.facts(stage), f"scene {self.scene}, a new file"
        still = [f"{of}: {line}" for line in differences_of(stage, self.scene, self.item)]
        locked = [f"{of}: {many(facts['locks'], 'field')} locked"] if facts["locks"] else []
        edited = [f"{of}: {many(facts['edits'], 'edit')} sent"] if facts["edits"] else []
        return [*(f"{of}, when the scan had ended: {line}" for line in self.wrong), *still, *locked, *edited]


def bring_new_file(stage: Stage) -> NewFile:
    """A new file comes to Stash, and to the disk of the library that asks. Plex scans once PlexSync knows the scene."""
    folder, there = FOLDERS
    scene = stage.stash.add_scene(
        title="Right at the first scan",
        details="Plex has asked for all of this.",
        date="2026-11-21",
        studio="Harbour Light",
        performers=["Ada Abend", "Robin Vale"],
        tags=["Documentary", "Rain"],
        files=[(f"{folder}/{NAME}", BYTES, SECONDS)],
    )
    ends = time.monotonic() + LONGEST_ANSWER
    while not _is_answered(stage, scene) and time.monotonic() < ends:
        time.sleep(LOOK)
    section = stage.handles.sections[ASKING]
    item = stage.plex.stage_movie(section, [(f"{there}/{NAME}", BYTES, int(1000 * SECONDS))])
    stage.plex.scan(section, there)
    stage.plex.finish_scan(section)
    stage.plex.wait_for_asks(LONGEST_ANSWER)
    return NewFile(scene, item, tuple(differences_of(stage, scene, item)))


def new_file_words(facts: NewFileFacts) -> str:
    """The act in one line."""
    right = "right" if facts["right"] else "not right"
    return f"{right} when the scan ended, {many(facts['locks'], 'lock')}, {many(facts['edits'], 'edit')}"


def _is_answered(stage: Stage, scene: int) -> bool:
    with stage.parts.store.reading() as db:
        return any(answer.matched for answer in db.answers.of([scene]).values())
