"""What objects that hold a secret show of it when they are printed, compared, copied, packed or part of a traceback."""

import copy
import pickle
import pprint
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console
from rich.pretty import pretty_repr

from plexsync.app.setting_change import FileChange, FoundPlex, FoundStash
from plexsync.app.settings import DataFolder, Settings, StashAnswer, answer_to_keep, kept_answer
from plexsync.cli.call import Call
from plexsync.cli.commands.init import Findings
from plexsync.cli.setup.finder import Finder, Given
from plexsync.cli.terminal.prompts import Person
from plexsync.plex.client import PlexClient
from plexsync.rules.servers.errors import NeighbourError, Unusable
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.client import StashClient
from tests.security.canaries import KEY, TOKEN, leaks
from tests.tables import table
from validation.config import PlexSyncConfig
from validation.imported import import_settings
from validation.redact import Redactor
from validation.sources import load

GIVEN = {"plex_url": "http://plex:32400", "plex_token": TOKEN, "stash_api_key": KEY}


def shown(value: object) -> str:
    return f"{value!r} {value!s} {value} {pprint.pformat(value)} {[value]!r} {value!a}"


def test_no_text_of_the_settings_holds_a_secret() -> None:
    config = PlexSyncConfig(**GIVEN)
    loaded = load(environ={f"PLEXSYNC_{name.upper()}": value for name, value in GIVEN.items()}, toml_path=None)
    texts = [shown(config), shown(loaded), config.model_dump_json(), repr(config.model_dump(mode="json"))]
    texts += [shown(copy.deepcopy(config)), shown(config.model_copy()), pretty_repr(config)]
    assert not leaks("".join(texts).encode())
    assert (config.plex_token, config.stash_api_key) == (TOKEN, KEY)


def test_what_settings_came_from_and_what_they_become_shows_no_secret() -> None:
    loaded = load(environ={}, toml_path=None, overrides=GIVEN)
    place, plex = DataFolder(Path("/data"), "why"), FoundPlex("http://plex:32400", TOKEN, "NAS", "1.43", ())
    finder = Finder(Person(Call(), Console(), present=False), Given(plex_token=TOKEN, stash_api_key=KEY), loaded)
    holders = [
        Settings(loaded, place, GIVEN),
        StashAnswer(GIVEN, place),
        finder.options,
        Findings(finder, plex, FoundStash("http://stash:9999", KEY, "0.28")),
        FileChange(Path("p.toml"), f'plex_token = "{TOKEN}"', f'stash_api_key = "{KEY}"'),
        import_settings(GIVEN),
        kept_answer(answer_to_keep(GIVEN)),
    ]
    for holder in holders:
        assert not leaks(f"{shown(holder)} {pretty_repr(holder)}".encode()), type(holder).__name__
    assert holders[-2].settings["plex_token"] == TOKEN


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_settings_are_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(PlexSyncConfig(**GIVEN), protocol)
    assert not leaks(str(caught.value).encode())


def test_a_copy_of_the_settings_is_the_settings() -> None:
    config = PlexSyncConfig(**GIVEN)
    assert copy.copy(config) == copy.deepcopy(config) == config


def test_no_error_of_the_settings_holds_a_secret() -> None:
    for bad in ({"plex_token": TOKEN + " "}, {"stash_api_key": [KEY]}, {"max_retries": TOKEN}, {TOKEN[4:20]: KEY}):
        with pytest.raises(ValidationError) as caught:
            PlexSyncConfig(**{**GIVEN, **bad})
        error = caught.value
        told = shown(error) + repr(error.errors()) + error.json() + "".join(traceback.format_exception(error))
        if "plex_token" in bad or "stash_api_key" in bad or "max_retries" in bad:
            assert not leaks(told.encode())
        assert KEY not in told


def test_clients_show_no_secret_and_are_not_pickled() -> None:
    for client in (PlexClient("http://plex:1", TOKEN), StashClient("http://stash:1", KEY)):
        try:
            assert not leaks(shown(client).encode())
            with pytest.raises(TypeError) as caught:
                pickle.dumps(client)
            assert not leaks(str(caught.value).encode())
        finally:
            client.close()


FAULTS = [
    Fault("refuse"),
    Fault("reset"),
    Fault("cut"),
    Fault("garbage"),
    Fault("html"),
    Fault("status", status=401),
    Fault("status", status=500),
    Fault("status", status=429, retry_after=TOKEN),
    Fault("maintenance"),
]


@table("fault", FAULTS)
def test_no_error_of_a_client_holds_a_secret(fault: Fault) -> None:
    with PlexSim(token=TOKEN) as plex, StashSim(api_key=KEY) as stash:
        plex.faults.set(fault)
        stash.faults.set(fault)
        clients = (PlexClient(plex.url, TOKEN), StashClient(stash.url, KEY))
        for client, ask in zip(clients, (clients[0].sections, clients[1].probe), strict=True):
            with pytest.raises(NeighbourError) as caught:
                ask()
            client.close()
            error = caught.value
            told = shown(error) + repr(vars(error)) + repr(error.args)
            told += "".join(traceback.format_exception(error))
            assert not leaks(told.encode())
            assert not leaks(pickle.dumps(error))
            # Nothing foreign travels along: its request would carry the headers.
            assert error.__cause__ is None
            assert error.__context__ is None
            frames = traceback.TracebackException.from_exception(error, capture_locals=True)
            names = [f"{frame.name}: {frame.locals}" for frame in frames.stack if "plexsync/http/" in frame.filename]
            assert names
            assert not leaks("".join(names).encode())


@pytest.mark.parametrize("bad", [TOKEN + "\n", " " + TOKEN, TOKEN + "é"])
def test_a_secret_that_can_not_be_sent_is_refused_without_it(bad: str) -> None:
    for make in (PlexClient, StashClient):
        with pytest.raises(Unusable) as caught:
            make("http://plex:1", bad)
        assert not leaks("".join(traceback.format_exception(caught.value)).encode())


def test_the_redactor_shows_no_secret() -> None:
    assert not leaks(repr(Redactor((TOKEN, KEY))).encode())
