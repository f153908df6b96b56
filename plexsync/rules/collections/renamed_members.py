"""Cast members that get another name by `performer_name`: what is shown beside them moves along.

The same edit removes the earlier name, if PlexSync had added it, and adds the new one. For Plex that is another person.
"""

from collections.abc import Mapping
from dataclasses import replace

from plexsync.rules.item import ROLE, Cast, Item, beside, beside_member, field_key
from plexsync.rules.merge.plan_records import Decision, Memory, Remembered
from plexsync.rules.merge.traits import is_private
from plexsync.rules.merge.values import Value, joined_names, name_keys
from plexsync.rules.words.text import fold


def renamed_members(step: Decision | None, plain_names: Mapping[str, str]) -> dict[str, str]:
    """The earlier name of each member that a step of the cast renames, by the new name.

    `plain_names`: the name in Stash of each performer, by the name that is shown. An earlier name is the plain one, or
    begins with it and goes on with a sign, as in `Jane Doe (the painter)`. It moves to the first performer that fits.
    """
    if step is None or step.change is None or not step.change.removes:
        return {}
    renamed: dict[str, str] = {}
    leaving = list(step.change.removes)
    for name in step.change.adds:
        plain = fold(plain_names.get(name, name))
        fitting = [earlier for earlier in leaving if _is_name_of(fold(earlier), plain)]
        if earlier := min(fitting, key=lambda text: fold(text) != plain, default=""):
            leaving.remove(earlier)
            renamed[name] = earlier
    return renamed


def cast_that_stays_away(
    memory: dict[str, Remembered], cast: Value, item: Item, plain_names: Mapping[str, str]
) -> dict[str, Remembered]:
    """The memory in which a performer whom somebody removed in Plex stays away under the new name too."""
    remembered = memory.get("actor")
    if remembered is None or isinstance(cast, str) or not plain_names or set(cast) <= set(remembered.said):
        return memory
    present = name_keys(item.lists.get("actor", ())) | name_keys(cast)
    spellings = {fold(name): fold(spelling) for name, spelling in remembered.ours.items()}
    absent = {key for key in name_keys(remembered.said) if not {key, spellings.get(key, key)} & present}
    away = tuple(name for name in cast if any(_is_name_of(key, fold(plain_names.get(name, name))) for key in absent))
    if not away:
        return memory
    return {**memory, "actor": replace(remembered, said=joined_names(tuple(remembered.said), away))}


def _is_name_of(shown: str, plain: str) -> bool:
    more = shown.removeprefix(plain)
    return shown == plain or (more != shown and not more.strip()[:1].isalnum())


def item_after_renames(item: Item, renamed: Mapping[str, str]) -> Item:
    """The item with the role text of each renamed member beside its new name."""
    texts = {name: text for name, earlier in renamed.items() if (text := beside_member(item.roles, earlier))}
    return replace(item, roles={**item.roles, **texts}) if texts else item


def memory_after_renames(memory: Memory, renamed: Mapping[str, str]) -> dict[str, Remembered]:
    """The memory with the role text of each renamed member under its new name."""
    names = {field_key(beside(ROLE, earlier)): beside(ROLE, name) for name, earlier in renamed.items()}
    return {names.get(field_key(name), name): remembered for name, remembered in memory.items()}


def cast_to_send(item: Item, renamed: Mapping[str, str]) -> Cast:
    """The cast of an item, to be sent along with an edit that renames members: role texts and pictures move along.

    A picture at an address of a private network stays behind: some servers refuse an edit with one.
    """
    cast = item_after_renames(item, renamed).cast
    faces = {name: beside_member(item.faces, earlier) for name, earlier in renamed.items()}
    return replace(cast, faces={name: face for name, face in faces.items() if _is_public(face)})


def _is_public(address: str) -> bool:
    return address.startswith(("http://", "https://")) and not is_private(address)
