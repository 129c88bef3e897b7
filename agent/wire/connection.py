"""HTTP connections that obey a deadline in every single system call."""

import http.client
import io
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, cast

from agent.wire.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

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

    def exchange(self, request: bytes, deadline: Deadline) -> http.client.HTTPResponse:
        """Write a whole POST request and read the head of its response.

        The deadline holds for reading the body too. Raises ``OSError`` and ``HTTPException``.
        """
        for start in range(0, len(request), _BUFFER_BYTES):
            self._sock.settimeout(deadline.remaining_seconds())
            self._sock.sendall(request[start : start + _BUFFER_BYTES])
        # All that a response does with its socket is to make one file of it.
        files = cast(socket.socket, _Files(self._sock, deadline))
        response = http.client.HTTPResponse(files, method="POST")
        response.begin()
        return response

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        self._sock.close()


class _Files:
    """Makes files of a socket that read under a deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._reader = _DeadlineReader(sock, deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader, _BUFFER_BYTES)


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, shortening its timeout to what is left before every read.

    Closing it leaves the socket open for the next exchange.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self._sock.settimeout(self._deadline.remaining_seconds())
        return self._sock.recv_into(buffer)


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
