"""A house in which Plex knows more than Stash, the parts of an import on it, and what requests were sent."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from plexsync.flows.imports.importer import Importer, ImportResult
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.imports.planner import ImportPlanner, SceneImport
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.import_records import ImportChange, NameKind
from plexsync.rules.merge.plan_records import Policy
from plexsync.simulator.http import Request
from plexsync.stash.client import StashClient
from plexsync.stash.creating import StashCreating
from plexsync.store.database import Database
from tests.engine.house import KEY, UNHURRIED, House, path_of

LONGEST = 60_000
# All fields but collections, so that a studio has no second way to Plex.
PLAIN = Profile(frozenset(FIELDS), collections=frozenset())
KNOWN: dict[str, Any] = {
    "title": "The film",
    "summary": "What happens.\nAnd then.",
    "originallyAvailableAt": "2020-05-06",
    "studio": "Big Studio",
    "userRating": 8.3,
    "actor": ["Ann", "Bo"],
    "genre": ["Drama", "Noir"],
}
MUTATIONS = ("sceneUpdate", "performerCreate", "tagCreate", "studioCreate", "Destroy")


@dataclass
class Stage:
    """`house` has scenes without values, and items with values."""

    folder: Path
    rules: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.house = self._stack.enter_context(House(self.folder, **{"profile": PLAIN, **self.rules}))
        timeouts = {"connect_timeout": UNHURRIED, "read_timeout": UNHURRIED}
        self.client = StashClient(self.house.stash_sim.url, KEY, tags_above=True, people=True, **timeouts)
        self._stack.callback(self.client.close)
        self.stash = StashCreating(self.client.requests)
        self.may_go_on: Callable[[], bool] = lambda: True
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- what is there -----------------------------------------------------------------------------------------------

    def add(self, n: int = 0, scene: dict[str, Any] | None = None, **fields: Any) -> int:
        """A scene with a file and nothing else (but `scene`), whose item has these fields."""
        house = self.house
        known = {**KNOWN, **fields}
        known = {name: value for name, value in known.items() if value is not None}
        house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], **known)
        return house.add_scene(n, **{"title": "", "studio": None, "tags": [], **(scene or {})})

    def add_names(self) -> None:
        """Everything that KNOWN names is in Stash."""
        self.house.stash_sim.add_scene(
            title="other",
            studio="Big Studio",
            performers=["Ann", "Bo"],
            tags=["Drama", "Noir"],
            files=[("/x.mp4", 5, 1.0)],
        )

    def scene_json(self, id: int) -> str:
        """The scene as Stash answers it, as bytes, without the time of its last change."""
        fields = (
            "id title code details director urls date rating100 organized play_count play_history resume_time"
            " play_duration created_at files { id path } studio { id name } groups { group { id } }"
            " tags { id name } performers { id name } stash_ids { stash_id }"
        )
        return json.dumps(self.ask(f"{{ findScene(id: {id}) {{ {fields} }} }}"))

    def ask(self, query: str) -> Any:
        return self.client.requests.ask(msgspec.json.Decoder(), query)

    def names(self, kind: NameKind) -> list[str]:
        return [entry.name for entry in self.stash.names(kind)]

    # --- the parts ---------------------------------------------------------------------------------------------------

    @property
    def planner(self) -> ImportPlanner:
        return self.importer().planner

    def importer(self, store: Database | None = None) -> Importer:
        house, worker = self.house, self.house.worker
        expiry = worker.parts.expiry
        changes = OpenChanges(store or house.store, self.stash, worker.gates, house.clock, expiry, longest=LONGEST)
        policy = self.rules.get("policy", Policy())
        planner = ImportPlanner(changes, worker.stash, worker.glances, policy, self.rules.get("ratings"))
        return Importer(planner, may_go_on=lambda: self.may_go_on())

    def plans(self, *ids: int, create: bool = False) -> list[SceneImport]:
        planner = self.planner
        return list(planner.plans(list(ids) or None, planner.changes.names(), create=create))

    def carry_out(self, plans: list[SceneImport]) -> ImportResult:
        return self.importer().carry_out(plans)

    def run(self, *ids: int, create: bool = False) -> ImportResult:
        """Plan and carry out."""
        return self.carry_out(self.plans(*ids, create=create))

    def undo(self, run: int = 1) -> ImportResult:
        return self.importer().take_back([run])

    def rows(self, run: int = 1) -> list[ImportChange]:
        with self.house.store.reading() as db:
            return db.imports.of_run(run)

    # --- the sync after it -------------------------------------------------------------------------------------------

    def sync(self, *ids: int) -> list[str]:
        """Sync these scenes to their end; returns the names of the values that were written to Plex."""
        self.house.clock.move(60)
        self.house.forget_requests()
        self.house.want(*ids)
        self.house.work_until_settled()
        return value_writes(self.house.plex_sim.log)

    def mutations(self) -> list[str]:
        """The names of the writes that Stash got, in their order."""
        bodies = [request.body.decode() for request in self.house.stash_sim.log]
        return [name for body in bodies for name in MUTATIONS if "mutation" in body and name in body]


def value_writes(log: list[Request]) -> list[str]:
    """The parameters of writes to Plex that carry a value: everything but locks and what names the item."""
    writes = [request for request in log if request.method in ("PUT", "POST", "DELETE")]
    names = {name for request in writes for name in request.params}
    return sorted(
        name for name in names if not name.endswith(".locked") and name not in ("id", "type", "includeFields")
    )
