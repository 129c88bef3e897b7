"""eth-tester, which runs in process only, behind a JSON-RPC server on loopback."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eth_tester.exceptions import BlockNotFound, TransactionFailed, ValidationError
from eth_utils.exceptions import ValidationError as RawValidationError
from web3 import EthereumTesterProvider, Web3

_UNANSWERABLE = {"eth_feeHistory"}  # answered with empty lists, whatever the chain holds


class EthTester:
    """One chain in this process; `ask` speaks as a node would, one question at a time."""

    def __init__(self) -> None:
        provider = EthereumTesterProvider()
        web3 = Web3(provider)
        # It takes the addresses of a filter for names.
        web3.middleware_onion.remove("ens_name_to_address")
        self._request = provider.request_func(web3, web3.middleware_onion)
        self._lock = threading.Lock()
        self.url = ""
        self.backend = provider.ethereum_tester

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one question; raises AssertionError for an error."""
        reply = self.reply({"id": 1, "method": method, "params": list(params)})
        assert "error" not in reply, reply
        return reply["result"]

    def reply(self, question: Mapping[str, Any]) -> dict[str, Any]:
        method, params = question["method"], question["params"]
        with self._lock:
            answer = self._answer(method, params)
        return {"jsonrpc": "2.0", "id": question["id"], **answer}

    def _answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method in _UNANSWERABLE:
            return _error(-32601, f"{method} is not known here")
        try:
            found = self._request(method, params)
        except TransactionFailed as fault:
            return _error(3, f"execution reverted: {fault}")
        except BlockNotFound:
            return _error(-32001, "no such block")
        except (ValidationError, RawValidationError, ValueError, TypeError) as fault:
            return _error(-32000, str(fault))
        if "error" in found:
            return {"error": found["error"]}
        return {"result": _plain(found["result"])}


@contextmanager
def serve(tester: EthTester) -> Iterator[EthTester]:
    """Listen on a free loopback port as long as the context is open."""

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = (
                list(map(tester.reply, asked)) if isinstance(asked, list) else tester.reply(asked)
            )
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
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
    tester.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield tester
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _plain(value: Any) -> Any:
    """Values of Python as JSON-RPC writes them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    return value
