"""Hooks and tasks run as Stash runs them: one process after another, awaited, told everything on standard input."""

import json
import sys
import textwrap
import threading
import urllib.request

import pytest

from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_server import StashSim
from tests.patience import HANG, until

KINDS = ("Scene", "Performer", "Studio", "Tag", "Group")
ALL = [f"{kind}.{what}.Post" for kind in KINDS for what in ("Create", "Update", "Destroy")] + ["Tag.Merge.Post"]
QUIET = "import sys; sys.stdin.read()"


@pytest.fixture
def stash():
    with StashSim() as sim:
        yield sim


@pytest.fixture
def plugin(stash, tmp_path):
    """Installs a Python script as the plugin of the simulated Stash."""

    def install(script=QUIET, **more):
        folder = tmp_path / "plugins" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hook.py").write_text(textwrap.dedent(script), encoding="utf-8")
        more.setdefault("triggered_by", ALL)
        stash.hooks = HookRunner(
            [sys.executable, "-S", "-E", "{pluginDir}/hook.py"], plugin_dir=folder, dir=tmp_path, **more
        )
        return stash.hooks

    return install


def post(sim, query, headers=None, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    with urllib.request.urlopen(urllib.request.Request(f"{sim.url}/graphql", body, headers)) as answer:
        return json.loads(answer.read())["data"]


def contexts(runner):
    return [run.stdin["args"]["hookContext"] for run in runner.runs]


# what a hook is told


def test_a_hook_is_told_how_to_reach_stash(stash, plugin, tmp_path):
    runner = plugin()
    stash.add_scene()
    server = runner.runs[0].stdin["server_connection"]
    assert (server["Scheme"], server["Port"]) == ("http", stash.port)
    assert (server["Dir"], server["PluginDir"]) == (str(tmp_path), str(tmp_path / "plugins" / "mine"))
    assert server["SessionCookie"]["Name"] == "session"


def test_its_cookie_lets_it_in(plugin, tmp_path):
    with StashSim(api_key="secret") as sim:
        sim.hooks = HookRunner(
            [sys.executable, "-c", QUIET], plugin_dir=tmp_path, dir=tmp_path, triggered_by=["Scene.Create.Post"]
        )
        sim.add_scene()
        cookie = sim.hooks.runs[0].stdin["server_connection"]["SessionCookie"]
        answer = post(sim, "{ version { version } }", {"Cookie": f"{cookie['Name']}={cookie['Value']}"})
        assert answer["version"]["version"] == sim.version


def test_an_update_is_told_with_its_whole_input_and_the_fields_given(stash, plugin):
    stash.add_scene(title="Old")
    runner = plugin()
    post(stash, 'mutation { sceneUpdate(input: {id: "1", title: "New", tag_ids: []}) { id } }')
    (context,) = contexts(runner)
    assert (context["id"], context["type"]) == (1, "Scene.Update.Post")
    assert (context["input"]["title"], context["input"]["details"]) == ("New", None)
    assert sorted(context["inputFields"]) == ["id", "tag_ids", "title"]


def test_several_updates_are_told_with_the_list_every_time(stash, plugin):
    stash.add_scene()
    stash.add_scene()
    runner = plugin()
    post(stash, 'mutation { scenesUpdate(input: [{id: 1, title: "a"}, {id: 2, date: "2020"}]) { id } }')
    first, second = contexts(runner)
    assert [one["id"] for one in first["input"]] == ["1", "2"]
    assert first["input"] == second["input"]
    assert (first["id"], second["id"]) == (1, 2)
    assert sorted(second["inputFields"]) == ["date", "id"]


def test_a_bulk_update_is_told_with_all_ids_every_time(stash, plugin):
    for _ in range(3):
        stash.add_scene()
    runner = plugin()
    post(stash, "mutation { bulkSceneUpdate(input: {ids: [1, 2, 3], organized: true}) { id } }")
    assert [context["id"] for context in contexts(runner)] == [1, 2, 3]
    assert {tuple(context["input"]["ids"]) for context in contexts(runner)} == {("1", "2", "3")}


def test_a_scan_and_a_scene_made_by_hand_are_told_without_input(stash, plugin):
    runner = plugin()
    stash.add_scene()
    post(stash, 'mutation { sceneCreate(input: {title: "x"}) { id } }')
    stash.rename_file("/data/a.mp4", "/data/b.mp4")
    for context, type_ in zip(contexts(runner), ("Create", "Create", "Update"), strict=True):
        assert (context["type"], context["input"]) == (f"Scene.{type_}.Post", None)
        assert "inputFields" not in context


def test_a_destroyed_scene_is_told_with_hashes_and_path(stash, plugin):
    for n in range(4):
        stash.add_scene(files=[(f"/data/{n}.mp4", n, 1.0)])
    runner = plugin()
    post(stash, 'mutation { sceneDestroy(input: {id: "1", delete_file: true}) }')
    post(stash, 'mutation { scenesDestroy(input: {ids: ["2", "3"]}) }')
    stash.clean_scene(4)
    one, two, three, cleaned = contexts(runner)
    assert (one["type"], one["input"]["id"], one["input"]["delete_file"]) == ("Scene.Destroy.Post", "1", True)
    assert (one["input"]["path"], len(one["input"]["checksum"]), len(one["input"]["oshash"])) == ("/data/0.mp4", 32, 16)
    assert (two["input"]["ids"], two["input"]["path"], three["id"]) == (["2", "3"], "/data/1.mp4", 3)
    assert (cleaned["id"], cleaned["input"]["id"], cleaned["input"]["path"]) == (4, "", "/data/3.mp4")


def test_a_renamed_record_fires_its_own_hook_alone(stash, plugin):
    stash.add_scene(performers=["Ada"], studio="Small", tags=["Sea", "Bay"], groups=["Saga"])
    runner = plugin()
    stash.rename_performer("Ada", "Bo")
    stash.rename_studio("Small", "Tiny")
    stash.rename_tag("Sea", "Ocean")
    stash.merge_tags(["Bay"], "Ocean")
    stash.rename_group("Saga", "Cycle")
    types = [context["type"] for context in contexts(runner)]
    assert types == [
        *("Performer.Update.Post", "Studio.Update.Post", "Tag.Update.Post", "Tag.Merge.Post"),
        "Group.Update.Post",
    ]


def test_a_destroyed_record_fires_its_own_hook_with_its_id_alone(stash, plugin):
    stash.add_scene(performers=["Ada"], studio="Small", tags=["Sea"], groups=["Saga"])
    runner = plugin()
    for kind, name in (("performer", "Ada"), ("studio", "Small"), ("tag", "Sea"), ("group", "Saga")):
        stash.destroy(kind, name)
    told = [(context["type"], context["id"], context["input"]) for context in contexts(runner)]
    kinds = ("Performer", "Studio", "Tag", "Group")
    assert told == [(f"{kind}.Destroy.Post", 1, {"id": "1"}) for kind in kinds]


@pytest.mark.parametrize(
    "quiet",
    [
        lambda stash: stash.quiet_edit(1, title="x"),
        lambda stash: stash.set_cover(1, b"x"),
        lambda stash: stash.move_folder("/data", "/films"),
        lambda stash: stash.merge_scenes([2], 1),
        lambda stash: post(stash, 'mutation { sceneMerge(input: {source: ["2"], destination: "1"}) { id } }'),
    ],
)
def test_some_changes_fire_no_hook(stash, plugin, quiet):
    stash.add_scene()
    stash.add_scene()
    runner = plugin()
    quiet(stash)
    assert runner.runs == []


def test_only_the_events_asked_for_are_told(stash, plugin):
    runner = plugin(triggered_by=["Scene.Destroy.Post", "Scene.Nonsense.Post"])
    stash.add_scene()
    stash.destroy_scene(1)
    assert [context["type"] for context in contexts(runner)] == ["Scene.Destroy.Post"]


def test_a_disabled_plugin_is_not_told(stash, plugin):
    runner = plugin()
    runner.enabled = False
    stash.add_scene()
    assert runner.runs == []


def test_default_args_stand_beside_the_context(stash, plugin):
    runner = plugin(default_args={"mode": "hook"})
    stash.add_scene()
    assert runner.runs[0].stdin["args"]["mode"] == "hook"


# how it is run


def test_hooks_run_one_after_another_before_the_answer(stash, plugin, tmp_path):
    for _ in range(3):
        stash.add_scene()
    plugin(f"""
        import json, sys
        told = json.load(sys.stdin)
        with open({str(tmp_path / "order")!r}, "a") as file:
            file.write("begin %d " % told["args"]["hookContext"]["id"])
        with open({str(tmp_path / "order")!r}, "a") as file:
            file.write("end ")
        """)
    post(stash, "mutation { bulkSceneUpdate(input: {ids: [3, 1, 2], organized: true}) { id } }")
    assert (tmp_path / "order").read_text() == "begin 3 end begin 1 end begin 2 end "


def test_a_hook_can_ask_stash_and_sees_what_was_committed(stash, plugin):
    runner = plugin(f"""
        import json, sys, urllib.request
        told = json.load(sys.stdin)
        body = json.dumps({{"query": "{{ findScene(id: 1) {{ title }} }}"}}).encode()
        request = urllib.request.Request({stash.url + "/graphql"!r}, body, {{"Content-Type": "application/json"}})
        print(json.dumps({{"output": json.load(urllib.request.urlopen(request))["data"]["findScene"]["title"]}}))
        """)
    stash.add_scene(title="Old")
    stash.edit_scene(1, title="New")
    assert [run.outcome.output for run in runner.runs] == ["Old", "New"]


@pytest.mark.parametrize(
    ("script", "output", "error"),
    [
        ("print('{\"output\": [1, 2]}')", [1, 2], None),
        ('print(\'{"error": "no"}\')', None, "no"),
        ("print('words')", "words\n", None),
        ("print('debug'); print('{\"output\": 1}')", 'debug\n{"output": 1}\n', None),
        ("import sys; sys.exit(3)", "", "exit status 3"),
    ],
)
def test_what_a_hook_prints_is_output_or_error(stash, plugin, script, output, error):
    runner = plugin(script)
    stash.add_scene()
    outcome = runner.runs[0].outcome
    assert (outcome.output, outcome.error) == (output, error)


def test_stderr_is_a_log_with_levels_and_progress(stash, plugin):
    runner = plugin(r"""
        import sys
        sys.stderr.write("\x01i\x02hello\n\x01d\x02detail\n\x01p\x020.5\nplain\n\x01w\x02two\nlines\n")
        """)
    stash.add_scene()
    outcome = runner.runs[0].outcome
    assert outcome.log == (
        ("info", "hello"),
        ("debug", "detail"),
        ("error", "plain"),
        ("warning", "two"),
        ("error", "lines"),
    )
    assert outcome.progress == (0.5,)


def test_a_line_over_64_kib_ends_the_log(stash, plugin):
    runner = plugin(r"""
        import os, time
        os.write(2, b"first\n" + b"x" * 70000 + b"\n")
        try:
            for _ in range(200):
                os.write(2, b"y" * 1000 + b"\n")
                time.sleep(0.005)
        except BrokenPipeError:
            print("broken pipe")
        """)
    stash.add_scene()
    outcome = runner.runs[0].outcome
    assert outcome.log == (("error", "first"),)
    assert outcome.output == "broken pipe\n"


def test_a_large_input_reaches_a_hook_that_reads_late_and_writes_much(stash, plugin):
    runner = plugin("""
        import json, sys
        sys.stdout.write("x" * 300000)
        sys.stdout.flush()
        told = json.load(sys.stdin)
        sys.stdout.write(str(len(told["args"]["hookContext"]["input"]["details"])))
        """)
    stash.add_scene()
    stash.edit_scene(1, details="d" * 2_000_000)
    assert runner.runs[-1].outcome.output == "x" * 300000 + "2000000"


def test_a_hook_that_does_not_read_its_input_is_no_harm(stash, plugin):
    runner = plugin("print('bye')")
    stash.add_scene()
    stash.edit_scene(1, details="d" * 500_000)
    assert [run.outcome.output for run in runner.runs] == ["bye\n", "bye\n"]


def test_a_hook_that_has_closed_its_output_is_still_fed_and_heard(stash, plugin):
    runner = plugin("""
        import os, sys
        print("{}", flush=True)
        os.close(1)
        told = sys.stdin.read()
        for _ in range(4000):
            os.write(2, b"x" * 50 + b"\\n")
        os.write(2, str(len(told)).encode())
        """)
    runner.kill_after = 10
    stash.add_scene()
    stash.edit_scene(1, details="d" * 500_000)
    outcome = runner.runs[-1].outcome
    assert not outcome.killed
    assert len(outcome.log) == 4001
    assert int(outcome.log[-1][1]) > 500_000


def test_a_grandchild_that_keeps_stdout_keeps_stash_waiting(stash, plugin, tmp_path):
    plugin(f"""
        import subprocess, sys
        late = "import time, sys; time.sleep(0.1); open(sys.argv[1], 'w')"
        subprocess.Popen([sys.executable, "-S", "-c", late, {str(tmp_path / "ended")!r}])
        """)
    stash.add_scene()
    assert (tmp_path / "ended").exists()


def test_a_grandchild_with_streams_of_its_own_does_not(stash, plugin, tmp_path):
    may_end = tmp_path / "may end"
    plugin(f"""
        import subprocess, sys
        null = subprocess.DEVNULL
        waits = "import os, sys, time\\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)"
        subprocess.Popen([sys.executable, "-S", "-c", waits, {str(may_end)!r}], stdin=null, stdout=null,
                         stderr=null, start_new_session=True)
        """)
    # It would wait for ever.
    stash.add_scene()
    may_end.touch()


def test_a_command_that_cannot_start_ends_the_round_of_its_event_alone(stash, tmp_path):
    for _ in range(3):
        stash.add_scene()
    stash.hooks = HookRunner([str(tmp_path / "nothing")], plugin_dir=tmp_path, dir=tmp_path, triggered_by=ALL)
    stash.hooks.hooks *= 2
    answer = post(stash, "mutation { bulkSceneUpdate(input: {ids: [1, 2, 3], organized: true}) { id } }")
    assert len(answer["bulkSceneUpdate"]) == 3, "the caller hears nothing of it"
    assert [(run.event.id, run.outcome) for run in stash.hooks.runs] == [(1, None), (2, None), (3, None)]


def test_python_is_found_and_can_import_from_beside_the_plugin(stash, tmp_path):
    (tmp_path / "neighbour.py").write_text("name = 'next door'")
    (tmp_path / "mine").mkdir()
    stash.hooks = HookRunner(
        ["python", "-c", "import neighbour, sys; print(neighbour.name, sys.executable)"],
        plugin_dir=tmp_path / "mine",
        dir=tmp_path,
        triggered_by=ALL,
        python_path=sys.executable,
    )
    stash.add_scene()
    assert stash.hooks.runs[0].outcome.output == f"next door {sys.executable}\n"


# when it is cut short


def test_a_killed_hook_gets_no_signal_before(stash, plugin, tmp_path):
    runner = plugin(f"""
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: open({str(tmp_path / "warned")!r}, "w"))
        time.sleep(3600)
        """)
    runner.kill_after = 0.3
    stash.add_scene()
    assert (runner.runs[0].outcome.killed, runner.runs[0].outcome.returncode) == (True, -9)
    assert not (tmp_path / "warned").exists()


def test_a_client_that_hangs_up_leaves_the_rest_untold(stash, plugin):
    for _ in range(5):
        stash.add_scene()
    runner = plugin("import sys, time; sys.stdin.read(); print('done')")
    runner.hangs_up_after = 2
    post(stash, "mutation { bulkSceneUpdate(input: {ids: [1, 2, 3, 4, 5], organized: true}) { id } }")
    assert [run.outcome.killed for run in runner.runs] == [False, False, True]
    assert all(stash.scene(id_).organized for id_ in stash.scene_ids()), "the data is committed all the same"


def test_destroying_after_the_client_hung_up_starts_and_kills_each(stash, plugin):
    for _ in range(4):
        stash.add_scene()
    runner = plugin()
    runner.hangs_up_after = 1
    post(stash, "mutation { scenesDestroy(input: {ids: [1, 2, 3, 4]}) }")
    assert [run.outcome.killed for run in runner.runs] == [False, True, True, True]


def test_stopping_stash_does_not_wait_for_a_hook(tmp_path):
    with StashSim() as sim:
        sim.hooks = HookRunner(
            [sys.executable, "-c", "import time; time.sleep(3600)"], plugin_dir=tmp_path, dir=tmp_path, triggered_by=ALL
        )
        waiting = threading.Thread(target=sim.add_scene)
        waiting.start()
        sim.stop()
        waiting.join(HANG)
        assert not waiting.is_alive()


def test_a_hook_that_edits_its_scene_with_its_cookie_is_stopped_after_ten_rounds(stash, plugin):
    stash.add_scene()
    runner = plugin(f"""
        import json, sys, urllib.request
        cookie = json.load(sys.stdin)["server_connection"]["SessionCookie"]
        body = json.dumps({{"query": "mutation {{ sceneUpdate(input: {{id: 1, title: \\"x\\"}}) {{ id }} }}"}}).encode()
        headers = {{"Content-Type": "application/json", "Cookie": cookie["Name"] + "=" + cookie["Value"]}}
        urllib.request.urlopen(urllib.request.Request({stash.url + "/graphql"!r}, body, headers)).read()
        """)
    stash.edit_scene(1, title="start")
    assert len(runner.runs) == 10


# from a manifest, and tasks

MANIFEST = """\
name: Mine
exec:
  - python3
  - "{pluginDir}/hook.py"
hooks:
  - name: first
    triggeredBy: [Scene.Create.Post]
    defaultArgs:
      who: first
  - name: second
    triggeredBy: [Scene.Create.Post, Scene.Update.Post]
tasks:
  - name: Work
    execArgs: [--slow]
    defaultArgs:
      mode: work
"""

TASK = """
import json, sys, time
args = json.load(sys.stdin)["args"]
sys.stderr.write("\\x01p\\x020.25\\n")
sys.stderr.flush()
if args.get("sleep"):
    time.sleep(3600)
print(json.dumps({"output": [args, sys.argv[1:]], "error": args.get("fail")}))
"""


@pytest.fixture
def installed(stash, tmp_path):
    (tmp_path / "Mine.yml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "hook.py").write_text(TASK, encoding="utf-8")
    stash.hooks = HookRunner.from_manifest(tmp_path / "Mine.yml", dir=tmp_path, python_path=sys.executable)
    return stash.hooks


RUN_TASK = (
    'mutation ($task: String, $args: Map) { runPluginTask(plugin_id: "Mine", task_name: $task, args_map: $args) }'
)
FIND_JOB = "query ($id: ID!) { findJob(input: {id: $id}) { status progress error description startTime endTime } }"


def test_a_manifest_says_which_hooks_run(stash, installed):
    stash.add_scene()
    stash.edit_scene(1, title="x")
    told = [(run.event.type, run.stdin["args"].get("who")) for run in installed.runs]
    assert told == [("Scene.Create.Post", "first"), ("Scene.Create.Post", None), ("Scene.Update.Post", None)]
    assert installed.plugin_id == "Mine"


def test_a_task_runs_as_a_job_with_its_arguments(stash, installed):
    id_ = post(stash, RUN_TASK, task="Work", args={"n": 1})["runPluginTask"]
    assert stash.wait_for_jobs()
    assert installed.runs[0].outcome.output == [{"n": 1, "mode": "work"}, ["--slow"]]
    job = post(stash, FIND_JOB, id=id_)["findJob"]
    assert (job["status"], job["progress"], job["error"]) == ("FINISHED", 0.25, None)
    assert job["startTime"] is not None
    assert job["endTime"] is not None


def test_a_job_is_finished_even_if_its_plugin_failed_or_is_not_there(stash, installed):
    for task, args in (("Work", {"fail": "no"}), ("Nonsense", None)):
        id_ = post(stash, RUN_TASK, task=task, args=args)["runPluginTask"]
        assert stash.wait_for_jobs()
        assert post(stash, FIND_JOB, id=id_)["findJob"]["status"] == "FINISHED"


def test_one_job_runs_at_a_time_and_can_be_stopped(stash, installed):
    ids = [post(stash, RUN_TASK, task="Work", args={"sleep": True})["runPluginTask"] for _ in range(3)]
    stop = "mutation ($id: ID!) { stopJob(job_id: $id) }"
    until(lambda: post(stash, FIND_JOB, id=ids[0])["findJob"]["status"] != "READY")
    queue = post(stash, "{ jobQueue { id status } }")["jobQueue"]
    assert [job["status"] for job in queue] == ["RUNNING", "READY", "READY"]
    for id_ in reversed(ids):
        assert post(stash, stop, id=id_) == {"stopJob": True}
    assert stash.wait_for_jobs(HANG)
    assert [post(stash, FIND_JOB, id=id_)["findJob"]["status"] for id_ in ids] == ["CANCELLED"] * 3
    assert [run.outcome.killed for run in installed.runs] == [True]
    assert post(stash, "{ jobQueue { id } }") == {"jobQueue": None}


def test_only_the_last_ten_jobs_are_remembered(stash):
    ids = [post(stash, RUN_TASK, task="x")["runPluginTask"] for _ in range(13)]
    assert stash.wait_for_jobs()
    assert [post(stash, FIND_JOB, id=id_)["findJob"] is None for id_ in ids] == [True] * 3 + [False] * 10
