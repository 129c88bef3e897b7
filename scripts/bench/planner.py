"""How much cheaper the exact planner is than rules without a solver, how long it takes, and what
it proves.

    python scripts/bench/planner.py [--json] [--sizes 3x5,8x20,20x50] [--instances N] [--seed N]

Every rule gets the same seeded portfolios over chains by assets. "Equal end state" is each asset
within 1 % of its target for everybody, where the peers' rules go anyway; "inside bands" lets ours
stop at the cheapest place within 10 %. Ratios are ours by theirs, over the portfolios on which the
rule arrived. Every flow of ours is certified again without the solver. Ends with 1 if a claim is
refuted, or if ours is dearer than pairing by size anywhere.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from planner_rules import BAND, EXACT, Market, Walk, cheapest_first, market, pairing, sell_all

from agent.planning.budget import Budget
from agent.planning.certify import certify
from agent.planning.milp import solve
from agent.planning.network import Flow

RULES: dict[str, Callable[[Market], Walk]] = {
    "pairing by size": pairing,
    "cheapest first": cheapest_first,
    "sell all, then buy": sell_all,
}

GAPS = {"3x5": 1e-4, "8x20": 1e-3, "20x50": 1e-2, "20x100": 2e-2}
"""The gap at which the search may end: finer where there is less to search."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--sizes", default="3x5,8x20,20x50,20x100", help="chains x assets")
    parser.add_argument("--instances", type=int, default=10, help="portfolios of each size")
    parser.add_argument("--seed", type=int, default=0, help="the first portfolio's seed")
    chosen = parser.parse_args()
    sizes = {}
    for size in chosen.sizes.split(","):
        seeds = range(chosen.seed, chosen.seed + chosen.instances)
        sizes[size] = measured(size, seeds)
        if not chosen.json:
            print_table(size, sizes[size])
    passed = all(each["passed"] for each in sizes.values())
    if chosen.json:
        document = {
            "benchmark": "planner",
            "python": platform.python_version(),
            "seed": chosen.seed,
            "instances": chosen.instances,
            "sizes": sizes,
            "passed": passed,
        }
        print(json.dumps(document, indent=1))
    return 0 if passed else 1


def measured(size: str, seeds: range) -> dict[str, Any]:
    """All rules on some portfolios of one size."""
    chains, assets = (int(part) for part in size.split("x"))
    budget = Budget(gap=GAPS.get(size, 1e-2))
    costs: dict[str, list[float]] = {}
    moves: dict[str, list[int]] = {}
    solved: dict[str, list[Solved]] = {"to target": [], "inside bands": []}
    for seed in seeds:
        of = market(chains, assets, seed)
        for name, rule in RULES.items():
            walk = rule(of)
            costs.setdefault(name, []).append(walk.cost if walk.reached(EXACT) else np.nan)
            moves.setdefault(name, []).append(walk.transactions)
        for name, band in (("to target", EXACT), ("inside bands", BAND)):
            solved[name].append(Solved(of, band, budget))
    ours = {name: [each.cost for each in found] for name, found in solved.items()}
    against = {
        name: {
            "arrived": int(np.isfinite(theirs).sum()),
            "equal end state": ratios(ours["to target"], theirs),
            "inside bands": ratios(ours["inside bands"], theirs),
            "transactions": float(np.median(moves[name])),
        }
        for name, theirs in costs.items()
    }
    against["to-target MILP"] = {
        "arrived": int(np.isfinite(ours["to target"]).sum()),
        "inside bands": ratios(ours["inside bands"], ours["to target"]),
        "transactions": float(np.median([each.transactions for each in solved["to target"]])),
    }
    faults = [fault for found in solved.values() for each in found for fault in each.faults]
    worst = max(
        against["pairing by size"][end]["max"] or 0.0 for end in ("equal end state", "inside bands")
    )
    return {
        "arcs": float(np.median([each.arcs for each in solved["inside bands"]])),
        "ours": {name: summary(found) for name, found in solved.items()},
        "against": against,
        "max_ratio_to_pairing": worst,
        "faults": faults,
        "passed": not faults and worst <= 1.0 + 1e-9,
    }


class Solved:
    """Ours on one portfolio."""

    def __init__(self, of: Market, band: float, budget: Budget) -> None:
        network = of.network(band)
        started, cpu = time.perf_counter(), time.process_time()
        flow: Flow = solve(network, budget=budget)
        self.cpu_ms = (time.process_time() - cpu) * 1e3
        self.ms = (time.perf_counter() - started) * 1e3
        certificate = certify(network, flow)
        self.faults, self.confirmed_gap = certificate.faults, certificate.confirmed_gap
        self.cost = flow.cost if flow.missed == 0 else np.nan
        self.gap, self.arcs = flow.gap, len(network.arcs)
        self.transactions = sum(sold > 0 for sold in flow.sold)
        self.bps = flow.cost / of.whole * 1e4


def ratios(ours: list[float], theirs: list[float]) -> dict[str, float | None]:
    """Ours by theirs, where both arrived."""
    found = np.array(ours) / np.array(theirs)
    return spread(found[np.isfinite(found)].tolist())


def spread(values: list[float]) -> dict[str, float | None]:
    if not values:
        return {"median": None, "p90": None, "max": None}
    middle, high = np.quantile(values, [0.5, 0.9])
    return {"median": float(middle), "p90": float(high), "max": float(max(values))}


def summary(found: list[Solved]) -> dict[str, Any]:
    """Time, proof and size of our flows."""
    return {
        "arrived": sum(bool(np.isfinite(each.cost)) for each in found),
        "wall_ms": spread([each.ms for each in found]),
        "cpu_ms": spread([each.cpu_ms for each in found]),
        "gap": spread([each.gap for each in found]),
        "gap_confirmed_without_solver": spread([each.confirmed_gap for each in found]),
        "transactions": float(np.median([each.transactions for each in found])),
        "bps_of_portfolio": float(np.median([each.bps for each in found])),
    }


def print_table(size: str, result: dict[str, Any]) -> None:
    print(f"{size}: {result['arcs']:.0f} arcs")
    for name, ours in result["ours"].items():
        gap, sure = ours["gap"], ours["gap_confirmed_without_solver"]
        print(
            f"  ours {name:<14} arrived {ours['arrived']:>3}"
            f"  {ours['wall_ms']['median']:>7.0f} ms (p90 {ours['wall_ms']['p90']:.0f}; CPU"
            f" {ours['cpu_ms']['median']:.0f}, p90 {ours['cpu_ms']['p90']:.0f})"
            f"  gap {gap['median']:.4%} (p90 {gap['p90']:.4%}, max {gap['max']:.4%};"
            f" without solver {sure['median']:.2%}, max {sure['max']:.2%})"
            f"  {ours['transactions']:.0f} transactions, {ours['bps_of_portfolio']:.2f} bp"
        )
    for name, each in result["against"].items():
        parts = [
            f"{end} {each[end]['median']:.3f} (p90 {each[end]['p90']:.3f},"
            f" max {each[end]['max']:.3f})"
            for end in ("equal end state", "inside bands")
            if end in each and each[end]["median"] is not None
        ]
        print(
            f"  by {name:<18} arrived {each['arrived']:>3}  {'; '.join(parts)}"
            f"  {each['transactions']:.0f} transactions"
        )
    for fault in result["faults"]:
        print(f"  REFUTED: {fault}")


if __name__ == "__main__":
    sys.exit(main())
