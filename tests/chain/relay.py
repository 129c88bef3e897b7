"""A relay in front of a node, on loopback, that spoils what passes as told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Change = Callable[[list[Any], Any], Any]
"""(params, result) -> result; an Error stands for an answer that is one."""


@dataclass(frozen=True)
class Error:
    """A JSON-RPC error instead of a result."""

    code: int
    message: str = "no"


@dataclass
class Relay:
    """Passes requests on to `target`, or nowhere, and counts them.

    `lose` are methods whose reply is lost after the node has acted, `status` answers everything
    with that HTTP status, `changes` alters results by method.
    """

    target: str
    lose: set[str] = field(default_factory=set)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    requests: list[list[str]] = field(default_factory=list)
    url: str = ""

    def count(self, method: str) -> int:
        """How often a method was asked."""
        return sum(methods.count(method) for methods in self.requests)

    def forward(self, body: bytes) -> bytes:
        parts = urlsplit(self.target)
        connection = HTTPConnection(parts.hostname or "", parts.port)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def spoil(self, asked: Any, reply: bytes) -> bytes:
        if not self.changes:
            return reply
        answers = json.loads(reply)
        questions = asked if isinstance(asked, list) else [asked]
        by_id = {question["id"]: question for question in questions}
        for answer in answers if isinstance(answers, list) else [answers]:
            question = by_id[answer["id"]]
            change = self.changes.get(question["method"])
            if change is None:
                continue
            fault = answer.pop("error", None)
            found = answer.pop("result", None)
            if fault is not None:
                found = Error(fault["code"], fault["message"])
            result = change(question["params"], found)
            if isinstance(result, Error):
                answer["error"] = {"code": result.code, "message": result.message}
            else:
                answer["result"] = result
        return json.dumps(answers).encode()


@contextmanager
def relay(target: str, **settings: Any) -> Iterator[Relay]:
    """A relay as long as the context is open; its URL carries something like a key."""
    way = Relay(target, **settings)
    lock = threading.Lock()

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes; without this each reply would wait for an acknowledgement.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(body)
            methods = [q["method"] for q in (asked if isinstance(asked, list) else [asked])]
            with lock:
                way.requests.append(methods)
            if way.status is not None:
                self.answer(way.status, b"", way.headers)
                return
            reply = way.forward(body)
            if way.lose.intersection(methods):
                self.close_connection = True
                return
            self.answer(200, way.spoil(asked, reply), {})

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    way.url = f"http://127.0.0.1:{server.server_address[1]}/v3/secret-canary-key"
    try:
        yield way
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
