"""HTTP connections that obey a deadline in every single system call."""

import functools
import http.client
import io
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

from agent.wire.deadline import Deadline
from agent.wire.endpoint import Endpoint

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES = 65_536
"""Bytes read or written under one look at the clock."""


class Connection(http.client.HTTPConnection):
    """A keep-alive connection; set ``deadline`` before each exchange.

    The standard library's timeout restarts with every byte, so a node that sends one byte per
    second could hold a caller for ever; here the time left is set before every read and write.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        super().__init__(endpoint.host, endpoint.port)
        self.auto_open = 0
        self.deadline = Deadline(1.0)
        self._context = context

    def connect(self) -> None:
        """Resolve the name, open the socket and finish TLS within the deadline."""
        self.sock = _open(self.host, self.port, self.deadline)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self.sock.settimeout(self.deadline.remaining_seconds())
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def send(self, data: Any) -> None:
        """Write bytes within the deadline."""
        for start in range(0, len(data), _BUFFER_BYTES):
            self.sock.settimeout(self.deadline.remaining_seconds())
            self.sock.sendall(data[start : start + _BUFFER_BYTES])

    def getresponse(self) -> http.client.HTTPResponse:
        """Read status line and headers within the deadline; the body is read the same way."""
        # Typed as a class by the standard library, used as any callable.
        self.response_class = functools.partial(_Response, deadline=self.deadline)  # type: ignore[assignment]
        return super().getresponse()


class _Response(http.client.HTTPResponse):
    def __init__(
        self, sock: socket.socket, *arguments: Any, deadline: Deadline, **options: Any
    ) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        raw = _DeadlineReader(sock, deadline)
        self.fp = io.BufferedReader(raw, _BUFFER_BYTES)


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, shortening its timeout to what is left before every read."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._sock.settimeout(self._deadline.remaining_seconds())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _open(host: str, port: int, deadline: Deadline) -> socket.socket:
    addresses = _resolve(host, port, deadline)
    fault: OSError = OSError("no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            # A share each, so that one dead address does not eat the time of the others.
            sock.settimeout(deadline.remaining_seconds() / (len(addresses) - position))
            sock.connect(address)
        except OSError as refused:
            sock.close()
            fault = refused
        else:
            return sock
    raise fault


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Look the name up on a thread of its own: the system's resolver knows no deadline."""
    answers: list[list[Any] | OSError] = []

    def look_up() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as fault:
            answers.append(fault)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.remaining_seconds())
    if not answers:
        raise TimeoutError("timed out")
    if isinstance(answers[0], OSError):
        raise answers[0]
    return answers[0]
