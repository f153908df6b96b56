"""How a Plex server asks a metadata provider: `plexsync probe --provider`. None of it has a name, path or address in it."""

from typing import TypedDict

from plexsync.app.probe.provider_questions import ProviderOutcome
from plexsync.reports.probe import TraitRow, answer_row
from plexsync.rules.merge.traits import TraitQuestion


class ProviderAnswerFacts(TypedDict):
    """A question, and the answer of this server; null if there is none."""

    name: str
    answer: str | bool | int | float | None


class ProviderProbeFacts(TypedDict):
    """The answers of a server about providers."""

    plexsync: str
    """The version of PlexSync."""
    plex: str
    """The version of the Plex server."""
    complete: bool
    """Whether all questions were asked."""
    restored: bool
    """Whether library and item are as they were before."""
    answers: list[ProviderAnswerFacts]


BOTH = "PlexSync is right under both"
QUESTIONS: dict[str, TraitQuestion] = {
    "registers_by": TraitQuestion(
        "The token of requests about providers",
        "both are tried",
        {"header": "in the header", "query": "in the address"},
    ),
    "reached": TraitQuestion("Plex reaches this machine", "if not, provider_url has to be another address"),
    "fetched": TraitQuestion("A refresh brings what the provider says", "if not, PlexSync writes the value"),
    "match_filename": TraitQuestion(
        "The name of the file in a question",
        "all of these are understood",
        {
            "relative": "below the library's folder",
            "folder": "with the name of that folder",
            "rooted": "with a slash and that name",
            "other": "something else",
        },
    ),
    "includes_adult": TraitQuestion("Plex asks about explicit content", "if not, switch it on in Plex"),
    "asks_by": TraitQuestion(
        "Language and page of a question", BOTH, {"headers": "in its headers", "query": "in its address"}
    ),
    "asks_images": TraitQuestion("A refresh asks for pictures", "the list is empty"),
    "asks_extras": TraitQuestion("A refresh asks for extras", "the list is empty"),
    "match_clears": TraitQuestion("A match empties unlocked fields", BOTH),
    "absent_fields": TraitQuestion(
        "A field that is not sent", "empty ones are sent", {"kept": "stays", "cleared": "is emptied"}
    ),
    "omitted_tags": TraitQuestion(
        "A name that is not sent any more", "PlexSync removes it", {"kept": "stays", "removed": "goes"}
    ),
    "removal": TraitQuestion("A name that an edit removes stays away", "if not, it comes back at a refresh"),
    "lock_holds": TraitQuestion("A locked field stays at a refresh", "your locks are yours"),
    "values_lock": TraitQuestion("An edit of a field locks it by itself", "every edit says what it locks"),
    "unknown_key": TraitQuestion(
        "An item whose key is unknown",
        "PlexSync does not rely on it",
        {"kept": "stays", "unmatched": "loses its match"},
    ),
}


def provider_probe_facts(outcome: ProviderOutcome, program: str) -> ProviderProbeFacts:
    """The answers of a probe."""
    return {
        "plexsync": program,
        "plex": outcome.version,
        "complete": not outcome.error,
        "restored": outcome.rest == (),
        "answers": [{"name": name, "answer": outcome.answers.get(name)} for name in QUESTIONS],
    }


def provider_rows(answers: list[ProviderAnswerFacts]) -> list[TraitRow]:
    """The answers as text."""
    return [answer_row(QUESTIONS[each["name"]], each["answer"]) for each in answers]
