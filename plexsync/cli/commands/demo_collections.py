"""What the demo's servers have for collections: one that a person made in Plex, and pictures and texts in Stash."""

import hashlib
from typing import Any

from plexsync.simulator.stash_images import png

FAVOURITES, LARGEST_FAVOURITES = "Favourites", 6
POSTER, BACKGROUND = (40, 60), (64, 36)


def make_favourites(library: Any, plex: Any, handles: Any) -> None:
    """Make the collection that a person made before PlexSync came, of movies that are nobody's: it stays as it is."""
    section = next(iter(library.sections))
    movies = [
        movie.handle for movie in library.movies if movie.handle in library.bystanders and movie.section == section
    ]
    for number, handle in enumerate(movies[:LARGEST_FAVOURITES]):
        poster = png(40, 90 + 15 * number, 140, width=POSTER[0], height=POSTER[1])
        plex.hand_edit(handles.movies[handle], collection=[FAVOURITES], thumb=poster)
    key = plex.collection_keys(handles.sections[section])[FAVOURITES]
    plex.hand_edit(key, summary="Chosen by hand.", thumb=png(190, 60, 50, width=POSTER[0], height=POSTER[1]))


def give_pictures(library: Any, stash: Any) -> None:
    """Give the studios and groups of the simulated Stash the pictures and texts that their collections show."""
    for name in sorted({scene.studio for scene in library.scenes if scene.studio}):
        stash.edit_object("studio", name, details=f"What {name} has made.", image=coloured(name, POSTER))
    for name in sorted({name for scene in library.scenes for name, _ in scene.groups}):
        stash.edit_object(
            "group",
            name,
            synopsis=f"The films of {name}, in their order.",
            front_image=coloured(name, POSTER),
            back_image=coloured(f"behind {name}", BACKGROUND),
        )


def coloured(name: str, size: tuple[int, int]) -> bytes:
    """A picture in a colour of its own for each name. The demo needs no package that draws."""
    red, green, blue = hashlib.sha256(name.encode()).digest()[:3]
    return png(red, green, blue, width=size[0], height=size[1])
