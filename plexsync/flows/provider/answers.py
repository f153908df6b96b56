"""Makes the answer of each scene, for the libraries that ask PlexSync (`plexsync.store.ledger.provider_memory`).

| state of the scene | a match finds it | its key is answered with |
|---|---|---|
| in step, or to be | yes | Stash's values, and Plex's in the fields that you keep |
| not approved as a whole, given up, not looked at to the end | as before | the values that were said last |
| out of scope | no | the values that were said last |
| undone | yes | the values from before PlexSync |
| gone from Stash | no | the values that were said last, or those from before PlexSync if these are put back |

A scene that you ignore is found by no match either: the table of jobs says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.flows.scenes.rules import LookRules
from plexsync.rules.item import is_provided
from plexsync.rules.merge.desired import desired_values, file_title
from plexsync.rules.merge.drift import kept_fields
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Value, held_field
from plexsync.rules.provider.documents import rating_key
from plexsync.rules.provider.questions import KnownLibrary, places_in
from plexsync.rules.provider.standing import REMOVING
from plexsync.rules.queue.job import Dead, Gone, NotShown, OutOfScope, Waiting
from plexsync.rules.scene import Scene
from plexsync.rules.words.text import fold
from plexsync.store.database import Writer
from plexsync.store.files.provider_secrets import read_secrets
from plexsync.store.ledger.provider_memory import ProviderRow, StoredAnswer

Values = dict[str, Value]


class SceneAnswers:
    """Saves the answers of the scenes that were inspected. `folder` is the data folder of this machine.

    `only` is the uuid of a library if nothing is said to the others.
    """

    def __init__(self, rules: LookRules, folder: Path, only: str = "") -> None:
        self._rules, self._folder, self._only = rules, folder, only

    def observe(self, tx: Writer, inspections: Sequence[Inspection], now: int) -> None:
        """Save it in the transaction that saves the inspections. Raises LocalFault if the secrets can't be read."""
        asking = [row for row in tx.providers.all() if row.state != REMOVING and self._only in ("", row.library)]
        readable = [inspection for inspection in inspections if inspection.error is None]
        if not asking or not readable:
            return
        ids = [inspection.id for inspection in readable]
        before, files_before = tx.answers.of(ids), tx.answers.files_of(ids)
        secrets = read_secrets(self._folder)
        for library in asking:
            key = bytes.fromhex(secrets[library.library].key) if library.library in secrets else b""
            self._say(tx, library, key, readable, before, files_before, now)

    def _say(
        self,
        tx: Writer,
        library: ProviderRow,
        secret: bytes,
        inspections: Iterable[Inspection],
        before: Mapping[tuple[str, int], StoredAnswer],
        files_before: Mapping[tuple[str, int], Sequence[str]],
        now: int,
    ) -> None:
        answers, files = [], {}
        for inspection in inspections:
            pair = library.library, inspection.id
            saved = before.get(pair)
            matched, values = self._answer(library, inspection, saved)
            if (saved is None and not matched) or (saved and saved.said_at > now):
                continue
            key = rating_key(secret, inspection.id) if secret else saved.key if saved else ""
            answer = StoredAnswer(library.library, inspection.id, key, matched, values)
            if key and not (saved and same_answer(saved, answer)):
                answers.append(answer)
            paths = sorted({file.path for file in inspection.scene.files}) if inspection.scene else []
            if matched and paths != list(files_before.get(pair, ())):
                files[pair] = paths
        tx.answers.say(answers, now=now)
        if files:
            tx.answers.save_files(files)

    def _answer(
        self, library: ProviderRow, inspection: Inspection, saved: StoredAnswer | None
    ) -> tuple[bool, Mapping[str, Value]]:
        """(whether a match finds the scene, the values for its key), as the table above says."""
        last: Mapping[str, Value] = {name: as_value(value) for name, value in saved.values.items()} if saved else {}
        was_matched = saved is not None and saved.matched
        end, scene = inspection.outcome or inspection.ends, inspection.scene
        targets = [target for target in inspection.targets if is_in(target, library)]
        if inspection.undone == TakenBack.RELEASE:
            return was_matched, last
        if inspection.undone:
            return inspection.undone != TakenBack.GONE, before_plexsync(targets, last)
        if isinstance(end, OutOfScope | Gone) or (inspection.targets and not targets):
            return False, last
        if scene is None or inspection.wanted is None or isinstance(end, NotShown | Dead):
            return was_matched, last
        if saved is not None and isinstance(end, Waiting):
            # Nothing is known of its items now, such as that it was undone, or what you keep there.
            return was_matched, last
        if not targets and not self._is_in_folders(library, scene):
            return False, last
        if targets:
            return True, values_of(targets[0], scene)
        profile = self._rules.libraries.get(fold(library.title), self._rules.profile)
        return True, provided(desired_values(scene, profile).values, scene)

    def _is_in_folders(self, library: ProviderRow, scene: Scene) -> bool:
        """Whether a scene that Plex does not have yet has a file in a folder of this library."""
        folders = KnownLibrary(library.folders, self._rules.paths)
        return any(places_in(file.path, folders) for file in scene.files)


def is_in(target: Target, library: ProviderRow) -> bool:
    """Whether the item is in this library."""
    item = target.item
    return item.library == library.library if item.library else item.section == library.section


def values_of(target: Target, scene: Scene) -> Values:
    """The values of an answer: Stash's, and in the fields that you keep those of Plex."""
    kept = {name for name in kept_fields(target.plan.memory) if name in target.wanted.values}
    own = {name: held_field(target.item, name).value for name in kept}
    return provided({**target.wanted.values, **own}, scene)


def provided(values: Mapping[str, Value], scene: Scene) -> Values:
    """Those of the values that Plex asks for. A title is always among them, since Plex requires one."""
    mine = {name: value for name, value in values.items() if is_provided(name)}
    return {"title": file_title(scene), **mine} if not mine.get("title") else mine


def before_plexsync(targets: Iterable[Target], last: Mapping[str, Value]) -> Values:
    """The values that an item had before PlexSync or the undone run; of fields that were never written, it is not known."""
    values = dict(last)
    for target in targets:
        memory = {name: past for name, past in target.memory.items() if is_provided(name)}
        before = {name: (past.back or past.found).value for name, past in memory.items()}
        values |= {name: value for name, value in before.items() if name != "title" or value}
        values.setdefault("title", target.item.value("title"))
    return values


def as_value(value: object) -> Value:
    """A value as it was stored."""
    return tuple(map(str, value)) if isinstance(value, list | tuple) else str(value)


def same_answer(saved: StoredAnswer, answer: StoredAnswer) -> bool:
    """Whether an answer is the one that is saved already."""
    stored = {name: as_value(value) for name, value in saved.values.items()}
    return (saved.key, saved.matched, stored) == (answer.key, answer.matched, dict(answer.values))
