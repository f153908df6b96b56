"""`plexsync ratings`: ratings that go both ways, and how they are put back."""

from plexsync.actions.model import SubjectKind, Verb
from plexsync.cli.actions import action_command
from plexsync.cli.call import family

undo = action_command(
    Verb.UNDO,
    SubjectKind.RATINGS,
    """Put back the ratings that PlexSync replaced, in Stash and in Plex.

    Only where the rating is still the one that PlexSync wrote: one that you have changed since then stays. Each side
    then keeps its rating until you rate again. Needs rating_direction = both. Asks once for more than one scene. Exits
    with 1 if PlexSync has not written the rating of a named scene.

    \b
    Examples:
      plexsync ratings undo 7 12
      plexsync ratings undo --all --wait
    """,
    every="The ratings of all scenes.",
    since="The ratings of scenes that have changed since then: 2026-03-31, 2h, 3d.",
)


@family("ratings", undo)
def ratings() -> None:
    """Put back ratings that PlexSync wrote while they go both ways (rating_direction).

    \b
    Examples:
      plexsync ratings undo 7
      plexsync ratings undo --all --wait
    """
