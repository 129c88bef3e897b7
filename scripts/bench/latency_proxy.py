"""Stands between a client and a local node, holds back every byte, and counts HTTP requests.

    python scripts/bench/latency_proxy.py TARGET_PORT ROUND_TRIP_MS

Runs as a process of its own, so that its work is not counted as the client's. It writes the port
that it listens on as its first line; after that it answers each line that it reads with one line of
JSON: what it saw since the last one. It ends when its input ends. The connection set-up of TCP is
held back as well: the first bytes of a connection wait one more round trip.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

CHUNK_BYTES = 1 << 18
REQUEST_LINE = b"POST /"  # every JSON-RPC request begins with it, and no JSON-RPC body contains it

Pipe = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Proxy:
    """Forwards to one port of this machine, late."""

    def __init__(self, port: int, round_trip_seconds: float) -> None:
        self.port = port
        self.round_trip_seconds = round_trip_seconds
        self.seen: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen["connections"] += 1
        await asyncio.sleep(self.round_trip_seconds)
        node_reader, node_writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(
            self.forward(reader, node_writer, self.count_request),
            self.forward(node_reader, writer, self.count_reply),
        )

    def count_request(self, chunk: bytes) -> None:
        self.seen["requests"] += chunk.count(REQUEST_LINE)
        self.seen["bytes_up"] += len(chunk)

    def count_reply(self, chunk: bytes) -> None:
        self.seen["bytes_down"] += len(chunk)

    async def forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        count: Callable[[bytes], None],
    ) -> None:
        """Pass chunks on half a round trip after they came, in order, without slowing them down."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def collect() -> None:
            chunk = b"-"
            while chunk:
                try:
                    chunk = await reader.read(CHUNK_BYTES)
                except OSError:
                    chunk = b""
                count(chunk)
                waiting.put_nowait((loop.time() + self.round_trip_seconds / 2, chunk))

        collecting = asyncio.create_task(collect())
        with suppress(OSError):
            while True:
                due, chunk = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
        writer.close()
        await collecting


async def run(port: int, round_trip_seconds: float) -> None:
    """Serve until the input ends."""
    proxy = Proxy(port, round_trip_seconds)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=CHUNK_BYTES)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(proxy.seen), flush=True)
            proxy.seen.clear()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), float(sys.argv[2]) / 1000))
