"""The libraries in use: their kinds and folders, and what those of Other Videos take."""

from collections.abc import Iterator, Sequence

from plexsync.app.parts import Parts
from plexsync.cli.checks.check import Check
from plexsync.rules.records import Section
from plexsync.rules.text import fold

OTHER_VIDEOS = "Other Videos"
ABOUT_OTHER_VIDEOS = f"{OTHER_VIDEOS}: a library without a metadata agent; its videos are synced as movies are."


def library_words(section: Section) -> str:
    """A library with its kind, if it is one of Other Videos, and its folders."""
    kind = f", {OTHER_VIDEOS}" if section.other_videos else ""
    return f"{section.title}{kind} ({', '.join(section.locations)})"


def other_videos_check(parts: Parts, sections: Sequence[Section]) -> Iterator[Check]:
    """Whether the server takes a cast in the libraries of Other Videos to which one is synced; nothing without any."""
    tables = {fold(name): parts.config.of_library(name) for name in parts.config.libraries}
    titles = [
        section.title
        for section in sections
        if section.other_videos and tables.get(fold(section.title), parts.config).sync_cast
    ]
    if not titles:
        return
    with parts.store.reading() as db:
        learnt = db.probes.traits()
    words = {
        None: "whether this server takes one there is not known: plexsync probe ITEM, with an item of it, learns it",
        True: "this server takes one there",
        False: "this server takes none there, so none is sent; all other fields are synced",
    }[learnt.traits.cast_on_other if learnt else None]
    yield Check(f"cast in {OTHER_VIDEOS}", f"{', '.join(titles)}: {words}")
