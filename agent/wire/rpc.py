"""The one JSON-RPC transport: keep-alive, capped, under a deadline, and silent about its URL."""

import itertools
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from agent.wire.deadline import Deadline
from agent.wire.endpoint import parse_endpoint
from agent.wire.foreign_text import plain
from agent.wire.post import Poster, PostError, Sent
from agent.wire.response import Response, retry_after_seconds
from agent.wire.strict_json import JSON, StrictJsonError, loads

__all__ = ["JSON", "READS", "Rpc", "RpcError", "RpcUnavailable"]

READS: Final = frozenset(
    {
        "anvil_nodeInfo",
        "debug_traceCall",
        "debug_traceTransaction",
        "eth_blobBaseFee",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_createAccessList",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getRawTransactionByHash",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_simulateV1",
        "eth_syncing",
        "net_version",
        "txpool_status",
        "web3_clientVersion",
    }
)
"""Methods that change nothing, so that asking twice is harmless; no other is ever asked twice."""

MAX_MESSAGE_CHARS = 512
"""Characters of a node's message that are kept; a revert can carry megabytes."""

MAX_DATA_CHARS = 131_072
"""Characters of hex revert bytes that are kept; custom errors need some hundreds."""

_FIRST_PAUSE_SECONDS = 0.1
"""Wait before the first repetition; it doubles, and a random part keeps callers apart."""

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)

_HEX = re.compile(r"0x[0-9a-fA-F]*")


class RpcError(Exception):
    """The node answered, and its answer is an error.

    ``code`` and ``message`` are the node's own, the message escaped and cut; ``data`` is the
    ``0x…`` text of the revert bytes when the answer carries any. An answer is final: the same
    question elsewhere is a new decision of the caller.
    """

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message
        self.data = data


class RpcUnavailable(Exception):  # noqa: N818 - names the situation
    """No usable answer: nobody knows what the node made of the request.

    ``sent`` is "no" when certainly nothing was delivered. ``retry_after_seconds`` is the node's
    wish, ``status`` the HTTP status if there was one, ``transient`` whether waiting may help.
    """

    def __init__(
        self,
        reason: str,
        *,
        sent: Sent,
        transient: bool = False,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent: Sent = sent
        self.transient = transient
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class Rpc:
    """A JSON-RPC client of one node; safe to share between threads.

    Reads are repeated up to ``retries`` times after transient faults, within the deadline; all
    other methods are delivered at most once, on a connection of their own.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 10.0,
        max_reply_bytes: int = 33_554_432,
        retries: int = 2,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = parse_endpoint(url)
        self._poster = Poster(self._endpoint, max_reply_bytes=max_reply_bytes)
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._sleep = sleep
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"Rpc({self.host})"

    @property
    def host(self) -> str:
        """``host:port``; the rest of the URL may hold keys and is never shown."""
        return self._endpoint.name

    @property
    def requests(self) -> int:
        """HTTP requests made so far, repetitions included."""
        return self._poster.requests

    def call(self, method: str, *params: Any, timeout_seconds: float | None = None) -> JSON:
        """Ask one question; raises ``RpcError`` or ``RpcUnavailable``.

        ``timeout_seconds`` bounds everything together: name, connection, TLS, reply, repetitions.
        """
        number = next(self._ids)
        reply = self._deliver(_question(number, method, params), [method], timeout_seconds)
        answer = self._answer(reply, number)
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def batch(
        self, calls: Sequence[tuple[str, Sequence[Any]]], *, timeout_seconds: float | None = None
    ) -> list[JSON | RpcError]:
        """Ask several questions in one HTTP request; answers in the order of the questions.

        An error of one question is a value in the list; raises ``RpcUnavailable``, or ``RpcError``
        when the node refuses the batch as a whole. Reads only if all of them are: a batch with any
        other method is delivered at most once.
        """
        if not calls:
            return []
        numbers = [next(self._ids) for _ in calls]
        questions = [
            _question(number, method, params)
            for number, (method, params) in zip(numbers, calls, strict=True)
        ]
        reply = self._deliver(questions, [method for method, _ in calls], timeout_seconds)
        return self._answers(reply, numbers)

    def close(self) -> None:
        """Close the idle connections."""
        self._poster.close()

    def _deliver(
        self, question: Any, methods: Sequence[str], timeout_seconds: float | None
    ) -> JSON:
        body = _ENCODER.encode(question).encode()
        deadline = Deadline(self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        repeatable = READS.issuperset(methods)
        repetition = 0
        while True:
            try:
                return self._post(body, deadline, reuse=repeatable)
            except RpcUnavailable as fault:
                if not (repeatable and fault.transient and repetition < self._retries):
                    raise
                pause = _pause_seconds(repetition, fault.retry_after_seconds)
                if not deadline.allows(pause):
                    raise
            self._sleep(pause)
            repetition += 1

    def _post(self, body: bytes, deadline: Deadline, *, reuse: bool) -> JSON:
        try:
            reply = self._poster.post(body, deadline, reuse=reuse)
        except PostError as fault:
            raise RpcUnavailable(
                f"{self.host}: {fault.reason}", sent=fault.sent, transient=fault.transient
            ) from None
        if reply.status != 200 and not _is_answer(reply):
            raise RpcUnavailable(
                f"{self.host}: HTTP status {reply.status}",
                sent="maybe",
                transient=reply.status == 429 or reply.status >= 500,
                status=reply.status,
                retry_after_seconds=retry_after_seconds(reply),
            )
        try:
            return loads(reply.body)
        except StrictJsonError as fault:
            raise self._malformed(str(fault)) from None

    def _answer(self, reply: JSON, number: int) -> JSON | RpcError:
        if not isinstance(reply, dict):
            raise self._malformed("not a JSON-RPC object")
        fault = reply.get("error")
        # A node that could not read the question does not know its id (JSON-RPC 2.0, section 5).
        if not (_is_id(reply.get("id"), number) or (fault is not None and reply.get("id") is None)):
            raise self._malformed("the answer to another question")
        if fault is not None:
            return self._error(fault)
        if "result" not in reply:
            raise self._malformed("neither result nor error")
        return reply["result"]

    def _answers(self, reply: JSON, numbers: Sequence[int]) -> list[JSON | RpcError]:
        if not isinstance(reply, list):
            raise self._refusal(reply, numbers[0])
        if len(reply) == 1 < len(numbers):
            # How go-ethereum refuses a batch that is too long: one error, for its first question.
            raise self._refusal(reply[0], numbers[0])
        by_number: dict[int, JSON] = {}
        for entry in reply:
            number = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(number, int) or isinstance(number, bool) or number in by_number:
                raise self._malformed("a batch with a missing or repeated id")
            by_number[number] = entry
        if set(by_number) != set(numbers):
            raise self._malformed("a batch that answers other questions")
        return [self._answer(by_number[number], number) for number in numbers]

    def _refusal(self, reply: JSON, number: int) -> RpcError | RpcUnavailable:
        """Read one answer to many questions, which can only be an error."""
        refusal = self._answer(reply, number)
        if isinstance(refusal, RpcError):
            return refusal
        return self._malformed("one answer to many questions")

    def _error(self, fault: JSON) -> RpcError:
        code = fault.get("code") if isinstance(fault, dict) else None
        if not isinstance(fault, dict) or not isinstance(code, int) or isinstance(code, bool):
            raise self._malformed("an error without a code")
        message = fault.get("message")
        text = message if isinstance(message, str) else "no message"
        return RpcError(
            code,
            plain(self._endpoint.redact(text), at_most=MAX_MESSAGE_CHARS),
            _revert_bytes(fault.get("data")),
        )

    def _malformed(self, what: str) -> RpcUnavailable:
        return RpcUnavailable(f"{self.host}: malformed reply: {what}", sent="maybe")


def _question(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _is_id(value: JSON, number: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == number


def _is_answer(reply: Response) -> bool:
    """Tell a JSON-RPC error that came with a client-error status from a web server's page."""
    if not (400 <= reply.status < 500 and reply.status != 429):
        return False
    try:
        body = loads(reply.body)
    except StrictJsonError:
        return False
    return isinstance(body, dict) and isinstance(body.get("error"), dict)


def _revert_bytes(found: JSON) -> str | None:
    """Find the revert bytes; some nodes wrap them once more."""
    if isinstance(found, dict):
        found = found.get("data")
    if isinstance(found, str) and len(found) <= MAX_DATA_CHARS and _HEX.fullmatch(found):
        return found
    return None


def _pause_seconds(repetition: int, wish_seconds: float | None) -> float:
    own = _FIRST_PAUSE_SECONDS * float(2**repetition)
    jittered = own * (1 + random.random())  # noqa: S311 - keeps callers apart, guards nothing
    return max(jittered, wish_seconds or 0.0)
