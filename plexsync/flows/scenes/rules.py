"""How scenes are matched and compared: small frozen rules, cut from the configuration by the application."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plexsync.rules.desired import Profile
from plexsync.rules.plan_records import Policy
from plexsync.rules.scope import Scope


@dataclass(frozen=True)
class LookRules:
    """How scenes are matched and compared. `paths`: (Stash prefix, Plex prefix) pairs. `libraries`: the profiles of those
    that have one of their own, by folded title. `undo_gone`: what was pushed for a scene is taken back when Stash does not
    have it any more."""

    profile: Profile
    policy: Policy
    paths: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    libraries: Mapping[str, Profile] = field(default_factory=dict)
    undo_gone: bool = False
    scope: Scope = field(default_factory=Scope)

    @property
    def pictured(self) -> bool:
        """Whether any library shows pictures."""
        return any(profile.pictures for profile in (self.profile, *self.libraries.values()))
