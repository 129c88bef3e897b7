"""Kill processes while money is between chains, let others follow, and count every base unit.

    python scripts/bench/waits.py --json > waits.json
    python scripts/bench/waits.py --only "comes late" never

Each variant is one wallet on the three local chains, one plan with a leg for each of its transfers,
and real `rebalancer` processes: `run` is killed with SIGKILL once every deposit is confirmed and
nothing of ours is to be done, then others do what the variant is named for, and `resume` goes on,
is killed again where the variant says so, and ends. At the end the blocks themselves are read: one
deposit for each leg, each claim once, nothing unexplained, and every balance is what it was before
and the transfers and fees make of it, to the base unit. Ends with 1 when any of that is broken.
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
CACHE = platformdirs.user_cache_path("rebalancer")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", nargs="+", default=[], help="these variants only")
    chosen = parser.parse_args()
    sys.path[:0] = [str(TESTS / "engine"), str(TESTS)]
    from wait_variants import VARIANTS

    began = time.monotonic()
    variants = [each for each in VARIANTS if not chosen.only or each.name in chosen.only]
    with open_worlds(CACHE) as worlds:
        rows = [row for each in variants for row in lived_through(worlds, each, chosen.json)]
    body = {
        "benchmark": "waits",
        "transfers": len(rows),
        "kills": sum(row["kills"] for row in {row["variant"]: row for row in rows}.values()),
        "passed": not any(row["broken"] for row in rows),
        "seconds": round(time.monotonic() - began),
        "rows": rows,
    }
    if chosen.json:
        print(json.dumps(body, indent=1))
    else:
        print(f"{len(rows)} transfers, {body['kills']} kills, {body['seconds']} s")
    return 0 if body["passed"] else 1


def lived_through(worlds: Worlds, variant: Any, quiet: bool) -> list[dict[str, Any]]:  # noqa: FBT001
    """A row for each transfer of a variant."""
    from wait_variants import PASSAGES, lived

    began = time.monotonic()
    found, broken = None, None
    try:
        found = lived(worlds, CACHE, variant)
    except AssertionError as error:
        broken = str(error)[:2_000] or repr(error.__traceback__)
    seconds = round(time.monotonic() - began)
    rows = []
    for name in variant.passages:
        row = {
            "bridge": PASSAGES[name].via,
            "transfer": name,
            "variant": variant.name,
            "outcome": "came back" if variant.back else "arrived",
            "kills": 0 if found is None else len(found.kills),
            "processes": 0 if found is None else len(found.processes),
            "deposits": 0 if found is None else 1,
            "claims": PASSAGES[name].claims if not variant.back else 0,
            "seconds": seconds,
            "broken": broken,
        }
        rows.append(row)
        if not quiet:
            print(
                f"{row['bridge']:<19}{name:<24}{variant.name:<22}"
                f"{broken or row['outcome']}, {row['kills']} kills, {seconds} s"
            )
    return rows


if __name__ == "__main__":
    sys.exit(main())
