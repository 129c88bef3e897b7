"""HTTP connections that obey a deadline in every single system call."""

import socket
import ssl
import threading
from typing import Any

from agent.wire.deadline import Deadline
from agent.wire.response import Response, read_response

_BUFFER_BYTES = 65_536
"""Bytes read or written under one look at the clock."""


class Connection:
    """One open connection, for one exchange after the other.

    The standard library's timeout restarts with every byte, so a node that sends one byte per
    second could hold a caller for ever; here the time left is set before every read and write.
    """

    __slots__ = ("_sock",)

    def __init__(
        self, host: str, port: int, deadline: Deadline, context: ssl.SSLContext | None
    ) -> None:
        """Resolve the name, open the socket, finish TLS if there is a context; ``OSError``."""
        self._sock = _open(host, port, deadline)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._sock.settimeout(deadline.remaining_seconds())
                self._sock = context.wrap_socket(self._sock, server_hostname=host)
        except BaseException:
            self._sock.close()
            raise

    def exchange(self, request: bytes, deadline: Deadline, *, max_body_bytes: int) -> Response:
        """Write a whole request and read its whole response.

        Raises ``OSError`` and what ``read_response`` raises; the connection is then unusable.
        """

        def receive() -> bytes:
            self._sock.settimeout(deadline.remaining_seconds())
            return self._sock.recv(_BUFFER_BYTES)

        for start in range(0, len(request), _BUFFER_BYTES):
            self._sock.settimeout(deadline.remaining_seconds())
            self._sock.sendall(request[start : start + _BUFFER_BYTES])
        return read_response(receive, max_body_bytes=max_body_bytes)

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        self._sock.close()


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
