"""Whether plays are missing in Stash because it was restored from a backup, or because you deleted them.

Stash has no name for its database, and a play moves no time of its scene. A restored Stash lacks all plays that were added
since the backup, without exception: a tail of those that PlexSync added. You can delete just these as well. So a tail is
lost only with evidence that something else in Stash went back: a scene was changed later than Stash shows now, or its id
belongs to another scene, because Stash deals no id twice. Without evidence these plays count as deleted by you.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from plexsync.rules.match.origin import SceneOrigin, is_earlier
from plexsync.rules.plays.plays import SentPlay
from plexsync.rules.record_class import record
from plexsync.rules.scene import ScenePlays

# A tail of fewer plays or scenes is a deletion like any other one: nobody is asked about it.
MANY_PLAYS, MANY_SCENES = 3, 2


@record
class Tail:
    """The plays that are missing at the end of all that were added, the last one first.

    `is_lost`: there is evidence that Stash is older than the requests for them. `is_whole`: a play that is there was
    reached, so no earlier one belongs to the tail.
    """

    missing: tuple[SentPlay, ...] = ()
    is_lost: bool = False
    is_whole: bool = False


def tail_of(sent: Iterable[SentPlay], scenes: Mapping[int, ScenePlays]) -> Tail:
    """The tail of these plays, given with the last one first. Plays of scenes that are gone or others now are left out.

    That an id was dealt again is evidence if a play that was added before is missing: else it was another Stash before.
    """
    missing: list[SentPlay] = []
    is_lost = was_dealt_again = False
    for play in sent:
        scene = scenes.get(play.scene)
        if scene is None:
            continue
        if not SceneOrigin(play.scene_created_at).agrees(SceneOrigin(scene.created_at)):
            was_dealt_again = True
        elif play.moment in scene.plays:
            return Tail(tuple(missing), is_lost, is_whole=True)
        else:
            missing.append(play)
            is_lost = is_lost or was_dealt_again or was_set_back(scene, play.scene_updated_at)
    return Tail(tuple(missing), is_lost)


def was_set_back(scene: ScenePlays, updated_at: str) -> bool:
    """Whether a scene that had this time of its last change has an earlier one now."""
    return is_earlier(scene.updated_at, updated_at)


def is_asked_about(missing: Sequence[SentPlay]) -> bool:
    """Whether so many plays of several scenes are missing that Stash may have been restored."""
    return len(missing) >= MANY_PLAYS and len({play.scene for play in missing}) >= MANY_SCENES


def set_back_text(scenes: Mapping[int, str]) -> str:
    """The note of scenes that had the newest time, with that time, and are not listed with it any more."""
    return json.dumps([[id, updated_at] for id, updated_at in sorted(scenes.items())])


def set_back_scenes(text: str) -> dict[int, str]:
    """The scenes of that note, without what can't be read."""
    try:
        pairs = json.loads(text)
        return {id: updated_at for id, updated_at in pairs if type(id) is int and type(updated_at) is str}
    except (ValueError, TypeError, RecursionError):
        return {}
