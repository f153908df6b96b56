"""The default locations of the settings file and the database. It needs only `os`."""

# ruff: noqa: PTH111, PTH113, PTH117, PTH118

import os
import sys
from collections.abc import Mapping

TOML = "plexsync.toml"


def settings_file(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """The settings file to read: the one that PLEXSYNC_CONFIG names, else ./plexsync.toml if it exists, else the user's."""
    if named := environ.get("PLEXSYNC_CONFIG"):
        return named
    # Unlike the method of Path, it does not raise if access is denied.
    if os.path.isfile(TOML):
        return TOML
    variable, below_home = ("APPDATA", "AppData/Roaming") if platform == "win32" else ("XDG_CONFIG_HOME", ".config")
    folder = _user_folder(environ, platform, variable, below_home)
    return os.path.join(folder, "plexsync", TOML) if folder else TOML


def data_folder(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """The folder that PLEXSYNC_DATA_DIR names, else the user's folder for PlexSync's data; None without a home folder."""
    if named := environ.get("PLEXSYNC_DATA_DIR"):
        return named
    match platform:
        case "win32":
            folder = _user_folder(environ, platform, "LOCALAPPDATA", "AppData/Local")
        case "darwin":
            folder = _user_folder(environ, platform, None, "Library/Application Support")
        case _:
            folder = _user_folder(environ, platform, "XDG_DATA_HOME", ".local/share")
    return os.path.join(folder, "plexsync") if folder else None


def _user_folder(environ: Mapping[str, str], platform: str, variable: str | None, below_home: str) -> str | None:
    """The folder that `variable` names by its full path, else the one below the home folder; None without a home folder."""
    named = environ.get(variable, "") if variable else ""
    if os.path.isabs(named):
        return named
    home = environ.get("USERPROFILE" if platform == "win32" else "HOME") or os.path.expanduser("~")
    return None if home.startswith("~") else os.path.join(home, below_home)
