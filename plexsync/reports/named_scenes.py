"""The words and facts for scenes that you named and that can't be synced or ignored."""

from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.app.named_scenes import NamedScenes
    from plexsync.reports.shapes.scenes import IgnoredScenes, NamedFacts, QueuedScenes

MOST_LISTED = 10


def name_scenes(ids: Sequence[int]) -> str:
    """The first of these numbers: `scene 7`, `scenes 7, 8 and 20 more`."""
    numbers = ", ".join(map(str, ids[:MOST_LISTED])) + (
        f" and {len(ids) - MOST_LISTED:,} more" if len(ids) > MOST_LISTED else ""
    )
    return f"scene{'' if len(ids) == 1 else 's'} {numbers}"


def missing_words(named: "NamedScenes") -> str:
    """The scenes that Stash does not have; '' for none."""
    return f"Stash has no {name_scenes(named.missing)}" if named.missing else ""


def ignored_words(named: "NamedScenes") -> str:
    """The scenes that are not synced because you ignored them, with the command that ends this; '' for none."""
    if not named.ignored:
        return ""
    are, them = ("is", "it") if len(named.ignored) == 1 else ("are", "them")
    numbers = " ".join(map(str, named.ignored[:MOST_LISTED]))
    return f"{name_scenes(named.ignored)} {are} ignored, so nothing was queued for {them}: plexsync unignore {numbers}"


def unchecked_words(named: "NamedScenes") -> str:
    """The scenes of which nobody knows whether they exist, with the reason; '' for none."""
    return f"whether Stash has {name_scenes(named.unchecked)} is not known: {named.away}" if named.unchecked else ""


def named_facts(named: "NamedScenes") -> "NamedFacts":
    """The same for JSON; a key that would be empty is left out."""
    facts: NamedFacts = {}
    if named.missing:
        facts["not_in_stash"] = list(named.missing)
    if named.unchecked:
        facts["unchecked"] = list(named.unchecked)
    return facts


def queued_facts(named: "NamedScenes", wanted: int) -> "QueuedScenes":
    """The answer after `wanted` of these scenes were queued."""
    facts: QueuedScenes = {"wanted": wanted}
    if named.missing:
        facts["not_in_stash"] = list(named.missing)
    if named.unchecked:
        facts["unchecked"] = list(named.unchecked)
    if named.ignored:
        facts["ignored"] = list(named.ignored)
    if named.undone:
        facts["undone"] = list(named.undone)
    return facts


def ignored_facts(named: "NamedScenes", ignored: int) -> "IgnoredScenes":
    """The answer after `ignored` of these scenes were ignored."""
    return {"ignored": ignored, **named_facts(named)}
