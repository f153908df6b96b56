"""Random days of a few collections, with edits on both sides, kills, undos and decisions at any moment.

Somebody else's collections are never written, what you edited in Plex stays, all else is as Stash says once there is rest,
and an undo takes everything off. Each day is one seed; PLEXSYNC_TORTURE=1 lives many more.
"""

import os
from contextlib import suppress

import pytest

from plexsync.flows.collections.decisions import CollectionDecisions
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter
from plexsync.plex.artwork import key_of as picture_key
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.engine.house import House
from tests.flows.days import Act, Days
from tests.flows.dressed import Shown, begin, dressed_house, key_of, rows, shown, writes
from tests.flows.test_collections_flow import EVERYTHING, redress
from tests.flows.test_collections_survive import death_of

DAYS = 300 if os.environ.get("PLEXSYNC_TORTURE") else 3
STEPS = 24
STUDIOS, GROUPS, TAGS = ("Acme", "Best", "Bros"), ("Trilogy", "Saga"), ("Series One", "Series Two")
# What holds the text of each source's object in Stash.
TEXT = {"studio": "details", "group": "synopsis", "tag": "description"}
PICTURE = {"studio": "image", "group": "front_image", "tag": "image"}


class Day(Days):
    def __init__(self, house: House, seed: int) -> None:
        super().__init__(house, seed, most=4)
        self.touched: set[tuple[str, str]] = set()  # (key, part) where a person was
        self.pictures: set[str] = set()
        self.names = {"studio": list(STUDIOS), "group": list(GROUPS), "tag": list(TAGS)}
        self.texts: dict[tuple[str, str], str] = {}
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Best"])
        smart = house.plex_sim.add_smart_collection(house.section, "Series Two", [stray])
        self.foreign = {key_of(house, "Best"), smart}
        self.before = self.others()
        self.ids = begin(
            house,
            {"studio": "Acme", "groups": [("Trilogy", 2)], "tags": ["Series One"]},
            {"studio": "Acme", "groups": [("Trilogy", 1), ("Saga", 1)], "tags": []},
            {"studio": "Best", "groups": [("Trilogy", 3)], "tags": ["Series Two"]},
            {"studio": "Bros", "groups": [("Saga", 2)], "tags": ["Series One", "Series Two"]},
        )

    def others(self) -> dict[str, Shown]:
        """Somebody else's collections, without their members, which scenes join."""
        seen = shown(self.house)
        return {key: _without_members(seen[key]) for key in self.foreign}

    def acts(self) -> tuple[Act, ...]:
        return (
            *(self.edit_scene, self.edit_object, self.edit_object, self.draw, self.rename, self.hand, self.hand),
            *(
                self.move,
                self.decide,
                self.undo,
                self.redo,
                self.compare,
                self.kill,
                self.swallow,
                self.meet,
                self.time,
            ),
            *(self.work, self.work, self.work),
        )

    # --- what happens ------------------------------------------------------------------------------------------------

    def edit_scene(self) -> None:
        id, (studios, groups, tags) = self.rng.choice(self.ids), self.names.values()
        changes = {
            "studio": self.rng.choice([None, *studios]),
            "groups": [(name, self.rng.randint(0, 5)) for name in self.rng.sample(groups, self.rng.randint(0, 2))],
            "tags": self.rng.sample(tags, self.rng.randint(0, 2)),
        }
        name = self.rng.choice(tuple(changes))
        self.house.stash_sim.edit_scene(id, **{name: changes[name]})
        self.house.want(id)

    def edit_object(self) -> None:
        source = self.rng.choice(tuple(TEXT))
        name, text = self.rng.choice(self.names[source]), self.rng.choice(["", self.new("Text")])
        self.house.stash_sim.edit_object(source, name, **{TEXT[source]: text})
        self.texts[source, name] = text
        self.want(source, name)

    def draw(self) -> None:
        source = self.rng.choice(tuple(TEXT))
        name, picture = self.rng.choice(self.names[source]), png(*(self.rng.randrange(256) for _ in range(3)))
        self.house.stash_sim.edit_object(source, name, **{PICTURE[source]: picture})
        self.pictures |= {picture_key(place, picture) for place in ("thumb", "art")}
        self.want(source, name)

    def rename(self) -> None:
        source, rename = self.rng.choice(
            [("studio", self.house.stash_sim.rename_studio), ("group", self.house.stash_sim.rename_group)]
        )
        old, new = self.rng.choice(self.names[source]), self.new("Name")
        rename(old, new)
        self.names[source][self.names[source].index(old)] = new
        self.texts[source, new] = self.texts.pop((source, old), "")
        self.want(source, new)

    def want(self, source: str, name: str) -> None:
        """The hook of the object, which does not always come."""
        (id,) = (row.id for row in self.objects(source) if row.name == name)
        if self.rng.random() < 0.7:
            self.house.want(id, kind=source)

    def objects(self, source: str) -> list:
        data = self.house.stash_sim.data
        return list({"studio": data.studios, "group": data.groups, "tag": data.tags}[source].values())

    def hand(self) -> None:
        key = self.rng.choice(sorted(self.house.plex_sim.collection_keys(self.house.section).values()))
        part = self.rng.choice(("summary", "titleSort"))
        if key not in self.foreign:
            self.house.plex_sim.hand_edit(key, locked=self.rng.random() < 0.7, **{part: self.new("By hand")})
            self.touched.add((key, part))

    def move(self) -> None:
        plex = self.house.worker.plex
        key = self.rng.choice(sorted(self.house.plex_sim.collection_keys(self.house.section).values()))
        with suppress(NeighbourError):
            members = plex.collections.members(key)
            if key not in self.foreign and len(members) > 1:
                plex.collections.move(key, members[0], after=members[-1])
                self.touched.add((key, "order"))

    def decide(self) -> None:
        worker, answer = self.house.worker, self.rng.choice(list(DriftAnswer))
        with suppress(NeighbourError):
            inspector = worker.dressing.inspector
            decisions = CollectionDecisions(inspector, self.house.clock)
            decisions.decide(self.some(), answer, DriftFilter())

    def compare(self) -> None:
        with suppress(NeighbourError):
            self.house.worker.reconciler.reconcile()
            self.house.worker.dressing.comparison.compare()

    def kill(self) -> None:
        self.die(death_of(self.house, self.rng.randint(1, 12)))

    def swallow(self) -> None:
        """Plex answers some writes well, and takes nothing of them."""
        self.work_with(Fault("swallow", times=self.rng.randint(1, 2), when=lambda request: request.method != "GET"))

    def meet(self) -> None:
        self.at_once(self.undo, self.redo, self.edit_object, self.edit_scene)

    # --- what must be true in the end --------------------------------------------------------------------------------

    def rest(self) -> None:
        """All of it is done anew, and looked at once more after every request of before has ended."""
        self.house.clock.move(3600)
        self.house.want(*self.ids)
        self.house.work_until_settled()
        self.compare()
        self.redo_all()
        self.house.work_until_settled()
        redress(self.house)
        redress(self.house)

    def wrong_texts(self) -> dict[str, tuple[object, str]]:
        """The summaries in Plex that nobody edited there, and that are not what Stash says."""
        seen, wrong = shown(self.house), {}
        for name, row in rows(self.house).items():
            if row.owner == "ours" and (row.item, "summary") not in self.touched:
                source = str(row.object.source)
                (object,) = (one for one in self.objects(source) if one.id == row.object.id)
                text, is_now = self.texts.get((source, object.name), ""), seen[row.item].scalars.get("summary") or ""
                if is_now != text:
                    wrong[name] = (is_now, text)
        return wrong


def _without_members(entry: Shown) -> Shown:
    return Shown(entry.scalars, entry.locks, entry.poster, entry.art, entry.mode, entry.sort, (), entry.home)


@pytest.mark.parametrize("seed", range(DAYS))
def test_whatever_the_day_was_like_stash_is_shown_and_an_undo_takes_all_of_it_off(tmp_path, seed: int) -> None:
    with dressed_house(tmp_path, **EVERYTHING) as house:
        day = Day(house, seed)
        day.live(STEPS)
        day.rest()
        assert day.wrong_texts() == {}
        assert day.others() == day.before
        house.forget_requests()
        redress(house)
        assert writes(house) == []

        day.undo([row.id for row in rows(house).values()])
        house.work_until_settled()
        left = {
            key: entry
            for key, entry in shown(house).items()
            if key not in day.foreign and not any(at == key for at, _ in day.touched)
        }
        # Of a few days, a hand was at every collection.
        assert {entry.locks for entry in left.values()} <= {frozenset()}
        assert {(tuple(entry.scalars), entry.mode, entry.sort, entry.home or ()) for entry in left.values()} <= {
            (("title",), "", "", ())
        }
        assert not {entry.poster for entry in left.values()} & day.pictures
        assert day.others() == day.before
        assert house.books_balance()
