"""How long a command takes to begin, beside a program that imports all its libraries at once.

    python scripts/bench/startup.py [--json] [--rounds N]

Whole processes, from their start to their end: bare Python, `rebalancer --help`, `rebalancer
status` of a wallet with a finished run in its journal, and Python with the libraries imported
eagerly. They take turns, so that a busy machine slows all of them alike; the medians count. CPU
is what the process itself used. Ends with 1 if a median is over its limit.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from agent.compose.local import local_wallet

ROUNDS = 15
LIMITS_SECONDS = {"rebalancer --help": 0.2, "rebalancer status": 0.5}
EAGER = "import eth_account, pydantic, requests, typer, web3"
CHECKOUT = Path(__file__).resolve().parents[2]

COMMANDS: Mapping[str, Sequence[str]] = {
    "bare python": ("-c", "pass"),
    "rebalancer --help": ("-m", "agent", "--help"),
    "rebalancer status": ("-m", "agent", "status"),
    "eager imports": ("-c", EAGER),
}


@dataclass(slots=True)
class Times:
    """Seconds of one command, round by round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that each is started")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rebalancer-startup-") as folder:
        environ = wallet_with_a_run(Path(folder))
        found = measure(environ, chosen.rounds)
    body = document(found, chosen.rounds)
    if chosen.json:
        print(json.dumps(body, indent=1))
    else:
        print_table(body)
    return 0 if body["passed"] else 1


def wallet_with_a_run(home: Path) -> dict[str, str]:
    """Variables of a wallet that has rebalanced once; its chain is gone when this returns."""
    cache = platformdirs.user_cache_path("rebalancer", appauthor=False)
    with local_wallet(cache, home) as wallet:
        path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH", "")]))
        environ = {**os.environ, **wallet.variables, "PYTHONPATH": path}
        started = [sys.executable, "-m", "agent", "run", "--no-rehearsal", "-q"]
        subprocess.run(started, env=environ, check=True, stdout=subprocess.DEVNULL)
    return environ


def measure(environ: Mapping[str, str], rounds: int) -> dict[str, Times]:
    """Start each command *rounds* times, in turns; the first turn warms the caches."""
    found = {name: Times() for name in COMMANDS}
    for turn in range(rounds + 1):
        for name, arguments in COMMANDS.items():
            wall, cpu = once(arguments, environ)
            if turn:
                found[name].wall.append(wall)
                found[name].cpu.append(cpu)
    return found


def once(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env=environ,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def document(found: Mapping[str, Times], rounds: int) -> dict[str, Any]:
    """The machine-readable result."""
    rows = []
    for name, times in found.items():
        median, limit = statistics.median(times.wall), LIMITS_SECONDS.get(name)
        rows.append(
            {
                "command": name,
                "median_seconds": round(median, 3),
                "median_cpu_seconds": round(statistics.median(times.cpu), 3),
                "limit_seconds": limit,
                "passed": limit is None or median <= limit,
            }
        )
    return {
        "benchmark": "startup",
        "python": platform.python_version(),
        "rounds": rounds,
        "eager": EAGER,
        "load": round(os.getloadavg()[0], 1),
        "commands": rows,
        "passed": all(row["passed"] for row in rows),
    }


def print_table(body: Mapping[str, Any]) -> None:
    print(f"{'command':<20} {'median':>8} {'CPU':>8} {'limit':>8}")
    for row in body["commands"]:
        limit = "" if row["limit_seconds"] is None else f"{row['limit_seconds']:.1f} s"
        print(
            f"{row['command']:<20} {row['median_seconds']:>6.3f} s "
            f"{row['median_cpu_seconds']:>6.3f} s {limit:>8}"
            f"{'' if row['passed'] else '  OVER'}"
        )
    print(f"{body['rounds']} rounds, load {body['load']}; eager: {body['eager']}")


if __name__ == "__main__":
    sys.exit(main())
