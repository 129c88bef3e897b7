"""The attendant's HTTP server: the fee API, the providers' APIs, orders of the chains' owner.

They are at /api, /providers/NAME and /orders.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from agent.errors import PortInUse, SetupFailed
from agent.lab.fee_api import FeeApi, JsonObject
from agent.lab.providers import ProviderDesk
from agent.lab.reply import Reply

LOOPBACK: Final = "127.0.0.1"

MAX_BODY_BYTES: Final = 1_048_576
"""Of a request: an aggregator's route, sent back to it, is some ten thousand."""

_PROVIDER: Final = re.compile(r"/providers/(?P<name>\w+)(?P<path>/.*)?")

Obey = Callable[[str, list[Any]], dict[str, Any]]


class Desk:
    """Serves from a thread for the time of a ``with`` block; a free port unless one is given.

    Raises PortInUse.
    """

    def __init__(
        self,
        fees: FeeApi,
        providers: Mapping[str, ProviderDesk],
        obey: Obey,
        port: int = 0,
    ) -> None:
        class Answers(_Answers):
            api = fees
            desks = providers
            orders = staticmethod(obey)

        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), Answers)
        except OSError:
            raise PortInUse(
                f"port {port} of this machine is in use",
                fix="choose another port, or leave the port out to get a free one",
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="desk"
        )
        self._thread.daemon = True

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Answers(BaseHTTPRequestHandler):
    """One request: a question about fees or to a provider, or an order as JSON-RPC."""

    protocol_version = "HTTP/1.1"
    api: FeeApi
    desks: Mapping[str, ProviderDesk]
    orders: Obey

    def do_GET(self) -> None:
        """Answer a question."""
        asked = urlsplit(self.path)
        if asked.path == "/api/suggested-fees":
            self._reply(*self.api.suggested_fees(dict(parse_qsl(asked.query))))
        elif asked.path == "/api/swap/approval":
            self._reply(*self.api.swap_approval(dict(parse_qsl(asked.query))))
        elif not self._provider(None):
            self._reply(404, {"message": f"there is no {asked.path}"})

    def do_POST(self) -> None:
        """Take an order, or what a provider is told."""
        body = self._body()
        if body is None or self._provider(body):
            return
        if self.path != "/orders":
            self._reply(404, {"message": f"there is no {self.path}"})
            return
        told: Any = None
        try:
            told = json.loads(body)
            outcome = {"result": self.orders(told["method"], told["params"])}
        except (ValueError, TypeError, KeyError) as fault:
            outcome = {"error": {"code": -32602, "message": f"no such order: {fault}"}}
        number = told.get("id") if isinstance(told, dict) else None
        self._reply(200, {"jsonrpc": "2.0", "id": number, **outcome})

    def do_PUT(self) -> None:
        """Take what a provider is told."""
        body = self._body()
        if body is not None and not self._provider(body):
            self._reply(404, {"message": f"there is no {self.path}"})

    def do_DELETE(self) -> None:
        """Take what a provider is told to end."""
        self.do_PUT()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: every request would be a line."""

    def _body(self) -> bytes | None:
        """What was sent along; too much is refused, and then it is None."""
        length = int(self.headers["Content-Length"] or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            self._reply(413, {"message": f"more than {MAX_BODY_BYTES} bytes"})
            return None
        return self.rfile.read(length)

    def _provider(self, body: bytes | None) -> bool:
        """Let a provider answer, if there is one at this path."""
        asked = urlsplit(self.path)
        found = _PROVIDER.fullmatch(asked.path)
        if found is None or found["name"] not in self.desks:
            return False
        try:
            reply = self.desks[found["name"]].answer(
                self.command,
                found["path"] or "/",
                dict(parse_qsl(asked.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(body) if body else None,
            )
        except SetupFailed as fault:
            reply = Reply(status=502, body={"message": fault.message})
        except (ArithmeticError, LookupError, TypeError, ValueError) as fault:
            reply = Reply(status=500, body={"message": f"{type(fault).__name__}: {fault}"})
        if isinstance(reply, tuple):
            reply = Reply(status=reply[0], body=reply[1])
        self._send(reply)
        return True

    def _reply(self, status: int, body: JsonObject) -> None:
        self._send(Reply(status=status, body=body))

    def _send(self, reply: Reply) -> None:
        content = json.dumps(reply.body).encode() if reply.content is None else reply.content
        time.sleep(reply.after_seconds)
        # Who asked may be gone by now.
        with contextlib.suppress(OSError):
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(reply.announced or len(content)))
            self.end_headers()
            self.wfile.write(content)
        if reply.announced is not None:
            self.close_connection = True
