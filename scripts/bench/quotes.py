"""Whether our swap quotes equal those of the contracts, and how long both take.

    python scripts/bench/quotes.py [--json] [--count N] [--seed N]

Random paths of one to three hops over the local chain's Uniswap pools, and over pools opened for
this with many random positions, are quoted by our integer arithmetic and by QuoterV2 (v3) or
Router02 (v2), for amounts from one base unit to beyond all liquidity. Prices after the swap are
compared too. Ends with 1 if one answer differs.
"""

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs

from agent.lab.world import open_world

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from quoter_duel import Duel, Score, Speed

SPEED_SAMPLE = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--count", type=int, default=5000, help="questions to ask")
    parser.add_argument("--seed", type=int, default=1, help="which questions and pools")
    chosen = parser.parse_args()
    with open_world(platformdirs.user_cache_path("rebalancer")) as world:
        duel = Duel(world, chosen.seed)
        started = time.perf_counter()
        score = duel.run(chosen.count)
        seconds = time.perf_counter() - started
        speed = duel.speed(SPEED_SAMPLE)
    if chosen.json:
        print(json.dumps(document(score, speed, seconds=seconds, seed=chosen.seed), indent=1))
    else:
        print_table(score, speed, seconds=seconds)
    return 1 if score.mismatches else 0


def document(score: Score, speed: Speed, *, seconds: float, seed: int) -> dict[str, Any]:
    """The machine-readable result."""
    return {
        "benchmark": "quotes",
        "python": platform.python_version(),
        "seed": seed,
        "count": score.kinds.total(),
        "kinds": dict(score.kinds.most_common()),
        "outcomes": dict(score.outcomes.most_common()),
        "mismatches": len(score.mismatches),
        "mismatch_examples": score.mismatches[:10],
        "seconds": round(seconds, 1),
        "median_us": asdict(speed),
        "passed": not score.mismatches,
    }


def print_table(score: Score, speed: Speed, *, seconds: float) -> None:
    for title, counts in (("asked", score.kinds), ("outcome", score.outcomes)):
        for name, count in counts.most_common():
            print(f"{title:>8}  {name:<40} {count:>6}")
    print(f"{score.kinds.total()} in {seconds:.1f} s, {len(score.mismatches)} differ")
    for example in score.mismatches[:10]:
        print(f"  {example}")
    print(
        f"median for one v3 hop: ours {speed.ours:.0f} µs, QuoterV2 {speed.quoter_alone:.0f} µs "
        f"in a request of its own, {speed.quoter_batched:.0f} µs in a batch"
    )


if __name__ == "__main__":
    sys.exit(main())
