"""The look: one setting that sets others, as far as nobody has set them."""

from pathlib import Path
from typing import get_args

import pytest

from validation.config import SECRETS, PlexSyncConfig, describe
from validation.looks import LOOKS, SETTING
from validation.sources import DEFAULT, ENVIRONMENT, LOOK, STASH, TOML, ConfigError, Loaded, load

REQUIRED = {"PLEXSYNC_PLEX_URL": "http://plex:32400", "PLEXSYNC_PLEX_TOKEN": "token-0123456789"}
RICH = LOOKS["rich"]
# Another value than that of the look, for each setting that it sets: the default.
DEFAULTS = {name: PlexSyncConfig.model_fields[name].default for name in RICH}


def loaded(
    environ: dict[str, str] | None = None,
    toml: str = "",
    folder: Path | None = None,
    stash: dict[str, object] | None = None,
) -> Loaded:
    path = None
    if folder is not None:
        path = folder / "plexsync.toml"
        path.touch(mode=0o600)
        path.write_text(toml, encoding="utf-8")
    return load(environ=REQUIRED | (environ or {}), toml_path=path, plugin_settings=stash)


def text_of(value: object) -> str:
    return (
        ", ".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)
    )


def set_by_look(settings: Loaded) -> dict[str, object]:
    return {name: getattr(settings.config, name) for name, origin in settings.origin.items() if origin == LOOK}


def test_the_looks_are_the_choices_of_the_setting_and_the_first_sets_nothing() -> None:
    field = PlexSyncConfig.model_fields[SETTING]
    assert get_args(field.annotation) == tuple(LOOKS)
    assert LOOKS[field.default] == {}


def test_plain_is_exactly_the_defaults() -> None:
    without, plain = loaded(), loaded({"PLEXSYNC_LOOK": "plain"})
    assert without.config == plain.config == PlexSyncConfig(plex_url="http://plex:32400", plex_token="token-0123456789")
    assert set_by_look(without) == set_by_look(plain) == {}
    assert plain.origin == without.origin | {SETTING: ENVIRONMENT}


def test_rich_sets_what_its_table_says_and_nothing_else() -> None:
    rich, plain = loaded({"PLEXSYNC_LOOK": "rich"}), loaded()
    assert set_by_look(rich) == dict(RICH)
    differ = {name for name in PlexSyncConfig.model_fields if getattr(rich.config, name) != getattr(plain.config, name)}
    assert differ == {SETTING, *RICH}


def test_a_look_sets_only_settings_that_have_a_default_and_no_secret() -> None:
    optional = {setting.name for setting in describe() if setting.default is not None}
    for presets in LOOKS.values():
        assert set(presets) <= optional - {SETTING, *SECRETS}


@pytest.mark.parametrize("name", RICH)
def test_what_you_set_yourself_wins_over_the_look_wherever_you_set_it(name: str, tmp_path: Path) -> None:
    value = DEFAULTS[name]
    listed = list(value) if isinstance(value, tuple) else value
    document = f"{name} = {next(setting.default for setting in describe() if setting.name == name)}\n"
    by_source = {
        ENVIRONMENT: loaded({"PLEXSYNC_LOOK": "rich", f"PLEXSYNC_{name.upper()}": text_of(value)}),
        TOML: loaded({"PLEXSYNC_LOOK": "rich"}, document, tmp_path),
        STASH: loaded({"PLEXSYNC_LOOK": "rich"}, stash={name: listed}),
    }
    if value in ("", ()):
        # Stash stores an empty text for a cleared field: that is not set.
        assert by_source.pop(STASH).origin[name] in (LOOK, STASH)
    for source, settings in by_source.items():
        assert settings.origin[name] == source
        assert getattr(settings.config, name) == value
        assert set_by_look(settings) == {other: preset for other, preset in RICH.items() if other != name}


def test_the_look_can_be_set_in_every_place(tmp_path: Path) -> None:
    assert set_by_look(loaded(toml='look = "rich"\n', folder=tmp_path)) == dict(RICH)
    assert set_by_look(loaded(stash={"look": "rich"})) == dict(RICH)
    assert set_by_look(loaded({"PLEXSYNC_LOOK": "plain"}, stash={"look": "rich"})) == {}


def test_a_look_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match='look in PLEXSYNC_LOOK must be "plain" or "rich"'):
        loaded({"PLEXSYNC_LOOK": "fancy"})


def test_without_a_look_every_setting_is_at_its_default() -> None:
    origins = loaded().origin
    assert {origin for name, origin in origins.items() if name not in ("plex_url", "plex_token")} == {DEFAULT}
