"""The rules for matching and comparing scenes: small frozen records that the application builds from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plexsync.rules.desired import Profile
from plexsync.rules.plan_records import Policy
from plexsync.rules.scope import Scope


@dataclass(frozen=True)
class LookRules:
    """How scenes are matched and compared.

    `paths` holds (Stash prefix, Plex prefix) pairs. `libraries` holds the profiles of libraries that have their own, by
    folded title. `undo_gone`: undo the pushes of a scene when Stash no longer has it. `by_duration`: a file of the same name
    and duration is enough for a match.
    """

    profile: Profile
    policy: Policy
    paths: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    libraries: Mapping[str, Profile] = field(default_factory=dict)
    undo_gone: bool = False
    scope: Scope = field(default_factory=Scope)
    by_duration: bool = False

    @property
    def pictured(self) -> bool:
        """Whether any library shows pictures."""
        return any(profile.pictures for profile in (self.profile, *self.libraries.values()))
