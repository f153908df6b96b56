"""What PlexSync answers Plex, against the official description, and against what the simulated Plex takes."""

import json
import re
from random import Random

import pytest

from plexsync.rules.item import FIELDS, LISTS, ROLE, beside, is_provided
from plexsync.rules.provider.documents import match_document, metadata_document, rating_key, root_document
from plexsync.rules.provider.questions import KnownLibrary, scene_of
from plexsync.rules.records import AnswerFile
from plexsync.simulator.plex_merge import fault_of
from tests.chance import SEED
from tests.contract.test_plex_contract import DOCUMENT
from tests.contract.test_plex_providers_contract import EXTRA_KINDS, names, prose

IDENTIFIER = "tv.plex.agents.custom.plexsync.a1"
NAMES = ("One", "Two, three", "ä ö", "x" * 255, "'\"<>&", "日本語", "")
needs_description = pytest.mark.skipif(not DOCUMENT.exists(), reason="Plex's OpenAPI document is not here")


def random_values(dice: Random) -> dict[str, object]:
    """Values of a scene as they may be stored."""
    values: dict[str, object] = {"title": dice.choice(NAMES[:-1])}
    for name in FIELDS:
        if name == "title" or not is_provided(name) or dice.random() < 0.3:
            continue
        if name in LISTS:
            values[name] = dice.sample(NAMES, dice.randint(0, 4))
        elif name == "originallyAvailableAt":
            values[name] = dice.choice(["", "2024-05-17", "1899-12-31"])
        else:
            values[name] = dice.choice(NAMES)
    for member in values.get("actor", ()):  # type: ignore[attr-defined]
        if dice.random() < 0.5:
            values[beside(ROLE, member)] = dice.choice(NAMES)
    return values


def test_plex_takes_every_answer() -> None:
    dice = Random(SEED)
    for scene in range(1, 201):
        key = rating_key(b"key", scene)
        guid = f"{IDENTIFIER}://movie/{key}"
        values = random_values(dice)
        for document in (
            metadata_document(IDENTIFIER, key, values),  # type: ignore[arg-type]
            match_document(IDENTIFIER, key, values),  # type: ignore[arg-type]
        ):
            # As it is sent.
            assert fault_of(json.loads(json.dumps(document)), key, guid) == "", document


@needs_description
def test_every_attribute_of_an_answer_is_described() -> None:
    description = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    heading = "### Metadata Object"
    known, dice = set(names(description, heading)), Random(SEED)
    arrays = prose(description, heading)
    for scene in range(200):
        document = metadata_document(IDENTIFIER, str(scene), random_values(dice))  # type: ignore[arg-type]
        lists = {name for name, value in document.items() if isinstance(value, list)}
        assert document.keys() - lists <= known
        assert all(f"`{name}` Array" in arrays for name in lists - {"Collection"})
        assert {attribute for name in lists for tag in document[name] for attribute in tag} <= known  # type: ignore[attr-defined]
    assert "collection" in EXTRA_KINDS


@needs_description
def test_the_root_has_what_is_described() -> None:
    description = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    provider = root_document(IDENTIFIER, "PlexSync", "1")["MediaProvider"]
    assert isinstance(provider, dict)
    known = names(description, "### MediaProvider")
    assert set(provider) == {name for name in known if name != "Field"} | {"Types"}
    assert {feature["type"] for feature in provider["Feature"]} == {
        name for name, cells in names(description, "#### Available Features").items() if cells[0] == "Yes"
    }
    assert provider["Types"][0]["type"] == int(names(description, "#### Metadata Types Table")["movie"][0])


@needs_description
def test_keys_and_identifiers_are_of_the_characters_that_are_described() -> None:
    description = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    (letters,) = re.findall(r"regex (\[[^\]]+\])", prose(description, "#### `ratingKey` component"))

    assert all(re.fullmatch(f"{letters}+", rating_key(b"key", scene)) for scene in range(1_000))


@needs_description
def test_the_path_of_the_description_is_understood() -> None:
    description = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    (path,) = re.findall(r"e\.g\. `([^`]+)`", names(description, "### Match Feature")["filename"][3])
    files = [AnswerFile(1, f"/media{path}"), AnswerFile(2, "/media/Movies/other.mp4")]

    assert path.startswith("/Movies/")
    assert scene_of(path, files, KnownLibrary(("/media/Movies",))) == 1
