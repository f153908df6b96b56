"""How the libraries stand that ask PlexSync, by the figures of what they asked."""

from pathlib import Path

import pytest

from plexsync.app.stored import open_store
from plexsync.reports.format import MINUTE
from plexsync.reports.provider import provider_report
from plexsync.rules.provider.standing import ADD_NAMES, NO_SWITCH, NOT_SYNCED, UNKNOWN_ADDRESS, WELL, LibraryInPlex
from plexsync.rules.records import SectionRow
from plexsync.store.files.provider_secrets import FILE, renew_path, set_damaged_aside
from plexsync.store.ledger.provider_memory import ProviderRow
from validation.config import PlexSyncConfig

ROW = ProviderRow("uuid-1", "1", "Movies", "tv.plex.agents.custom.plexsync.a1", "on", dict.fromkeys(ADD_NAMES))


@pytest.mark.parametrize(
    ("calls", "allowed", "standing"),
    [
        ({"no_match_adult": 3}, None, NO_SWITCH),
        ({"no_match_adult": 3}, False, NO_SWITCH),
        # Switched on since.
        ({"no_match_adult": 3}, True, WELL),
        ({"no_match_adult": 3, "matches": 1}, None, WELL),
        ({"matches": 1}, False, NO_SWITCH),
        ({}, None, WELL),
    ],
)
def test_the_switch_for_explicit_content_is_named_by_what_plex_says_or_asks(
    tmp_path: Path, calls: dict[str, object], allowed: bool | None, standing: str
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", provider_listen="127.0.0.1:9798")
    in_plex = {ROW.library: LibraryInPlex(ROW.identifier, is_registered=True, has_group=True, asks_explicit=allowed)}
    renew_path(tmp_path / "data", ROW.library)
    with open_store(config, tmp_path / "data") as stored:
        with stored.store.writing() as tx:
            tx.providers.save(ROW)
            tx.providers.note_calls(ROW.library, 7, calls)
        reports = [provider_report(stored, in_plex)]
        if allowed is None:
            reports.append(provider_report(stored))
    assert {report["libraries"][0]["standing"] for report in reports} == {standing}


def test_the_calls_of_the_last_hour_are_none_an_hour_after_the_last(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", provider_listen="127.0.0.1:9798")
    answered = []
    with open_store(config, tmp_path / "data") as stored:
        for ago in (59 * MINUTE, 61 * MINUTE):
            with stored.store.writing() as tx:
                tx.providers.save(ROW)
                tx.providers.note_calls(ROW.library, stored.clock.now() - ago, {"matches": 2, "p99_ms": 1.0})
            (facts,) = provider_report(stored)["libraries"]
            assert facts["called_at"]
            answered.append((facts["calls"]["answered"], facts["calls"]["p99_ms"]))
    assert answered == [(2, 1.0), (0, None)]


def test_what_keeps_plex_without_an_answer_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", provider_listen="127.0.0.1:9798")
    with open_store(config, folder) as stored:
        with stored.store.writing() as tx:
            tx.providers.save(ROW)
            tx.providers.note_calls(ROW.library, 7, {})

        def standing() -> str:
            return provider_report(stored)["libraries"][0]["standing"]

        assert standing() == UNKNOWN_ADDRESS.format(folder / FILE, "a copy or another machine")
        (folder / FILE).write_bytes(b"{")
        assert standing().startswith(f"Plex gets no answer: {folder / FILE} is damaged: ")
        set_damaged_aside(folder)
        renew_path(folder, ROW.library)
        assert standing() == WELL
        with stored.store.writing() as tx:
            tx.sections.save(SectionRow("2", "Other", uuid="uuid-2"))
        assert standing() == NOT_SYNCED
