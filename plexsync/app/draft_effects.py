"""What a draft changes that no inspection shows: which libraries are synced, and ratings that go both ways."""

from collections.abc import Mapping, Sequence
from contextlib import closing

from plexsync.app.clients import plex_client
from plexsync.app.parts import Assembled
from plexsync.engine.tickets import READ_PLEX
from plexsync.engine.watching import asked_pages
from plexsync.flows.plays.ratings import bases_of
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.scene_matching import by_part
from plexsync.plex.client import PlexClient
from plexsync.rules.item import Entry
from plexsync.rules.match import match
from plexsync.rules.match.grades import places
from plexsync.rules.match.match_records import Matched, Offer
from plexsync.rules.match.paths import name_key, path_key
from plexsync.rules.plays.ratings import RatingPlan, RatingRules, item_rating, plan_rating, stash_rating
from plexsync.rules.scene import Scene
from validation.config import PlexSyncConfig


class LibraryChoice:
    """The libraries of a draft, where they are others than those in use.

    `left`: the titles of those that it leaves out, by key. `added`: those that it adds. `additions`: by the title of an
    added one, how many of its items are of a scene, and how many it has.
    """

    def __init__(self, house: Assembled, config: PlexSyncConfig, client_id: str) -> None:
        """Asks Plex for its libraries. Raises NeighbourError."""
        plex = plex_client(PlexClient, config, house.clock, client_id=client_id, alive=lambda: None)
        with closing(plex):
            then = {section.key: section.title for section in house.gates.ask(READ_PLEX, plex.sections, of_all=True)}
        self._house = house
        now = {section.key: section.title for section in house.gates.ask(READ_PLEX, house.plex.sections, of_all=True)}
        self.left = {key: title for key, title in now.items() if key not in then}
        self.added = {key: title for key, title in then.items() if key not in now}
        self.additions: dict[str, tuple[int, int]] = {}
        self._at: Mapping[str, Sequence[Entry]] = {}
        self._named: Mapping[str, Sequence[Entry]] = {}
        self._met: set[str] = set()

    def read(self) -> None:
        """List the items of the added libraries. Raises NeighbourError."""
        gates, entries = self._house.gates, list[Entry]()
        for key, title in self.added.items():
            pages = asked_pages(gates, READ_PLEX, self._house.plex.entries(key), of_all=True)
            entries += (listed := [entry for page in pages for entry in page])
            self.additions[title] = 0, len(listed)
        self._at, self._named = by_part(entries, path_key), by_part(entries, name_key)

    def leaves(self, inspection: Inspection) -> bool:
        """Whether all items of a scene are in libraries that are left out."""
        targets = inspection.targets
        return bool(targets) and all(target.item.section in self.left for target in targets)

    def adds(self, scene: Scene) -> bool:
        """Whether an item of an added library is of this scene, as far as its files tell without a look at others."""
        looks = self._house.settings.looks
        candidates = [
            *(entry for key in places(scene, looks.paths) for entry in self._at.get(key, ())),
            *(entry for key in match.names(scene) for entry in self._named.get(key, ())),
        ]
        entries = tuple({entry.key: entry for entry in candidates}.values())
        verdict = match.match(Offer(scene, entries, looks.paths, rivals=(scene,), by_duration=looks.by_duration))
        keys = set(verdict.keys) if isinstance(verdict, Matched) else set[str]()
        for entry in entries:
            if entry.key in keys - self._met:
                self._met.add(entry.key)
                title = self.added[entry.section]
                self.additions[title] = self.additions[title][0] + 1, self.additions[title][1]
        return bool(keys)


class RatingComparison:
    """Counts the ratings that a draft would write, where they go both ways, and the settings in use would not."""

    def __init__(self, house: Assembled, draft: RatingRules, in_use: RatingRules | None) -> None:
        """`in_use`: None if ratings go one way now."""
        self._house, self._draft, self._now = house, draft, in_use

    def count(self, inspections: Sequence[Inspection]) -> tuple[int, int]:
        """How many ratings of these scenes it would write in Stash, and how many in Plex."""
        scenes = [each.scene for each in inspections if each.scene and each.targets and not each.undone]
        with self._house.store.reading() as db:
            bases, rows = bases_of(db, scenes), db.sections.all()
        sections = self._draft.sections(rows)
        in_stash = in_plex = 0
        for inspection in inspections:
            read = {t.item.key: item_rating(t.item) for t in inspection.targets if t.item.section in sections}
            if inspection.scene is None or inspection.undone or not read:
                continue
            memory = {key: base for (id, key), base in bases.items() if id == inspection.id and key in read}
            stash, now = stash_rating(inspection.scene.rating100), self._house.clock.now()
            plans = [
                plan_rating(memory, stash, read, rules.wins, now=now, longest=self._house.expiry.longest)
                for rules in (self._draft, self._now)
                if rules
            ]
            before = plans[1] if len(plans) > 1 else RatingPlan()
            in_stash += plans[0].to_stash is not None and plans[0].to_stash != before.to_stash
            in_plex += sum(before.to_plex.get(key) != rating for key, rating in plans[0].to_plex.items())
        return in_stash, in_plex
