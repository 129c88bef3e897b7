"""Starts programs that end when this process ends, however it ends."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

# prctl(PR_SET_PDEATHSIG=1, SIGKILL=9) is kept across exec, see prctl(2). The parent may have died
# before the call, hence the second look. A small interpreter does it because code between fork
# and exec of a process with threads may deadlock.
_BIND_TO_PARENT = (
    "import ctypes,os,sys\n"
    "ctypes.CDLL(None).prctl(1,9)\n"
    "os.getppid()==int(sys.argv[1]) or sys.exit('the parent is gone')\n"
    "os.execv(sys.argv[2],sys.argv[2:])\n"
)


def start_child(
    command: Sequence[str], *, home: Path, log: Path, outlives_us: bool
) -> subprocess.Popen[bytes]:
    """Start *command* in its own session with *home* as its only environment, output to *log*.

    Its own session, because Ctrl-C on the terminal is meant for us and not for a chain in use.
    Unless *outlives_us*, the kernel kills it when we die (Linux; elsewhere only an orderly exit
    ends it). Raises OSError.
    """
    bound = not outlives_us and sys.platform == "linux"
    prefix = [sys.executable, "-I", "-S", "-c", _BIND_TO_PARENT, str(os.getpid())] if bound else []

    def start() -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                [*prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"HOME": str(home)},
                start_new_session=True,
            )

    return _LAUNCHER.run(start)


class _Launcher:
    """One thread that starts all children and lives as long as the process.

    "Parent" in PR_SET_PDEATHSIG is the thread that forked: a child that a short-lived worker
    thread starts would be killed when that thread ends.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        done: Future[subprocess.Popen[bytes]] = Future()

        def order() -> None:
            try:
                done.set_result(start())
            except OSError as fault:
                done.set_exception(fault)

        with self._lock:
            # A forked process inherits this object but not its thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="launcher", daemon=True)
                self._thread.start()
        self._orders.put(order)
        return done.result()

    def _serve(self) -> None:
        while True:
            self._orders.get()()


_LAUNCHER = _Launcher()
