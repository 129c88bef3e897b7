"""HTTP POST to one endpoint: pooled keep-alive connections, a capped reply, typed faults."""

import functools
import os
import socket
import ssl
import threading
import time
from typing import Literal

from agent import __version__
from agent.wire.connection import Connection
from agent.wire.deadline import Deadline
from agent.wire.endpoint import Endpoint
from agent.wire.response import CutOffError, NotHttpError, Response, TooLongError

Sent = Literal["no", "maybe"]

_IDLE_SECONDS = 30.0
"""Age at which an idle connection is dropped; load balancers close theirs from 60 s on."""

_IDLE_CONNECTIONS = 8
"""Connections kept per endpoint; more callers at once open, and then close, their own."""


class PostError(Exception):
    """No usable reply: ``reason`` is our own text, ``sent`` tells if the request may have arrived.

    ``transient`` is true when the same request may succeed later.
    """

    def __init__(self, reason: str, *, sent: Sent, transient: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent: Sent = sent
        self.transient = transient


class Poster:
    """Posts JSON bodies to one endpoint; safe to share between threads."""

    def __init__(self, endpoint: Endpoint, *, max_reply_bytes: int) -> None:
        self._endpoint = endpoint
        self._max_reply_bytes = max_reply_bytes
        self._lock = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []
        self._process = os.getpid()
        self._requests = 0
        self._head = _request_head(endpoint)

    @property
    def requests(self) -> int:
        """HTTP requests written so far, wholly or in part."""
        return self._requests

    def post(self, body: bytes, deadline: Deadline, *, reuse: bool) -> Response:
        """Send one request and read its reply; raises ``PostError``.

        With ``reuse`` an idle connection is taken, and one that turns out to be dead is replaced
        at once by a fresh one, which may deliver the request twice. Without it the request goes
        out once, on a fresh connection.
        """
        connection = self._take_idle() if reuse else None
        if connection is not None:
            try:
                return self._exchange(connection, body, deadline)
            except PostError as fault:
                if not isinstance(fault.__cause__, ConnectionError):
                    raise
        return self._exchange(self._connect(deadline), body, deadline)

    def close(self) -> None:
        """Close the idle connections; calls under way finish on theirs."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _connect(self, deadline: Deadline) -> Connection:
        context = tls_context() if self._endpoint.tls else None
        try:
            return Connection(self._endpoint.host, self._endpoint.port, deadline, context)
        except OSError as fault:
            raise failure(fault, sent="no") from fault

    def _exchange(self, connection: Connection, body: bytes, deadline: Deadline) -> Response:
        request = b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
        with self._lock:
            self._requests += 1
        try:
            response = connection.exchange(request, deadline, max_body_bytes=self._max_reply_bytes)
        except (OSError, NotHttpError, CutOffError, TooLongError) as fault:
            connection.close()
            raise failure(fault, sent="maybe") from fault
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, response)
        return response

    def _take_idle(self) -> Connection | None:
        with self._lock:
            if self._process != os.getpid():
                # Sockets shared with the parent of a fork would mix up the two processes' replies.
                self._idle, self._process = [], os.getpid()
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS:
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: Connection, response: Response) -> None:
        with self._lock:
            keep = response.reusable and len(self._idle) < _IDLE_CONNECTIONS
            if keep and self._process == os.getpid():
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()


def _request_head(endpoint: Endpoint) -> bytes:
    """Return what stands before the length of the body; the endpoint has visible ASCII only."""
    lines = [
        f"POST {endpoint.target} HTTP/1.1",
        f"Host: {endpoint.authority}",
        f"User-Agent: rebalancer/{__version__}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Content-Type: application/json",
        *([f"Authorization: {endpoint.authorization}"] if endpoint.authorization else []),
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode("ascii")


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The machine's own certificates and the library's own strictness."""
    return ssl.create_default_context()


def failure(fault: OSError | NotHttpError | CutOffError | TooLongError, *, sent: Sent) -> PostError:
    """Name a fault in our own words: foreign texts may carry what the URL hides."""
    match fault:
        case TimeoutError():
            reason, transient = "timed out", True
        case ConnectionRefusedError():
            reason, transient = "connection refused", True
        case ConnectionError():
            reason, transient = "connection closed without a whole reply", True
        case socket.gaierror():
            reason, transient = "host name not found", True
        case ssl.SSLCertVerificationError():
            reason, transient = "TLS certificate refused", False
        case ssl.SSLError():
            reason, transient = "TLS failed", True
        case CutOffError():
            reason, transient = "connection closed without a whole reply", True
        case NotHttpError():
            reason, transient = "reply is not HTTP", False
        case TooLongError():
            reason, transient = f"reply of more than {fault.cap_bytes} bytes", False
        case _:
            reason, transient = f"network fault ({type(fault).__name__})", True
    return PostError(reason, sent=sent, transient=transient)
