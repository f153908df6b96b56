"""The rules for matching and comparing scenes: small frozen records that the application builds from the configuration."""

from collections.abc import Mapping
from dataclasses import field

from plexsync.rules.match.scope import Scope
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.pictures import Treatment, kept_as
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.record_class import record


@record
class LookRules:
    """How scenes are matched and compared.

    `paths` holds (Stash prefix, Plex prefix) pairs. `libraries` holds the profiles of libraries that have their own, by
    folded title. `undo_gone`: undo the pushes of a scene when Stash no longer has it. `by_duration`: a file of the same name
    and duration is enough for a match. `provider`: libraries may ask PlexSync for the values of their items.
    """

    profile: Profile
    policy: Policy
    paths: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    libraries: Mapping[str, Profile] = field(default_factory=dict)
    undo_gone: bool = False
    scope: Scope = field(default_factory=Scope)
    by_duration: bool = False
    provider: bool = False

    @property
    def pictured(self) -> bool:
        """Whether any library shows pictures."""
        return bool(self.picture_names)

    @property
    def picture_names(self) -> frozenset[str]:
        """The names under which the results for pictures are stored, for all pictures that some library shows."""
        return frozenset(
            name
            for profile in (self.profile, *self.libraries.values())
            for names in names_of_pictures(profile).values()
            for name in names
        )


def names_of_pictures(profile: Profile) -> dict[str, tuple[str, ...]]:
    """The names under which the results for each picture are stored, one for each of its sources, by picture."""
    return {
        name: tuple(kept_as(name, sources, source, treatment_of(name, profile)) for source in sources)
        for name, sources in profile.pictures.items()
    }


def treatment_of(name: str, profile: Profile) -> Treatment:
    """What is done to a picture before it is sent. Backgrounds stay as they are."""
    of_poster = (profile.poster_shape, profile.poster_logo, profile.poster_anchor)
    return Treatment(*of_poster) if name == "thumb" else Treatment()
