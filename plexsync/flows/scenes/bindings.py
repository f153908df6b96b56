"""Binds items to scenes by hand. A binding goes before every other match."""

from collections.abc import Sequence
from dataclasses import dataclass

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH, READS
from plexsync.flows.scenes.dead_letter_cures import bindings_changed
from plexsync.rules.item import Item
from plexsync.rules.job import Kind, Why
from plexsync.rules.match_records import Binding
from plexsync.rules.neighbours import Clock, Plex, Stash
from plexsync.store.database import Database


class CantBind(Exception):
    """Nothing was bound. The message is one line for display."""


@dataclass(frozen=True)
class Bound:
    """The result of binding.

    `items` holds the bound items, each with the title of its library. `forgotten` holds the keys of earlier bindings
    that Plex no longer has; they were removed. `looked_again` holds the other scenes pushed to these items before; they
    are queued.
    """

    items: tuple[tuple[Item, str], ...]
    forgotten: tuple[str, ...]
    looked_again: tuple[int, ...]


def bind(
    store: Database, stash: Stash, plex: Plex, gates: Gates, clock: Clock, scene: int, keys: Sequence[str]
) -> Bound:
    """Bind these items to the scene for good, in addition to earlier bindings, and queue the scene; all of them or none.

    The want of a running job is renewed, so that the scene is inspected again. Raises CantBind, and NeighbourError if a
    server can't be asked.
    """
    gates.enter(*READS)
    if scene not in gates.ask(READ_STASH, lambda: stash.scenes([scene])):
        raise CantBind(f"Stash has no scene {scene}")
    with store.reading() as db:
        before = [binding.key for binding in db.bindings.all() if binding.scene == scene]
    titles = {section.key: section.title for section in gates.ask(READ_PLEX, plex.sections, of_all=True)}
    answers = gates.ask(READ_PLEX, lambda: plex.items(list(dict.fromkeys([*keys, *before]))))
    items = [_bindable(key, answers.get(key), titles) for key in dict.fromkeys(keys)]
    gone = tuple(key for key in before if key not in answers)
    now = clock.now()
    with store.writing() as tx:
        others = {binding.key: binding.scene for binding in tx.bindings.all() if binding.scene != scene}
        for item in items:
            if item.key in others:
                other = others[item.key]
                raise CantBind(
                    f"item {item.key} is bound to scene {other}: plexsync unbind {other} {item.key} takes it off"
                )
            tx.bindings.bind(Binding(scene, item.key, tuple(part.path for part in item.parts), now))
        for key in gone:
            tx.bindings.unbind(scene, key)
        owners = tx.memories.owners([item.key for item in items])
        pushed = sorted({id for ids in owners.values() for id in ids} - {scene})
        for id in (scene, *pushed):
            tx.jobs.want(Kind.SCENE, id, Why.USER, now)
        bindings_changed(tx)
    return Bound(tuple((item, titles[item.section]) for item in items), gone, tuple(pushed))


def unbind(store: Database, clock: Clock, scene: int, key: str = "") -> int:
    """Unbind one item (all of them: '') from a scene and queue it, so that its files decide again. Returns how many."""
    with store.writing() as tx:
        count = tx.bindings.unbind(scene, key)
        if count:
            tx.jobs.want(Kind.SCENE, scene, Why.USER, clock.now())
            bindings_changed(tx)
    return count


def _bindable(key: str, item: Item | None, titles: dict[str, str]) -> Item:
    if item is None:
        raise CantBind(f"Plex has no item {key}")
    if item.section not in titles:
        raise CantBind(f"item {key} is in none of the synced libraries ({', '.join(titles.values())})")
    if not item.parts:
        raise CantBind(f"item {key} has no file: is it a collection?")
    return item
