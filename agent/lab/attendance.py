"""Starts the attendant as a child process, and tells it what to do."""

import atexit
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import SetupFailed
from agent.lab.child import start_child
from agent.lab.homes import LIFELINE, LOG, listening_port, new_home
from agent.lab.relayer import Terms
from agent.lab.world import World
from agent.wire.rpc import Rpc, RpcError, RpcUnavailable


@dataclass(slots=True, kw_only=True)
class Attendance:
    """A running attendant; `stop` ends it and removes what it wrote."""

    url: str
    pid: int
    _process: subprocess.Popen[bytes] = field(repr=False)
    _home: Path = field(repr=False)
    _owner: int = field(repr=False)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process, by its id; safe to call twice, and a no-op in a forked process."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.stop)
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


def start_attendant(
    worlds: Sequence[World],
    terms: Terms,
    *,
    block_seconds: float,
    port: int | None = None,
    keep: bool = False,
) -> Attendance:
    """Let a process of its own attend to *worlds*, whose nodes must not mine by themselves.

    It ends with this process; with *keep* it goes on until the chains are gone. Raises PortInUse
    and SetupFailed.
    """
    home = new_home()
    config = home / "config.json"
    chains = [
        {"chain_id": world.chain_id, "url": world.url, "publisher": world.saved.publisher}
        for world in worlds
    ]
    told = {
        "chains": chains,
        "terms": asdict(terms),
        "block_seconds": block_seconds,
        "port": port or 0,
    }
    config.write_text(json.dumps(told))
    command = [sys.executable, "-m", "agent.lab.attendant", str(config)]
    process = start_child(command, home=home, log=home / LOG, outlives_us=keep)
    try:
        (home / LIFELINE).write_text(str(process.pid if keep else os.getpid()))
        found = listening_port(process, home / LOG, port)
    except BaseException:
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)
        raise
    attendance = Attendance(
        url=f"http://127.0.0.1:{found}",
        pid=process.pid,
        _process=process,
        _home=home,
        _owner=os.getpid(),
    )
    if not keep:
        atexit.register(attendance.stop)
    return attendance


def order(url: str, what: str, *arguments: Any) -> dict[str, Any]:
    """Send an order to the desk behind *url*; returns how things stand. Raises SetupFailed."""
    desk = Rpc(f"{url}/orders")
    try:
        answer = desk.call(what, *arguments)
    except (RpcError, RpcUnavailable) as fault:
        raise SetupFailed(
            f"the attendant of the local chains did not take the order {what}: {fault}",
            fix="start the local chains again",
        ) from None
    finally:
        desk.close()
    if not isinstance(answer, dict):
        raise SetupFailed(
            f"the attendant of the local chains answered {what} with nonsense",
            fix="start the local chains again",
        )
    return answer
