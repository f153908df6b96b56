"""The terms of the setting `scope`, checked and in one spelling."""

import re
from collections.abc import Sequence

from validation.path_rules import FULL_PATH, LONGEST_PATH, entries
from validation.redact import is_safe

_MOST_TERMS = 200
# After the colon, a name that contains a separator is in double quotes.
_TERMS = re.compile(r'[^,;:\r\n]*(?::[ \t]*"[^"\r\n]*")?[^,;\r\n]*')
_TERM = re.compile(
    r"(?P<left_out>not\s+)?(?:(?P<word>all|organized|stash_id|url)"
    r"|(?P<kind>tag|studio|performer|path|rating|stash_id|url)\s*:\s*(?P<name>\S.*))",
    re.I,
)
_RATING = re.compile(r"(?P<least>>=\s*)?(?P<number>100|[1-9]\d?)(?P<more>\s*\+)?")


def terms(value: object) -> tuple[str, ...]:
    """Terms of the scope in one spelling, from one text or a list of texts; no terms mean everything."""
    shape = "terms such as organized or not tag: NAME, as a list or with ; between them"
    value = entries(value, shape, _TERMS.findall)
    if len(value) > _MOST_TERMS:
        raise ValueError(f"must have at most {_MOST_TERMS} terms")
    spelled = tuple(dict.fromkeys(_term(number, term) for number, term in enumerate(value, start=1))) or ("all",)
    narrowing = [term for term in spelled if term != "all" and not term.startswith("not ")]
    if "all" in spelled and narrowing:
        raise ValueError("must hold all only alone or beside terms with not")
    folded = {" ".join(term.split()).casefold() for term in spelled}
    if any(f"not {term}" in folded for term in folded):
        raise ValueError("must not ask for a term and leave the same out")
    return spelled


def split(checked: Sequence[str]) -> tuple[tuple[str, str, bool], ...]:
    """These terms as (kind, name, whether it excludes); none if every scene is synced."""
    plain = ((term.removeprefix("not "), term.startswith("not ")) for term in checked if term != "all")
    return tuple((kind, name, out) for kind, _, name, out in ((*term.partition(": "), out) for term, out in plain))


def _term(number: int, term: object) -> str:
    if not isinstance(term, str) or len(term) > LONGEST_PATH or not is_safe(term.strip()):
        raise ValueError(
            f"must be terms of at most {LONGEST_PATH} characters without control characters; term {number} is none"
        )
    matched = _TERM.fullmatch(term.strip())
    left_out = "not " if matched and matched["left_out"] else ""
    if matched is None or (left_out and (matched["word"] or "").lower() == "all"):
        raise ValueError(
            "must be terms: all, organized, tag: NAME, studio: NAME, performer: NAME, path: FOLDER, rating: NUMBER+,"
            " rating: none, stash_id, stash_id: ENDPOINT, url or url: TEXT, all but the first also with not before them;"
            f" term {number} is none"
        )
    if matched["word"]:
        return left_out + matched["word"].lower()
    kind, name = matched["kind"].lower(), matched["name"].strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].strip()
    if kind == "path":
        name = _folder(number, name)
    if kind == "rating":
        name = _rating(number, name)
    if not name:
        raise ValueError(f"must have a name or a text behind the colon; term {number} does not")
    return f"{left_out}{kind}: {name}"


def _folder(number: int, path: str) -> str:
    if not re.match(FULL_PATH, path) or {".", ".."} & set(re.split(r"[\\/]", path)):
        raise ValueError(
            rf"must hold full paths (/…, X:\… or \\server\share…) without . or .. in them; see term {number}"
        )
    return path.rstrip("/") or "/" if path.startswith("/") else path[:3] + path[3:].rstrip("\\/")


def _rating(number: int, text: str) -> str:
    """`none`, or the smallest rating that fits: 60, 60+ and >=60 are the same."""
    if text.lower() == "none":
        return "none"
    matched = _RATING.fullmatch(text)
    if matched is None or (matched["least"] and matched["more"]):
        raise ValueError(
            f"must have ratings of the form 60+ (60 and more, of 100) or the word none; term {number} has another"
        )
    return f"{matched['number']}+"
