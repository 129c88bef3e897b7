"""A server on this machine that takes what is posted to it, and can be told to fail."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "hook-secret-canary"
"""Stands in the path of its URL."""


@dataclass(slots=True)
class Hook:
    """What came: (method, path, body), and the status of the next answers."""

    port: int = 0
    status: int = 200
    came: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{SECRET}"

    @property
    def notices(self) -> list[dict[str, Any]]:
        """The bodies of what was posted."""
        return [body for method, _, body in self.came if method == "POST"]

    @property
    def events(self) -> list[str]:
        return [notice["event"] for notice in self.notices]

    @property
    def pings(self) -> int:
        return sum(method == "GET" for method, _, _ in self.came)


@contextmanager
def hook_server() -> Iterator[Hook]:
    """A hook, gone afterwards."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            hook.came.append((self.command, self.path, json.loads(raw) if raw else None))
            self.send_response(hook.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = answer  # noqa: N815  what http.server asks for
        do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
