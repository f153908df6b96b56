"""A metadata provider that PlexSync serves itself while a probe lasts: it knows one file, and notes what it is asked.

Its documents are those of `plexsync.provider`. It listens only on the address that this machine has towards Plex, and
answers only below a path that nobody can guess.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from plexsync.app.probe.lent_picture import LentHandler, LentServer, own_address, serving
from plexsync.rules.provider.documents import (
    MATCHES,
    METADATA,
    Document,
    Values,
    container,
    match_document,
    metadata_document,
    root_document,
)
from plexsync.rules.record_class import record

LARGEST_BODY = 64 * 1024
KEY = "probe"


@record
class PlexQuestion:
    """A request of Plex: the path below the secret, and what came with it."""

    path: str
    headers: frozenset[str]
    body: Mapping[str, object]


class LentProvider(LentServer):
    """Answers for the file at `path`, with the `values` that the probe sets; None: its key is unknown."""

    def __init__(self, host: str, identifier: str, path: str) -> None:
        self.identifier = identifier
        self.secret = secrets.token_urlsafe(24)
        self.values: Values | None = None
        # Only appended to.
        self.questions: list[PlexQuestion] = []
        self._path = path.replace("\\", "/")
        super().__init__(host, QuestionHandler)

    def answer(self, question: PlexQuestion) -> Document | None:
        """The answer to a question; None for what is not known."""
        self.questions.append(question)
        values, path = self.values, question.path
        if not path:
            return root_document(self.identifier, "PlexSync probe", "1")
        if path == MATCHES:
            is_mine = values is not None and self.is_file(str(question.body.get("filename") or ""))
            return container(self.identifier, [match_document(self.identifier, KEY, values or {})] if is_mine else [])
        if path.startswith(f"{METADATA}/") and path.endswith(("/images", "/extras")):
            return container(self.identifier, [], of="Image" if path.endswith("/images") else "Metadata")
        if path == f"{METADATA}/{KEY}" and values is not None:
            return container(self.identifier, [metadata_document(self.identifier, KEY, values)])
        return None

    def is_file(self, filename: str) -> bool:
        """Whether a question is about the file."""
        name = filename.replace("\\", "/").strip("/")
        return bool(name) and f"/{self._path.lstrip('/')}".endswith(f"/{name}")


class QuestionHandler(LentHandler):
    """Answers a question."""

    server: LentProvider

    def do_GET(self) -> None:
        """Answer a question for a document."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a question for a match."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return self.send_error(413)
        return self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        asked_path = urlsplit(self.path).path
        _, secret, rest = f"{asked_path.rstrip('/')}//".split("/", 2)
        try:
            asked = json.loads(body) if body else {}
        except ValueError:
            asked = {}
        document = None
        if secrets.compare_digest(secret.encode(), self.server.secret.encode()):
            path = f"/{rest.rstrip('/')}".rstrip("/")
            names = frozenset(name.lower() for name in self.headers)
            question = PlexQuestion(path, names, asked if isinstance(asked, dict) else {})
            document = self.server.answer(question)
        content = json.dumps(document).encode() if document is not None else b""
        self.send(404 if document is None else 200, "application/json", content)


@contextmanager
def lent_provider(host: str, port: int, identifier: str, path: str) -> Iterator[LentProvider]:
    """Serve the provider while the `with` lasts, at this machine's address towards a host. Raises OSError and ValueError."""
    server = LentProvider(own_address(host, port), identifier, path)
    with serving(server):
        yield server
