"""A manifest is read as strictly as Stash reads it."""

import pytest

from plexsync.simulator.stash_manifest import ManifestError, parse_yaml, read_manifest
from tests.tables import table

WHOLE = """\
# What the plugin is
name: PlexSync            # shown in the list
description: Plex shows what Stash says: nothing more
url: https://example.org/plexsync#top
version: 0.1.0
exec:
  - python
  - "{pluginDir}/plexsync/stash_plugin/hook.py"
interface: raw
errLog: info
hooks:
  - name: Remember
    description: >
      Notes which scene
      has changed
    triggeredBy:
    - Scene.Update.Post
    - Scene.Destroy.Post
tasks:
  - name: 'Sync it''s all'
    execArgs: [--all, "a, b"]
    defaultArgs:
      mode: sync
      depth: 3
      loud: true
settings:
  plexUrl:
    displayName: Address
    type: STRING
  perHour:
    type: NUMBER
ui:
  requires: []
"""


@pytest.fixture
def manifest(tmp_path):
    def write(text):
        file = tmp_path / "StashPlexSync.yml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_everything_a_manifest_can_say_is_read(manifest):
    file = manifest(WHOLE.replace("says: nothing", "says, nothing"))
    read = read_manifest(file)
    assert (read.id, read.name, read.err_log) == ("StashPlexSync", "PlexSync", "info")
    assert read.command == ("python", "{pluginDir}/plexsync/stash_plugin/hook.py")
    assert read.hooks[0].triggered_by == {"Scene.Update.Post", "Scene.Destroy.Post"}
    assert read.tasks[0].name == "Sync it's all"
    assert read.tasks[0].arguments == ("--all", "a, b")
    assert read.tasks[0].default_args == {"mode": "sync", "depth": "3", "loud": "true"}
    assert read.settings == {"plexUrl": {"displayName": "Address", "type": "STRING"}, "perHour": {"type": "NUMBER"}}


def test_the_name_falls_back_to_the_id(manifest):
    assert read_manifest(manifest("exec: [python]\n")).name == "StashPlexSync"


@pytest.mark.parametrize(
    "text",
    [
        "id: x\n",
        "name: x\nhooks:\n  - name: a\n    trigger: Scene.Update.Post\n",
        "name: x\ntasks:\n  - name: a\n    triggeredBy: [Scene.Update.Post]\n",
        "name: x\nsettings:\n  a:\n    type: STRING\n    default: b\n",
        "name: x\nui:\n  scripts: [a.js]\n",
        "name: x\ninterface: shell\n",
        "name: x\nerrLog: loud\n",
        "name: x\nsettings:\n  a:\n    type: TEXT\n",
        "- name\n",
        "",
        "name: x\n3: y\non: z\n",
    ],
)
def test_what_stash_does_not_know_stops_the_plugin(manifest, text):
    with pytest.raises(ManifestError):
        read_manifest(manifest(text))


@table(
    ("text", "tree"),
    [
        ("", None),
        ("---\na: 1\n", {"a": 1}),
        ("a: 'it''s # no comment' # one\n", {"a": "it's # no comment"}),
        ('a: "x\\ty"\n', {"a": "x\ty"}),
        ("a: |\n  one\n  two\nb: ~\n", {"a": "one\ntwo\n", "b": None}),
        ("a: >-\n  one\n  two\n", {"a": "one two"}),
        ("a:\nb: {}\n", {"a": None, "b": {}}),
        ("a:\n- x\n- y: 1\n  z: 2\nb: []\n", {"a": ["x", {"y": 1, "z": 2}], "b": []}),
        ("/x: assets\n", {"/x": "assets"}),
        ("a: it's\n", {"a": "it's"}),
        ("a: 0.1.0\nb: -3\n", {"a": "0.1.0", "b": -3}),
        ("a: 2026-01-31\n", {"a": "2026-01-31"}),
        ("a: {b: c}\nd: [e, [f]]\n", {"a": {"b": "c"}, "d": ["e", ["f"]]}),
        ("a: &x {b: c}\nd: *x\n", {"a": {"b": "c"}, "d": {"b": "c"}}),
    ],
)
def test_yaml_is_read_as_dicts_lists_and_scalars(text, tree):
    assert parse_yaml(text) == tree


@table(
    "text",
    [
        "a: b: c\n",
        "a: *b\n",
        "a: 1\n  b: 2\n",
        "a: 1\na: 2\n",
        "\ta: 1\n",
        "a: [b, [c]\n",
        "a: 1\nwords\n",
        "a: {b: 1, b: 2}\n",
        "a: 1\n---\nb: 2\n",
        "? [a]\n: b\n",
        "a: !!python/object/apply:os.getcwd []\n",
    ],
)
def test_what_is_no_plain_yaml_document_is_refused(text):
    with pytest.raises(ManifestError):
        parse_yaml(text)
