"""A fee server on loopback in Across's documented format, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

GAS_FEE, SHARE_BPS = 300_000, 4
"""What relayers want: base units for their gas, and a share of the amount."""


@dataclass
class FeeServer:
    """Answers `/api/suggested-fees`; `forge` changes an honest answer, `raw` replaces it.
    `refuse` says to which questions the status is 400.

    `pools` are the SpokePools by chain id. `raw` writes whatever it likes to the connection.
    """

    pools: dict[int, str]
    forge: Callable[[dict[str, Any]], Any] = lambda answer: answer
    raw: Callable[[Any], None] | None = None
    refuse: Callable[[dict[str, str]], bool] = lambda _query: False
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def answer(self, query: dict[str, str]) -> dict[str, Any]:
        """An honest answer."""
        amount = int(query["amount"])
        share = -(-amount * SHARE_BPS // 10_000)
        total = GAS_FEE + share
        return {
            "estimatedFillTimeSec": 3,
            "timestamp": "1782074207",
            "isAmountTooLow": total >= amount,
            "spokePoolAddress": self.pools[int(query["originChainId"])],
            "destinationSpokePoolAddress": self.pools[int(query["destinationChainId"])],
            "exclusiveRelayer": "0x" + "00" * 20,
            "exclusivityDeadline": 0,
            "totalRelayFee": {"pct": "1", "total": str(total)},
            "relayerCapitalFee": {"pct": "1", "total": str(share)},
            "relayerGasFee": {"pct": "1", "total": str(GAS_FEE)},
            "lpFee": {"pct": "0", "total": "0"},
            "limits": {"minDeposit": "500000", "maxDeposit": str(10**30)},
            "fillDeadline": str(2**32 - 1),
            "outputAmount": str(amount - total),
            "inputToken": {
                "address": query["inputToken"],
                "chainId": int(query["originChainId"]),
            },
            "outputToken": {
                "address": query["outputToken"],
                "chainId": int(query["destinationChainId"]),
            },
        }


def honest_output(raw: int) -> int:
    """Base units that come out of *raw* by an honest answer, for tokens of equal decimals."""
    return raw - GAS_FEE + -raw * SHARE_BPS // 10_000


@contextmanager
def fee_server(pools: dict[int, str]) -> Iterator[FeeServer]:
    server = FeeServer(pools)

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            if parts.path.endswith("/swap/approval"):
                # It is an older server, which does not have that.
                self.send_response(404)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
                return
            server.paths.append(parts.path)
            server.asked.append(query)
            if server.raw is not None:
                server.raw(self)
                self.close_connection = True
                return
            body = json.dumps(server.forge(server.answer(query))).encode()
            self.send_response(400 if server.refuse(query) else server.status)
            for name, text in {**server.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    listening.daemon_threads = True
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
