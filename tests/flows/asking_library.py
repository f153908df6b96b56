"""A library of the simulated Plex that asks PlexSync: the house, and the real provider on its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plexsync.app.provider import fill_answers
from plexsync.flows.provider.libraries import start_asking
from plexsync.rules.queue.job import Why
from plexsync.store.files.provider_secrets import renew_path
from plexsync.store.ledger.provider_memory import ProviderRow
from tests.engine.house import House, path_of
from tests.engine.pools import Inline
from tests.patience import HANG
from tests.provider.stage import Asked, answer_store, answering

PATIENCE = 20.0
IDENTIFIER = "tv.plex.agents.custom.plexsync.house"


class AskingHouse(House):
    """A house whose library asks. `asked` is the provider."""

    asked: Asked

    @property
    def library(self) -> str:
        """The uuid of the library."""
        return next(one.uuid for one in self.worker.plex.sections() if one.key == self.section)

    def begin(self) -> None:
        """The library asks from now on, as after `plexsync provider add`."""
        row = ProviderRow(self.library, self.section, "Movies", IDENTIFIER, "adding", {"folders": ["/media"]})
        with self.store.writing() as tx:
            tx.providers.save(row)
            tx.providers.save_items(self.library, [(key, {}) for key in self.plex_sim.keys(self.section)])
        fill_answers(self.worker.parts, self.folder, self.library)
        with self.store.writing() as tx:
            start_asking(tx, row, now=self.clock.now())
        self.plex_sim.set_section_pref(self.section, "includeAdultContent", "1")
        self.plex_sim.use_provider(self.section, f"{self.asked.url}/{self.asked.path}")

    def drop_in(self, n: int, **scene: object) -> int:
        """A new file: its scene in Stash, which is inspected, then Plex's scan and all that it asks. Returns the scene."""
        id = self.add_scene(n, **scene)
        self.want(id)
        self.work()
        self.scan(n)
        return id

    def scan(self, *numbers: int) -> None:
        """Plex finds these files, and asks for them."""
        for n in numbers:
            self.plex_sim.stage_movie(self.section, [(path_of(n), 1000 + n, 60_000)])
        self.plex_sim.scan(self.section)
        self.plex_sim.finish_scan(self.section)
        self.plex_sim.wait_for_asks(HANG)

    def work(self) -> list:
        """Step, with Plex asking whatever it was told to ask, until nothing is to be done."""
        steps = super().work()
        self.plex_sim.wait_for_asks(HANG)
        return steps

    def settle(self) -> None:
        """Let time pass until no row waits or runs, and Plex has asked for everything."""
        while self.unsettled():
            self.work_for(1)
            self.plex_sim.wait_for_asks(HANG)

    def edit_and_settle(self, id: int, **changes: object) -> None:
        """An edit in Stash, and all that follows."""
        self.edit(id, **changes)
        self.settle()

    def sync(self, *ids: int) -> None:
        """Inspect these scenes, and let everything settle."""
        self.want(*ids, why=Why.USER)
        self.settle()

    def edits(self) -> list[str]:
        """The paths of Plex's edits of items since the log was cleared, with their queries."""
        return [one.target for one in self.plex_sim.log if one.method == "PUT" and "/all?" in one.target]


@contextmanager
def asking_house(folder: Path, **rules: object) -> Iterator[AskingHouse]:
    """A house with a provider at its side; no library asks yet."""
    with AskingHouse(folder, **{"provider": PATIENCE, "pool": Inline(), **rules}) as house:
        own = renew_path(folder, house.library)
        with answering(answer_store(folder), path=own.path) as asked:
            house.asked = asked
            yield house
