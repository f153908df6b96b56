"""`plexsync undo`, `release` and `redo`: restore what was there before, or keep it without locks; and end that."""

from plexsync.actions.model import SubjectKind, Verb
from plexsync.cli.actions import action_command

undo = action_command(
    Verb.UNDO,
    SubjectKind.SCENES,
    """Take back what was pushed: the values that Plex had before come back, with their locks.

    From a list, only names that PlexSync added are removed. A value that a person changed in Plex since stays. With --run,
    what that run wrote becomes what stood there before it, and what later runs wrote on top stays, unless --and-later.
    Else the whole scene is taken back, also what was pushed before the moment that you name. The scene stays undone until
    you edit it in Stash or call plexsync redo: no comparison syncs it. The scenes are put in the queue for the worker; with
    --wait they are worked before the command returns. Asks once for more than one scene. plexsync release keeps the
    values and takes off the locks instead. --all is everything that PlexSync wrote: scenes, collections, playlists, plays,
    resume points, ratings and imports. --of names one of these kinds. Exits with 1 if nothing was pushed for a scene that
    was named, or one of them became a dead letter.

    \b
    Examples:
      plexsync undo 7 12
      plexsync undo --since 2h --dry-run
      plexsync undo --all --wait
      plexsync undo --of imports 3
    """,
    every="Everything that PlexSync wrote, of every kind.",
    since="The scenes pushed since then: 2026-03-31, 2h, 3d.",
    run="What was written in that run.",
    of=True,
    every_kind=True,
)
release = action_command(
    Verb.RELEASE,
    SubjectKind.SCENES,
    """Leave what was pushed in Plex, and take off every lock that is PlexSync's.

    From then on the values are Plex's own: a metadata refresh may change them, and undo can't take them back any more.
    What was locked before PlexSync came, or by a person since, stays locked. A released scene is left alone until you
    edit it in Stash or call plexsync redo. Everything else is as for plexsync undo.

    \b
    Examples:
      plexsync release 7
      plexsync release --all --wait
    """,
    every="Every lock of PlexSync's, on scenes and collections.",
    since="The scenes pushed since then: 2026-03-31, 2h, 3d.",
    run="The scenes pushed in that run.",
    of=True,
    every_kind=True,
)
redo = action_command(
    Verb.REDO,
    SubjectKind.SCENES,
    """Sync scenes again that plexsync undo or plexsync release has put to rest.

    The undo ends, as it does when you edit the scene in Stash, and the scenes are put in the queue; with --wait they are
    worked before the command returns. Values that are locked in Plex by then are kept (first_push). Asks once for more
    than one scene. An ignored scene stays as it is (plexsync unignore). Exits with 1 if a scene that was named is not
    undone, is ignored or is gone from Stash, or if one became a dead letter.

    \b
    Examples:
      plexsync redo 7 12
      plexsync redo --all --dry-run
      plexsync redo --run 4711 --wait
    """,
    every="Every undone or released scene.",
    since="The scenes undone or released since then: 2026-03-31, 2h, 3d.",
    run="The undone scenes that were pushed in that run.",
    of=True,
)
