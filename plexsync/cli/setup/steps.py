"""The steps of a set-up: what `plexsync init` asks for in a terminal, and the page in Stash by `plexsync setup`.

A step tries what it is given, and says what it found or why that can't be used. It asks nobody, and keeps nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

from plexsync.app.clients import Account, OwnServer, SignIn
from plexsync.app.parts import Parts
from plexsync.app.setting_change import STASH_PORT, FoundPlex, reach_plex, reach_stash
from plexsync.cli.checks.check import PROBLEM
from plexsync.cli.checks.paths import PathLookup, Rule, looked_up, sample
from plexsync.cli.checks.servers import LEAST_PLEX, LEAST_STASH, version_check
from plexsync.cli.terminal.preview_output import FIRST_FEW, PreviewTotals
from plexsync.cli.terminal.screen import ProgressBar
from plexsync.flows.scenes.preview import WOULD_CHANGE, preview_scenes
from plexsync.reports.comparisons import PreviewFacts, scene_facts
from plexsync.reports.format import many, safe
from plexsync.rules.match.paths import map_path
from plexsync.rules.servers.errors import Barred, NeighbourError, Unusable
from plexsync.rules.words.status_words import PREVIEWED, finding_counts
from plexsync.store.database import Database
from validation import path_rules

# Seconds that a server gets to answer at an address that was not typed.
GUESSING = 2.0
NOT_OWNER = "the token seems not to belong to the owner of the server, and only the owner can edit"
EXAMPLES = 5

T = TypeVar("T")
Hide = Callable[..., None]
Progress = Callable[..., None]


# --- servers ---------------------------------------------------------------------------------------------------------


def account_of(login: SignIn, hide: Hide) -> Account | None:
    """Ask plex.tv once for the account that has confirmed the PIN; None while none has.

    Raises Barred if the PIN expired, Unavailable if plex.tv does not answer.
    """
    if not login.is_confirmed():
        return None
    account = login.account()
    hide(*account.secrets)
    return account


def servers_of(account: Account, hide: Hide) -> list[OwnServer]:
    """The servers of the account; raises Unusable if there are none."""
    servers = account.servers()
    hide(*(server.token for server in servers))
    if not servers:
        name = safe(account.name) or "this account"
        raise Unusable(
            f"{name} owns no Plex server, and only its owner's account can edit what a server shows: sign in with that one"
        )
    return servers


def reach_of_account(server: OwnServer, ca_file: str) -> FoundPlex:
    """The server at the first of its addresses that answers; raises Unusable if none does, Barred if it can't be used."""

    def attempt(url: str) -> FoundPlex | Barred | None:
        try:
            return reach_plex(url, server.token, ca_file, machine=server.machine, patience=GUESSING)
        except Barred as error:
            return error
        except (NeighbourError, Unusable):
            return None

    answers = [answer for answer in _at_once(attempt, server.addresses) if answer is not None]
    for answer in sorted(answers, key=lambda answer: isinstance(answer, Barred)):
        if isinstance(answer, Barred):
            raise answer
        return answer
    listed = ", ".join(server.addresses) or "none"
    raise Unusable(
        f"{safe(server.name)} does not answer at any address that plex.tv knows of it ({listed}): type the address at which "
        "it is reached from the machine of PlexSync"
    )


def reach_in_use(servers: Iterable[OwnServer], url: str, ca_file: str) -> FoundPlex:
    """The server at the address in use, with its new token. Raises NeighbourError, and Unusable if it is none of them."""
    for server in servers:
        try:
            return reach_plex(url, server.token, ca_file, machine=server.machine)
        except (Barred, Unusable):
            continue
    raise Unusable(f"the Plex server at {url} is none of this account: sign in with the account that owns it")


def _at_once(attempt: Callable[[str], T], urls: Sequence[str]) -> list[T]:
    with ThreadPoolExecutor(len(urls) or 1) as pool:
        return list(pool.map(attempt, urls))


def guess_stash(near: str) -> str:
    """The first default address where Stash answers, or needs a key; '' if there is none. No key is sent."""

    def is_there(url: str) -> bool:
        try:
            reach_stash(url, "", patience=GUESSING)
        except Barred as error:
            return error.setting == "stash_api_key"
        except (NeighbourError, Unusable):
            return False
        return True

    hosts = dict.fromkeys(filter(None, ("localhost", urlsplit(near).hostname, "stash", "host.docker.internal")))
    urls = [f"http://{f'[{host}]' if ':' in host else host}:{STASH_PORT}" for host in hosts]
    return next((url for url, answers in zip(urls, _at_once(is_there, urls), strict=True) if answers), "")


def plex_doubts(plex: FoundPlex) -> list[str]:
    """What speaks against this server."""
    foreign = [] if all(section.owned for section in plex.sections) else [NOT_OWNER]
    return [*_version_doubts("Plex", plex.version, LEAST_PLEX), *foreign]


def stash_doubts(version: str) -> list[str]:
    """What speaks against a Stash of this version."""
    return _version_doubts("Stash", version, LEAST_STASH)


def _version_doubts(name: str, version: str, least: tuple[int, ...]) -> list[str]:
    check = version_check(name, version, least, "it answers")
    return [f"{check.message}: {check.mend}"] if check.state == PROBLEM else []


def chosen_libraries(plex: FoundPlex, titles: Iterable[str]) -> list[str]:
    """The libraries to set: none if all were chosen, which includes later ones. Raises Unusable."""
    chosen, offered = set(titles), [section.title for section in plex.sections]
    if not chosen or not chosen <= set(offered):
        raise Unusable(f"choose at least one of the movie libraries: {', '.join(map(safe, offered))}")
    return [] if chosen == set(offered) else [title for title in offered if title in chosen]


def plex_settings(plex: FoundPlex) -> dict[str, object]:
    """The settings that follow from the server, with the chosen libraries; None removes one."""
    return {"plex_url": plex.url, "plex_token": plex.token, "plex_libraries": list(plex.libraries) or None}


# --- paths -----------------------------------------------------------------------------------------------------------


class PathLesson:
    """Some scenes of Stash, looked up in Plex by the path rules in use, and by those that are suggested beside them."""

    def __init__(self, parts: Parts, progress: Progress) -> None:
        progress("reading the libraries of Plex")
        parts.indexer.freshen(force=parts.indexer.empty())
        progress("looking at some scenes of Stash")
        self._store: Database = parts.store
        self.scenes = sample(parts.stash)
        self.rules = path_rules.pairs(parts.config.path_map)
        self.now = self.look_up(self.rules)
        self.suggestions = self.now.suggestions
        self.better: tuple[Rule, ...] = (*self.rules, *(suggestion.rule for suggestion in self.suggestions))
        self.after = self.look_up(self.better) if self.suggestions else self.now

    def look_up(self, rules: Sequence[Rule]) -> PathLookup:
        """What these rules find."""
        with self._store.reading() as db:
            return looked_up(db, self.scenes, rules)

    def facts(self) -> dict[str, object]:
        """The rules, with what they find, and examples: first the files that only the rules find."""
        paths = [stash for stash, _ in self.now.pairs] + [file.path for scene in self.scenes for file in scene.files]
        return {
            "rules": written_rules(self.rules),
            "suggestions": [
                {"rule": written_rules([suggestion.rule])[0], "right": suggestion.right, "wrong": suggestion.wrong}
                for suggestion in self.suggestions
            ],
            "now": _counts(self.now),
            "after": _counts(self.after),
            "examples": [
                {"stash": path, "plex": next(iter(map_path(path, self.better)), path)}
                for path in list(dict.fromkeys(paths))[:EXAMPLES]
            ],
        }


def _counts(lookup: PathLookup) -> dict[str, int]:
    return {name: getattr(lookup, name) for name in ("scenes", "by_path", "by_name", "missing")}


def written_rules(rules: Iterable[Rule]) -> list[str]:
    """The rules as `path_map` holds them."""
    return [" => ".join(rule) for rule in rules]


# --- preview ---------------------------------------------------------------------------------------------------------


def preview_facts(parts: Parts, progress: Progress, bar: ProgressBar | None = None) -> dict[str, object]:
    """Compare every scene, and write nothing: the counts of all, and before them some that would change in full.

    `bar`: shows how far it is too. Raises NeighbourError if a server goes down.
    """
    totals, first = PreviewTotals(), list[PreviewFacts]()

    def compared(count: int, total: int) -> None:
        words = f"{count:,} of {many(total, 'scene')} compared"
        progress(words, count / total if total else None, first)
        if bar is not None:
            bar.at(count, total)

    progress("reading the libraries of Plex")
    for scene in preview_scenes(parts.inspector, progress=compared):
        totals.count(scene)
        if scene.standing == WOULD_CHANGE and len(first) < FIRST_FEW:
            first.append(scene_facts(scene))
    counts = finding_counts(totals.counts, PREVIEWED, kept_fields=totals.kept_fields)
    return {
        "total": totals.counts.total(),
        "counts": [[str(word), count] for word, count in counts if count],
        "posters": totals.posters,
        "change": totals.counts[WOULD_CHANGE],
        "scenes": first,
    }
