"""Small networks, and the cheapest flow of each found by trying every choice there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise, product
from math import inf

import highspy
import numpy as np
from hypothesis import strategies as st

from agent.planning.network import Arc, Joint, Network, Range
from agent.planning.solver import run, solver


def arc(tail: int, head: int, *rates: float, step: float = 100.0, **more: object) -> Arc:
    """An arc whose ladder brings so much of each further step that is sold."""
    points = [(0.0, 0.0)]
    for rate in rates:
        points.append((points[-1][0] + step, points[-1][1] + rate * step))
    made = Arc(tail=tail, head=head, ladder=tuple(points), fixed=0.0)
    return replace(made, **more)  # type: ignore[arg-type]


def network(
    start: Sequence[float],
    arcs: Sequence[Arc],
    wanted: Sequence[tuple[float, float]],
    **more: object,
) -> Network:
    """A network whose nodes are all free and have a range each."""
    ranges = tuple(
        Range(nodes=frozenset({node}), low=low, high=high)
        for node, (low, high) in enumerate(wanted)
    )
    made = Network(start=tuple(start), free=tuple(start), arcs=tuple(arcs), ranges=ranges)
    return replace(made, **more)  # type: ignore[arg-type]


_rate = st.sampled_from([0.5, 0.9, 0.97, 0.99, 0.995, 0.999])


@st.composite
def ladders(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    rates = draw(st.lists(_rate, min_size=1, max_size=3))
    if draw(st.booleans()):
        rates.sort(reverse=True)
    step = draw(st.sampled_from([20.0, 75.0, 400.0]))
    points = [(0.0, 0.0)]
    for rate in rates:
        points.append((points[-1][0] + step, points[-1][1] + rate * step))
    return tuple(points[draw(st.integers(0, len(points) - 2)) :])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Networks of three or four nodes and at most four arcs."""
    count = draw(st.integers(3, 4))
    start = [float(draw(st.integers(0, 500))) for _ in range(count)]
    start[0] += 100.0
    ends = st.tuples(st.integers(0, count - 1), st.integers(1, count - 1))
    arcs = [
        Arc(
            tail=tail,
            head=(tail + further) % count,
            ladder=draw(ladders()),
            fixed=draw(st.sampled_from([0.0, 0.3, 4.0])),
            payer=payer,
            # Who sells nothing pays nothing, so nobody can pay fees only to own less.
            least=draw(st.sampled_from([0.0 if payer < 0 else 1.0, 15.0])),
            sure=draw(st.sampled_from([1.0, 1.0, 0.98])),
            via=draw(st.sampled_from(["", "a bridge"])),
            trade=draw(st.sampled_from([True, True, False])),
        )
        for payer in (-1, 0)[: draw(st.integers(1, 2))][-1:]
        for tail, further in draw(st.lists(ends, min_size=1, max_size=4))
    ]
    cut = draw(st.integers(1, count - 1))
    parts = [frozenset(range(cut)), frozenset(range(cut, count)), frozenset({count - 1})]
    ranges = []
    for nodes in parts[: draw(st.integers(1, 3))]:
        share = sum(start[node] for node in nodes) / sum(start)
        middle = share + draw(st.floats(-0.2, 0.2))
        width = draw(st.sampled_from([0.02, 0.1]))
        tolerance = draw(st.sampled_from([0.0, 3.0]))
        low, high = max(0.0, middle - width), max(0.01, min(1.0, middle + width))
        ranges.append(Range(nodes=nodes, low=low, high=high, tolerance=tolerance))
    return Network(
        start=tuple(start),
        free=tuple(value * draw(st.sampled_from([0.5, 1.0, 1.0])) for value in start),
        arcs=tuple(arcs),
        ranges=tuple(ranges),
        max_turnover=draw(st.sampled_from([float("inf"), 150.0])),
        max_in_flight=draw(st.sampled_from([float("inf"), float("inf"), 60.0])),
        max_legs=draw(st.sampled_from([None, None, 2])),
    )


@st.composite
def charged_networks(draw: st.DrawFn) -> Network:
    """The same where some ranges have targets that it costs to be away from."""
    of = draw(networks())
    ranges = [
        replace(
            each,
            target=min(1.0, each.low + draw(st.floats(0, 1)) * (each.high - each.low)),
            rate=draw(st.sampled_from([0.0, 1e-4, 0.02, 0.1, 0.5])),
        )
        for each in of.ranges
    ]
    return replace(of, ranges=tuple(ranges))


@st.composite
def sharing(draw: st.DrawFn) -> Network:
    """Networks some of whose arcs bring no more than so much together, and waste the rest."""
    of = draw(networks())
    arcs = of.arcs[:3]
    mine = range(draw(st.integers(1, len(arcs))))
    heads = sorted({arcs[place].head for place in mine})
    prices = [draw(st.sampled_from([0.97, 1.0, 1.01])) for _ in of.start]
    kept = draw(st.sampled_from([0.0, 0.0, 0.5]))
    wastes = [
        Arc(
            tail=head,
            head=len(of.start) + number,
            ladder=((0.0, 0.0), (60.0, 60.0 * kept)),
            fixed=0.0,
            sure=1.01 if kept else 1.0,
            trade=False,
        )
        for number, head in enumerate(heads)
    ]
    terms = [(p, -prices[arcs[p].tail], prices[arcs[p].head], 0.0) for p in mine]
    terms += [(len(arcs) + n, -prices[head], prices[head], 0.0) for n, head in enumerate(heads)]
    return replace(
        of,
        start=(*of.start, *(0.0 for _ in heads)),
        free=(*of.free, *(0.0 for _ in heads)),
        arcs=(*arcs, *wastes),
        ranges=tuple(
            replace(
                each,
                nodes=each.nodes
                | {len(of.start) + n for n, head in enumerate(heads) if head in each.nodes},
            )
            for each in of.ranges
        ),
        joints=(Joint(terms=tuple(terms), most=draw(st.sampled_from([0.0, 0.2, 2.0]))),),
    )


@st.composite
def apart(draw: st.DrawFn) -> Network:
    """Networks of some of whose arcs only one may be used.

    Two of these lead the same way at prices that fall, and what is wanted is more than one sells at
    its best: whoever does not know that they stand apart uses both.
    """
    of = draw(networks())
    others = of.arcs[:2]
    step = draw(st.sampled_from([60.0, 150.0]))
    steep = arc(0, draw(st.integers(1, len(of.start) - 1)), 0.999, 0.9, step=step)
    twins = [replace(steep, fixed=fixed) for fixed in (0.0, draw(st.sampled_from([0.0, 0.3])))]
    more = draw(st.sets(st.integers(0, len(others) - 1), max_size=1))
    whole = sum(of.start) + 400.0
    group = sorted({*more, len(others), len(others) + 1})
    low = step * draw(st.sampled_from([0.8, 1.2, 1.7])) / whole
    return replace(
        of,
        start=(of.start[0] + 400.0, *of.start[1:]),
        free=(of.free[0] + 400.0, *of.free[1:]),
        arcs=(*others, *twins),
        ranges=(Range(nodes=frozenset({steep.head}), low=low, high=1.0),),
        joints=(Joint(terms=tuple((place, 0.0, 0.0, whole) for place in group), most=whole),),
        max_turnover=inf,
        max_legs=None,
    )


class Truth:
    """Every choice of arcs, and of the straight part of each ladder they are used in."""

    def __init__(self, of: Network) -> None:
        parts = [list(_parts(each)) for each in of.arcs]
        lines = [_Line(of, choice) for choice in product(*parts) if not _circular(of, choice)]
        tried = [(line.least("missed"), line) for line in lines]
        self._tried = [(missed, line) for missed, line in tried if missed is not None]
        self.missed = min(missed for missed, _ in self._tried)

    def cost(self, missed: float) -> float:
        """The least that a flow costs that misses ranges by no more than *missed*."""
        costs = [line.least("cost", missed) for least, line in self._tried if least <= missed]
        return min(cost for cost in costs if cost is not None)


_Part = tuple[float, float, float, float] | None
"""From where to where a straight part reaches, its slope and its height at nothing sold."""


def _parts(each: Arc) -> Iterator[_Part]:
    yield None
    for (x0, f0), (x1, f1) in pairwise(each.ladder):
        low = max(x0, each.least)
        if low <= x1:
            slope = (f1 - f0) / (x1 - x0)
            yield low, x1, slope, f0 - slope * x0


def _circular(of: Network, choice: Sequence[_Part]) -> bool:
    used = [each for each, part in zip(of.arcs, choice, strict=True) if part]
    while True:
        heads = {each.head for each in used}
        left = [each for each in used if each.tail in heads]
        if len(left) == len(used):
            return bool(left)
        used = left


class _Line:
    """The linear program of one choice: what is sold, then what ranges are missed by."""

    def __init__(self, of: Network, choice: Sequence[_Part]) -> None:
        arcs = [(each, part) for each, part in zip(of.arcs, choice, strict=True) if part]
        self.arcs, self.of = arcs, of
        nodes, count = len(of.start), len(arcs)
        after, free, sure = (np.zeros((nodes, count + 1)) for _ in range(3))
        after[:, -1], free[:, -1], sure[:, -1] = of.start, of.free, of.start
        for place, (each, (_, _, slope, height)) in enumerate(arcs):
            for rows, part in ((after, 1.0), (free, 1.0), (sure, each.sure)):
                rows[each.tail, place] -= 1.0
                rows[each.head, place] += part * slope
                rows[each.head, -1] += part * height
            if each.payer >= 0:
                after[each.payer, -1] -= each.fixed
                sure[each.payer, -1] -= each.fixed
        self.lines: list[tuple[list[float], float, float]] = []
        inf = float("inf")
        for row in free:
            self._add(row, 0, 0.0, inf)
        whole = after.sum(axis=0)
        for number, wanted in enumerate(of.ranges):
            members = sorted(wanted.nodes)
            low = sure[members].sum(axis=0) - wanted.low * whole
            high = after[members].sum(axis=0) - wanted.high * whole
            self._add(low, number + 1, -wanted.tolerance, inf)
            self._add(high, -number - 1, -inf, wanted.tolerance)
        trades = np.array([float(each.trade) for each, _ in arcs] + [0.0])
        flights = np.array([float(bool(each.via)) for each, _ in arcs] + [0.0])
        self._add(trades, 0, -inf, of.max_turnover)
        self._add(flights, 0, -inf, of.max_in_flight)
        place = {id(each): number for number, (each, _) in enumerate(arcs)}
        for joint in of.joints:
            row = np.zeros(count + 1)
            for number, per_sold, per_brought, per_use in joint.terms:
                at = place.get(id(of.arcs[number]))
                if at is not None:
                    _, _, slope, height = arcs[at][1]
                    row[at] += per_sold + per_brought * slope
                    row[-1] += per_brought * height + per_use
            self._add(row, 0, -inf, joint.most)
        self.legs = trades.sum()
        losses = [1.0 - slope for _, (_, _, slope, _) in arcs]
        self.cost = [*losses, *(0.0 for _ in of.ranges)]
        self.flat = sum(each.fixed - part[3] for each, part in arcs)
        self.curve = [each.rate / sum(of.start) for each in of.ranges if each.rate > 0]
        self.off = [
            after[sorted(each.nodes)].sum(axis=0) - each.target * whole
            for each in of.ranges
            if each.rate > 0
        ]

    def _add(self, row: np.ndarray, missed: int, low: float, high: float) -> None:  # type: ignore[type-arg]
        extra = [0.0] * len(self.of.ranges)
        if missed:
            extra[abs(missed) - 1] = 1.0 if missed > 0 else -1.0
        constant = float(row[-1])
        self.lines.append(([*row[:-1].tolist(), *extra], low - constant, high - constant))

    def least(self, what: str, most_missed: float = float("inf")) -> float | None:
        """The least that is missed or that it costs; None when the choice is impossible."""
        if self.of.max_legs is not None and self.legs > self.of.max_legs:
            return None
        of_missed = [0.0] * len(self.arcs) + [1.0] * len(self.of.ranges)
        lines = [*self.lines, (of_missed, float("-inf"), most_missed)]
        if what == "cost" and self.curve:
            return self._charged(lines)
        width = len(of_missed)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = width, len(lines)
        model.col_cost_ = np.array(self.cost if what == "cost" else of_missed)
        none = [0.0] * len(self.of.ranges)
        model.col_lower_ = np.array([part[0] for _, part in self.arcs] + none)
        model.col_upper_ = np.array([p[1] for _, p in self.arcs] + [float("inf") for _ in none])
        model.row_lower_ = np.array([low for _, low, _ in lines])
        model.row_upper_ = np.array([high for _, _, high in lines])
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.arange(len(lines) + 1) * width
        model.a_matrix_.index_ = np.tile(np.arange(width), len(lines))
        model.a_matrix_.value_ = np.array(list(chain(*(row for row, _, _ in lines))))
        asked = solver()
        asked.setOptionValue("primal_feasibility_tolerance", 1e-9)
        asked.passModel(model)
        run(asked)
        if asked.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        value = float(asked.getInfo().objective_function_value)
        return value + self.flat if what == "cost" else value

    def _charged(self, lines: Sequence[tuple[list[float], float, float]]) -> float | None:
        """The least that it costs with what distances from targets cost.

        Tangents are added where the last answer was until they are as high as the squares there.
        """
        arcs, ranges, own = len(self.arcs), len(self.of.ranges), len(self.curve)
        first, inf, whole = arcs + ranges, float("inf"), sum(self.of.start)
        asked = solver()
        lower = [*(part[0] for _, part in self.arcs), *([0.0] * (ranges + own)), *([-inf] * own)]
        upper = [*(part[1] for _, part in self.arcs), *([inf] * (ranges + 2 * own))]
        cost = np.array([*self.cost, *([1.0] * own), *([0.0] * own)])
        none = np.zeros(0, dtype=np.int32)
        blank, count = np.zeros(len(cost), dtype=np.int32), len(cost)
        asked.addCols(count, cost, np.array(lower), np.array(upper), 0, blank, none, np.zeros(0))

        def add(row: dict[int, float], low: float, high: float) -> None:
            places = np.array([*row], dtype=np.int32)
            asked.addRow(low, high, len(row), places, np.array([*row.values()]))

        def tangent(place: int, at: float) -> None:
            slope = 2 * self.curve[place] * at
            add({first + place: 1.0, first + own + place: -slope}, -slope * at / 2, inf)

        for row, low, high in lines:
            add(dict(enumerate(row)), low, high)
        for place, off in enumerate(self.off):
            known = -float(off[-1])
            add({**dict(enumerate(off[:-1].tolist())), first + own + place: -1.0}, known, known)
            for part in np.linspace(-0.5, 0.5, 21).tolist():
                tangent(place, part * whole)
        for _ in range(30):
            run(asked)
            if asked.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
            values = np.array(asked.getSolution().col_value)
            ends = values[first + own :]
            missing = np.array(self.curve) * ends**2 - values[first : first + own]
            if missing.sum() <= 1e-9 * whole:
                break
            for place in range(own):
                tangent(place, float(ends[place]))
        return float(asked.getInfo().objective_function_value) + self.flat
