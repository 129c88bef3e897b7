"""Swaps make a flow cheaper by one arc more, one less, or one instead of another."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from networks import arc, network, networks

from agent.planning.budget import Budget
from agent.planning.coupling import coupling
from agent.planning.flowcost import outcome
from agent.planning.majorant import hull
from agent.planning.milp import solve
from agent.planning.network import Arc, Network
from agent.planning.sizes import sizes
from agent.planning.swaps import Swaps
from agent.planning.table import table


def improved(of: Network, used: tuple[int, ...], tries: int = 100) -> tuple[int, ...] | None:
    """Which arcs are used after swaps from a flow over some arcs."""
    arrays = table(of)
    shared = coupling(arrays, 0.5 * arrays.whole, elastic=False)
    every = np.ones(len(arrays.tail), dtype=np.bool_)
    swaps = Swaps(arrays, shared, sizes(hull(arrays), shared), every)
    found = swaps.improved(np.isin(arrays.origin, used), tries)
    if found is None:
        return None
    sold, left = found
    assert 0 <= left <= tries
    assert outcome(arrays, sold).fits
    assert 0 == outcome(arrays, sold).missed
    return tuple(sorted(arrays.origin[sold > 0].tolist()))


def level(tail: int, head: int, fixed: float) -> Arc:
    """An arc that only costs to be used."""
    return Arc(tail=tail, head=head, ladder=((0, 0), (500, 500)), fixed=fixed)


PAIR = [(0.0, 0.5), (0.0, 1.0)]


def test_a_cheaper_arc_is_used_instead() -> None:
    of = network((700, 300), [level(0, 1, 3.0), level(0, 1, 1.0), level(0, 1, 2.0)], PAIR)
    assert (1,) == improved(of, (0,))
    assert (0,) == improved(of, (0,), tries=0)


def test_an_arc_that_is_not_needed_is_left() -> None:
    of = network((700, 300), [level(0, 1, 3.0), level(0, 1, 1.0)], PAIR)
    assert (1,) == improved(of, (0, 1))


def test_an_arc_is_added_where_another_gets_steep() -> None:
    steep = [arc(0, 1, 0.99, 0.99, 0.6, 0.6, 0.6, fixed=0.1) for _ in range(2)]
    of = network((800, 200), steep, PAIR)
    assert (0, 1) == improved(of, (0,))


def test_arcs_that_are_no_flow_are_left_to_others() -> None:
    of = network((700, 300), [level(0, 1, 3.0), level(1, 0, 1.0)], PAIR)
    assert None is improved(of, (1,))


def test_no_swap_leads_round() -> None:
    gains = [arc(0, 1, 1.02), arc(1, 2, 1.02), arc(2, 0, 1.02)]
    of = network((500, 300, 200), gains, [(0, 0.45), (0, 1), (0, 1)])
    found = improved(of, (0,))
    assert found in {(0,), (0, 1), (0, 2)}


@settings(max_examples=40)
@given(networks())
def test_swaps_never_make_a_flow_dearer(of: Network) -> None:
    without, found = (solve(of, budget=Budget(most_arcs=0, swaps=tries)) for tries in (0, 100))
    assert found.missed <= without.missed + 1e-8 * sum(of.start)
    if found.missed == without.missed == 0:
        assert found.cost <= without.cost + 1e-6
        assert found.bound <= without.cost + 1e-6 * sum(of.start)
