"""The attendant's HTTP server: the fee API under /api, orders of the chains' owner at /orders."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from agent.errors import PortInUse
from agent.lab.fee_api import FeeApi, JsonObject

LOOPBACK: Final = "127.0.0.1"

MAX_ORDER_BYTES: Final = 65_536

Obey = Callable[[str, list[Any]], dict[str, Any]]


class Desk:
    """Serves from a thread for the time of a ``with`` block; a free port unless one is given.

    Raises PortInUse.
    """

    def __init__(self, fees: FeeApi, obey: Obey, port: int = 0) -> None:
        class Answers(_Answers):
            api = fees
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
    """One request: a question about fees, or an order as JSON-RPC."""

    protocol_version = "HTTP/1.1"
    api: FeeApi
    orders: Obey

    def do_GET(self) -> None:
        """Answer a question."""
        asked = urlsplit(self.path)
        if asked.path == "/api/suggested-fees":
            self._reply(*self.api.suggested_fees(dict(parse_qsl(asked.query))))
        else:
            self._reply(404, {"message": f"there is no {asked.path}"})

    def do_POST(self) -> None:
        """Take an order."""
        body = self.rfile.read(min(int(self.headers["Content-Length"] or 0), MAX_ORDER_BYTES))
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

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: every request would be a line."""

    def _reply(self, status: int, body: JsonObject) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
