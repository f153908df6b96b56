"""What the simulated Plex says about metadata providers, and asks them, against the official description.

The paths are in the OpenAPI document; the questions and their answers are described in its prose, whose tables are read
here. See `test_plex_contract.py` for where the document comes from.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import jsonschema
import pytest

from plexsync.simulator.plex_merge import FIELDS, KINDS, fault_of
from plexsync.simulator.plex_server import PlexSim
from tests.contract.test_plex_contract import DOCUMENT, TOKEN, ask, parameters_of, resolve, template_of, tolerant
from tests.patience import HANG
from tests.simulator.tiny_provider import IDENTIFIER, TinyProvider, kind_of

pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(),
    reason="Plex's OpenAPI document is not here: set PLEXSYNC_CONTRACTS to the folder that holds plex-openapi.json",
)

BASE = "/media/providers/metadata"
# What is asked for, or taken, although the description does not have it.
EXTRA_QUERY = {"updating": "seen at each refresh of a real server", "includePreferences": "seen when one starts"}
EXTRA_KINDS = {"collection": "of an older description; what real providers send works"}


@pytest.fixture(scope="module")
def document() -> dict:
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


@pytest.fixture
def tiny() -> Iterator[TinyProvider]:
    with TinyProvider({"a.mp4": {"title": "Alpha"}}) as tiny:
        yield tiny


@pytest.fixture
def sim(tiny: TinyProvider) -> Iterator[PlexSim]:
    """A server with a provider that has a group and a library, and has been asked everything."""
    with PlexSim(token=TOKEN) as sim:
        section = sim.add_section("Movies", locations=("/media/Movies",))
        sim.use_provider(section, tiny.base)
        sim.set_section_pref(section, "includeAdultContent", "1")
        key = sim.add_movie(section, [("/media/Movies/a.mp4", 1, 60_000)])
        sim.wait_for_asks(HANG)
        sim.restart()
        ask(sim, "GET", f"/library/metadata/{key}/matches?manual=1")
        sim.traits.asks_images = True
        sim.refresh_item(key)
        sim.wait_for_asks(HANG)
        yield sim


def prose(document: dict, heading: str) -> str:
    """The text of a section of the description, up to the next heading of its rank or a higher one."""
    text = document["info"]["description"]
    rank = len(heading.partition(" ")[0])
    _, _, rest = text.partition(f"\n{heading}\n")
    assert rest, f"the description has no longer a section {heading!r}"
    return re.split(rf"^#{{1,{rank}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def names(document: dict, heading: str) -> dict[str, list[str]]:
    """The rows of all tables of a section: what stands in the first column, and the other columns."""
    found = {}
    for line in prose(document, heading).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and not set(cells[0]) <= set("- "):
            found[cells[0].strip("`")] = cells[1:]
    return found


def operation_of(document: dict, method: str, path: str) -> dict:
    return document["paths"][template_of(document, method, urlsplit(path).path)][method.lower()]


WRITES = [
    ("POST", BASE, {"uri": "{second}"}, 200),
    ("POST", BASE, {"uri": "{base}"}, 409),
    ("POST", BASE, {"uri": "{base}/nothing"}, 400),
    ("GET", f"{BASE}/7", {}, 200),
    ("GET", f"{BASE}/99", {}, 404),
    ("PUT", f"{BASE}/7", {"uri": "{base}"}, 200),
    ("PUT", f"{BASE}/7", {"uri": "{base}/nothing"}, 400),
    ("DELETE", f"{BASE}/7", {}, 403),
    ("DELETE", f"{BASE}/99", {}, 404),
    ("POST", f"{BASE}/group", {"title": "x", "primaryIdentifier": IDENTIFIER}, 200),
    ("POST", f"{BASE}/group", {"title": "x", "primaryIdentifier": "nobody"}, 400),
    ("GET", f"{BASE}/group/5", {}, 200),
    ("GET", f"{BASE}/group/99", {}, 404),
    ("PUT", f"{BASE}/group/5", {"title": "y"}, 200),
    ("PUT", f"{BASE}/group/99", {"title": "y"}, 400),
    ("PUT", f"{BASE}/group/5/items/6", {"after": "-1"}, 200),
    ("PUT", f"{BASE}/group/5/items/99", {}, 400),
    ("DELETE", f"{BASE}/group/5/items/7", {}, 403),
    ("DELETE", f"{BASE}/group/5/items/99", {}, 404),
    ("DELETE", f"{BASE}/group/5/items/6", {}, 200),
    ("DELETE", f"{BASE}/group/5", {}, 200),
    ("DELETE", f"{BASE}/group/99", {}, 404),
    ("PUT", "/library/sections/1", {"metadataAgentProviderGroupId": "5"}, 400),
]


@pytest.mark.parametrize(("method", "path", "query", "expected"), WRITES, ids=lambda value: str(value)[:50])
def test_requests_about_providers_are_answered_as_described(
    sim: PlexSim, tiny: TinyProvider, document: dict, method: str, path: str, query: dict, expected: int
) -> None:
    with TinyProvider() as second:
        second.identifier = "tv.plex.agents.custom.test.second"
        filled = {name: value.format(base=tiny.base, second=second.base) for name, value in query.items()}
        status, body = ask(sim, method, f"{path}?{urlencode(filled)}")

    operation = operation_of(document, method, path)
    assert status == expected
    assert str(status) in operation["responses"], "a status that is not described"
    assert set(query) <= parameters_of(document, method, template_of(document, method, path))
    content = resolve(document, operation["responses"][str(status)]).get("content", {}).get("application/json")
    if content:
        schema = {**tolerant(content["schema"]), "components": tolerant(document["components"])}
        jsonschema.Draft202012Validator(schema).validate(json.loads(body))


@pytest.mark.parametrize("path", [BASE, f"{BASE}/group"])
def test_lists_have_the_fields_of_the_examples(sim: PlexSim, document: dict, path: str) -> None:
    """The schema names the places of a group otherwise than the example."""
    content = operation_of(document, "GET", path)["responses"]["200"]["content"]["application/json"]
    (example,) = [one["value"]["MediaContainer"] for one in content["examples"].values()]
    found = json.loads(ask(sim, "GET", path)[1])["MediaContainer"]

    (element,) = example.keys() - {"size"}
    assert found.keys() == example.keys()
    assert all(one.keys() == example[element][0].keys() for one in found[element])
    places = [one["MetadataAgentProviderGroupItem"] for one in found[element] if path.endswith("group")]
    known = example[element][0].get("MetadataAgentProviderGroupItem", [{}])[0].keys()
    assert all(place.keys() == known for some in places for place in some)


def test_a_match_asks_with_described_attributes_and_all_that_are_needed(
    sim: PlexSim, tiny: TinyProvider, document: dict
) -> None:
    known = names(document, "### Match Feature")
    bodies = [json.loads(one.body) for one in tiny.asked("matches")]

    assert [set(body) - set(known) for body in bodies] == [set()] * len(bodies)
    assert set().union(*bodies) == {"type", "title", "filename", "manual", "includeAdult"}
    assert {body["type"] for body in bodies} == {int(names(document, "#### Metadata Types Table")["movie"][0])}


def test_all_questions_carry_the_described_headers(sim: PlexSim, tiny: TinyProvider, document: dict) -> None:
    described = {name for name in names(document, "### Common Request Headers") if name.startswith("X-Plex-")}

    assert {kind_of(one) for one in tiny.log} == {"root", "matches", "metadata", "images", "extras"}
    for asked in tiny.log:
        assert set(asked.params) <= described | set(EXTRA_QUERY)
        assert all(name in asked.params or name.lower() in asked.headers for name in described)


def test_what_is_taken_of_an_answer_is_described(document: dict) -> None:
    heading = "### Metadata Object"
    fields = names(document, heading)
    arrays = set(re.findall(r"^#+ `(\w+)` Array", prose(document, heading), re.MULTILINE))

    assert set(FIELDS) <= set(fields)
    assert {element for kind, element in KINDS.items() if kind not in EXTRA_KINDS} <= arrays
    assert "Collection" not in arrays, "collections are described now"


def test_an_answer_without_a_required_attribute_is_of_no_use(document: dict) -> None:
    required = [
        name
        for name, cells in names(document, "#### Core Attributes (applicable to all metadata types)").items()
        if cells[0] == "string" and cells[1] == "Yes"
    ]
    sound = {
        "ratingKey": "a",
        "key": "/library/metadata/a",
        "guid": f"{IDENTIFIER}://movie/a",
        "type": "movie",
        "title": "T",
        "originallyAvailableAt": "2020-01-02",
    }

    assert sorted(required) == sorted(sound)
    assert fault_of(sound, "a", sound["guid"]) == ""
    for name in required:
        rest = {one: value for one, value in sound.items() if one != name}
        assert fault_of(rest, "a", sound["guid"]) != ""
