"""Playlists: each direct child of one tag in Stash is a playlist in Plex of the scenes that have the child tag itself.

Plex makes no playlist of a tag, so PlexSync creates and deletes them, and each item in it is a member of a list as a genre
is. A playlist has no library, no locks and no settings: what it shows was set by PlexSync or by you.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.collections.collection_order import ORDER, as_text, members_in
from plexsync.rules.collections.collection_servers import (
    CollectionSource,
    FoundTag,
    PlaylistEntry,
    PlaylistOrder,
    TaggedScene,
)
from plexsync.rules.item import Item
from plexsync.rules.merge.memory import give_up
from plexsync.rules.merge.plan_records import Memory, Pushing, Sending
from plexsync.rules.merge.values import Held, empty_value
from plexsync.rules.words.text import fold

MEMBERS = "members"


class UnclearTag(Exception):
    """The setting names no tag, or not one alone. The message is one line for display."""


def children_of(parent: str, candidates: Iterable[FoundTag]) -> dict[int, CollectionSource]:
    """The children of the tag with exactly this name, by id. Raises UnclearTag."""
    tags = list(candidates)
    named = [tag for tag in tags if tag.name == parent]
    if len(named) == 1:
        return {child.id: child for child in named[0].children}
    if named:
        raise UnclearTag(f"playlists: Stash has {len(named)} tags named {parent!r}: rename one of them")
    for tag in tags:
        if parent in tag.aliases:
            raise UnclearTag(f"playlists: {parent!r} is an alias of the tag {tag.name!r} in Stash: name that tag")
        if fold(tag.name) == fold(parent):
            raise UnclearTag(f"playlists: Stash has no tag {parent!r}, but {tag.name!r}: name it exactly so")
    raise UnclearTag(f"playlists: Stash has no tag {parent!r}: create it, or correct the setting")


def sort_scenes(scenes: Iterable[TaggedScene], order: PlaylistOrder) -> list[int]:
    """These scenes in this order, by id. Scenes without a date come last."""
    by_id = sorted(scenes, key=lambda scene: scene.id)
    if order == "title":
        return [scene.id for scene in sorted(by_id, key=lambda scene: fold(scene.title))]
    if order == "added":
        return [scene.id for scene in sorted(by_id, key=lambda scene: scene.added)]
    dated = sorted((scene for scene in by_id if scene.date), key=lambda scene: scene.date, reverse=order == "newest")
    return [scene.id for scene in (*dated, *(scene for scene in by_id if not scene.date))]


def choose_items(scenes: Iterable[int], keys: Mapping[int, Sequence[str]], present: Collection[str]) -> tuple[str, ...]:
    """One item for each of these scenes that has one: a member already, else that with the lowest key."""
    chosen = []
    for scene in scenes:
        own = sorted(keys.get(scene, ()), key=int)
        chosen += [next((key for key in own if key in present), own[0])] if own else []
    return tuple(dict.fromkeys(chosen))


def sort_members(members: Sequence[str], places: Mapping[str, int]) -> tuple[str, ...]:
    """The members by their places. One without a place, which you added, stays behind the one that it stands behind."""
    groups: list[list[str]] = [[]]
    for key in members:
        if key in places:
            groups.append([])
        groups[-1].append(key)
    ordered = [groups[0], *sorted(groups[1:], key=lambda group: places[group[0]])]
    return tuple(key for group in ordered for key in group)


def is_same(item: Item, members: Collection[str], name: str, memory: Memory) -> bool:
    """Whether a playlist with a remembered key is the one of this name: keys are dealt anew when Plex is."""
    title, remembered = memory.get("title"), memory.get(MEMBERS)
    titles = {name, *((str(title.left.value), str(title.said)) if title else ())}
    has_member = bool(remembered and set(remembered.ours.values()) & set(members))
    return not memory or has_member or item.value("title") in titles


def creations(pushing: Sequence[Pushing]) -> list[tuple[str, frozenset[str]]]:
    """The titles and the members with which playlists may have been created by requests of unknown end, newest first."""
    pairs = [
        (push.fields["title"], push.fields[MEMBERS]) for push in pushing if {"title", MEMBERS} <= push.fields.keys()
    ]
    # No playlist that is there has an empty title.
    return [(str(title.sent.value), frozenset(sent.adds)) for title, sent in reversed(pairs) if not title.before.value]


def has_deleted(pushing: Sequence[Pushing]) -> bool:
    """Whether a request of unknown result may have deleted the playlist."""
    return any(not sent.sent.value for _, sent in _sent_members(pushing))


def last_arrival(pushing: Sequence[Pushing]) -> int:
    """Until when a request of unknown end may still add something (UTC ms); 0 if there is none."""
    return max((until for until, sent in _sent_members(pushing) if sent.adds), default=0)


def added_twice(entries: Sequence[PlaylistEntry], pushing: Sequence[Pushing]) -> tuple[PlaylistEntry, ...]:
    """The places beyond the first one of items that a request of unknown end may have added once more."""
    may_be_added = {key for _, sent in _sent_members(pushing) for key in sent.adds}
    first = {entry.item: entry.key for entry in reversed(entries)}
    return tuple(entry for entry in entries if entry.item in may_be_added and first[entry.item] != entry.key)


def with_arrived(memory: Memory, pushing: Sequence[Pushing], present: Collection[str]) -> Memory:
    """The memory in which the members are PlexSync's that a request of unknown end may have put in."""
    if MEMBERS not in memory:
        return memory
    entry, arrived = memory[MEMBERS], dict[str, str]()
    for _, sent in _sent_members(pushing):
        arrived |= {key: key for key in sent.adds if key in present and key not in sent.before.value}
    return {**memory, MEMBERS: replace(entry, ours={**entry.ours, **arrived})}


def with_members_set_back(memory: Memory, item: Item, present: Collection[str]) -> Memory:
    """The memory of a playlist that a restore of Plex has set back: the members that it has lost by that are added again.

    The last push left them there, and the playlist is older than that, so nobody has taken them out since.
    """
    entry = memory.get(MEMBERS)
    if entry is None or entry.undone or not 0 < item.stamp < entry.stamp:
        return memory
    still_in_stash = tuple(key for key in entry.said if key in present or key not in entry.left.value)
    return {**memory, MEMBERS: replace(entry, said=still_in_stash, left=Held(tuple(present), entry.left.locked))}


def without_first_order(memory: Memory, present: Collection[str]) -> Memory:
    """The memory in which the order of a playlist that PlexSync has created is not to be restored: it had none before."""
    if ORDER not in memory or members_in(memory[ORDER].found.value):
        return memory
    return {**memory, ORDER: replace(memory[ORDER], found=Held(as_text(tuple(present)), locked=True))}


def _sent_members(pushing: Sequence[Pushing]) -> list[tuple[int, Sending]]:
    return [(push.until, push.fields[MEMBERS]) for push in pushing if MEMBERS in push.fields]


def given_up(memory: Memory) -> Memory:
    """The memory of a playlist that is not there any more: nothing of it is PlexSync's."""
    return {name: give_up(entry, Held(empty_value(name), locked=True)) for name, entry in memory.items()}
