"""Every request we send to Plex, against the official description of its interface."""

import json
import os
import re
from pathlib import Path

import pytest

from plexsync.plex.client import PlexClient, is_plex
from plexsync.rules.item import Cast
from plexsync.rules.merge.plan_records import Change
from plexsync.simulator.plex_server import PlexSim
from tests.app.probe_stage import stage

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PLEXSYNC_CONTRACTS") or ROOT.parent / "shared" / "contracts")
FILE = FOLDER / "plex-openapi.json"

SECTION_ITEMS = "/library/sections/{sectionId}/all"

# What the description lacks, and where it comes from instead.
OTHER_PATHS = {
    ("GET", "/library/sections"): "recorded from real servers; described as /library/sections/all",
    ("GET", "/library/sections/1/refresh"): "recorded from real servers, and as plexapi asks; described as POST",
    ("GET", "/accounts"): "not described; as plexapi asks",
}
OTHER_PARAMETERS = {
    ("GET", SECTION_ITEMS): {
        "type": "a media query, described in words",
        "sort": "a media query, described in words",
        "file": "not described; recorded from a real server",
        "updatedAt>>": "a media query, described in words",
        "lastViewedAt>>": "a media query, described in words",
        "excludeElements": "described in older documents of the same interface",
        "excludeFields": "described in older documents of the same interface",
        "X-Plex-Container-Start": "paging, described in words",
        "X-Plex-Container-Size": "paging, described in words",
    },
    ("GET", "/library/sections/1/refresh"): {"path": "described for POST"},
    ("GET", "/status/sessions/history/all"): {
        "viewedAt>": "`viewedAt` with its operator; as plexapi asks",
        "X-Plex-Container-Start": "paging, described in words",
        "X-Plex-Container-Size": "paging, described in words",
    },
    ("GET", "/library/collections/{collectionId}/items"): {
        "excludeElements": "described in older documents of the same interface",
        "excludeFields": "described in older documents of the same interface",
        "X-Plex-Container-Start": "paging, described in words",
        "X-Plex-Container-Size": "paging, described in words",
    },
    ("GET", "/library/collections/{collectionId}/composite/{updatedAt}"): {
        "width": "in the address that real servers send",
        "height": "in the address that real servers send",
    },
    ("PUT", "/library/metadata/{ids}"): {
        "field.value": "described for the items of a library; the form that newer servers take for collections",
        "field.locked": "described for the items of a library; the form that newer servers take for collections",
    },
    ("PUT", "/library/metadata/{ids}/prefs"): {
        "collectionMode": "described as any setting; as plexapi sends it",
        "collectionSort": "described as any setting; as plexapi sends it",
    },
    ("PUT", SECTION_ITEMS): {
        "id": "described in the words of the operation",
        "<tag>[<n>].tagging.text": "not described; used for roles by clients of real servers",
        "<tag>[<n>].tag.thumb": "not described; used for pictures of people by clients of real servers",
    },
}
# What the probe sends beside that.
OF_THE_PROBE = {
    ("GET", "/library/sections"): "see OTHER_PATHS",
    ("GET", "/library/metadata/5/posters"): "described for POST; as plexapi asks",
    ("GET", "/library/sections/{sectionId}/collections", "title"): "a media query; the answer is checked again",
}
# How the description writes what stands for many names.
GENERAL = (
    (re.compile(r"\w+\[\d+\]\.tag\.tag"), "tagtype[idx].tag.tag"),
    (re.compile(r"\w+\[\]\.tag\.tag-"), "tagtype[].tag.tag-"),
    (re.compile(r"\w+\[\d+\]\.tagging\.text"), "<tag>[<n>].tagging.text"),
    (re.compile(r"\w+\[\d+\]\.tag\.thumb"), "<tag>[<n>].tag.thumb"),
    (re.compile(r"\w+\.value"), "field.value"),
    (re.compile(r"\w+\.locked"), "field.locked"),
)


@pytest.fixture(scope="module")
def described():
    if not FILE.is_file():
        pytest.skip("Plex's interface is not here: set PLEXSYNC_CONTRACTS to the folder with plex-openapi.json")
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sent():
    """(method, target) of one request of each kind that the client can send."""
    with PlexSim(token="t") as sim:
        section = sim.add_section("Movies")
        key = sim.add_movie(section, files=[("/media/a.mp4", 1, 1000)], title="A", genre=["Old"])
        client = PlexClient(sim.url, "t")
        client.identity()
        client.sections()
        list(client.entries(section))
        list(client.changed_since(section, since=0))
        client.count(section)
        client.scan(section, "/media/new")
        client.find(section, "a.mp4")
        client.items([key, "999"])
        list(client.history.plays(1, since=5))
        list(client.history.viewings(section, since=5))
        client.history.accounts()
        client.history.sessions()
        client.history.played_threshold()
        edit = {
            "title": Change("B", True),
            "actor": Change(("Ann",), True),
            "face:Ann": Change("https://example.org/1.jpg"),
            "genre": Change(("New",), True, removes=("Old",)),
        }
        client.edit(section, key, edit, cast=Cast(roles={"Ann": "Queen"}))
        _ask_about_collections(sim, client, section, key)
        client.close()
        assert all(request.status == 200 for request in sim.log)
        return [(request.method, request.path, [name for name, _ in request.query]) for request in sim.log]


def test_each_request_names_the_version_of_the_description(described):
    with PlexSim(token="t") as sim:
        section = sim.add_section("Movies")
        key = sim.add_movie(section, files=[("/media/a.mp4", 1, 1000)], title="A")
        client = PlexClient(sim.url, "t")
        client.identity()
        client.edit(section, key, {"title": Change("B", True)})
        client.close()
        assert is_plex(sim.url, "", 5.0, 5.0)
        assert {request.method for request in sim.log} == {"GET", "PUT"}
        versions = {request.headers.get("x-plex-pms-api-version") for request in sim.log}
    assert versions == {described["info"]["version"]}


def _ask_about_collections(sim, client, section, key):
    other = sim.add_movie(section, files=[("/media/b.mp4", 1, 1000)], collection=["Best"])
    sim.hand_edit(key, collection=["Best"])
    best = sim.collection_keys(section)["Best"]
    list(client.collections.list_collections(section))
    client.collections.read([best])
    client.collections.members(best)
    for form in ("section", "item"):
        edit = {"title": Change("Finest", True), "thumb": Change(None, True)}
        client.collections.edit_collection(section, best, edit, form)
    client.collections.set_prefs(best, {"collectionMode": "2", "collectionSort": "2"})
    client.collections.move(best, key)
    client.collections.move(best, key, after=other)
    client.collections.show_home(section, best, ("home",), managed=False)
    client.collections.homes(section)
    client.collections.show_home(section, best, ("shared",), managed=True)
    client.collections.show_home(section, best, (), managed=True)


@pytest.fixture(scope="module")
def probing(tmp_path_factory):
    """(method, path, names) of every request of a probe."""
    with stage(tmp_path_factory.mktemp("probe") / "data") as here:
        here.plex.clear_log()
        assert here.probe().error == ""
        return [(request.method, request.path, [name for name, _ in request.query]) for request in here.plex.log]


def operation_of(described, method, path):
    """(described path, operation) for a real path."""
    for template, operations in described["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return template, operations[method.lower()]
    return path, None


def parameters_of(described, operation):
    names = set()
    for one in operation.get("parameters", ()):
        reference = one.get("$ref")
        found = described["components"]["parameters"][reference.rsplit("/", 1)[1]] if reference else one
        names.add(found["name"])
    return names


def general(name):
    return next((ours for pattern, ours in GENERAL if pattern.fullmatch(name)), name)


def test_every_path_is_described(described, sent):
    unknown = {(method, path) for method, path, _ in sent if operation_of(described, method, path)[1] is None}
    assert unknown == set(OTHER_PATHS)


def test_every_parameter_is_described(described, sent):
    unknown = set()
    for method, path, names in sent:
        template, operation = operation_of(described, method, path)
        known = parameters_of(described, operation) if operation else set()
        known |= OTHER_PARAMETERS.get((method, template), {}).keys()
        unknown |= {(method, path, name) for name in names if general(name) not in known}
    assert unknown == set()


def test_every_path_and_parameter_of_a_probe_is_described(described, probing):
    unknown = set()
    for method, path, names in probing:
        template, operation = operation_of(described, method, path)
        if operation is None:
            unknown.add((method, path))
            continue
        accepted = parameters_of(described, operation) | OTHER_PARAMETERS.get((method, template), {}).keys()
        unknown |= {(method, template, name) for name in names if general(name) not in accepted}
    assert unknown == OF_THE_PROBE.keys()


def test_an_edit_always_names_its_item(sent, probing):
    edits = [names for method, path, names in (*sent, *probing) if method == "PUT" and path.endswith("/all")]
    assert edits
    assert all("id" in names and "type" in names for names in edits)
