"""setup: the steps of the set-up guide in Stash, in this process; plex.tv, Plex and Stash are simulated."""

import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from plexsync.store.files import setup_files
from tests.cli.conftest import Door
from tests.journey.world import TOKEN, World
from tests.patience import until

PLUGIN = "StashPlexSync"
ATTIC = Resource(
    "Attic", "another-token-01", (Connection("http://127.0.0.1:9", "127.0.0.1", 9),), machine="machine-attic"
)
PageCall = Callable[..., dict[str, Any]]


@pytest.fixture
def tv(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlexTvSim]:
    """The account owns the world's Plex, and nothing of Plex is set."""
    world.unset = ("plex_url", "plex_token")
    monkeypatch.setattr("plexsync.app.set_up.GUESSING", 30.0)
    with PlexTvSim() as made:
        for owner, name in ((MyPlexPinLogin, "PINS"), (MyPlexAccount, "key"), (MyPlexResource, "key")):
            monkeypatch.setattr(owner, name, getattr(owner, name).replace("https://plex.tv", made.url))
        made.servers = [Resource("NAS", TOKEN, (Connection(world.plex.url, "127.0.0.1", world.plex.port),)), ATTIC]
        yield made


@pytest.fixture
def ask(door: Door, tv: PlexTvSim) -> PageCall:
    """One step; its facts."""
    return lambda *words: door("setup", *words).facts


def signed_in(ask: PageCall, tv: PlexTvSim) -> dict[str, Any]:
    tv.confirm(ask("sign-in")["pin"]["code"])
    return ask("check")


def chosen(ask: PageCall, tv: PlexTvSim) -> dict[str, Any]:
    signed_in(ask, tv)
    ask("server", "0")
    return ask("libraries", "Movies")


def result(world: World, name: str) -> dict[str, Any]:
    return setup_files.read(str(world.folder), name)


def test_nothing_is_asked_for_where_plex_is_set(door: Door, world: World) -> None:
    assert door("setup", "state").facts["stage"] == ""


def test_a_pin_that_expired_is_forgotten_and_a_new_one_works(ask: PageCall, tv: PlexTvSim) -> None:
    assert ask("state")["stage"] == "sign-in"
    ask("sign-in")
    tv.expire()
    late = ask("check")
    assert (late["stage"], late["pin"]) == ("sign-in", None)
    assert signed_in(ask, tv)["stage"] == "server"


def test_while_plex_tv_is_away_the_pin_stays(ask: PageCall, tv: PlexTvSim) -> None:
    code = ask("sign-in")["pin"]["code"]
    tv.faults.set(Fault("status", status=503))
    assert "plex.tv refused what was asked (503)" in ask("check")["error"]
    tv.faults.clear()
    assert ask("check")["pin"]["code"] == code
    tv.confirm(code)
    assert ask("check")["stage"] == "server"


def test_a_second_window_that_gets_a_pin_ends_the_one_of_the_first(ask: PageCall, tv: PlexTvSim) -> None:
    first, second = (ask("sign-in")["pin"]["code"] for _ in range(2))
    tv.confirm(first)
    assert ask("check")["pin"]["code"] == second
    tv.confirm(second)
    assert ask("check")["stage"] == "server"


def test_an_account_without_a_server_is_told_and_another_can_sign_in(ask: PageCall, tv: PlexTvSim) -> None:
    mine, tv.servers = tv.servers, [Resource("Theirs", "x", owned=False)]
    assert "someone owns no Plex server" in signed_in(ask, tv)["error"]
    tv.servers = mine
    assert signed_in(ask, tv)["stage"] == "server"


def test_of_several_addresses_the_first_that_answers_is_taken_and_one_can_be_typed(
    ask: PageCall, tv: PlexTvSim, world: World
) -> None:
    world.plex.add_section("Shorts", locations=("/media/shorts",))
    dead = Connection("http://127.0.0.1:9", "127.0.0.1", 9)
    there = Connection(world.plex.url, "127.0.0.1", world.plex.port)
    tv.servers = [Resource("Attic", TOKEN, (dead,)), Resource("NAS", TOKEN, (dead, there))]
    servers = signed_in(ask, tv)
    assert servers["servers"][1] == {"name": "NAS", "addresses": ["http://127.0.0.1:9", world.plex.url]}
    told = ask("server", "0")["error"]
    assert "Attic does not answer at any address that plex.tv knows of it (http://127.0.0.1:9)" in told
    assert "must start with http" in ask("server", "0", "--address=ftp://x")["error"]
    assert ask("server", "1")["plex"]["url"] == world.plex.url
    assert ask("stage", "server")["stage"] == "server"
    typed = ask("server", "0", f"--address={world.plex.url.removeprefix('http://')}")
    assert typed["plex"]["url"] == world.plex.url


def test_wrong_choices_are_one_line_each_and_nothing_is_written(ask: PageCall, tv: PlexTvSim, world: World) -> None:
    assert "out of date" in ask("server", "0")["error"]
    assert "out of date" in ask("libraries", "Movies")["error"]
    world.plex.add_section("Shorts", locations=("/media/shorts",))
    signed_in(ask, tv)
    assert "choose one of the servers" in ask("server", "7")["error"]
    ask("server", "0")
    for wrong in ((), ("Filme",), ("Movies", "Filme")):
        assert "choose at least one of the movie libraries: Movies, Shorts" in ask("libraries", *wrong)["error"]
    assert world.stash.plugin_settings.get(PLUGIN) is None
    assert not (world.folder / "plexsync.toml").exists()
    ask("libraries", "Movies")
    assert "the path rules must have the form" in ask("rules", "--rules=data, media")["error"]


def test_a_step_of_an_older_page_is_refused_where_what_it_builds_on_was_begun_anew(
    ask: PageCall, tv: PlexTvSim, world: World
) -> None:
    chosen(ask, tv)
    ask("sign-in")
    for late in (
        ("rules", "--rules="),
        ("stage", "paths"),
        ("stage", "preview"),
        ("stage", "libraries"),
        ("stage", "work"),
    ):
        assert "out of date" in ask(*late)["error"]
        assert setup_files.shown_notes(str(world.folder))["stage"] == "sign-in"
    chosen(ask, tv)
    assert ask("rules", "--rules=")["stage"] == "preview"
    assert ask("libraries", "Movies")["stage"] == "paths", "a step is given again from anywhere"


def test_an_address_in_the_place_of_a_token_or_a_key_is_refused_and_stays_readable(
    door: Door, tv: PlexTvSim, world: World
) -> None:
    url = world.plex.url
    refused = door("setup", "token", f"--address={url}", answer=f"{url}\n")
    assert "looks like an address" in refused.facts["error"]
    known = door("setup", "token", f"--address={url}", answer=f"{TOKEN}\n").facts
    assert known["plex"]["url"] == url
    refused = door("setup", "stash", f"--address={world.stash.url}", answer="localhost:9999\n")
    assert "the API key looks like an address" in refused.facts["error"]


def test_the_only_server_and_the_only_library_are_chosen_and_said_and_can_be_changed(
    ask: PageCall, tv: PlexTvSim, world: World
) -> None:
    tv.servers.remove(ATTIC)
    known = signed_in(ask, tv)
    assert (known["stage"], known["plex"]["url"], known["plex"]["chosen"]) == ("paths", world.plex.url, ["Movies"])
    assert world.stash.plugin_settings[PLUGIN]["plex_url"] == world.plex.url
    assert ask("stage", "libraries")["stage"] == "libraries"


def test_what_keeps_the_only_server_from_being_used_is_said_and_it_can_be_tried_again(
    ask: PageCall, tv: PlexTvSim
) -> None:
    with PlexSim(token=TOKEN) as new:
        tv.servers = [Resource("New", TOKEN, (Connection(new.url, "127.0.0.1", new.port),))]
        assert "shows no movie library to this plex_token: add one there" in signed_in(ask, tv)["error"]
        assert ask("check")["stage"] == "server"
        new.add_section("Movies", locations=("/media/scenes",))
        assert ask("server", "0")["stage"] == "paths"


def test_an_address_is_not_changed_without_the_secret_that_is_sent_there(
    ask: PageCall, tv: PlexTvSim, world: World
) -> None:
    chosen(ask, tv)
    told = ask("set", "plex_url", "http://elsewhere:32400")["error"]
    assert told.startswith("plex_token is sent to plex_url, so both are changed together")
    assert world.stash.plugin_settings[PLUGIN]["plex_url"] == world.plex.url
    assert ask("set", "plex_url", world.plex.url) == {"name": "plex_url"}, "it is the address in use"


def test_libraries_can_be_chosen_anew_and_another_server_takes_another_sign_in(
    ask: PageCall, tv: PlexTvSim, world
) -> None:
    world.plex.add_section("Shorts", locations=("/media/shorts",))
    assert chosen(ask, tv)["stage"] == "paths"
    assert world.stash.plugin_settings[PLUGIN]["plex_libraries"] == "Movies"
    assert "Did you mean Movies?" in ask("set", "plex_libraries", "Movie")["error"]
    ask("stage", "libraries")
    assert ask("libraries", "Shorts")["stage"] == "paths"
    assert world.stash.plugin_settings[PLUGIN]["plex_libraries"] == "Shorts"
    assert ask("stage", "server")["stage"] == "sign-in"


def test_what_the_environment_sets_is_named_since_it_would_win(ask: PageCall, tv: PlexTvSim, world: World) -> None:
    world.unset = ("plex_token",)
    told = chosen(ask, tv)["error"]
    assert told.startswith("PLEXSYNC_PLEX_URL is set in the environment of Stash")
    assert not (world.folder / "plexsync.toml").exists()


def test_a_setting_that_is_in_the_file_is_changed_there_and_the_rest_stays(
    ask: PageCall, tv: PlexTvSim, world: World
) -> None:
    toml = world.folder / "plexsync.toml"
    toml.write_text('# mine\nplex_url = "http://127.0.0.1:9"\nmax_retries = 7 # seven\n')
    toml.chmod(0o600)
    assert chosen(ask, tv)["stage"] == "paths"
    assert tomllib.loads(toml.read_text()) == {"plex_url": world.plex.url, "max_retries": 7, "plex_token": TOKEN}
    assert "# mine\n" in toml.read_text()
    assert "plex_url" not in world.stash.plugin_settings[PLUGIN]


def test_what_stash_holds_otherwise_stays_and_a_token_there_goes(ask: PageCall, tv: PlexTvSim, world: World) -> None:
    world.stash.plugin_settings[PLUGIN] = {"plex_token": "an-old-token-0123", "max_retries": 9, "gone": True}
    chosen(ask, tv)
    kept = {"max_retries": 9, "gone": True, "plex_url": world.plex.url, "plex_libraries": ""}
    assert world.stash.plugin_settings[PLUGIN] == kept


def test_libraries_of_other_videos_are_marked(ask: PageCall, tv: PlexTvSim, world: World) -> None:
    world.plex.add_section("Clips", locations=("/media/clips",), agent="com.plexapp.agents.none")
    signed_in(ask, tv)
    listed = ask("server", "0")["plex"]["libraries"]
    assert [(one["title"], one["other_videos"]) for one in listed] == [("Movies", False), ("Clips", True)]


def test_what_a_field_of_stash_can_not_express_goes_into_the_file(ask: PageCall, tv: PlexTvSim, world: World) -> None:
    world.plex.add_section("Shorts, and more", locations=("/media/shorts",))
    signed_in(ask, tv)
    ask("server", "0")
    ask("libraries", "Shorts, and more")
    assert world.stash.plugin_settings[PLUGIN]["plex_libraries"] == '"Shorts, and more"'
    ask("rules", "--rules=/data;x => /media")
    assert world.stash.plugin_settings[PLUGIN].get("path_map", "") == ""
    assert tomllib.loads((world.folder / "plexsync.toml").read_text())["path_map"] == ["/data;x => /media"]


def test_paths_are_learnt_and_the_first_write_is_previewed(
    ask: PageCall, door: Door, tv: PlexTvSim, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", 10 + n, 9_000)], title=f"{n}")
        world.stash.add_scene(title=f"Title {n}", files=[(f"/data/scenes/{n}.mp4", 10 + n, 9.0)])
    chosen(ask, tv)
    monkeypatch.setenv("PLEXSYNC_CONFIG", str(world.folder / "plexsync.toml"))
    world.plex.faults.set(Fault("status", status=503))
    assert "Plex" in ask("paths")["error"]
    assert "Plex" in result(world, setup_files.PATHS)["error"]
    world.plex.faults.clear()
    ask("paths")
    learnt = result(world, setup_files.PATHS)["result"]
    assert [one["rule"] for one in learnt["suggestions"]] == ["/data => /media"]
    assert learnt["examples"][0] == {"stash": "/data/scenes/0.mp4", "plex": "/media/scenes/0.mp4"}
    assert (learnt["now"]["by_path"], learnt["after"]["by_path"]) == (0, 6)
    assert ask("rules", "--rules=/data => /media\n")["stage"] == "preview"
    assert world.stash.plugin_settings[PLUGIN]["path_map"] == "/data => /media"
    # After a failure, Plex is left alone for a moment.
    until(lambda: ask("preview") and "result" in result(world, setup_files.PREVIEW))
    look = result(world, setup_files.PREVIEW)["result"]
    assert (look["total"], look["change"], len(look["scenes"])) == (6, 6, 5)
    assert ["would change", 6] in look["counts"]
    assert world.plex.count("PUT") == 0
    monkeypatch.setenv("PLEXSYNC_PROGRESS", "stash")
    monkeypatch.setattr("plexsync.cli.terminal.screen.STASH_PACE", 0.0)
    assert "\x01p\x021.000\n" in door("setup", "preview", "--progress").err
    assert door("setup", "preview").err == "", "a process of its own has nobody who listens"


def test_outside_stash_it_says_what_to_use(door: Door) -> None:
    assert "in a terminal, use plexsync init" in door("setup", "state").facts["error"]
