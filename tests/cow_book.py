"""An order book on loopback in CoW Protocol's documented format, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FEE_BPS = 5
"""What filling costs, of what is sold."""

Answer = tuple[int, Any]


def no(kind: str, status: int = 400, **more: Any) -> Answer:
    return status, {"errorType": kind, "description": f"because of {kind}", **more}


@dataclass
class Book:
    """Answers quotes at `rate` (base units out for one in); `forge` changes an honest answer.

    `quotes` and `orders` say what comes instead; `raw` writes what it likes to the connection.
    """

    rate: tuple[int, int] = (1, 1)
    forge: Callable[[dict[str, Any]], Any] = lambda answer: answer
    quotes: Callable[[Any], Answer | None] = lambda _body: None
    orders: Callable[[Any], Answer] = lambda _body: (201, "0x")
    known: Answer = (200, {"status": "open"})
    raw: Callable[[Any], None] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    port: int = 0

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if (method, path.rpartition("/")[2]) == ("POST", "quote"):
            instead = self.quotes(body)
            return (200, self.forge(self.honest(body))) if instead is None else instead
        return self.orders(body) if method == "POST" else self.known

    def honest(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The quote of `samples/cow_quote.json`, for what was asked."""
        raw = int(asked["sellAmountBeforeFee"])
        fee = raw * FEE_BPS // 10_000
        return {
            "quote": {
                "sellToken": asked["sellToken"].lower(),
                "buyToken": asked["buyToken"].lower(),
                "receiver": asked["receiver"],
                "sellAmount": str(raw - fee),
                "buyAmount": str((raw - fee) * self.rate[0] // self.rate[1]),
                "validTo": asked["validTo"],
                "appData": asked["appData"],
                "appDataHash": asked["appDataHash"],
                "feeAmount": str(fee),
                "gasAmount": "150000",
                "gasPrice": "5000000000",
                "sellTokenPrice": "0.0004",
                "kind": "sell",
                "partiallyFillable": False,
                "sellTokenBalance": "erc20",
                "buyTokenBalance": "erc20",
                "signingScheme": "eip712",
            },
            "from": asked["from"],
            "expiration": "2027-01-15T08:02:00.442772888Z",
            "id": 486289,
            "verified": True,
        }


@contextmanager
def book_server() -> Iterator[Book]:
    book = Book()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            told = json.loads(content) if content else None
            book.asked.append((self.command, self.path, told))
            if book.raw is not None:
                book.raw(self)
                self.close_connection = True
                return
            status, answer = book.answer(self.command, self.path, told)
            body = json.dumps(answer).encode()
            self.send_response(status)
            for name, text in {**book.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    listening.daemon_threads = True
    book.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield book
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
