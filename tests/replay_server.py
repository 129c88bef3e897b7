"""An HTTP server on loopback that says what was recorded, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CASSETTES = Path(__file__).parent / "cassettes"


def recorded(room: str, name: str) -> dict[str, Any]:
    """The recorded answers of a provider, by what was asked."""
    found: dict[str, Any] = json.loads((CASSETTES / room / f"{name}.json").read_text())
    return found


@dataclass(frozen=True)
class Asked:
    """One question; names of headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Replay:
    """Answers by the end of the path: status and JSON, or bytes as they are."""

    answers: dict[str, tuple[int, Any]]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def answer(self, question: Asked) -> tuple[int, bytes]:
        self.asked.append(question)
        for end, (status, body) in self.answers.items():
            if question.path.endswith(end):
                return status, body if isinstance(body, bytes) else json.dumps(body).encode()
        return 404, b"{}"


@contextmanager
def replaying(answers: Mapping[str, tuple[int, Any]]) -> Iterator[Replay]:
    replay = Replay(dict(answers))

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self._answer(json.loads(self.rfile.read(length)))

        def _answer(self, body: Any) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): text for name, text in self.headers.items()}
            question = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            status, content = replay.answer(question)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    listening.daemon_threads = True
    replay.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield replay
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
