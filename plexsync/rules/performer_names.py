"""The name by which Plex shows a performer: one place for the cast and for everything else that shows performers."""

from collections.abc import Iterable, Mapping

from plexsync.rules import template
from plexsync.rules.scene import Performer
from plexsync.rules.template import Template
from plexsync.rules.text import NAME_LIMIT, clean_line, cut

# The values that the name and the role text of a performer can use.
PERFORMER_VALUES = frozenset({"name", "disambiguation", "alias", "aliases", "gender"})
PLAIN_NAME = template.parsed("{name}", PERFORMER_VALUES)


def shown_name(performer: Performer, named_by: Template) -> str:
    """The name by this template; the plain name if it gives an empty text, '' for a performer without a name."""
    if named_by == PLAIN_NAME:
        return clean_line(performer.name)
    values = performer_values(performer)
    return (values["name"] and clean_line(named_by.filled(values))) or values["name"]


def plain_names(people: Iterable[Performer], named_by: Template) -> dict[str, str]:
    """The plain name of each performer, by the name that is shown; of two that are shown alike, the first one counts."""
    names: dict[str, str] = {}
    for performer in people:
        names.setdefault(cut(shown_name(performer, named_by), NAME_LIMIT), clean_line(performer.name))
    return names


def performer_values(performer: Performer) -> Mapping[str, str]:
    """The values of a performer that templates can use, each in one line."""
    return {
        "name": clean_line(performer.name),
        "disambiguation": clean_line(performer.disambiguation),
        "alias": clean_line(next(iter(performer.aliases), "")),
        "aliases": ", ".join(map(clean_line, performer.aliases)),
        "gender": clean_line(performer.gender),
    }
