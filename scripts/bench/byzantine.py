"""Lie to every provider's adapter in every word and field, and see what the guard lets through.

    python scripts/bench/byzantine.py --json > byzantine.json
    python scripts/bench/byzantine.py --every 20          # each twentieth mutant

For each leg a provider is asked honestly once, on local chains; then each field of each answer and
each 32-byte word of its calldata is changed in some twenty ways, and so is each word of the bytes
to be signed. A mutant is refused by the adapter or by the guard, or would be signed: then the
chain simulates it, and its loss must be within the guard's limit on price impact. An adapter that
fails in any other way than by an error of its class counts as broken. Ends with 1 when anything is.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import platformdirs

from agent.lab.worlds import Worlds, open_worlds

TESTS = Path(__file__).resolve().parents[2] / "tests"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--every", type=int, default=1, help="each so-many-th mutant only")
    parser.add_argument("--only", nargs="+", default=[], help="these providers only")
    chosen = parser.parse_args()
    sys.path[:0] = [str(TESTS / "engine"), str(TESTS)]
    began = time.monotonic()
    with open_worlds(platformdirs.user_cache_path("rebalancer"), block_seconds=None) as worlds:
        rows = lied_to(worlds, chosen.every, frozenset(chosen.only), quiet=chosen.json)
    total = sum(row["mutants"] for row in rows)
    broken = [each for row in rows for each in row["broken"]]
    body = {
        "mutants": total,
        "passed": not broken,
        "worst_loss_bps": max((row["worst_loss_bps"] for row in rows), default=0),
        "limit_bps": 100,
        "seconds": round(time.monotonic() - began),
        "providers": rows,
    }
    if chosen.json:
        print(json.dumps(body, indent=1))
    else:
        print(f"{total} mutants, {len(broken)} broken, {body['seconds']} s")
    return 0 if body["passed"] else 1


def lied_to(
    worlds: Worlds, every: int, only: frozenset[str], *, quiet: bool
) -> list[dict[str, Any]]:
    """One row per provider."""
    from byzantine import Tally, trial
    from provider_document import Case
    from provider_runs import provider_run

    from agent.compose.providers import provider_names

    legs = [
        Case("", "swap", 1, "WETH", "1", 1, "USDC"),
        Case("", "swap", 1, "USDC", "3000", 1, "WETH"),
        Case("", "swap", 1, "USDC", "3000", 1, "ETH"),
        Case("", "swap", 8453, "ETH", "1", 8453, "USDC"),
        Case("", "swap", 42161, "WETH", "1", 42161, "USDC"),
        Case("", "swap", 42161, "ETH", "1", 42161, "USDC"),
    ]
    bridges = [
        Case("across", "bridge", 1, "USDC", "1000", 8453, "USDC"),
        Case("across", "bridge", 1, "ETH", "1", 42161, "ETH"),
        Case("cctp", "bridge", 1, "USDC", "1000", 8453, "USDC", "standard"),
        Case("cctp", "bridge", 8453, "USDC", "1000", 42161, "USDC", "fast"),
        Case("stargate", "bridge", 1, "USDC", "1000", 42161, "USDC"),
        Case("stargate", "bridge", 1, "ETH", "1", 8453, "ETH"),
        Case("canonical_op", "bridge", 1, "ETH", "1", 8453, "ETH"),
        Case("canonical_op", "bridge", 8453, "ETH", "1", 1, "ETH"),
        Case("canonical_arbitrum", "bridge", 1, "ETH", "1", 42161, "ETH"),
        Case("canonical_arbitrum", "bridge", 42161, "ETH", "1", 1, "ETH"),
    ]
    cases = [
        Case(name, each.kind, each.chain, each.sell, each.amount, each.to_chain, each.buy)
        for name in ("router", *provider_names("venues"))
        for each in legs
        if not (each.sell == "ETH" and name in {"router", "cow"})
        and not (each.buy == "ETH" and name == "router")
    ] + bridges
    tallies: dict[str, Tally] = {}
    for case in cases:
        if only and case.via not in only:
            continue
        tally = tallies.setdefault(case.via, Tally(case.via))
        before = worlds.snapshot()
        now = max(int(time.time()), *(world.head()[1] for world in worlds.values())) + 1
        worlds.set_time(now)
        with provider_run(worlds, case.via, case.kind) as run:
            tried = trial(run, case, tally)
            tried.answers_changed(every)
            tried.bytes_changed(every)
        worlds.revert(before)
        if not quiet:
            print(f"{case.via:20} {case.name:40} {tally.mutants:7} so far", flush=True)
    return [tally.row() for tally in tallies.values()]


if __name__ == "__main__":
    sys.exit(main())
