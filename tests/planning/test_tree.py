"""The tree of choices finds what a general solver finds, and what it proves is true."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from networks import charged_networks, network, networks, sharing

from agent.planning.coupling import Coupling, coupling
from agent.planning.majorant import hull
from agent.planning.master import Master
from agent.planning.network import Arc, Network, Range
from agent.planning.outline import outlined
from agent.planning.program import Program
from agent.planning.shares import shares
from agent.planning.sizes import Sizes, sizes
from agent.planning.table import Table, table
from agent.planning.tree import Floor, Tree

NEAR = 1e-6
"""How well two searches agree, by the part of the whole: the solver's tolerances."""


@dataclass(frozen=True)
class Case:
    """A network as the searches see it while no more than a part of it may be lost."""

    table: Table
    shared: Coupling
    sizes: Sizes
    lost: float

    @property
    def near(self) -> float:
        return NEAR * self.table.whole

    def best(self) -> float | None:
        """What a general solver says that the cheapest mixture costs."""
        program = Program(self.shared, self.sizes, self.sizes.fresh)
        program.option("mip_rel_gap", 0.0)
        answer = program.solve()
        return None if answer is None else answer.value

    def tree(self, found: Sizes | None = None, floors: tuple[Floor, ...] = ()) -> Tree:
        chosen = self.sizes if found is None else found
        return Tree(self.shared, chosen, chosen.fresh, floors=floors)

    def floors(self) -> tuple[Floor, ...]:
        relaxed = Master(self.shared, self.sizes, self.table.fixed).solve(rounds=200, slopes=0)
        if relaxed is None or relaxed.missed > 0:
            return ()
        parts = shares(self.table, self.shared, self.sizes)
        return parts.gains(relaxed, near=np.inf, most_lost=self.lost, nodes=100)[1]


def case(of: Network, lost: float = 0.3) -> Case:
    arrays = table(of)
    shared = coupling(arrays, lost * arrays.whole, elastic=False)
    return Case(arrays, shared, sizes(hull(arrays), shared), lost * arrays.whole)


ENOUGH = {"gap": 0.0, "nodes": 10_000, "seconds": np.inf}


@settings(max_examples=60)
@given(networks() | sharing() | charged_networks(), st.booleans())
def test_it_finds_what_a_general_solver_finds(of: Network, known: bool) -> None:
    seen = case(of)
    best, answer = seen.best(), seen.tree().search(most=np.inf, known=known, **ENOUGH)
    event("possible" if best is not None else "impossible")
    if best is None:
        assert answer is None or not answer.used.any()
    else:
        assert answer is not None
        assert pytest.approx(best, abs=seen.near) == answer.value
        assert pytest.approx(best, abs=seen.near) == answer.bound
        assert {0.0, 1.0} >= set(np.round(answer.used, 6).tolist())


@settings(max_examples=60)
@given(networks() | sharing(), st.integers(0, 6), st.sampled_from([0.0, 1e-3, 0.1]))
def test_what_a_short_search_proves_is_true(of: Network, nodes: int, most: float) -> None:
    """Few linear programs, outlines in the place of ladders, and floors: never above the truth."""
    seen = case(of)
    best = seen.best()
    near = np.zeros(len(seen.table.tail))
    rough = outlined(
        seen.sizes, seen.shared, seen.sizes.fresh, near=near, most=most * seen.table.whole
    )
    tree = seen.tree(rough, seen.floors())
    answer = tree.search(most=np.inf, gap=1e-3, nodes=nodes, seconds=np.inf, known=False)
    if best is not None:
        assert answer is not None
        assert answer.bound <= best + seen.near
        assert answer.bound <= answer.value


@settings(max_examples=30)
@given(networks())
def test_floors_forbid_nothing(of: Network) -> None:
    seen = case(of)
    best, floors = seen.best(), seen.floors()
    event("floors" if floors else "none")
    if best is not None:
        answer = seen.tree(floors=floors).search(most=np.inf, **ENOUGH)
        assert answer is not None
        assert pytest.approx(best, abs=seen.near) == answer.value


def level(tail: int, head: int, fixed: float) -> Arc:
    """An arc that only costs to be used."""
    return Arc(tail=tail, head=head, ladder=((0, 0), (500, 500)), fixed=fixed)


TWO_WAYS = case(network((700, 300), [level(0, 1, 3.0), level(0, 1, 2.0)], [(0.0, 0.5), (0.0, 1.0)]))
"""200 must go: 2 are paid for that, at the best."""


def test_nothing_is_looked_for_that_costs_as_much_as_what_is_known() -> None:
    best = TWO_WAYS.best()
    assert best is not None
    for most, found in ((1.01 * best, True), (best, False), (0.5 * best, False)):
        answer = TWO_WAYS.tree().search(most=most, **ENOUGH)
        assert answer is not None
        assert (found, pytest.approx(min(best, most))) == (answer.used.any(), answer.bound)


def test_a_cheaper_flow_within_the_gap_is_not_looked_for() -> None:
    best = TWO_WAYS.best()
    assert best is not None
    answer = TWO_WAYS.tree().search(most=1.1 * best, gap=0.2, nodes=100, seconds=np.inf)
    assert answer is not None
    assert (False, pytest.approx(0.88 * best)) == (answer.used.any(), answer.bound)


def test_of_a_group_of_arcs_one_is_left() -> None:
    best = TWO_WAYS.best()
    assert best is not None
    tree = Tree(
        TWO_WAYS.shared,
        TWO_WAYS.sizes,
        TWO_WAYS.sizes.fresh,
        groups=[np.array([0], dtype=np.int64)],
    )
    answer = tree.search(most=np.inf, **ENOUGH)
    assert answer is not None
    assert pytest.approx(1.5 * best) == answer.value


def test_no_time_is_no_answer_but_what_the_first_prices_prove() -> None:
    answer = TWO_WAYS.tree().search(most=np.inf, gap=0.0, nodes=100, seconds=0.0)
    best = TWO_WAYS.best()
    assert (answer is not None, best is not None) == (True, True)
    assert answer.bound <= best  # type: ignore[union-attr, operator]
    assert not answer.used.any()  # type: ignore[union-attr]


THREE_PLACES = case(
    replace(
        network((100, 100, 100, 500), [level(0, 3, 5.0), level(1, 3, 5.0), level(2, 3, 5.0)], []),
        ranges=(Range(nodes=frozenset({0, 1, 2}), low=0.0, high=0.1875),),
    )
)
"""To sell 150 of what lies in three places two legs are needed; one and a half would do."""


def test_of_what_the_solver_does_not_tell_the_parents_cost_is_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = THREE_PLACES.tree().search(most=np.inf, gap=0.0, nodes=0, seconds=np.inf)
    best, tree = THREE_PLACES.best(), THREE_PLACES.tree()
    asked = iter([True])
    monkeypatch.setattr(
        Tree, "_tells", lambda each, tells=Tree._tells: tells(each) and next(asked, False)
    )
    answer = tree.search(most=np.inf, **ENOUGH)
    assert best is not None
    assert first is not None
    assert answer is not None
    assert not answer.used.any()
    assert pytest.approx(first.bound) == answer.bound
    assert answer.bound < best - 1.0
