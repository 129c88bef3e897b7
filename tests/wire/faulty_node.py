"""A node on loopback that misbehaves as told, one script per request."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Script = Callable[[socket.socket, bytes], bool]
"""Answers one request; true keeps the connection open for the next."""


@dataclass
class FaultyNode:
    """Runs the scripts in order, the last one again and again."""

    scripts: list[Script]
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def methods(self) -> list[Any]:
        """The methods of all requests, in the order of arrival."""
        calls = [json.loads(body) for body in self.bodies]
        return [c["method"] if isinstance(c, dict) else [one["method"] for one in c] for c in calls]

    def next_script(self) -> Script:
        with self.lock:
            return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        with suppress(OSError), connection:
            stream = connection.makefile("rb")
            while head := _head(stream):
                body = stream.read(_length(head))
                with self.lock:
                    self.heads.append(head)
                    self.bodies.append(body)
                if not self.next_script()(connection, body):
                    return


@contextmanager
def faulty_node(*scripts: Script) -> Iterator[FaultyNode]:
    node = FaultyNode(list(scripts))
    listener = socket.create_server(("127.0.0.1", 0))
    node.port = listener.getsockname()[1]

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=node.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield node
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def http(
    body: bytes, *, status: str = "200 OK", headers: str = "", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def says(body: bytes | str, **options: Any) -> Script:
    """Answer with this body, whatever the question was; ID stands for the question's id."""
    text = body.encode() if isinstance(body, str) else body

    def script(connection: socket.socket, request: bytes) -> bool:
        call = json.loads(request)
        number = call["id"] if isinstance(call, dict) else call[0]["id"]
        connection.sendall(http(text.replace(b"ID", str(number).encode()), **options))
        return True

    return script


def answers(result: Any = "0x1", **options: Any) -> Script:
    """Answer every question with this result."""

    def script(connection: socket.socket, request: bytes) -> bool:
        call = json.loads(request)
        many = call if isinstance(call, list) else [call]
        replies = [{"jsonrpc": "2.0", "id": one["id"], "result": result} for one in many]
        body = json.dumps(replies if isinstance(call, list) else replies[0])
        connection.sendall(http(body.encode(), **options))
        return True

    return script


def echoes(connection: socket.socket, request: bytes) -> bool:
    """Answer each question with its own parameters, a batch in reverse order."""
    call = json.loads(request)
    many = call if isinstance(call, list) else [call]
    replies = [{"id": one["id"], "result": one["params"]} for one in reversed(many)]
    connection.sendall(http(json.dumps(replies if isinstance(call, list) else replies[0]).encode()))
    return True


def sends(raw: bytes) -> Script:
    """Write these bytes and close."""

    def script(connection: socket.socket, _request: bytes) -> bool:
        connection.sendall(raw)
        return False

    return script


def resets(connection: socket.socket, _request: bytes) -> bool:
    """Cut the connection after the request, without a reply."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


def drips(raw: bytes, pause: Callable[[], Any]) -> Script:
    """Write one byte at a time."""

    def script(connection: socket.socket, _request: bytes) -> bool:
        for byte in raw:
            connection.sendall(bytes([byte]))
            pause()
        return False

    return script


def _head(stream: Any) -> bytes:
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            break
    return b"".join(lines)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
