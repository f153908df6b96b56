"""Changed settings that would write many items: they are in use, and what they alone would write waits for your yes.

The worker compares the settings with those of the last full comparison, counts once what would change, and asks if that is
more than a few items. Scenes that you edit are synced meanwhile.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection

from plexsync.app.parts import Parts
from plexsync.flows.scenes.preview import WOULD_CHANGE
from plexsync.rules.errors import NeighbourError
from plexsync.rules.note_keys import ASKED_SETTINGS, IN_USE, WISHES
from plexsync.rules.setting_question import FEW, SettingQuestion, read
from validation.config import PlexSyncConfig
from validation.looks import LOOKS, SETTING

log = logging.getLogger("PlexSync.serve")

# Longer values are not shown.
SHORT = 40


def settings_wait(parts: Parts, stopping: Callable[[], bool]) -> bool:
    """Whether a full comparison must leave out what changed settings would write, because these are many items.

    Counts them first, if that was not done yet; while a server is down nothing is counted, and they wait too.
    """
    with parts.store.reading() as db:
        # A worker notes a change as it begins its work: a comparison may come before that.
        is_changed, before = db.notes.text(WISHES) not in ("", parts.settings.wishes), db.notes.text(IN_USE)
        question = read(db.notes.text(ASKED_SETTINGS))
    if parts.config.approve_bulk or not is_changed:
        return False
    if question is None or question.wishes != parts.settings.wishes:
        names = _changed(before, parts.settings.in_use)
        question = _counted(parts, names, stopping) if names else None
        if question is None:
            return bool(names)
        with parts.store.writing() as tx:
            tx.notes.save(ASKED_SETTINGS, question.written())
        if not question.agreed:
            log.warning("%s: they wait for your yes (plexsync sync --all)", question.text)
    return not question.agreed


def _counted(parts: Parts, names: Collection[str], stopping: Callable[[], bool]) -> SettingQuestion | None:
    """The question about these settings; None if it could not be counted now."""
    try:
        standings = Counter(scene.standing for scene in parts.previewer.preview(sweep=True, stopping=stopping))
    except NeighbourError as error:
        log.info("what changed settings would write can't be counted now: %s", error)
        return None
    if stopping():
        return None
    with parts.store.reading() as db:
        dressed = sum(db.collections.counts().values()) if any(name.startswith("collection") for name in names) else 0
    scenes = standings[WOULD_CHANGE]
    words = _words(parts.config, names)
    return SettingQuestion(parts.settings.wishes, words, scenes, dressed, agreed=scenes + dressed <= FEW)


def _changed(before: str, now: str) -> list[str]:
    """The settings whose fingerprints differ. None of them if nothing is known from before."""
    if not before:
        return []
    old, new = json.loads(before), json.loads(now)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _words(config: PlexSyncConfig, names: Collection[str]) -> str:
    """`look is rich now`, for each of them; a look stands for those that it sets."""
    of_looks = {name for look in LOOKS.values() for name in look} if SETTING in names else set()

    def one(name: str) -> str:
        value = getattr(config, name, None)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        is_short = isinstance(value, str | bool | int) and 0 < len(text) <= SHORT
        return f"{name} is {text} now" if is_short else f"{name} has changed"

    return ", ".join(one(name) for name in names if name not in of_looks)
