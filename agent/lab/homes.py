"""Folders of the lab's child processes: made, swept, and read for the port that a child found."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from agent.errors import PortInUse, SetupFailed

START_TIMEOUT_SECONDS = 30.0
"""A start takes 0.1 s, 2 s on a cold disk; more means that something is wrong."""

LIFELINE = "lifeline"
"""File in a folder with the id of the process without which the folder is waste."""

LOG = "log"
"""File in a folder with what the child says."""

_POLL_SECONDS = 0.004

_HOME_PREFIX = "rebalancer-lab-"

_LISTENING = re.compile(rb"^Listening on 127\.0\.0\.1:(\d+)", re.MULTILINE)


def new_home() -> Path:
    """A private folder for one child; those of killed processes are removed first."""
    sweep()
    return Path(tempfile.mkdtemp(prefix=_HOME_PREFIX))


def sweep() -> None:
    """Remove what children of killed processes left behind."""
    for mark in Path(tempfile.gettempdir()).glob(f"{_HOME_PREFIX}*/{LIFELINE}"):
        try:
            os.kill(int(mark.read_bytes()), 0)
        except ProcessLookupError:
            shutil.rmtree(mark.parent, ignore_errors=True)
        except (OSError, ValueError):
            # Another user's, or just being written or removed.
            continue


def listening_port(process: subprocess.Popen[bytes], log: Path, port: int | None) -> int:
    """Wait for the child's own word, in a file that only it writes, that it listens.

    *port* is what it was told to take. Raises PortInUse and SetupFailed.
    """
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        ended = process.poll() is not None
        said = log.read_bytes()
        found = _LISTENING.search(said)
        if found is not None and not ended:
            return int(found[1])
        if ended and b"in use" in said:
            raise PortInUse(
                f"port {port} of this machine is taken by another process",
                fix="choose another port, or leave the port out to get a free one",
            )
        if ended or time.monotonic() > deadline:
            raise not_started(_last_line(said))
        time.sleep(_POLL_SECONDS)


def not_started(why: str) -> SetupFailed:
    """The error that a child of the local chains did not start."""
    return SetupFailed(
        f"the local node did not start: {why}",
        fix="run the command again; if it stays, delete the cache folder of the local chains",
    )


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    return "".join(c for c in last if c.isprintable())[:300]
