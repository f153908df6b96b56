"""The default locations of the settings file and the database, and who could change such a file. Imports little."""

# ruff: noqa: PTH111, PTH113, PTH117, PTH118

import os
import stat
import sys
from collections.abc import Mapping

if sys.platform != "win32":
    import grp
    import pwd

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


def why_foreign(path: str, status: os.stat_result) -> str:
    """Why a settings file is not read: it belongs to another user than you or root, or others may write to it; '' if not."""
    if sys.platform == "win32":
        return ""
    user = os.geteuid()
    if status.st_uid not in (user, 0):
        return (
            f"{path} belongs to another user ({status.st_uid}), who could have your token and key sent anywhere: make it"
            f" yours (chown {user}), or in a container let PlexSync run as {status.st_uid}:{status.st_gid}"
        )
    may_write = status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid, user)
    if status.st_mode & stat.S_IWOTH or may_write:
        return (
            f"{path} can be changed by other users, who could have your token and key sent anywhere: chmod 600 {path}"
        )
    return ""


def _is_private(group: int, user: int) -> bool:
    """Whether nobody else is in a group, such as one that a volume gives to all of its files."""
    if sys.platform != "win32" and user:
        try:
            members = grp.getgrgid(group).gr_mem
        except KeyError:
            members = []
        accounts = (entry for entry in pwd.getpwall() if entry.pw_gid == group or entry.pw_name in members)
        return all(account.pw_uid == user for account in accounts)
    return False
