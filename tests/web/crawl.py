"""A visitor of the dashboard who follows every link and sends every form, as a browser without script would."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit

import httpx2

from tests.web.conftest import Dash

Name = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Form:
    """A form as it stands in a page: where it leads, and what it sends."""

    action: str
    method: str
    fields: tuple[tuple[str, str], ...]

    @property
    def name(self) -> Name:
        """The same for the same form of another session."""
        return self.method, self.action, tuple(pair for pair in self.fields if pair[0] != "token")


@dataclass
class Reader(HTMLParser):
    """What a page leads to."""

    base: str
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._form: tuple[str, str] | None = None
        self._fields: list[tuple[str, str]] = []
        self._id = self._select = ""
        # What presses each form, by its id: a button may stand outside it.
        self._buttons: dict[str, list[list[tuple[str, str]]]] = {}

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in given}
        for name in ("href", "src"):
            if attrs.get(name):
                self.links.append(urljoin(self.base, attrs[name]))
        if tag == "form":
            self._form = urljoin(self.base, attrs.get("action") or self.base), attrs.get("method", "get").lower()
            self._fields, self._id = [], attrs.get("id", "")
        elif tag == "button" and attrs.get("type", "submit") == "submit":
            pressed = [(attrs["name"], attrs.get("value", ""))] if attrs.get("name") else []
            self._buttons.setdefault(attrs.get("form", self._id), []).append(pressed)
        elif tag == "select":
            self._select = attrs.get("name", "")
        elif tag == "option" and self._select:
            self._fields.append((self._select, attrs.get("value", "")))
            self._select = ""
        elif tag in ("input", "textarea") and attrs.get("name"):
            self._fields.append((attrs["name"], attrs.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form:
            for pressed in self._buttons.pop(self._id, []):
                self.forms.append(Form(*self._form, (*self._fields, *pressed)))
            self._form, self._id = None, ""


@dataclass
class Crawl:
    """One visit. `bad` is what did not lead where it should. Of the pages of scenes it opens only those of `scenes`.

    `once`: each page is opened once, whatever its filters. `sample`: each value of each filter of a page is opened once,
    and not every combination of them; of forms that differ in numbers and values alone, one is sent.
    """

    dash: Dash
    scenes: Set[int]
    once: bool = False
    sample: bool = False
    seen: set[str] = field(default_factory=set)
    forms: dict[Name, Form] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    _filters: set[tuple[str, str, str]] = field(default_factory=set)

    def links(self, *starts: str) -> None:
        """Open everything that can be reached from here by links and by forms that only ask."""
        todo = [urljoin(self.dash.url, start) for start in starts]
        while todo:
            url, anchor = urldefrag(todo.pop(0))
            if url in self.seen or not url.startswith(f"{self.dash.url}/") or not self._is_meant(url):
                continue
            if not self._is_new(url):
                continue
            self.seen.add(url)
            answer = self.dash.client.get(url)
            if anchor and f'id="{anchor}"' not in answer.text:
                self.bad.append(f"no #{anchor} {url}")
            todo += self._take(url, answer)

    def send(self) -> None:
        """Send every form that was seen and that changes something; open what it leads to."""
        token, done = self.dash.token(), set[object]()
        while left := [name for name in self.forms if self._kind(name) not in done]:
            name = left[0]
            done.add(self._kind(name))
            form = self.forms[name]
            answer = self.dash.client.post(form.action, data={**dict(form.fields), "token": token})
            self.links(*self._take(f"POST {form.action} {dict(name[2])}", answer))

    def _is_meant(self, url: str) -> bool:
        scene = re.match(r"/scenes/(\d+)", urlsplit(url).path)
        return scene is None or int(scene[1]) in self.scenes

    def _kind(self, name: Name) -> object:
        """The same for forms of which a sample sends one."""
        method, action, fields = name
        return (
            (method, re.sub(r"\d+", "#", urlsplit(action).path), *(field for field, _ in fields))
            if self.sample
            else name
        )

    def _is_new(self, url: str) -> bool:
        """Whether the page, or a value of one of its filters, was not opened before; always so in a full visit."""
        if not self.once and not self.sample:
            return True
        path, query = urlsplit(url).path, "" if self.once else urlsplit(url).query
        filters = {(path, name, value) for name, value in parse_qsl(query, keep_blank_values=True) or [("", "")]}
        is_new = not filters <= self._filters
        self._filters |= filters
        return is_new

    def _take(self, name: str, answer: httpx2.Response) -> list[str]:
        if answer.status_code >= 400:
            self.bad.append(f"{answer.status_code} {name}")
        if "text/html" not in answer.headers.get("content-type", ""):
            return []
        reader = Reader(str(answer.url))
        reader.feed(answer.text)
        for form in reader.forms:
            if form.method == "post" and self._is_meant(form.action):
                self.forms.setdefault(form.name, form)
        return [*reader.links, *_asked(reader.forms)]


def _asked(forms: list[Form]) -> Iterator[str]:
    for form in forms:
        if form.method == "get":
            yield f"{form.action}?{urlencode(form.fields)}"
