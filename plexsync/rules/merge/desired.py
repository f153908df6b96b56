"""The values that Plex should show for a scene: all enabled fields, cleaned and within limits."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from itertools import accumulate
from pathlib import PurePosixPath
from urllib.parse import quote

from plexsync.rules.collections.collections import CollectionChoice, CollectionObject, chosen_tags, objects_of
from plexsync.rules.item import FACE, FIELDS, ROLE, beside
from plexsync.rules.match.paths import base_name
from plexsync.rules.merge import template
from plexsync.rules.merge.added_dates import FIELD as ADDED, added_date
from plexsync.rules.merge.choice import Patterns
from plexsync.rules.merge.plan_records import Note
from plexsync.rules.merge.template import Template
from plexsync.rules.merge.values import Value
from plexsync.rules.record_class import record
from plexsync.rules.scene import Performer, Scene
from plexsync.rules.words.text import NAME_LIMIT, SUMMARY_LIMIT, clean_block, clean_line, cut, fold

MEMBER_LIMIT = 500
# The longest field in bytes as sent in a URL, where every character but plain letters takes three bytes each. Plex
# publishes no limit; it has answered requests of 25 to 40 kB with 400, or dropped them.
SENT_LIMIT = 30_000
# The most bytes of one character there.
LARGEST_CHARACTER = 12
# Bytes sent for each list member in addition to its name.
MEMBER_FRAME = 30

PLAIN_NAME = template.parse_template("{name}", template.ROLE_NAMES)
FACE_LIMIT = 2_000
TITLE = template.parse_template("{title}", template.NAMES)
NO_TEXT = Template()
ALL_TAGS, NO_TAGS = Patterns(("*",)), Patterns()

_SORTED_JSON = json.JSONEncoder(sort_keys=True)
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", re.ASCII)


@record
class Profile(CollectionChoice):
    """The enabled Plex fields (of `plexsync.rules.item.FIELDS`), and what they show.

    `genres` and `labels` choose among the tags, with `tag_parents`. `content_rating` and `fixed_labels` are those of all.
    `date_added` is a source in `plexsync.rules.merge.added_dates`, '' for none. `poster` and `background` are sources of
    `plexsync.rules.scene.Image` with ", " between them, '' for none: the first that exists is shown. `poster_shape`,
    `poster_anchor` and `poster_logo` are those of `plexsync.rules.merge.pictures.Treatment`. `performer_name` is the name
    of each cast member; `role` and `face` are shown beside it: a text and the address of a picture.
    """

    fields: frozenset[str]
    title: Template = TITLE
    sort_title: Template = NO_TEXT
    original_title: Template = NO_TEXT
    tagline: Template = NO_TEXT
    date_added: str = ""
    content_rating: str = ""
    genres: Patterns = ALL_TAGS
    labels: Patterns = NO_TAGS
    fixed_labels: tuple[str, ...] = ()
    poster: str = ""
    background: str = ""
    poster_shape: str = "as_is"
    poster_anchor: str = "centre"
    performer_name: Template = PLAIN_NAME
    poster_logo: str = ""
    role: Template = NO_TEXT
    face: Template = NO_TEXT

    def carrying(self, names: Mapping[CollectionObject, str]) -> "Profile":
        """These rules with names of collections that scenes carry instead of those of the templates ('' for none)."""
        return replace(self, dressing=replace(self.dressing, carried=names))

    @property
    def pictures(self) -> dict[str, tuple[str, ...]]:
        """The sources of each picture to show, the preferred one first, by its name in Plex."""
        settings = {"thumb": self.poster, "art": self.background}
        return {name: tuple(sources.split(", ")) for name, sources in settings.items() if sources}

    @property
    def asks_galleries(self) -> bool:
        """Whether the scene's galleries matter."""
        return any("gallery" in sources for sources in self.pictures.values())

    @property
    def asks_people(self) -> bool:
        """Whether the scene needs more of its performers than their names."""
        in_collections = "collection" in self.fields and "performers" in self.collections
        if in_collections and "disambiguation" in self.dressing.names.get("performer", NO_TEXT).names:
            return True
        is_named = self.performer_name.names <= {"name"}
        return "actor" in self.fields and (not is_named or bool(self.role or self.face))

    @property
    def asks_file_times(self) -> bool:
        """Whether it matters when the file of a scene was changed."""
        return ADDED in self.fields and self.date_added == "file"

    @property
    def asks_above(self) -> bool:
        """Whether the parent tags of a scene's tags matter."""
        choices = (self.genres, self.labels, self.tag_collections)
        return any(choice.asks_above or (choice and self.tag_parents) for choice in choices)


@record
class Wanted:
    """The value of every enabled field ('' or () if Stash has none), and notes on what was changed on the way.

    The title is never ''. It is left out if the scene has neither a title nor a file to take one from.
    """

    values: Mapping[str, Value]
    notes: tuple[Note, ...] = ()


def desired_values(scene: Scene, profile: Profile) -> Wanted:
    """The values that Plex should show for the scene. docs/fields.md has the rule of each field."""
    notes: list[Note] = []
    values: dict[str, Value] = {}
    for name in FIELDS:
        if name not in profile.fields:
            continue
        if text_of := _TEXTS.get(name):
            limit = SUMMARY_LIMIT if name == "summary" else NAME_LIMIT
            values[name] = within(name, text_of(scene, profile), limit, notes)
        elif names_of := _LISTS.get(name):
            values[name] = _names(name, names_of(scene, profile), notes)
        else:
            values[name] = _VALUES[name](scene, profile, notes)
    if not values.get("title", "something"):
        del values["title"]
    if "actor" in values and (profile.role.groups or profile.face.groups):
        values |= _beside(scene, profile, values["actor"], notes)
    return Wanted(values, tuple(notes))


def digest(desired: Wanted) -> str:
    """A digest of the desired values: 16 hex digits that depend on the values, but not on the order inside lists."""
    values = {name: value if isinstance(value, str) else sorted(value) for name, value in desired.values.items()}
    return hashlib.sha256(_SORTED_JSON.encode(values).encode()).hexdigest()[:16]


# --- titles ----------------------------------------------------------------------------------------------------------


def _title(scene: Scene, profile: Profile) -> str:
    """The title from the template, or the plain title; '' if the scene has neither a title nor a file."""
    own = _own_title(scene)
    return (_fill_template(profile.title, scene) if own and profile.title != TITLE else "") or own


def _fill_template(made_of: Template, scene: Scene) -> str:
    return clean_line(made_of.fill({name: clean_line(_IN_TEMPLATES[name](scene)) for name in made_of.names}))


def _own_title(scene: Scene) -> str:
    """The title of the scene, or the name of its primary file."""
    return clean_line(scene.title) or file_title(scene)


def file_title(scene: Scene) -> str:
    """The name of the primary file without its extension, as Plex would use it; '' if there is no file."""
    name = base_name(scene.files[0].path) if scene.files else ""
    return clean_line(PurePosixPath(name).stem) or clean_line(name)


# --- other single values ---------------------------------------------------------------------------------------------


def _day(scene: Scene, _profile: Profile | None, notes: list[Note]) -> str:
    """The date as YYYY-MM-DD. A year or month alone becomes its first day, because Plex has only full dates."""
    text = clean_line(scene.date)
    if not text:
        return ""
    matched = _DATE.fullmatch(text)
    try:
        day = date(*(int(part or 1) for part in matched.groups())).isoformat() if matched else ""
    except ValueError:
        day = ""
    if not day:
        notes.append(Note("originallyAvailableAt", "dropped", "the date is not one that Plex can show"))
    elif day != text:
        notes.append(Note("originallyAvailableAt", "cut", f"the date {text} is shown as its first day, {day}"))
    return day


def _added_date(scene: Scene, profile: Profile, notes: list[Note]) -> str:
    return added_date(scene, profile.date_added, _day(scene, None, []), notes) if profile.date_added else ""


def _rating(scene: Scene, _profile: Profile, _notes: list[Note]) -> str:
    """A tenth of Stash's rating (1-100) as the shortest decimal; '' without a rating."""
    if not scene.rating100 or scene.rating100 < 0:
        return ""
    return f"{min(scene.rating100, 100) / 10:g}"


# --- lists -----------------------------------------------------------------------------------------------------------


def _actors(scene: Scene, profile: Profile) -> Iterable[str]:
    performers = scene.people or tuple(Performer(0, name) for name in scene.performers)
    return (shown_name(performer, profile.performer_name) for performer in performers)


def _beside(scene: Scene, profile: Profile, cast: Value, notes: list[Note]) -> dict[str, Value]:
    """The values to show beside the cast members. If two have the same name, the first one counts, as in the list."""
    people: dict[str, Performer] = {}
    for performer in scene.people:
        people.setdefault(fold(cut(shown_name(performer, profile.performer_name), NAME_LIMIT)), performer)
    texts_by_field: dict[str, Value] = {}
    dropped = SENT_LIMIT - sum(sent_size(member) + MEMBER_FRAME for member in cast)
    for member in cast:
        texts = _texts_beside(profile, people.get(fold(member)))
        dropped -= sum(sent_size(text) + MEMBER_FRAME for text in texts.values())
        if dropped < 0:
            notes.append(Note("actor", "dropped", "not everything fits that is to be shown beside the cast"))
            break
        texts_by_field |= {beside(role, member): text for role, text in texts.items()}
    return texts_by_field


def _texts_beside(profile: Profile, performer: Performer | None) -> dict[str, str]:
    if performer is None:
        return {}
    values = {**performer_values(performer), "id": str(performer.id)}
    texts = {}
    if profile.role:
        texts[ROLE] = cut(clean_line(profile.role.fill(values)), NAME_LIMIT)
    if profile.face:
        face = profile.face.fill({name: quote(value, safe="", errors="replace") for name, value in values.items()})
        texts[FACE] = face if len(face) <= FACE_LIMIT else ""
    return texts


def _tags(scene: Scene, chosen: Patterns, profile: Profile) -> list[str]:
    if chosen == ALL_TAGS and not profile.tag_parents:
        return list(scene.tags)
    return [name for _, name in chosen_tags(scene, chosen, parents=profile.tag_parents)]


def _names(field: str, names: Iterable[str], notes: list[Note]) -> tuple[str, ...]:
    """The names, cleaned and in order: each once, in its first spelling, without empty ones."""
    members: dict[str, str] = {}
    for name in names:
        member = within(field, clean_line(name), NAME_LIMIT, notes)
        if member:
            members.setdefault(fold(member), member)
    fitting = list(members.values())[:MEMBER_LIMIT]
    if LARGEST_CHARACTER * sum(map(len, fitting)) + MEMBER_FRAME * len(fitting) > SENT_LIMIT:
        ends = accumulate(sent_size(member) + MEMBER_FRAME for member in fitting)
        fitting = [member for member, end in zip(fitting, ends, strict=True) if end <= SENT_LIMIT]
    if len(fitting) < len(members):
        notes.append(Note(field, "dropped", f"only the first {len(fitting)} of {len(members)} names are shown"))
    return tuple(fitting)


def sent_size(text: str) -> int:
    """The size of a text in a URL, in bytes."""
    return len(quote(text, safe="", errors="replace"))


def within(field: str, text: str, limit: int, notes: list[Note]) -> str:
    """A text as Plex can show it; notes what was cut."""
    fitting = text if len(text) <= limit else cut(text, limit)
    while LARGEST_CHARACTER * len(fitting) > SENT_LIMIT and (size := sent_size(fitting)) > SENT_LIMIT:
        fitting = cut(fitting, max(1, len(fitting) * SENT_LIMIT // size))
    if fitting != text:
        notes.append(Note(field, "cut", f"a text of {len(text)} characters was cut to {len(fitting)}"))
    return fitting


# By the names of `template.NAMES`.
_IN_TEMPLATES: Mapping[str, Callable[[Scene], str]] = {
    "title": _own_title,
    "file": file_title,
    "studio": lambda scene: scene.studio,
    "parent": lambda scene: next(iter(scene.parents), ""),
    "date": lambda scene: _day(scene, None, []),
    "year": lambda scene: _day(scene, None, [])[:4],
    "code": lambda scene: scene.code,
    "director": lambda scene: scene.director,
    "performers": lambda scene: ", ".join(map(clean_line, scene.performers)),
    "group": lambda scene: next(iter(scene.groups), ""),
}
_TEXTS: Mapping[str, Callable[[Scene, Profile], str]] = {
    "title": _title,
    "titleSort": lambda scene, profile: _fill_template(profile.sort_title, scene),
    "originalTitle": lambda scene, profile: _fill_template(profile.original_title, scene),
    "tagline": lambda scene, profile: _fill_template(profile.tagline, scene),
    "studio": lambda scene, _: clean_line(scene.studio),
    "summary": lambda scene, _: clean_block(scene.details),
    "contentRating": lambda _, profile: clean_line(profile.content_rating),
}
_LISTS: Mapping[str, Callable[[Scene, Profile], Iterable[str]]] = {
    "actor": _actors,
    # Stash stores all directors in one text.
    "director": lambda scene, _: re.split("[,;]", scene.director),
    "genre": lambda scene, profile: _tags(scene, profile.genres, profile),
    "collection": lambda scene, profile: [named.full_name for named in objects_of(scene, profile)],
    "label": lambda scene, profile: (*profile.fixed_labels, *_tags(scene, profile.labels, profile)),
}
_VALUES: Mapping[str, Callable[[Scene, Profile, list[Note]], str]] = {
    "originallyAvailableAt": _day,
    "addedAt": _added_date,
    "userRating": _rating,
}


# --- the names of performers ---------------------------------------------------------------------------------------


def shown_name(performer: Performer, named_by: Template) -> str:
    """The name by this template; the plain name if it gives an empty text, '' for a performer without a name."""
    if named_by == PLAIN_NAME:
        return clean_line(performer.name)
    values = performer_values(performer)
    return (values["name"] and clean_line(named_by.fill(values))) or values["name"]


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
