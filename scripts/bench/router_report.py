"""What the router's benchmark found, in figures: each as median, ninth decile, mean and most."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.venues._split import MOST_GAS

ASKED = {"gap_bp": 0.001, "units_per_path": 1, "quote_us": 50, "split_ms": 5}


@dataclass(frozen=True, slots=True)
class Row:
    """What one swap over one set of pools came to; losses in bp of the bought amount."""

    seed: int
    pools: int
    paths: int
    swaps: int
    free_paths: int  # as if gas cost nothing, and so are the next ones
    pairs_met_twice: int
    milliseconds: float  # of the processor, which other programs may share
    wall_milliseconds: float
    gap_bp: float  # of the continuous problem along the chosen pools, before any rounding
    whole_gap_bp: float  # the same over all pools
    units_per_path: float  # bound less whole units out, by the number of paths
    rounding_units_per_path: float  # of these, what the contracts' rounding took
    rounding_coarse_units_per_path: float  # the same in units of the path's coarsest token
    net_loss_single_bp: float | None  # against the bound after gas; None where no path takes all
    net_loss_grid_bp: float | None
    net_loss_bp: float
    gas: int  # of all that could be divided, however much the engine would let it take
    net_loss_within_gas_bp: float | None  # with what it lets it take; None where that is too little


def document(
    quotes: dict[str, Any], rows: Sequence[Row], *, law: str, skipped: int, seed: int
) -> dict[str, Any]:
    """The machine-readable result."""
    beaten = [row.seed for row in rows if row.gap_bp < 0 or row.net_loss_bp < 0]
    sets = {"law": law, "sets": len(rows), "sets_that_cannot_take_the_amount": skipped}
    return {
        "benchmark": "router",
        "python": platform.python_version(),
        "seed": seed,
        "asked": ASKED,
        "quotes": quotes,
        "splits": {**sets, **_splits(rows), **_within_gas(rows)},
        "bounds_beaten": beaten,
        "met": _met(quotes, rows),
        "passed": not beaten and quotes["mismatches"] == 0,
    }


def _once(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.pairs_met_twice]


def _met(quotes: dict[str, Any], rows: Sequence[Row]) -> dict[str, bool]:
    """Each figure that was asked for, and whether it was reached."""
    gap, units = spread([row.gap_bp for row in rows]), spread([row.units_per_path for row in rows])
    time = spread([row.milliseconds for row in rows])
    return {
        "no quote differs": quotes["mismatches"] == 0,
        "median gap before rounding": gap["median"] <= ASKED["gap_bp"],
        "every gap before rounding": gap["most"] <= ASKED["gap_bp"],
        "every gap where no v2 pair is met twice": all(
            row.gap_bp <= ASKED["gap_bp"] for row in _once(rows)
        ),
        "median units per path after rounding": units["median"] <= ASKED["units_per_path"],
        "median quote": quotes["median_us"]["ours"] <= ASKED["quote_us"],
        "median split": time["median"] <= ASKED["split_ms"],
    }


def _splits(rows: Sequence[Row]) -> dict[str, Any]:
    once = _once(rows)
    within = [row for row in rows if row.units_per_path <= ASKED["units_per_path"]]
    return {
        "pools": spread([row.pools for row in rows]),
        "paths": spread([row.paths for row in rows]),
        "milliseconds_of_the_processor": spread([row.milliseconds for row in rows]),
        "milliseconds_of_the_clock": spread([row.wall_milliseconds for row in rows]),
        "swaps": spread([row.swaps for row in rows]),
        "paths_if_gas_were_free": spread([row.free_paths for row in rows]),
        "gap_bp_along_the_chosen_pools": spread([row.gap_bp for row in rows]),
        "sets_above_asked_gap": sum(row.gap_bp > ASKED["gap_bp"] for row in rows),
        "sets_where_a_v2_pair_is_met_twice": len(rows) - len(once),
        "gap_bp_where_none_is": spread([row.gap_bp for row in once]),
        "gap_bp_over_all_pools": spread([row.whole_gap_bp for row in rows]),
        "units_per_path_after_rounding": spread([row.units_per_path for row in rows]),
        "the_same_where_no_pair_is_met_twice": spread([row.units_per_path for row in once]),
        "of_these_rounding_by_the_contracts": spread([row.rounding_units_per_path for row in rows]),
        "rounding_by_them_in_units_of_each_paths_coarsest_token": spread(
            [row.rounding_coarse_units_per_path for row in rows]
        ),
        "sets_within_asked_units": len(within),
        "loss_bp_against_the_bound_after_gas": compared(rows),
    }


def _within_gas(rows: Sequence[Row]) -> dict[str, Any]:
    """What it costs that no split may take more gas than the engine first simulates with.

    The losses beside it are those without that limit.
    """
    beyond = [row for row in rows if row.gas > MOST_GAS]
    limited = [(row.net_loss_within_gas_bp, row.net_loss_bp) for row in rows]
    return {
        "sets_beyond_the_most_gas": len(beyond),
        "sets_not_filled_within_it": sum(row.net_loss_within_gas_bp is None for row in beyond),
        "lost_by_the_most_gas_bp": spread([own - all_ for own, all_ in limited if own is not None]),
    }


def with_pools_of_v4(rows: Sequence[Row]) -> dict[str, Any]:
    """The same for sets where each v3 pool is one of V4 with probability 0.4.

    A split with one of those pays for another router and its permit, which no bound knows of.
    """
    return {
        "sets": len(rows),
        "paths": spread([row.paths for row in rows]),
        "milliseconds_of_the_processor": spread([row.milliseconds for row in rows]),
        "gap_bp_along_the_chosen_pools": spread([row.gap_bp for row in rows]),
        "sets_above_asked_gap": sum(row.gap_bp > ASKED["gap_bp"] for row in rows),
        "gap_bp_over_all_pools": spread([row.whole_gap_bp for row in rows]),
        "loss_bp_against_the_bound_after_gas": spread([row.net_loss_bp for row in rows]),
        "bounds_beaten": [row.seed for row in rows if row.gap_bp < 0 or row.net_loss_bp < 0],
    }


def compared(rows: Sequence[Row]) -> dict[str, Any]:
    """Losses side by side, over the sets that some single path can take alone."""
    whole = [
        (row.net_loss_single_bp, row.net_loss_grid_bp, row.net_loss_bp)
        for row in rows
        if row.net_loss_single_bp is not None and row.net_loss_grid_bp is not None
    ]
    single, grid, ours = zip(*whole, strict=True) if whole else ((), (), ())
    return {
        "sets": len(whole),
        "single_path": spread(single),
        "grid_of_5_percent": spread(grid),
        "ours": spread(ours),
        "ours_is_worse_than_the_grid_in": sum(
            mine > theirs + 1e-9 for mine, theirs in zip(ours, grid, strict=True)
        ),
        "ours_is_better_than_the_grid_in": sum(
            mine < theirs - 1e-9 for mine, theirs in zip(ours, grid, strict=True)
        ),
        "gained_over_the_grid_bp": spread([g - o for g, o in zip(grid, ours, strict=True)]),
        "ours_where_no_single_path_takes_all": spread(
            [row.net_loss_bp for row in rows if row.net_loss_single_bp is None]
        ),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, ninth decile, mean and the most."""
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "median": ordered[len(ordered) // 2],
        "p90": ordered[len(ordered) * 9 // 10],
        "mean": sum(ordered) / len(ordered),
        "most": ordered[-1],
    }


def print_table(result: dict[str, Any]) -> None:
    quotes, splits = result["quotes"], result["splits"]
    each = quotes["median_us"]["ours"]
    print(f"{quotes['count']} quotes, {quotes['mismatches']} differ, {each:.0f} µs each")
    print(f"{splits['sets']} sets of pools; median, p90, most:")
    losses = splits["loss_bp_against_the_bound_after_gas"]
    for name, some in (*splits.items(), *losses.items()):
        if isinstance(some, dict) and "median" in some:
            print(
                f"  {name:<50} {some['median']:>12.4g} {some['p90']:>12.4g} {some['most']:>12.4g}"
            )
    beside = result["smart_order_router"]
    if "skipped" in beside:
        print(f"smart-order-router: {beside['skipped']}")
    else:
        gained, took = beside["gained_bp"], beside["median_ms"]
        print(f"{len(beside['swaps'])} swaps beside {beside['version']}, on the local chain:")
        print(f"  gained over it, bp: {gained['least']:.3g} to {gained['most']:.3g}")
        print(f"  milliseconds: {took['ours']:.3g} and {took['its']:.4g}")
    for name, is_met in result["met"].items():
        print(f"{'met' if is_met else 'MISSED':>8}  {name}")
