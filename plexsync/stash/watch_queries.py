"""The GraphQL of what was watched and rated in Stash; see `plexsync.stash.queries`."""

from collections.abc import Sequence
from typing import Unpack

from plexsync.stash.queries import SceneExtras, each_scene, fragments

# Stash takes an empty list of times for "now" and "the newest one": only `Moments`, which is never empty, is sent.
ADD_PLAYS = """
mutation AddPlays($id: ID!, $times: [Timestamp!]!) { plays: sceneAddPlay(id: $id, times: $times) { count history } }
"""

TAKE_PLAYS = """
mutation TakePlays($id: ID!, $times: [Timestamp!]!) { plays: sceneDeletePlay(id: $id, times: $times) { count history } }
"""

# The resume point is set, the play time is added; a null changes nothing.
SAVED = "saved: sceneSaveActivity(id: $id, resume_time: $position, playDuration: $seconds)"
SAVE_ACTIVITY = f"mutation SaveActivity($id: ID!, $position: Float, $seconds: Float) {{ {SAVED} }}"
# Stash carries the two out in this order, each by itself.
RESET = "reset: sceneResetActivity(id: $id, reset_duration: true)"
RESTORE_ACTIVITY = f"mutation RestoreActivity($id: ID!, $position: Float, $seconds: Float!) {{ {RESET} {SAVED} }}"

PLAYER_RULES = "query PlayerRules { configuration { ui } }"

RATE = """
mutation Rate($input: SceneUpdateInput!) { scene: sceneUpdate(input: $input) { id rating100 } }
"""

# A scene saved as it is: Stash runs its hooks, and moves only the time of its last change.
SAVE_UNCHANGED = (
    "mutation SaveUnchanged($input: SceneUpdateInput!) { scene: sceneUpdate(input: $input) { id rating100 } }"
)


def watched_scenes(ids: Sequence[int], **more: Unpack[SceneExtras]) -> str:
    """`scenes` with the plays, the play time and the resume point of each."""
    fields = "...SceneFields play_history play_duration resume_time"
    return each_scene("Watched", ids, fields) + fragments(**more)


def only_plays(ids: Sequence[int]) -> str:
    """Only the plays of many scenes, each under the alias `s<id>`, with the times that tell a scene from another one."""
    return each_scene("Plays", ids, "id created_at updated_at play_history")
