"""What the engine was asked to do: small frozen rules, cut from the settings by `plexsync.app.rules`."""

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


@dataclass(frozen=True)
class WorkRules:
    """How the queue is worked. Durations in milliseconds unless named otherwise.

    `batch` is the most jobs at once. `lease` outlives every request of a batch's reading phase; `deadline` is the longest
    one request can take.
    """

    max_retries: int = 5
    parallel: int = 2
    batch: int = 100
    lease: int = 120_000
    deadline: int = 60_000
    retention: int = 30 * 86_400_000
    dlq_max: int = 10_000
    enabled: bool = True
