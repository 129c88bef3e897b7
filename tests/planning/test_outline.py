"""Fewer sizes hold all that many do, and bring more by no more than they may."""

from __future__ import annotations

import highspy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import networks

from agent.planning.coupling import coupling
from agent.planning.majorant import hull
from agent.planning.network import Arc, Network
from agent.planning.outline import outlined
from agent.planning.sizes import Sizes, sizes
from agent.planning.solver import solver
from agent.planning.table import table

POINTS = np.linspace(0.0, 400.0, 41)
CURVED = Arc(
    tail=0,
    head=1,
    ladder=tuple((float(x), float(x - 1e-4 * x * x)) for x in POINTS),
    fixed=0.0,
)
"""400 sold bring 384, every further dollar less."""


def of_one(arc: Arc) -> Network:
    return Network(start=(1000.0, 0.0), free=(1000.0, 0.0), arcs=(arc,), ranges=())


def is_mixture(found: Sizes, arc: int, point: np.ndarray) -> bool:
    """Whether sizes mix to what is sold and brought, with no more beyond room."""
    some = found.fresh[arc]
    columns = np.column_stack([found.sold[arc, some], found.brought[arc, some]])
    beyond = found.beyond[:, arc, some]
    made = solver()
    count = int(some.sum())
    made.addVars(count, np.zeros(count), np.ones(count))
    which = np.arange(count, dtype=np.int32)
    size = max(1.0, float(np.abs(point).max()))
    made.addRow(1.0, 1.0, count, which, np.ones(count))
    for axis in range(2):
        exact = point[axis] / size
        made.addRow(exact - 1e-7, exact + 1e-7, count, which, columns[:, axis] / size)
    for kind in range(3):
        made.addRow(-np.inf, point[2 + kind] / size + 1e-7, count, which, beyond[kind] / size)
    made.run()
    return bool(made.getModelStatus() == highspy.HighsModelStatus.kOptimal)


@settings(max_examples=40)
@given(networks(), st.sampled_from([0.0, 1e-3, 0.1, 1.0]), st.data())
def test_every_size_is_a_mixture_of_the_fewer(
    of: Network, most: float, data: st.DataObject
) -> None:
    arrays = table(of)
    assume(len(arrays.tail))
    shared = coupling(arrays, 0.3 * arrays.whole, elastic=False)
    many = sizes(hull(arrays), shared)
    # Also where some between them are not offered.
    kept = data.draw(
        st.lists(st.booleans(), min_size=many.sold.shape[1], max_size=many.sold.shape[1])
    )
    offered = many.fresh & np.array(kept)[None, :]
    few = outlined(many, shared, offered, near=np.zeros(len(offered)), most=most * arrays.whole)
    assert offered.any(axis=1).tolist() == few.fresh.any(axis=1).tolist()
    for arc, place in np.argwhere(offered).tolist():
        point = np.r_[many.sold[arc, place], many.brought[arc, place], many.beyond[:, arc, place]]
        assert is_mixture(few, arc, point)


@pytest.mark.parametrize("most", [1e-3, 0.05, 1.0])
def test_no_corner_is_above_the_ladder_by_more_than_it_may(most: float) -> None:
    arrays = table(of_one(CURVED))
    many = sizes(hull(arrays), shared := coupling(arrays, arrays.whole, elastic=False))
    few = outlined(many, shared, many.fresh, near=np.zeros(1), most=most * arrays.scale)
    above = few.brought - arrays.brought_by(
        few.sold[0], np.zeros(few.sold.shape[1], dtype=np.int64)
    )
    assert above.max() <= most * arrays.scale * (1 + 1e-9)
    assert above.min() >= -1e-9


def test_the_more_it_may_be_above_the_fewer_there_are() -> None:
    arrays = table(of_one(CURVED))
    many = sizes(hull(arrays), shared := coupling(arrays, arrays.whole, elastic=False))
    counts = [
        int(outlined(many, shared, many.fresh, near=np.zeros(1), most=m * arrays.scale).fresh.sum())
        for m in (0.0, 0.05, 1.0, 100.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert (int(many.fresh.sum()), 3) == (counts[0], counts[-1])


def test_a_good_flows_size_is_touched() -> None:
    arrays = table(of_one(CURVED))
    many = sizes(hull(arrays), shared := coupling(arrays, arrays.whole, elastic=False))
    size = 150.0 * arrays.scale
    few = outlined(many, shared, many.fresh, near=np.array([size]), most=100.0 * arrays.scale)
    assert pytest.approx(0.0) == np.abs(few.sold[0] - size).min()
