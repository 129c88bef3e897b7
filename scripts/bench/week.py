"""A week of keeper time on paper, once per seed: prices move, things break, people come and go.

    python scripts/bench/week.py --json > week.json
    python scripts/bench/week.py --seeds 7 --ticks 250
    python scripts/bench/week.py --lab --seeds 2 3 --ticks 110    # on three local chains

Time is warped: a week on paper takes a minute; on local chains of real contracts, where each tick
opens everything anew as a process does, a tick takes half a second. After every tick all rules are
checked (each tick ends in one of the five outcomes or with an error of its class; no limit is
crossed; the wallet is outside its bands only for a reason), and at the end that nothing is open,
in flight, allowed or unexplained.
Ends with 1 when a rule was broken, and says in which seed and tick.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

from agent.lab.worlds import open_worlds

TESTS = Path(__file__).resolve().parents[2] / "tests"
TICKS = 1_008
"""Seven days of ten minutes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 6)))
    parser.add_argument("--lab", action="store_true", help="on three local chains, not on paper")
    parser.add_argument("--ticks", type=int, default=TICKS, help="ticks of each week")
    chosen = parser.parse_args()
    sys.path[:0] = [str(TESTS / "keeper"), str(TESTS / "engine"), str(TESTS)]
    live = on_chains if chosen.lab else on_paper
    weeks = [week(live, seed, chosen.ticks, quiet=chosen.json) for seed in chosen.seeds]
    body = {"world": "lab" if chosen.lab else "paper", **document(weeks, chosen.ticks)}
    if chosen.json:
        print(json.dumps(body, indent=1))
    else:
        print_totals(body)
    return 0 if body["passed"] else 1


def on_paper(seed: int, ticks: int) -> dict[str, Any]:
    """One week's report; raises BrokenRuleError."""
    from paper_week import live

    return live(seed, ticks).report()


def on_chains(seed: int, ticks: int) -> dict[str, Any]:
    """The same on three local chains of their own."""
    from lab_week import live

    cache = platformdirs.user_cache_path("rebalancer", appauthor=False)
    with (
        tempfile.TemporaryDirectory(prefix="rebalancer-week-") as home,
        open_worlds(cache, block_seconds=None) as worlds,
    ):
        return live(seed, ticks, worlds, Path(home)).report()


def week(
    live: Callable[[int, int], dict[str, Any]], seed: int, ticks: int, *, quiet: bool
) -> dict[str, Any]:
    """The report of one week, with what was broken in it."""
    from paper_week import BrokenRuleError

    began = time.perf_counter()
    try:
        found = {**live(seed, ticks), "broken": None}
    except BrokenRuleError as error:
        found = {"seed": seed, "ticks": 0, "broken": str(error)}
    found["seconds"] = round(time.perf_counter() - began, 1)
    if not quiet:
        print(f"seed {seed}: {found['broken'] or 'every rule held'} ({found['seconds']} s)")
    return found


def document(weeks: list[dict[str, Any]], ticks: int) -> dict[str, Any]:
    """The machine-readable result."""
    ended: Counter[str] = Counter()
    for each in weeks:
        ended.update(each.get("ended", {}))
    return {
        "benchmark": "week",
        "seeds": [each["seed"] for each in weeks],
        "ticks_each": ticks,
        "ticks": sum(each["ticks"] for each in weeks),
        "runs": sum(each.get("runs", 0) for each in weeks),
        "transactions": sum(each.get("transactions", 0) for each in weeks),
        "transfers": sum(each.get("transfers", 0) for each in weeks),
        "ended": dict(sorted(ended.items())),
        "broken": [each["broken"] for each in weeks if each["broken"]],
        "weeks": weeks,
        "passed": not any(each["broken"] for each in weeks),
    }


def print_totals(body: dict[str, Any]) -> None:
    print(
        f"{body['ticks']} ticks, {body['runs']} runs, {body['transactions']} transactions, "
        f"{body['transfers']} transfers; rules broken: {len(body['broken'])}"
    )
    for name, count in body["ended"].items():
        print(f"  {count:>6}  {name}")


if __name__ == "__main__":
    sys.exit(main())
