"""What is known of each feature on real Plex servers. `docs/reliability.md` has the same table, with the tests."""

from enum import StrEnum

from plexsync.rules.merge.traits import LearntTraits
from plexsync.rules.record_class import record
from validation.config import PlexSyncConfig


class Level(StrEnum):
    """How well a feature is proven: against the simulator, by answers of real servers, or by `plexsync probe` on yours."""

    SIMULATED = "simulated"
    RECORDED = "recorded"
    TRIED = "tried here"


# Values of settings by which a feature is not in use.
OFF = (False, "", (), "none", "off", "to_plex")


@record
class Feature:
    """A feature, its level for everybody, the settings that switch it on, and the questions of `plexsync probe` about it.

    Without settings it is always in use.
    """

    name: str
    level: Level
    settings: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()

    def in_use(self, config: PlexSyncConfig) -> bool:
        """Whether these settings use it."""
        return not self.settings or any(getattr(config, name) not in OFF for name in self.settings)

    def level_on(self, learnt: LearntTraits | None) -> Level:
        """The level on the server that these answers are of: every question of the feature has one there."""
        answers = learnt.traits.answers() if learnt else {}
        is_tried = bool(self.traits) and all(answers.get(name) is not None for name in self.traits)
        return Level.TRIED if is_tried else self.level


SIMULATED, RECORDED = Level.SIMULATED, Level.RECORDED
FEATURES: tuple[Feature, ...] = (
    Feature("libraries, items and their files are read", RECORDED),
    Feature("sign-in at plex.tv", RECORDED),
    Feature("scans and plays are heard at once", RECORDED),
    Feature("an item is found by its file", SIMULATED, traits=("file_filter",)),
    Feature("titles, texts, dates and studios are edited", SIMULATED),
    Feature(
        "lists are edited, and names leave them",
        SIMULATED,
        traits=("tag_mode", "mixed_removals", "removals_at_once", "tags_lock"),
    ),
    Feature("a cast in libraries of Other Videos", SIMULATED, ("sync_cast",), ("cast_on_other",)),
    Feature("ratings in Plex", SIMULATED, ("sync_rating",), ("rating_by_edit",)),
    Feature(
        "posters and backgrounds are uploaded",
        SIMULATED,
        ("poster", "background"),
        ("upload_selects", "picture_lag", "one_stamp"),
    ),
    Feature("the date added", SIMULATED, ("date_added",), ("added_by_edit",)),
    Feature(
        "photos of people by your addresses",
        SIMULATED,
        ("performer_picture_url",),
        ("people_pictures",),
    ),
    Feature("collections are dressed", SIMULATED, ("collection_parts",), ("collection_edits",)),
    Feature("playlists are made of tags", SIMULATED, ("playlists",)),
    Feature("plays come back to Stash", SIMULATED, ("watch_back",)),
    Feature("ratings go both ways", SIMULATED, ("rating_direction",)),
    Feature("libraries ask PlexSync", SIMULATED, ("provider_listen",)),
)


def evidence_words(config: PlexSyncConfig, learnt: LearntTraits | None, version: str) -> str:
    """The features in use by their level, on a server of this version."""
    present = learnt if learnt and learnt.version == version else None
    levels = [(feature.level_on(present), feature.name) for feature in FEATURES if feature.in_use(config)]
    counts = {level: sum(own is level for own, _ in levels) for level in (Level.TRIED, RECORDED)}
    rest = [name for own, name in levels if own is SIMULATED]
    words = f"{len(levels)} features in use: {counts[Level.TRIED]} tried on this server (plexsync probe)"
    words += f", {counts[RECORDED]} held to answers of real servers"
    return f"{words}, {len(rest)} to the simulated one alone: {'; '.join(rest)}" if rest else words
