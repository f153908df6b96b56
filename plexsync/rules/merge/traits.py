"""How one Plex server answers the questions on which sources disagree: what `plexsync probe` has learnt about it.

Each trait has the values that an answer can have. None means that the question was not answered, and PlexSync then sends
what is right under every answer. `QUESTIONS` is the table of the traits in words; `plexsync.app.probe.questions` asks.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from plexsync.rules.record_class import record

FaceAddress = Literal["shown", "kept", "none"]
CollectionForm = Literal["section", "item"]
Answer = str | bool | int | float | None


@record
class ServerTraits:
    """The answers of one server to `QUESTIONS`."""

    tag_mode: Literal["add", "replace"] | None = None
    mixed_removals: bool | None = None
    removals_at_once: int | None = None
    tags_lock: bool | None = None
    cast_on_other: bool | None = None
    people_pictures: Literal["any", "public", "none"] | None = None
    people_own: FaceAddress | None = None
    people_house: FaceAddress | None = None
    people_https: FaceAddress | None = None
    rating_by_edit: Literal["account", "item", "none"] | None = None
    added_by_edit: bool | None = None
    collection_edits: Literal["both", "section", "item"] | None = None
    upload_selects: bool | None = None
    picture_lag: float | None = None
    one_stamp: bool | None = None
    file_filter: Literal["exact", "any case", "folder"] | None = None

    def answers(self) -> dict[str, Answer]:
        """Every trait by name."""
        return asdict(self)


UNKNOWN = ServerTraits()


@record
class LearntTraits:
    """The traits with the version of the server that had them, and the time (UTC ms) when they were learnt."""

    machine: str
    version: str
    traits: ServerTraits
    learnt_at: int

    def join(self, newer: "LearntTraits") -> "LearntTraits":
        """The newer answers; a question without one keeps the earlier answer of the same server and version."""
        if (self.machine, self.version) != (newer.machine, newer.version):
            return newer
        newest = {name: answer for name, answer in newer.traits.answers().items() if answer is not None}
        return replace(newer, traits=traits_from({**self.traits.answers(), **newest}))


# The traits that are also learnt during ordinary work, and then count for one version of one server only.
WHILE_WORKING = ("upload_selects", "picture_lag", "one_stamp", "collection_edits")


def present_traits(
    machine: str, version: str, probed: LearntTraits | None, working: LearntTraits | None
) -> ServerTraits:
    """The traits to work by on the present server.

    The answers of a probe count until the next one, save those that work tells, too: these count for the version that
    gave them, and the later answer counts.
    """
    answers = probed.traits.answers() if probed else {}
    of_now = [
        learnt for learnt in (probed, working) if learnt and (learnt.machine, learnt.version) == (machine, version)
    ]
    for name in WHILE_WORKING:
        answered = [learnt for learnt in of_now if learnt.traits.answers()[name] is not None]
        latest = max(answered, key=lambda learnt: learnt.learnt_at, default=None)
        answers[name] = latest.traits.answers()[name] if latest else None
    return traits_from(answers)


@record
class TraitQuestion:
    """A question in words, the words of its answers, and what PlexSync does with one.

    A number has `unit` behind it; one above `most` is not believed.
    """

    words: str
    use: str = ""
    answers: Mapping[Answer, str] = field(default_factory=lambda: {True: "yes", False: "no"})
    number: type = bool
    most: float = 0
    unit: str = ""

    def accepts(self, answer: object) -> bool:
        """Whether this can be an answer."""
        if self.most:
            return isinstance(answer, int | float) and type(answer) in (int, self.number) and 0 <= answer <= self.most
        return isinstance(answer, str | bool) and answer in self.answers


FACES: Mapping[Answer, str] = {
    "shown": "kept, and the server loads it",
    "kept": "kept, but the server does not load it",
    "none": "not taken",
}
# A trait without a use is stored only.
QUESTIONS: Mapping[str, TraitQuestion] = {
    "tag_mode": TraitQuestion(
        "Names of a list in an edit",
        "where names replace the list, no removals are sent",
        {"add": "are added to the list", "replace": "replace the list"},
    ),
    "mixed_removals": TraitQuestion(
        "Adding and removing names in one request", "if not, removals get a request of their own"
    ),
    "removals_at_once": TraitQuestion(
        "Names that one request removes", "longer removals are split", {0: "no limit found"}, int, 1000
    ),
    "tags_lock": TraitQuestion("An edit of a list locks it"),
    "cast_on_other": TraitQuestion("Items of Other Videos take a cast", "if not, no cast is sent there"),
    "people_pictures": TraitQuestion(
        "Addresses of pictures of people that are taken",
        "other addresses are not sent",
        {"any": "all", "public": "public ones only", "none": "none"},
    ),
    "people_own": TraitQuestion("For a person, a picture on the server itself is", "", FACES),
    "people_house": TraitQuestion("For a person, a picture on this machine is", "", FACES),
    "people_https": TraitQuestion("For a person, a picture at an https URL is", "", FACES),
    "rating_by_edit": TraitQuestion(
        "A rating in an edit",
        "if it is ignored, PlexSync rates as the account",
        {
            "account": "is the rating of the account",
            "item": "belongs to the item; the rating of the account hides it",
            "none": "is ignored",
        },
    ),
    "added_by_edit": TraitQuestion("An edit changes the date added", "if not, no date added is sent"),
    "collection_edits": TraitQuestion(
        "Request that edits a collection",
        "that form is tried first",
        {"both": "by library or by collection", "section": "by library only", "item": "by collection only"},
    ),
    "upload_selects": TraitQuestion("An uploaded picture is selected at once", "if it is, no request selects it"),
    "picture_lag": TraitQuestion(
        "Time until an uploaded picture is listed",
        "if late, a request selects each upload",
        {0: "at once"},
        float,
        3600,
        " s",
    ),
    "one_stamp": TraitQuestion(
        "Every edit changes the addresses of pictures", "if it does, PlexSync's own edits need no list"
    ),
    "file_filter": TraitQuestion(
        "The filter by file finds",
        "",
        {"exact": "the exact name", "any case": "the name in any case", "folder": "all items of the folder"},
    ),
}


def traits_from(answers: Mapping[str, object]) -> ServerTraits:
    """The traits from stored answers. An unknown name is ignored; an unknown value counts as no answer."""
    accepted = {name: answers[name] for name, row in QUESTIONS.items() if row.accepts(answers.get(name))}
    return ServerTraits(**accepted)  # type: ignore[arg-type]


def answer_words(question: TraitQuestion, answer: Answer) -> str:
    """The answer as text; '' if there is none."""
    return "" if answer is None else question.answers.get(answer) or f"{float(answer):g}{question.unit}"


def to_text(traits: ServerTraits) -> str:
    """The stored form."""
    return json.dumps(traits.answers())


def from_text(text: str) -> ServerTraits:
    """The traits in the stored form; none for a text that is not one."""
    try:
        return traits_from(dict(json.loads(text)))
    except (ValueError, TypeError, RecursionError):
        return UNKNOWN


LOCAL_ENDS = (".local", ".lan", ".home", ".internal")


def is_private(address: str) -> bool:
    """Whether an address leads into a private network, by its IP address or the form of its host name."""
    host = ""
    try:
        host = urlsplit(address).hostname or ""
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(LOCAL_ENDS)
