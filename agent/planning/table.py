"""A network as arrays, in an order of its own that does not depend on how it was numbered."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agent.planning.network import Network

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_WHOLE = 10_000.0
"""About what the whole is scaled to: the solver's absolute tolerances are far below a bp of it."""

_REFINEMENTS = 3
"""Rounds in which nodes are told apart by their neighbours; those left alike are exchangeable."""


class Joints(NamedTuple):
    """What arcs may do together: entries by row, arc, per sold, per brought and per use, then the
    rows' most."""

    row: Ints
    arc: Ints
    per_sold: Floats
    per_brought: Floats
    per_use: Floats
    most: Floats

    def beyond(self, arcs: Ints, sold: Floats, brought: Floats) -> Floats:
        """By row what is too much when these *arcs*, in order, sell and bring so much."""
        on = np.isin(self.arc, arcs)
        at = np.searchsorted(arcs, self.arc[on])
        done = self.per_sold[on] * sold[at] + self.per_brought[on] * brought[at] + self.per_use[on]
        return np.bincount(self.row[on], weights=done, minlength=len(self.most)) - self.most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Arcs by row, nodes and ranges by number; money is multiplied by `scale`.

    `origin` is each arc's position in the network. `sold` and `brought` are the exact ladders,
    each row filled up with its last point; `least` includes where a ladder begins. Arcs that
    nothing can be sold on are left out.
    """

    scale: float
    origin: Ints
    tail: Ints
    head: Ints
    payer: Ints
    fixed: Floats
    least: Floats
    most: Floats
    sure: Floats
    bridge: Bools
    trade: Bools
    sold: Floats
    brought: Floats
    start: Floats
    free: Floats
    low: Floats
    high: Floats
    tolerance: Floats
    target: Floats
    rate: Floats
    member: Bools
    max_turnover: float
    max_in_flight: float
    max_legs: float
    joint: Joints

    @property
    def whole(self) -> float:
        """The value of all nodes."""
        return float(self.start.sum())

    @property
    def inside(self) -> Floats:
        """The value of each range."""
        return self.member @ self.start

    @property
    def wastes(self) -> Bools:
        """The arcs on which what arcs may not bring together is wasted."""
        found = np.zeros(len(self.tail), dtype=np.bool_)
        found[self.joint.arc] = True
        return found & ~self.trade

    def brought_by(self, sold: Floats, rows: Ints | None = None) -> Floats:
        """What the arcs (those of *rows*) bring for what is sold, by the exact ladders."""
        xs, fs = (
            (self.sold, self.brought) if rows is None else (self.sold[rows], self.brought[rows])
        )
        return along(xs, fs, sold)


def along(xs: Floats, fs: Floats, at: Floats) -> Floats:
    """The height of each row's broken line at one place; its ends hold beyond them."""
    right = np.clip((xs < at[:, None]).sum(axis=1), 1, xs.shape[1] - 1)
    rows = np.arange(len(xs))
    x0, x1 = xs[rows, right - 1], xs[rows, right]
    f0, f1 = fs[rows, right - 1], fs[rows, right]
    width = np.where(x1 > x0, x1 - x0, 1.0)
    part = np.clip(np.where(x1 > x0, (at - x0) / width, 0.0), 0.0, 1.0)
    return np.asarray(f0 + part * (f1 - f0))


def table(network: Network) -> Table:
    """The arrays of a network."""
    whole = sum(network.start)
    scale = 2.0 ** round(float(np.log2(_WHOLE / whole))) if whole > 0 else 1.0
    arcs = network.arcs
    width = max((len(arc.ladder) for arc in arcs), default=1) + 1
    points = np.array([_padded(arc.ladder, width) for arc in arcs], dtype=np.float64).reshape(
        len(arcs), width, 2
    )
    sold, brought = points[:, :, 0] * scale, points[:, :, 1] * scale
    least = np.maximum(_column(arcs, "least") * scale, sold[:, 0])
    trade = np.array([arc.trade for arc in arcs], dtype=np.bool_)
    most = np.where(trade, np.minimum(sold[:, -1], network.max_turnover * scale), sold[:, -1])
    bridge = np.array([bool(arc.via) for arc in arcs], dtype=np.bool_)
    most = np.where(bridge, np.minimum(most, network.max_in_flight * scale), most)
    member = np.zeros((len(network.ranges), len(network.start)), dtype=np.bool_)
    for row, each in enumerate(network.ranges):
        member[row, sorted(each.nodes)] = True
    usable = (most > 0) & (most >= least)
    order = np.flatnonzero(usable)
    order = order[_canonical(network, member, order, sold, brought)]
    return Table(
        scale=scale,
        origin=order,
        tail=_whole(arcs, "tail")[order],
        head=_whole(arcs, "head")[order],
        payer=_whole(arcs, "payer")[order],
        fixed=(_column(arcs, "fixed") * scale)[order],
        least=least[order],
        most=most[order],
        sure=_column(arcs, "sure")[order],
        bridge=bridge[order],
        trade=trade[order],
        sold=sold[order],
        brought=brought[order],
        start=np.array(network.start, dtype=np.float64) * scale,
        free=np.array(network.free, dtype=np.float64) * scale,
        low=np.array([each.low for each in network.ranges], dtype=np.float64),
        high=np.array([each.high for each in network.ranges], dtype=np.float64),
        tolerance=np.array([each.tolerance for each in network.ranges], dtype=np.float64) * scale,
        target=_column(network.ranges, "target"),
        rate=_column(network.ranges, "rate"),
        member=member,
        max_turnover=network.max_turnover * scale,
        max_in_flight=network.max_in_flight * scale,
        max_legs=inf if network.max_legs is None else float(network.max_legs),
        joint=_joints(network, order, scale),
    )


def _joints(network: Network, order: Ints, scale: float) -> Joints:
    place = {int(arc): row for row, arc in enumerate(order)}
    found = [
        (row, place[arc], per_sold, per_brought, per_use * scale)
        for row, joint in enumerate(network.joints)
        for arc, per_sold, per_brought, per_use in joint.terms
        if arc in place
    ]
    rows, arcs, sold, brought, used = zip(*found, strict=True) if found else ((),) * 5
    most = [joint.most * scale for joint in network.joints]
    return Joints(
        np.array(rows, dtype=np.int64),
        np.array(arcs, dtype=np.int64),
        np.array(sold, dtype=np.float64),
        np.array(brought, dtype=np.float64),
        np.array(used, dtype=np.float64),
        np.array(most, dtype=np.float64),
    )


def _padded(ladder: tuple[tuple[float, float], ...], width: int) -> tuple[tuple[float, float], ...]:
    return ladder + (ladder[-1],) * (width - len(ladder))


def _column(arcs: Any, name: str) -> Floats:
    return np.array([getattr(arc, name) for arc in arcs], dtype=np.float64)


def _whole(arcs: Any, name: str) -> Ints:
    return np.array([getattr(arc, name) for arc in arcs], dtype=np.int64)


def _canonical(network: Network, member: Bools, order: Ints, sold: Floats, brought: Floats) -> Ints:
    """The order of the arcs by what they are and what they lead to, not by their numbers."""
    arcs = [network.arcs[index] for index in order]
    tail, head, payer = (_whole(arcs, name) for name in ("tail", "head", "payer"))
    kind = (
        _ranks(
            np.column_stack(
                [
                    *(_column(arcs, name) for name in ("fixed", "least", "sure")),
                    [bool(arc.via) for arc in arcs],
                    [arc.trade for arc in arcs],
                    sold[order],
                    brought[order],
                ]
            )
        )
        if arcs
        else np.zeros(0, dtype=np.int64)
    )
    bounds = np.array(
        [(r.low, r.high, r.tolerance, r.target, r.rate) for r in network.ranges]
    ).reshape(-1, 5)
    of_range = _ranks(bounds) if len(bounds) else np.zeros(0, dtype=np.int64)
    shared = member.T @ (1.0 + np.sqrt(1.0 + of_range))
    nodes = _ranks(np.column_stack([network.start, network.free, shared]))
    for _ in range(_REFINEMENTS):
        mine = np.zeros((len(nodes), 3))
        mix = np.sqrt(2.0 + kind)
        for place, (own, other) in enumerate(((tail, head), (head, tail))):
            np.add.at(mine[:, place], own, np.round(mix * np.sqrt(3.0 + nodes[other]), 6))
        peers = member.T @ (member @ np.sqrt(5.0 + nodes)) if len(member) else np.zeros(len(nodes))
        mine[:, 2] = np.round(peers, 6)
        nodes = _ranks(np.column_stack([nodes, np.round(mine, 4)]))
    paid = np.where(payer >= 0, nodes[payer], -1)
    return np.lexsort((paid, nodes[head], nodes[tail], kind))


def _ranks(rows: Floats) -> Ints:
    """Equal rows get equal numbers, in the order of the rows."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
