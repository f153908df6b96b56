"""Paths of two servers on different systems: when two paths name the same file, and where a path rule leads.

A path is Windows-looking if it starts with a drive (`D:\\`, `D:/`), a share (`\\\\server\\share`, `//server/share`) or
`\\\\?\\`. Only in such a path is the backslash a separator and case irrelevant; elsewhere both belong to the name.
Nothing here accesses a file system: keys are for comparison, and two files can share one (see
`plexsync.rules.match.match`). A rule is a pair of folders.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile

from plexsync.rules.words.text import caseless, compose

PathRules = Sequence[tuple[str, str]]  # (prefix in Stash, prefix in Plex)

# The paths of the scenes of one batch are compared with each other many times, one after the other.
RECENT_PATHS = 1_000

_DRIVE = re.compile(r"[A-Za-z]:(?:[\\/]|$)")
# A Windows server lists both spellings of a share. With one name, or three slashes, a path is a Unix one.
_SHARE = re.compile(r"//[^/]+/+[^/]")
_VERBATIM = "//?/"
_VERBATIM_SHARE = "//?/UNC/"


@lru_cache(maxsize=RECENT_PATHS)
def path_key(path: str) -> str:
    """The key of a full path. Equal keys are the same place, up to Unicode form and, on Windows, case and slashes."""
    root, names = _split(path, folded=True)
    return root + "/".join(names)


@lru_cache(maxsize=RECENT_PATHS)
def name_key(path: str) -> str:
    """The key of a path's base name: the same for every Unicode form and case, on every system."""
    return caseless(base_name(path))


@lru_cache(maxsize=RECENT_PATHS)
def base_name(path: str) -> str:
    """The part after the last separator, as written."""
    _, names = _split(path)
    return names[-1] if names else ""


def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """(root, names) as written: '/', `D:/`, `//server/share/` or '' (relative), and the components below it."""
    root, names = _split(path)
    if root == "//":
        return "//" + "".join(f"{name}/" for name in names[:2]), names[2:]
    return root, names


def folder_name(path: str) -> str:
    """The part before the last separator, as written; a root keeps its separator. '' if there is no separator."""
    name = base_name(path)
    head = path[: path.rindex(name)] if name else path
    bare = head.rstrip("\\/" if is_windows(path) else "/")
    return head if bare.endswith(":") or not bare else bare


def lies_in(path: str, folder: str) -> bool:
    """Whether a path is the folder or lies in it, by whole components."""
    return _covers(folder, path)


def telling_folders(paths: Sequence[str]) -> list[str]:
    """The folders, one level below what the paths have in common, of which each holds just one of them."""
    split = [split_path(path) for path in paths]
    shared = 0
    if len({root for root, _ in split}) == 1:
        levels = zip(*(names[:-1] for _, names in split), strict=False)
        shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    folders = [root + "/".join(names[: shared + 1]) for root, names in split if len(names) > shared + 1]
    return [folder for folder in folders if folders.count(folder) == 1]


def raw_equal(a: str, b: str) -> bool:
    """Whether two paths are the same text, apart from the direction and repetition of slashes and a leading `\\\\?\\`."""
    return _split(a) == _split(b)


def map_path(path: str, rules: PathRules) -> tuple[str, ...]:
    """Every path that Plex may have for a Stash path, in the order of the rules, without duplicates.

    A rule fits if its Stash prefix covers whole leading components: the longest such prefix wins, and every rule with
    that prefix gives a path. Without a rule, the path is the same on both sides. A path with a `..` gives none, because
    its text does not tell where it leads.
    """
    _, names = _split(path)
    if ".." in names:
        return ()
    if not rules:
        return (path,)
    fits = [(len(_split(folder)[1]), folder, plex_folder) for folder, plex_folder in rules if _covers(folder, path)]
    if not fits:
        return (path,)
    longest = max(length for length, _, _ in fits)
    targets = (join_path(plex_folder, names[length:]) for length, _, plex_folder in fits if length == longest)
    return tuple(dict.fromkeys(target for target in targets if target))


def is_mapped(path: str, rules: PathRules) -> bool:
    """Whether a rule fits this Stash path."""
    return any(_covers(folder, path) for folder, _ in rules)


def is_target(path: str, rules: PathRules) -> bool:
    """Whether a rule leads to this Plex path."""
    return any(_covers(target, path) for _, target in rules)


def unmap_path(path: str, rules: PathRules) -> tuple[str, ...]:
    """Every Stash path that the rules lead to this Plex path; several if rules overlap."""
    _, names = _split(path)
    backward = [join_path(folder, names[len(_split(target)[1]) :]) for folder, target in rules if _covers(target, path)]
    key = path_key(path)
    reached = [source for source in backward if source and key in map(path_key, map_path(source, rules))]
    return tuple(dict.fromkeys(reached))


def _covers(prefix: str, path: str) -> bool:
    """Whether `prefix` names a folder that `path` lies in, by whole components."""
    root, names = _split(prefix, folded=True)
    path_root, path_names = _split(path, folded=True)
    return bool(root) and root == path_root and names == path_names[: len(names)]


def join_path(prefix: str, names: tuple[str, ...]) -> str:
    """`names` below a folder of Plex, in the style of that side; '' if a name can't exist there."""
    windows = is_windows(prefix)
    if windows and any("\\" in name for name in names):
        return ""
    separator = "\\" if windows and "/" not in prefix else "/"
    head = prefix.rstrip("\\/" if windows else "/")
    return separator.join((head, *names))


def is_windows(path: str) -> bool:
    """Whether a path is Windows-looking."""
    return path.startswith("\\\\") or _DRIVE.match(path) is not None or _SHARE.match(path) is not None


@lru_cache(maxsize=RECENT_PATHS)
def _split(path: str, *, folded: bool = False) -> tuple[str, tuple[str, ...]]:
    """(root, components): the root is '' (relative), '/', '//' (a share) or a drive such as 'D:/'.

    `folded` gives both in the form for comparison: NFC, and without case where case is irrelevant.
    """
    windows = is_windows(path)
    if windows:
        path = _without_verbatim(path.replace("\\", "/"))
    drive = path[:2] if windows and _DRIVE.match(path) else ""
    if drive:
        root = f"{drive}/"
    elif windows:
        root = "//"
    else:
        root = "/" if path.startswith("/") else ""
    names = tuple(name for name in path[len(drive) :].split("/") if name)
    if not folded or (not windows and path.isascii()):
        return root, names
    form = caseless if windows else compose
    return form(root), tuple(form(name) for name in names)


def _without_verbatim(path: str) -> str:
    if path[: len(_VERBATIM_SHARE)].upper() == _VERBATIM_SHARE:
        return "//" + path[len(_VERBATIM_SHARE) :]
    return path.removeprefix(_VERBATIM)
