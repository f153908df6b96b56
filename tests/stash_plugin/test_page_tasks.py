"""What the page in Stash asks for in Stash's queue: take-backs, the first plays, an import; and its settings and sign-in."""

from dataclasses import replace
from typing import Any

import pytest

from plexsync.simulator.plex_tv import PlexTvSim
from plexsync.stash_plugin import page_tasks
from plexsync.stash_plugin.stash_words import Failed
from release.check import TOKEN, Trial
from tests.patience import until
from tests.tables import table

pytestmark = pytest.mark.usefixtures("warm")
PLUGIN = "StashPlexSync"
RUN = 'mutation ($args: Map) { runPluginTask(plugin_id: "StashPlexSync", args_map: $args) }'


def queued(trial: Trial, what: str, ticket: str = "t1", **args: object) -> dict[str, Any]:
    """The answer to what runs in Stash's queue."""
    trial.post(RUN, args={"mode": "answer", "ask": what, "ticket": ticket, **args})
    assert trial.stash.wait_for_jobs(60)
    return trial.ask("page_answer", ticket=ticket)


def synced(trial: Trial) -> None:
    trial.ask("page_sync", scene="1")
    until(lambda: trial.title() == "One")


def test_a_run_is_listed_shown_and_taken_back(inside: Trial) -> None:
    synced(inside)
    (run,) = inside.ask("page_runs")["runs"]
    assert (run["subject"], run["scenes"]) == ("scenes", 1)
    (step,) = run["steps"]
    assert (step["verb"], step["run"]) == ("undo", run["run"])
    shown = queued(inside, "act", verb="undo", kind="scenes", run=run["run"])
    assert shown["counts"]["scenes"] == 1
    assert shown["scenes"][0]["items"][0]["fields"][0]["field"] == "title"
    assert inside.title() == "One"
    done = queued(inside, "act", "t2", verb="undo", kind="scenes", run=run["run"], do=True)
    assert (done["undone"], done["complaints"], done["worker"]) == (1, [], False)
    assert inside.title() == "one", "without a worker it is done at once"


def test_everything_is_taken_back(inside: Trial) -> None:
    synced(inside)
    assert queued(inside, "act", verb="undo", kind="scenes", all=True)["counts"]["scenes"] == 1
    assert queued(inside, "act", "t2", verb="undo", kind="scenes", all=True, do=True)["undone"] == 1
    assert inside.title() == "one"
    for kind in ("collections", "plays", "resume", "imports"):
        assert queued(inside, "act", verb="undo", kind=kind, all=True).get("error") is None, kind


def test_an_import_is_shown_done_and_taken_back(inside: Trial) -> None:
    synced(inside)
    inside.plex.hand_edit(inside.item, summary="What Plex says", locked=True)
    assert not inside.stash.scene(1).details
    shown = queued(inside, "import")
    assert shown["counts"]["fields"] == {"details": 1}
    assert not inside.stash.scene(1).details
    done = queued(inside, "import", "t2", do=True)
    assert inside.stash.scene(1).details == "What Plex says"
    queued(inside, "act", "t3", verb="undo", kind="imports", number=done["outcome"]["run"], do=True)
    assert not inside.stash.scene(1).details


def test_the_first_plays_are_listed_and_approved(inside: Trial) -> None:
    synced(inside)
    inside.stash.plugin_settings[PLUGIN]["watch_back"] = "plays"
    inside.plex.sessions.finish(inside.item)
    shown = queued(inside, "plays")
    assert (shown["first"]["missing"], shown["approved"]) == (1, False)
    assert [scene["id"] for scene in shown["scenes"]] == [1]
    done = queued(inside, "plays", "t2", do=True)
    assert done["approved"] is True
    assert inside.stash.scene(1).plays == ()
    inside.task("Start the worker")
    until(lambda: len(inside.stash.scene(1).plays) == 1)


def test_an_answer_belongs_to_its_ticket(inside: Trial) -> None:
    queued(inside, "act", verb="undo", kind="scenes", all=True)
    assert "another window" in inside.ask("page_answer", ticket="other")["error"]


@table(
    "args",
    [
        {"verb": "drop", "kind": "scenes", "all": True},
        {"verb": "undo", "kind": "servers", "all": True},
        {"verb": "undo", "kind": "scenes", "run": "1; rm"},
        {"verb": "undo", "kind": "scenes"},
        {"verb": "undo", "kind": "scenes", "all": "yes"},
    ],
)
def test_what_is_no_action_is_refused(args: dict) -> None:
    with pytest.raises(Failed):
        page_tasks.act(args)


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(Failed, match="2026-01-31"):
        page_tasks.plays({"since": "--yes"})
    assert page_tasks.plays({"since": "2026-01-31"}) == ("plays", "sync", "--dry-run", "--since", "2026-01-31")


def test_only_the_first_of_a_long_list_go_to_the_page() -> None:
    facts = page_tasks.first_few({"scenes": list(range(50)), "create": [1], "code": 0})
    assert facts == {"scenes": list(range(20)), "create": [1], "code": 0, "listed": {"scenes": 50}}


def test_a_field_is_taken_from_stash_or_kept_in_plex(inside: Trial) -> None:
    synced(inside)
    inside.plex.hand_edit(inside.item, title="By hand", summary="Mine", locked=True)

    def yours() -> dict[str, str]:
        (target,) = inside.ask("page_scene", scene="1")["targets"]
        return {one["field"]: one["yours"] for one in target["fields"] if one["yours"]}

    assert yours() == {"title": "undecided"}
    assert inside.ask("page_act", scene="1", verb="keep", field="title")["fields"] == 1
    assert yours() == {"title": "kept"}
    inside.ask("page_act", scene="1", verb="unkeep", field="title", library="Movies")
    assert yours() == {"title": "undecided"}
    assert inside.ask("page_act", scene="1", verb="take", field="title", library="Clips")["code"] != 0
    inside.ask("page_act", scene="1", verb="take", field="title")
    until(lambda: inside.title() == "One")


def test_the_way_is_tested_with_a_worker_and_said_not_to_work_without_one(inside: Trial) -> None:
    synced(inside)
    assert "no worker runs" in inside.ask("page_ping", scene="1")["error"]
    inside.task("Start the worker")
    until(lambda: not inside.ask("page_ping", scene="1")["error"])
    assert "read back equal" in inside.ask("page_ping", scene="1")["line"]


def test_settings_are_read_and_saved_where_they_are(inside: Trial) -> None:
    facts = {one["name"]: one for one in inside.ask("page_settings")["settings"]}
    assert facts["plex_token"]["value"] == "***"
    assert TOKEN not in str(facts)
    assert inside.ask("page_set", name="sync_title", value="false").get("error") is None
    assert inside.ask("page_set", name="max_retries", value="7").get("error") is None
    stored = inside.stash.plugin_settings[PLUGIN]
    assert (stored["titles_left_alone"], stored["max_retries"]) == (True, "7")
    assert "sync_title" not in stored
    facts = {one["name"]: one for one in inside.ask("page_settings")["settings"]}
    assert (facts["sync_title"]["value"], facts["max_retries"]["value"]) == ("false", "7")
    inside.ask("page_set", name="sync_title", value="")
    assert "titles_left_alone" not in inside.stash.plugin_settings[PLUGIN]
    assert "from 1 to 20" in inside.ask("page_set", name="max_retries", value="99")["error"]
    inside.stash.plugin_settings[PLUGIN]["max_retries"] = 99
    (wrong,) = (one for one in inside.ask("page_settings")["settings"] if one["problem"])
    assert (wrong["name"], wrong["value"]) == ("max_retries", "99")
    assert wrong["problem"] == "must be a whole number from 1 to 20, not 99"
    assert inside.ask("page_set", name="max_retries", value="").get("error") is None
    assert not [one for one in inside.ask("page_settings")["settings"] if one["problem"]]
    for name, value in (("plex_token", "x" * 20), ("web_bind", "0.0.0.0:1"), ("none", "1"), ("--help", "")):
        assert inside.ask("page_set", name=name, value=value)["error"], name


def test_signing_in_again_writes_the_new_token_alone(fresh: Trial, tv: PlexTvSim) -> None:
    fresh.stash.plugin_settings[PLUGIN] = {"plex_url": fresh.plex.url, "plex_token": "an-old-token-000000"}
    assert fresh.ask("setup_state")["stage"] == ""
    pin = fresh.ask("page_sign_in")["pin"]
    assert fresh.ask("setup_state")["stage"] == "", "the guide stays closed"
    assert fresh.ask("page_renew")["pin"]["code"] == pin["code"]
    tv.confirm(pin["code"])
    assert fresh.ask("page_renew")["renewed"]
    stored = fresh.stash.plugin_settings[PLUGIN]
    assert stored == {"plex_url": fresh.plex.url}
    assert TOKEN in (fresh.folder / "plexsync.toml").read_text()
    assert fresh.ask("page_renew") == {"pin": None, "renewed": "", "code": 0}
    synced(fresh)


def test_an_account_that_does_not_own_this_server_is_told_so(fresh: Trial, tv: PlexTvSim) -> None:
    stored = {"plex_url": fresh.plex.url, "plex_token": "an-old-token-000000"}
    fresh.stash.plugin_settings[PLUGIN] = dict(stored)
    tv.servers = [replace(tv.servers[0], token="another-token-00000")]
    tv.confirm(fresh.ask("page_sign_in")["pin"]["code"])
    assert "is none of this account: sign in with the account that owns it" in fresh.ask("page_renew")["error"]
    assert fresh.stash.plugin_settings[PLUGIN] == stored
    assert fresh.ask("page_renew")["pin"] is None
