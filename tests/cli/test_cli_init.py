"""init: a person at a real terminal, and calls that nobody can answer; plex.tv is simulated, everything else is real."""

import json
import re
import shutil
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.simulator.http import Answer as HttpAnswer, Fault, HttpServer, Request
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from tests import forked
from tests.cli.conftest import Answer, Door
from tests.cli.terminal import ELSEWHERE, ROOT, Terminal
from tests.journey.world import KEY, TOKEN, World
from validation.sources import STAND_INS, load
from validation.writing import COMMON, new_file


@pytest.fixture
def tv() -> Iterator[PlexTvSim]:
    with PlexTvSim() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place


def file_of(home: Path) -> Path:
    return home / ".config" / "plexsync" / "plexsync.toml"


def owns(tv: PlexTvSim, world: World, *others: Resource) -> None:
    """The account owns the world's Plex, and has others."""
    way = Connection(world.plex.url, "127.0.0.1", world.plex.port)
    tv.servers = [Resource("NAS", TOKEN, (way,)), *others]


def other_folders(world: World, count: int = 4) -> None:
    for n in range(count):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", 10 + n, 9_000)], title=f"{n}")
        world.stash.add_scene(title=f"{n}", files=[(f"/data/scenes/{n}.mp4", 10 + n, 9.0)])


def sitting(home: Path, tv: PlexTvSim | None, *words: str, **environ: str) -> Terminal:
    """A person types `plexsync init`."""
    at = {"PLEX_TV": tv.url} if tv is not None else {}
    return Terminal(["init", *words], {"HOME": str(home), **at, **environ}, cwd=home)


def signed_in(tv: PlexTvSim, terminal: Terminal) -> None:
    terminal.until("enter this PIN:")
    terminal.until("confirm it in the browser")
    (pin,) = [pin for pin in tv.pins.values() if not pin.expired]
    assert f"    {pin.code}" in terminal.text
    tv.confirm(pin.code)
    terminal.until("Signed in as someone.")


# --- a person ----------------------------------------------------------------------------------------------------------


def test_a_new_user_signs_in_and_has_a_file_that_works(home: Path, tv: PlexTvSim, world: World) -> None:
    other_folders(world)
    owns(tv, world)
    with sitting(home, tv) as terminal:
        signed_in(tv, terminal)
        terminal.until(f"at {world.plex.url}")
        terminal.answer("Address of Stash", world.stash.url)
        terminal.answer("API key of Stash", KEY)
        terminal.until("With this rule: of 4 scenes looked at, 4 are found in Plex by their full path")
        terminal.answer("Use this rule?")
        terminal.answer("plexsync.toml?")
        terminal.until("writes it, after one question")
        assert terminal.end() == 0
        for secret in (TOKEN, KEY, tv.token):
            assert secret not in terminal.raw
    written = tomllib.loads(file_of(home).read_text())
    assert written == {
        "plex_url": world.plex.url,
        "plex_token": TOKEN,
        "stash_url": world.stash.url,
        "stash_api_key": KEY,
        "path_map": ["/data => /media"],
    }
    assert stat.S_IMODE(file_of(home).stat().st_mode) == 0o600
    assert world.plex.count("PUT") == 0
    done = forked.run(
        ["-m", "plexsync", "--json", "doctor"], cwd=ROOT, env={"HOME": str(home)}, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["well"], done.stdout


def test_wrong_answers_are_one_line_and_asked_again(home: Path, tv: PlexTvSim, world: World) -> None:
    world.add(3)
    world.plex.add_section("Shorts, and more", locations=("/media/shorts",))
    owns(tv, world, Resource("Attic", "another-token", (Connection("http://127.0.0.1:9", "127.0.0.1", 9),)))
    with sitting(home, tv) as terminal:
        signed_in(tv, terminal)
        terminal.answer("Which server?", "7")
        terminal.until("it must be a number from 1 to 2")
        terminal.answer("Which server?", "NAS")
        terminal.until("it must be a number from 1 to 2")
        terminal.answer("Which server?", "1")
        terminal.answer("Which of them?", "3")
        terminal.until("it must be numbers from 1 to 2")
        terminal.answer("Which of them?", "2")
        terminal.answer("Address of Stash", "ftp://nas")
        terminal.until("stash_url must start with http://")
        terminal.answer("Address of Stash", "127.0.0.1:9")
        terminal.until("refuses connections")
        terminal.answer("Address of Stash", world.stash.url.removeprefix("http://"))
        terminal.answer("API key of Stash", "another-key")
        terminal.until("does not accept")
        terminal.answer("API key of Stash", KEY)
        # The library that was chosen has none of the files.
        terminal.answer("Rule", "data, media")
        terminal.until("must have the form")
        terminal.answer("Rule")
        terminal.answer("plexsync.toml?")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.text
    assert tomllib.loads(file_of(home).read_text())["plex_libraries"] == ["Shorts, and more"]


def test_ctrl_c_keeps_what_was_found_and_typed_at_any_question(home: Path, tv: PlexTvSim, world: World) -> None:
    other_folders(world)
    owns(tv, world)
    plex = {"plex_url": world.plex.url, "plex_token": TOKEN}
    stash = {"stash_url": world.stash.url, "stash_api_key": KEY}
    known = [{}, plex, {**plex, "stash_url": world.stash.url}, {**plex, **stash}, {**plex, **stash}]
    steps = ["confirm it in the browser", "Address of Stash", "API key of Stash", "Use this rule?", "plexsync.toml?"]
    answers = ["", world.stash.url, KEY, "", ""]
    for last in range(len(steps)):
        with sitting(home, tv) as terminal:
            for step, answer in zip(steps[:last], answers, strict=False):
                if step == steps[0]:
                    signed_in(tv, terminal)
                else:
                    terminal.answer(step, answer)
            terminal.until(steps[last])
            terminal.interrupt()
            assert terminal.end() == 130, steps[last]
            told = " ".join(terminal.text.split())
            assert ("nothing was written" in told) is (last == 0)
            assert ("compare the file paths. plexsync init goes on from there" in told) is (last > 0)
            assert "Traceback" not in terminal.text
            assert TOKEN not in terminal.raw
        tv.expire()
        assert (tomllib.loads(file_of(home).read_text()) if last else {}) == known[last], steps[last]
        shutil.rmtree(home / ".config", ignore_errors=True)


LIKE_A_TOKEN = "xBc7-9qRstUvWxYz0123"
LIKE_A_KEY = "eyJhbGciOiJIUzI1NiIs.eyJ1c2VyIjoiYSJ9.c2lnbmVk"


def test_a_refused_token_is_asked_for_again_and_neither_it_nor_a_token_in_the_wrong_place_is_kept(
    home: Path, world: World
) -> None:
    with sitting(home, None, "--token") as terminal:
        terminal.until("Type the address of Plex, then its token.")
        terminal.answer("Address of Plex", LIKE_A_TOKEN)
        terminal.until("it looks like a token or a key, and an address is needed here")
        terminal.answer("Address of Plex [http://localhost:32400]", world.plex.url)
        terminal.answer("Plex token (typed unseen)", world.plex.url)
        terminal.until("it looks like an address, and a token or a key is needed here")
        terminal.answer("Plex token (typed unseen)", "another-token")
        terminal.until("does not accept plex_token")
        assert "***" not in terminal.text, "an address is no secret"
        terminal.until("Plex token (typed unseen; empty goes back to the address)")
        terminal.interrupt()
        assert terminal.end() == 130
    assert tomllib.loads(file_of(home).read_text()) == {"plex_url": world.plex.url}


def test_an_address_that_was_kept_is_where_the_next_call_goes_on(home: Path, tv: PlexTvSim, world: World) -> None:
    file_of(home).parent.mkdir(parents=True)
    file_of(home).write_text(f'plex_url = "{world.plex.url}"\n')
    with sitting(home, None, "--token") as terminal:
        terminal.answer(f"Address of Plex [{world.plex.url}]")
        terminal.answer("Plex token", TOKEN)
        terminal.answer("Address of Stash", LIKE_A_KEY)
        terminal.until("an address is needed here, such as 192.168.1.10 Address of Stash")
        terminal.interrupt()
        assert terminal.end() == 130
    assert tomllib.loads(file_of(home).read_text()) == {"plex_url": world.plex.url, "plex_token": TOKEN}
    tv.servers = [Resource("NAS", TOKEN, (Connection("http://127.0.0.1:9", "127.0.0.1", 9),))]
    file_of(home).write_text(f'plex_url = "{world.plex.url}"\n')
    with sitting(home, tv) as terminal:
        signed_in(tv, terminal)
        terminal.until(f"at {world.plex.url}")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "does not answer" not in terminal.text


def test_a_file_that_names_a_server_is_not_changed_by_a_call_that_was_stopped(home: Path, world: World) -> None:
    file_of(home).parent.mkdir(parents=True)
    before = f'plex_url = "{world.plex.url}"\nplex_token = "{TOKEN}"\n'
    file_of(home).write_text(before)
    with sitting(home, None, "--token") as terminal:
        terminal.answer("Address of Plex", "http://127.0.0.1:9")
        terminal.until("Plex token")
        terminal.interrupt()
        assert terminal.end() == 130
    assert file_of(home).read_text() == before


def test_a_new_file_has_every_common_option_as_a_comment_that_can_be_used() -> None:
    settings = {"plex_url": "http://nas:32400", "plex_token": TOKEN, "path_map": ["/a => /b"], "scope": None}
    text = new_file(settings)
    assert tomllib.loads(text) == {name: value for name, value in settings.items() if value is not None}
    used = tomllib.loads(re.sub(r"(?m)^#(?=[a-z_]+ = )", "", text))
    assert set(used) == {*COMMON, "plex_url", "plex_token"}
    for name, value in used.items():
        assert load(environ={}, toml_path=None, overrides={**STAND_INS, name: value}).config


def test_a_no_at_the_end_writes_nothing(home: Path, world: World) -> None:
    world.add(2)
    with sitting(home, None, "--token") as terminal:
        typed(terminal, world)
        terminal.answer("plexsync.toml?", "n")
        assert terminal.end() == 1
    assert list(home.iterdir()) == []


def typed(terminal: Terminal, world: World) -> None:
    terminal.answer("Address of Plex", world.plex.url)
    terminal.answer("Plex token", TOKEN)
    terminal.answer("Address of Stash", world.stash.url)
    terminal.answer("API key of Stash", KEY)


@pytest.mark.parametrize("words", [("--token",), ()], ids=["asked for", "plexapi is not installed"])
def test_address_and_token_can_be_typed(words: tuple[str, ...], home: Path, tv: PlexTvSim, world: World) -> None:
    world.add(2)
    without = {} if words else {"WITHOUT": "plexapi"}
    with sitting(home, None, *words, **without) as terminal:
        if not words:
            terminal.until("plexapi, which is not installed")
        terminal.answer("Address of Plex", world.plex.url)
        terminal.answer("Plex token")
        terminal.until("must not be empty")
        terminal.answer("Plex token", "another-token")
        terminal.until("does not accept")
        terminal.answer("Plex token (typed unseen; empty goes back to the address)")
        typed(terminal, world)
        terminal.answer("plexsync.toml?")
        assert terminal.end() == 0
        assert TOKEN not in terminal.raw
    assert tv.log == []
    assert tomllib.loads(file_of(home).read_text())["plex_token"] == TOKEN


def test_a_pin_that_nobody_confirms_can_be_had_anew(home: Path, tv: PlexTvSim, world: World) -> None:
    owns(tv, world)
    with sitting(home, tv) as terminal:
        terminal.until("confirm it in the browser")
        tv.expire()
        terminal.answer("Try again?", "y")
        signed_in(tv, terminal)
        terminal.until(f"at {world.plex.url}")
        terminal.interrupt()
        assert terminal.end() == 130


def test_whoever_owns_no_server_is_told_and_may_type_a_token(home: Path, tv: PlexTvSim, world: World) -> None:
    owns(tv, world)
    way = Connection(world.plex.url, "127.0.0.1", world.plex.port)
    tv.servers = [Resource("Friend", "x", (way,), owned=False), Resource("TV", "y", (way,), provides="client,player")]
    with sitting(home, tv) as terminal:
        signed_in(tv, terminal)
        terminal.until("owns no Plex server")
        terminal.until("Address of Plex")
        terminal.interrupt()
        assert terminal.end() == 130
    assert world.plex.log == []


def test_plex_tv_that_does_not_answer_is_one_line_and_a_token_can_be_typed(home: Path, tv: PlexTvSim) -> None:
    tv.faults.set(Fault("status", status=429))
    with sitting(home, tv) as terminal:
        terminal.until("plex.tv refused what was asked (429)")
        terminal.until("Address of Plex")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "Traceback" not in terminal.text


def test_a_second_call_offers_what_is_set_and_keeps_the_rest(home: Path, world: World) -> None:
    world.add(2)
    before = (
        "# mine\n"
        f'plex_url = "{world.plex.url}"\n'
        f'plex_token = "{TOKEN}" # the old one\n'
        f'stash_url = "{world.stash.url}"\n'
        f'stash_api_key = "{KEY}"\n'
        "max_retries = 7 # seven\n"
        'path_map = [\n  "/nowhere => /media",\n]\n'
        "\n[libraries.Movies]\nsync_title = false\n"
    )
    file_of(home).parent.mkdir(parents=True)
    file_of(home).write_text(before)
    with sitting(home, None) as terminal:
        terminal.answer("Keep it?")
        terminal.until("is there already. Its other settings stay")
        terminal.answer("plexsync.toml?")
        assert terminal.end() == 0
    text = file_of(home).read_text()
    assert tomllib.loads(text) == tomllib.loads(before)
    for kept in ("# mine\n", "max_retries = 7 # seven\n", "\n[libraries.Movies]\nsync_title = false\n"):
        assert kept in text
    (backup,) = file_of(home).parent.glob("*.bak")
    assert backup.read_text() == before
    for file in (backup, file_of(home)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_was_given_and_is_wrong_can_be_put_right(home: Path, world: World, tmp_path: Path) -> None:
    world.add(1)
    (tmp_path / "token").write_text("another-token\n")
    words = ["--token", "--plex-url", "127.0.0.1:9", "--plex-token-file", str(tmp_path / "token")]
    with sitting(home, None, *words, "--stash-url", world.stash.url) as terminal:
        terminal.until("refuses connections")
        terminal.answer("Address of Plex", world.plex.url)
        terminal.until("does not accept")
        terminal.answer("Plex token (typed unseen; empty goes back to the address)", TOKEN)
        terminal.answer("API key of Stash", KEY)
        terminal.answer("plexsync.toml?")
        assert terminal.end() == 0
        assert terminal.text.count("refuses connections") == 1
        assert "another-token" not in terminal.raw
    written = tomllib.loads(file_of(home).read_text())
    assert (written["plex_url"], written["plex_token"]) == (world.plex.url, TOKEN)


def test_an_address_that_was_given_is_where_whoever_signs_in_finds_the_server(
    home: Path, tv: PlexTvSim, world: World
) -> None:
    tv.servers = [Resource("NAS", TOKEN, (Connection("http://127.0.0.1:9", "127.0.0.1", 9),))]
    with sitting(home, tv, "--plex-url", world.plex.url) as terminal:
        signed_in(tv, terminal)
        terminal.answer(f"does not list {world.plex.url} among the addresses of NAS. Send its token there?", "y")
        terminal.until(f"at {world.plex.url}")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "does not answer" not in terminal.text


class Curious(HttpServer):
    """A server that answers everything, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Request] = []

    def answer(self, request: Request) -> HttpAnswer:
        self.sent.append(request)
        return HttpAnswer(200, b'{"MediaContainer": {"size": 0}}', "application/json")


def test_a_token_goes_to_a_plex_server_alone_and_to_no_other_than_that_of_the_account(
    home: Path, tv: PlexTvSim, world: World, unset: World, door: Door, tmp_path: Path
) -> None:
    words = given(tmp_path, unset, "--plex-url", "--stash-api-key-env")
    with Curious() as curious, PlexSim(token=TOKEN) as other:
        done = door("init", *words, "--plex-url", curious.url, "--yes")
        assert (done.code, "Plex at 127.0.0.1" in done.err) == (1, True)
        other.machine = "another"
        owns(tv, world)
        for url, told in ((curious.url, "127.0.0.1"), (other.url, "another Plex server answers")):
            with sitting(home, tv, "--plex-url", url) as terminal:
                if file_of(home).exists():
                    terminal.answer(f"plex_token is set for {world.plex.url}. Send it to {url}?", "n")
                signed_in(tv, terminal)
                terminal.until(told)
                terminal.until(f"at {world.plex.url}")
                terminal.interrupt()
                assert terminal.end() == 130
            tv.expire()
        assert curious.sent
        for request in (*curious.sent, *other.log):
            assert TOKEN not in f"{request.target} {request.headers}"
        assert {request.path for request in other.log} == {"/identity"}


LIBRARIES = {"one of them": ('"Shorts"', ["Shorts"], "2"), "one that is gone": ('"Filme", "Shorts"', ["Shorts"], "2")}


@pytest.mark.parametrize(("named", "left", "offered"), LIBRARIES.values(), ids=LIBRARIES)
def test_the_libraries_that_are_set_are_offered(
    named: str, left: list[str], offered: str, home: Path, world: World
) -> None:
    world.plex.add_section("Shorts", locations=("/media/shorts",))
    file_of(home).parent.mkdir(parents=True)
    file_of(home).write_text(
        f'plex_url = "{world.plex.url}"\nplex_token = "{TOKEN}"\nplex_libraries = [{named}]\n'
        f'stash_url = "{world.stash.url}"\nstash_api_key = "{KEY}"\n'
    )
    with sitting(home, None) as terminal:
        terminal.answer("Keep it?")
        if "Filme" in named:
            terminal.until("Plex has no movie library named Filme; it has: Movies, Shorts")
        terminal.answer(f"[{offered}]")
        terminal.answer("plexsync.toml?")
        assert terminal.end() == 0
    assert tomllib.loads(file_of(home).read_text())["plex_libraries"] == left


def test_libraries_of_other_videos_are_offered_and_it_is_said_what_they_are(home: Path, world: World) -> None:
    world.plex.add_section("Clips", locations=("/media/clips",), agent="com.plexapp.agents.none")
    with sitting(home, None, "--token") as terminal:
        terminal.answer("Address of Plex", world.plex.url)
        terminal.answer("Plex token", TOKEN)
        terminal.until("its videos are synced as movies are")
        terminal.until("Clips, Other Videos (/media/clips)")
        terminal.answer("Which of them?", "2")
        terminal.answer("Address of Stash", world.stash.url)
        terminal.answer("API key of Stash", KEY)
        terminal.answer("plexsync.toml?")
        assert terminal.end() == 0
    assert tomllib.loads(file_of(home).read_text())["plex_libraries"] == ["Clips"]


def test_that_all_libraries_are_taken_is_shown_before_it_is_written(home: Path, world: World) -> None:
    with sitting(home, None, "--token") as terminal:
        typed(terminal, world)
        assert re.search(r"plex_libraries +all", terminal.until("plexsync.toml?"))
        terminal.interrupt()
        assert terminal.end() == 130


# --- nobody ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def unset(world: World) -> World:
    """Nothing of the world is set in the environment."""
    world.unset = ("plex_url", "plex_token", "stash_url", "stash_api_key", "data_dir")
    world.settings = {}
    return world


def given(tmp_path: Path, world: World, *but: str) -> list[str]:
    """The options with which nothing has to be asked, but for some."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    options = {
        "--plex-url": world.plex.url,
        "--plex-token-file": str(tmp_path / "token"),
        "--stash-url": world.stash.url,
        "--stash-api-key-env": "MY_KEY",
    }
    return [word for pair in options.items() if pair[0] not in but for word in pair]


def file_in(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "plexsync" / "plexsync.toml"


def test_what_the_page_start_has_kept_is_gone_once_init_has_set_everything_up(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    draft = file_in(tmp_path).parent / "plexsync-start"
    draft.mkdir(parents=True)
    (draft / "plexsync.toml").write_text(f'plex_token = "{TOKEN}"\n')
    assert door("init", *given(tmp_path, unset), "--yes").code == 0
    assert not draft.exists()


def test_everything_can_be_given(unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    other_folders(unset)
    done = door("init", *given(tmp_path, unset), "--yes", "--json")
    assert done.code == 0, done.err
    assert done.facts["paths"]["rules"] == [{"stash": "/data", "plex": "/media"}]
    assert done.facts["plex"]["libraries"] == ["Movies"]
    written = tomllib.loads(file_in(tmp_path).read_text())
    assert (written["plex_token"], written["stash_api_key"]) == (TOKEN, KEY)
    assert unset.plex.count("PUT") == 0


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("--plex-url", "--plex-url URL"),
        ("--plex-token-file", "--plex-token-file FILE"),
        ("--stash-api-key-env", "stash_api_key"),
    ],
)
def test_what_is_missing_is_named_and_nothing_written(
    lacking: str, named: str, unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    done = door("init", *given(tmp_path, unset, lacking), "--yes")
    assert done.code in (1, 2)
    assert named in done.err
    assert not file_in(tmp_path).exists()


def test_without_yes_nobody_is_there_to_agree(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    unset.add(1)
    done = door("init", *given(tmp_path, unset))
    assert (done.code, "give --yes" in done.err) == (2, True)
    assert not file_in(tmp_path).exists()


class Repeating(PlexSim):
    """Calls itself by the token that it is given."""

    def answer(self, request: Request) -> HttpAnswer:
        if request.path != "/":
            return super().answer(request)
        name = f"NAS {request.headers.get('x-plex-token')}"
        body = {"MediaContainer": {"size": 0, "friendlyName": name, "machineIdentifier": "x", "version": "1.43.0"}}
        return HttpAnswer(200, json.dumps(body).encode(), "application/json", dict(self.marks))


def test_a_server_that_says_our_token_back_gets_it_nowhere(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with Repeating(token=TOKEN) as plex:
        plex.add_section("Movies", locations=("/media/scenes",))
        unset.plex = plex
        for words in ((), ("--json",)):
            # What it answered has no place but the file; `door` looks for the token in all that is said.
            done = door("init", *given(tmp_path, unset), "--yes", *words)
            assert done.code == 0, done.err
            assert "NAS ***" in done.err


def test_a_token_as_a_word_is_refused_and_not_repeated(unset: World, door: Door) -> None:
    done = door("init", "--token", "secret-token-01234567")
    assert done.code == 2
    assert "secret-token" not in done.out + done.err


@pytest.mark.parametrize("key", [KEY, ""], ids=["with a key", "open to all"])
def test_the_address_of_the_other_server_is_named_as_that(
    key: str, unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    unset.stash.api_key = key
    words = given(tmp_path, unset, "--plex-url", "--stash-url")
    for plex, stash, told in (
        (
            unset.stash.url,
            unset.plex.url,
            f"Stash answers at {unset.stash.url}, and plex_url must be the address of Plex",
        ),
        (
            unset.plex.url,
            unset.plex.url,
            f"Plex answers at {unset.plex.url}, and stash_url must be the address of Stash",
        ),
    ):
        done = door("init", *words, "--plex-url", plex, "--stash-url", stash, "--yes")
        assert done.code == 1
        assert f"plexsync: {told}\n" in done.err
    assert not file_in(tmp_path).exists()


@pytest.mark.parametrize("option", ["--plex-url", "--stash-url"])
def test_a_token_as_an_address_is_refused_and_not_repeated(option: str, unset: World, door: Door) -> None:
    for secret in (LIKE_A_TOKEN, LIKE_A_KEY):
        done = door("init", option, secret, "--yes")
        assert (done.code, f"{option} looks like a token" in done.err) == (2, True)
        assert secret not in done.out + done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--plex-token-file", "nowhere.txt"),
        ("--plex-token-env", "NOT_SET"),
        ("--plex-token-env", "HOME", "--plex-token-file", "x"),
    ],
    ids=["no file", "no variable", "both"],
)
def test_a_token_that_is_nowhere_is_named(words: tuple[str, ...], unset: World, door: Door) -> None:
    done = door("init", "--plex-url", unset.plex.url, *words, "--yes")
    assert done.code == 2
    assert "--plex-token" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--library", "Filme"), "no movie library named Filme; it has: Movies"),
        (("--path-map", "data, media"), "--path-map must have the form"),
    ],
    ids=["library", "rule"],
)
def test_what_can_not_be_used_is_one_line(
    words: tuple[str, ...], told: str, unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    done = door("init", *given(tmp_path, unset), *words, "--yes")
    assert done.code == 2
    assert told in done.err
    assert not file_in(tmp_path).exists()


def test_rules_that_are_given_are_taken(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    other_folders(unset)
    done = door("init", *given(tmp_path, unset), "--path-map", "/data/scenes => /media/scenes", "--yes", "--json")
    assert done.facts["paths"]["found_by_path"] == 4
    assert tomllib.loads(file_in(tmp_path).read_text())["path_map"] == ["/data/scenes => /media/scenes"]


def test_variables_that_win_over_the_file_are_told(world: World, door: Door, tmp_path: Path) -> None:
    world.add(1)
    config = tmp_path / "there" / "p.toml"
    done: Answer = door("init", "--yes", "--json", "--config", config)
    assert done.code == 0, done.err
    assert "PLEXSYNC_PLEX_TOKEN" in done.facts["overridden_by"]
    assert tomllib.loads(config.read_text())["plex_token"] == TOKEN
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700


def test_a_file_that_wins_over_what_was_written_is_told(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    words = given(tmp_path, unset)
    monkeypatch.setenv("PLEXSYNC_PLEX_TOKEN_FILE", str(tmp_path / "token"))
    done = door("init", *words, "--yes", "--json")
    assert done.code == 0, done.err
    assert done.facts["overridden_by"] == ["PLEXSYNC_PLEX_TOKEN_FILE"]


def test_a_library_that_is_set_and_gone_is_named_where_nobody_can_choose(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    file = tmp_path / "p.toml"
    file.write_text('plex_libraries = "Filme"\n')
    words = (*given(tmp_path, unset), "--config", file, "--yes")
    done = door("init", *words)
    assert done.code == 2
    assert "plex_libraries: Plex has no movie library named Filme; it has: Movies" in done.err
    assert file.read_text() == 'plex_libraries = "Filme"\n'
    assert door("init", *words, "--library", "Movies").code == 0
    assert tomllib.loads(file.read_text())["plex_libraries"] == ["Movies"]


def test_a_link_to_a_file_that_is_not_there_yet_makes_that_file(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    file_in(tmp_path).parent.mkdir(parents=True)
    file_in(tmp_path).symlink_to(tmp_path / "dotfiles.toml")
    assert door("init", *given(tmp_path, unset), "--yes").code == 0
    assert file_in(tmp_path).is_symlink()
    assert tomllib.loads((tmp_path / "dotfiles.toml").read_text())["plex_token"] == TOKEN


def test_a_file_that_can_not_be_read_at_the_end_is_one_line(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    file = tmp_path / "p.toml"
    file.write_text("max_retries = 3\n")

    real = Path.read_text

    def torn(path: Path, *words: str, **more: str) -> str:
        if path == file:
            raise OSError(5, "Input/output error")
        return real(path, *words, **more)

    monkeypatch.setattr(Path, "read_text", torn)
    done = door("init", *given(tmp_path, unset), "--config", file, "--yes")
    assert (done.code, "p.toml can't be read: Input/output error" in done.err) == (2, True)


def test_a_file_that_is_wrong_is_left_alone(unset: World, door: Door, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("max_retries = 'x'\n")
    done = door("init", "--config", file, "--yes")
    assert done.code == 2
    assert "max_retries" in done.err
    assert file.read_text() == "max_retries = 'x'\n"


def test_a_folder_that_can_not_be_written_is_one_line(
    unset: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    unset.add(1)
    (tmp_path / "file").write_text("")
    done = door("init", *given(tmp_path, unset), "--config", tmp_path / "file" / "p.toml", "--yes")
    assert done.code == 2
    assert "p.toml can't be read: correct the path" in done.err


# --- where it goes -----------------------------------------------------------------------------------------------------

WATCHED = """
import json, os, sys
def watch(event, arguments):
    if event in ("socket.connect", "open") and (event == "socket.connect" or str(arguments[0]).endswith("netrc")):
        with os.fdopen(os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as log:
            log.write(json.dumps([event, str(arguments[1])]) + "\\n")
sys.addaudithook(watch)
"""


def test_only_plex_tv_and_both_servers_are_asked_whatever_the_environment_says(
    home: Path, tv: PlexTvSim, world: World, tmp_path: Path
) -> None:
    owns(tv, world)
    with PlexTvSim() as proxy:
        environ = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), proxy.url)
        (home / ".netrc").write_text("default login somebody password something\n")
        log = tmp_path / "watched"
        with Terminal(
            ["init", "--stash-url", world.stash.url],
            {"HOME": str(home), "PLEX_TV": tv.url, "WATCHED": str(log), **environ},
            cwd=home,
            program=WATCHED + ELSEWHERE,
        ) as terminal:
            signed_in(tv, terminal)
            terminal.answer("API key of Stash", KEY)
            terminal.answer("plexsync.toml?")
            assert terminal.end() == 0
        assert proxy.log == []
    ports = {line for line in log.read_text().splitlines() if "socket.connect" in line}
    assert {int(line.split(",")[2].rstrip(']") ')) for line in ports} == {tv.port, world.plex.port, world.stash.port}
    assert {request.path for request in tv.log} <= {
        "/api/v2/pins",
        *(f"/api/v2/pins/{number}" for number in tv.pins),
        "/api/v2/user",
        "/api/v2/resources",
    }
    for request in [*tv.log, *world.plex.log, *world.stash.log]:
        assert "authorization" not in request.headers
        assert TOKEN not in request.target
    # The account's token goes to plex.tv, the server's to the server.
    assert {request.headers.get("x-plex-token") for request in tv.log} == {None, tv.token}
    sent = {request.headers.get("x-plex-token") for request in world.plex.log if request.path != "/identity"}
    assert sent == {TOKEN}
