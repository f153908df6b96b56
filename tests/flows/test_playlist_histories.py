"""Random days of a few playlists, with edits on both sides, kills, lost answers, undos and deletions at any moment.

Somebody else's playlists are never written, what a hand added, took out, moved or named stays, all else is as Stash says
once there is rest, and an undo leaves Plex as it was. Each day is one seed; PLEXSYNC_TORTURE=1 lives 500.
"""

import os

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import CollectionUndo, handed_over, want_collections
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.stash_images import png
from tests.engine.house import House
from tests.flows.days import Act, Days, Death
from tests.flows.dressed import writes
from tests.flows.listed import PARENT, begin, listed_house, row, settle

DAYS = 500 if os.environ.get("PLEXSYNC_TORTURE") else 4
STEPS = 30
SCENES = 7
CALLS = ("list_playlists", "entries", "create", "add", "remove", "move", "edit", "delete")


def death_of(house: House, at: int) -> Death:
    """Kills the worker before its request about playlists number `at`."""
    return Death({house.worker.plex.playlists: CALLS}, at)


class Day(Days):
    def __init__(self, house: House, seed: int) -> None:
        super().__init__(house, seed, most=3)
        sim = house.plex_sim
        self.mine = [
            sim.add_movie(house.section, files=[(f"/media/mine {n}.mp4", 1, 1)], title="mine") for n in range(2)
        ]
        self.foreign = {sim.add_playlist("Night", self.mine[0]), sim.add_playlist("Dawn", smart="library://x")}
        self.hers = sim.add_playlist("Evening", self.mine[1], account=7)
        self.before = self.others()
        self.added: set[tuple[str, str]] = set()  # (playlist, item) that a hand put in
        self.taken: set[tuple[str, str]] = set()  # and took out
        self.given: set[str] = set()  # that a hand ever put something in
        self.moved: set[str] = set()
        self.left: set[str] = set()  # that an undo may have left to a hand, with its texts
        self.edited: set[tuple[str, str]] = set()
        self.deleted = 0
        self.late: list[Request] = []
        self.names = ["Evening", "Night", "Dawn", "Noon"]
        self.ids = begin(house, *[("Evening",)] * 3, *[("Night", "Noon")] * 2, ("Dawn",), (), children=(*self.names,))

    def others(self) -> object:
        seen = self.house.plex_sim.playlists()
        return {key: seen[key] for key in self.foreign}, self.house.plex_sim.playlists(account=7)

    def own(self) -> dict:
        return {key: one for key, one in self.house.plex_sim.playlists().items() if key not in self.foreign}

    def acts(self) -> tuple[Act, ...]:
        return (
            *(self.retag, self.retag, self.retag, self.date, self.text, self.rename, self.parent),
            *(self.hand_add, self.hand_take, self.hand_move, self.hand_name, self.hand_delete),
            *(self.undo, self.redo, self.compare, self.kill, self.kill, self.lose, self.lose, self.arrive),
            *(
                self.meet,
                self.time,
            ),
            *(self.work, self.work, self.work, self.work),
        )

    # --- in Stash ------------------------------------------------------------------------------------------------------

    def retag(self) -> None:
        id = self.rng.choice(self.ids)
        self.house.stash_sim.edit_scene(id, tags=self.rng.sample(self.names, self.rng.randint(0, 3)))
        self.house.want(id)

    def date(self) -> None:
        id = self.rng.choice(self.ids)
        self.house.stash_sim.edit_scene(id, date=self.rng.choice([None, f"2019-05-{self.rng.randint(10, 28)}"]))
        self.house.want(id)

    def tag(self, name: str) -> None:
        """The hook of the tag, which does not always come."""
        (id,) = (tag.id for tag in self.house.stash_sim.data.tags.values() if tag.name == name)
        if self.rng.random() < 0.7:
            self.house.want(id, kind="tag")

    def text(self) -> None:
        name = self.rng.choice(self.names)
        picture = png(*(self.rng.randrange(256) for _ in range(3)))
        change = self.rng.choice([{"description": self.new("Text")}, {"description": ""}, {"image": picture}])
        self.house.stash_sim.edit_object("tag", name, **change)
        self.tag(name)

    def rename(self) -> None:
        old, new = self.rng.choice(self.names), self.new("Name")
        if old not in ("Night", "Dawn"):
            self.house.stash_sim.rename_tag(old, new)
            self.names[self.names.index(old)] = new
            self.tag(new)

    def parent(self) -> None:
        name = self.rng.choice(self.names)
        self.house.stash_sim.set_tag_parents(name, self.rng.choice([[PARENT], [PARENT], []]))
        self.tag(name)

    # --- by hand in Plex -----------------------------------------------------------------------------------------------

    def playlist(self) -> str:
        """One that PlexSync knows to have created: a hand is slower than the next look."""
        bound = {row.item for row in self.rows()} | self.given
        return self.rng.choice(sorted(self.own().keys() & bound) or [""])

    def hand_add(self) -> None:
        if key := self.playlist():
            scene = self.house.key_of(self.rng.choice(self.ids))
            item = self.rng.choice([*self.mine, scene])
            if item not in self.own()[key].members:
                self.house.plex_sim.add_to_playlist(key, item)
                self.added.add((key, item))
                self.given.add(key)

    def hand_take(self) -> None:
        if (key := self.playlist()) and (members := self.own()[key].members):
            item = self.rng.choice(members)
            self.house.plex_sim.take_from_playlist(key, item)
            self.added.discard((key, item))
            self.taken.add((key, item))

    def hand_move(self) -> None:
        if (key := self.playlist()) and len(members := self.own()[key].members) > 1:
            self.house.plex_sim.move_in_playlist(key, members[0], members[-1])
            self.moved.add(key)

    def hand_name(self) -> None:
        if key := self.playlist():
            part = self.rng.choice(("title", "summary"))
            self.house.plex_sim.hand_edit(key, **{part: self.new("By hand")})
            self.edited.add((key, part))

    def hand_delete(self) -> None:
        if (key := self.playlist()) and self.rng.random() < 0.3:
            self.house.plex_sim.remove_playlist(key)
            self.deleted += 1

    # --- with PlexSync ---------------------------------------------------------------------------------------------------

    def undo(self, ids: list[int] | None = None) -> None:
        chosen = self.some() if ids is None else ids
        self.left |= {row.item for row in self.rows() if row.id in chosen}
        super().undo(chosen)

    def kill(self) -> None:
        self.die(death_of(self.house, self.rng.randint(1, 14)))

    def lose(self) -> None:
        """The answer to a write is lost, after it was carried out or before; or it is well, and nothing was.

        What adds something may be carried out later, too.
        """
        kind = self.rng.choice(("reset_after", "reset", "cut", "swallow"))
        late = kind == "reset" and self.rng.random() < 0.5

        def is_hit(request: Request) -> bool:
            adds = request.path.startswith("/playlists") and "uri" in request.params
            if late and adds:
                self.late.append(request)
            return request.method != "GET" and (adds or not late)

        self.work_with(Fault(kind, times=self.rng.randint(1, 2), when=is_hit))

    def arrive(self) -> None:
        """What was sent some time ago is carried out only now."""
        for request in self.late:
            self.house.plex_sim.answer(request)
        self.late.clear()

    def meet(self) -> None:
        self.at_once(self.undo, self.redo, self.text, self.retag)

    # --- what must be true in the end --------------------------------------------------------------------------------

    def rest(self) -> None:
        """All of it is done anew, and looked at once more after every request of before has ended."""
        self.arrive()
        self.house.clock.move(3600)
        self.house.want(*self.ids)
        settle(self.house)
        self.redo_all()
        settle(self.house)

    def wrong(self) -> list[str]:
        """What is not as Stash and the hands say."""
        problems, data, shown = [], self.house.stash_sim.data, self.own()
        scenes = {id: data.scenes[id] for id in self.ids}
        items = {id: self.house.key_of(id) for id in self.ids}
        children = {tag.id: tag for tag in data.tags.values() if any(one.name == PARENT for one in tag.parents)}
        rows = {row.object.id: row for row in self.rows()}
        if rows.keys() != children.keys():
            problems.append(f"rows of {sorted(rows)} for {sorted(children)}")
        bound = [row.item for row in rows.values() if row.item and row.item not in self.foreign]
        strays = shown.keys() - set(bound)
        if len(set(bound)) != len(bound):
            problems.append(f"two rows for one playlist: {bound}")
        touched = {key for key, _ in self.edited} | self.given
        problems += [f"playlist {key} is nobody's" for key in strays - touched]
        for id, tag in children.items():
            row = rows[id]
            tagged = [one for one, scene in scenes.items() if any(t.id == id for t in scene.tags)]
            if row.item in self.foreign or (row.owner == "foreign" and row.item in touched):
                continue
            if not row.item:
                problems += [f"{tag.name} is missing"] if tagged else []
                continue
            key, one = row.item, shown[row.item]
            if len(set(one.members)) != len(one.members):
                problems.append(f"{tag.name} has an item twice: {one.members}")
            expected = {items[id] for id in tagged}
            problems += [
                f"{tag.name} has no {item}" for item in expected - set(one.members) if (key, item) not in self.taken
            ]
            problems += [
                f"{tag.name} has {item}" for item in set(one.members) - expected if (key, item) not in self.added
            ]
            for part, value in (("title", tag.name), ("summary", tag.description or "")):
                if not ((key, part) in self.edited or key in self.left) and (one.item.scalars.get(part) or "") != value:
                    problems.append(f"{tag.name}: {part} is {one.item.scalars.get(part)!r}")
            ordered = sorted(tagged, key=lambda id: (not scenes[id].date, scenes[id].date or "", id))
            own = [item for item in one.members if item in expected and (key, item) not in self.added]
            if key not in self.moved and own != [items[id] for id in ordered if items[id] in own]:
                problems.append(f"{tag.name} stands as {own}")
        for key, item in self.added:
            if key in shown and item not in shown[key].members:
                problems.append(f"{item}, which a hand has added to {key}, is gone")
        return problems


@pytest.mark.parametrize("seed", range(DAYS))
def test_whatever_the_day_was_like_stash_is_shown_and_an_undo_leaves_plex_as_before(tmp_path, seed: int) -> None:
    with listed_house(tmp_path) as house:
        day = Day(house, seed)
        day.live(STEPS)
        day.rest()
        assert day.wrong() == []
        assert day.others() == day.before
        house.forget_requests()
        settle(house)
        assert [text for text in writes(house) if "/playlists" in text] == []
        day.undo([row.id for row in day.rows()])
        settle(house)
        assert {
            key: set(one.members) - {item for k, item in day.added if k == key} for key, one in day.own().items()
        } == {key: set() for key in day.own()}
        assert day.own().keys() <= day.given | {key for key, part in day.edited if part == "title"}
        assert day.others() == day.before
        assert house.books_balance()


def test_handed_over_a_playlist_gets_back_what_it_had(tmp_path) -> None:
    with listed_house(tmp_path) as house:
        mine = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        key = house.plex_sim.add_playlist("Evening", mine)
        house.plex_sim.hand_edit(key, summary="Mine", thumb=png(9, 9, 9))
        house.stash_sim.set_tag_parents("Evening", [PARENT])
        house.stash_sim.edit_object("tag", "Evening", description="Text", image=png(1, 2, 3))
        begin(house, ("Evening",), ("Evening",), ("Evening",))
        items = sorted(house.plex_sim.keys(house.section), key=int)[1:]
        house.plex_sim.add_to_playlist(key, items[2], items[0])
        before = house.plex_sim.playlists()
        ids = [row(house, "Evening").id]
        want_collections(house.store, house.clock, ids, handed_over)
        settle(house)
        taken = house.plex_sim.playlists()[key]
        assert taken.members == [mine, items[2], items[0], items[1]], "its order was there first"
        assert taken.item.scalars == before[key].item.scalars
        wish_undone(house.store, CollectionUndo(house.worker.dressing.inspector), house.clock, ids, "undo")
        settle(house)
        after = house.plex_sim.playlists()
        assert after[key].members == before[key].members
        assert (after[key].item.scalars, after[key].item.poster) == (before[key].item.scalars, before[key].item.poster)
