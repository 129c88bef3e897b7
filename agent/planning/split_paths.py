"""Takes paths off a flow: what each arc of a network takes becomes swaps in an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from agent.core.amm.path import Hop
from agent.planning.split_tree import Arc, Node

Paths = list[tuple[tuple[Hop, ...], int]]
"""Paths in the order in which they are swapped, and the base units into each."""

_NOTHING = 1e-9
"""The part of an arc's amount that is not worth a path of its own."""


@dataclass(slots=True)
class Outlet:
    """An arc out of a node to another one (None: the end), and what it still has to take."""

    arc: Arc
    node: object
    left: float
    least: float = 0.0
    used: float = 0.0


def tree_outlets(tree: Node, taken: Mapping[Arc, float]) -> dict[object, list[Outlet]]:
    """What leads out of each node of a tree; nodes are known by their ids."""
    outlets: dict[object, list[Outlet]] = {
        id(tree): [
            Outlet(arc, None if branch.node is None else id(branch.node), taken[arc])
            for branch in tree.branches
            for arc in branch.bundle
        ]
    }
    for branch in tree.branches:
        if branch.node is not None:
            outlets |= tree_outlets(branch.node, taken)
    return outlets


def paths(root: object, outlets: dict[object, list[Outlet]], amount: int) -> Paths:
    """The flow out of *root* as paths, whole amounts that sum to *amount*.

    Each path uses up what one more arc is to take, seen as the paths before it left the pools; the
    last arc out of a node, its greatest, takes what is left. So there are as few paths as arcs
    allow. No way through *outlets* may lead back to where it was.
    """
    open_ = {node: _ordered(here) for node, here in outlets.items()}
    found: Paths = []
    left = amount
    while left > 0:
        chain = list(_chain(root, open_))
        x = _most(chain)
        whole = left if x == inf else min(int(x), left)
        if whole > 0:
            found.append((tuple(outlet.arc.hop for outlet in chain), whole))
            left -= whole
        if x < inf:
            _use(root, chain, x, open_)
    return found


def _ordered(here: Sequence[Outlet]) -> list[Outlet]:
    """By what they take; the greatest takes what is left."""
    ordered = sorted(here, key=lambda outlet: outlet.left)
    for outlet in ordered:
        outlet.least = outlet.left * _NOTHING
    if ordered:
        ordered[-1].left = inf
    return [outlet for outlet in ordered if outlet.left > 0]


def _chain(root: object, open_: Mapping[object, Sequence[Outlet]]) -> Iterator[Outlet]:
    node = root
    while node is not None:
        outlet = open_[node][0]
        yield outlet
        node = outlet.node


def _most(chain: Sequence[Outlet]) -> float:
    """What goes into the first pool until one of them has all that it is to take."""
    most = inf
    for outlet in reversed(chain):
        if most < inf:
            curve = outlet.arc.curve
            most = max(curve.needed(curve.at(outlet.used)[0] + most) - outlet.used, 0.0)
        most = min(most, outlet.left)
    return most


def _use(
    root: object, chain: Sequence[Outlet], x: float, open_: Mapping[object, list[Outlet]]
) -> None:
    """Send *x* along, and close what it used up: at least the arc that has the least left."""
    tightest, least = 0, inf
    for place, outlet in enumerate(chain):
        curve = outlet.arc.curve
        paid = curve.at(outlet.used + x)[0] - curve.at(outlet.used)[0]
        outlet.used, outlet.left, x = outlet.used + x, outlet.left - x, paid
        share = outlet.left / outlet.least if outlet.least > 0 else -inf
        if share < least:
            tightest, least = place, share
    node = root
    for place, outlet in enumerate(chain):
        if place == tightest or outlet.left <= outlet.least:
            open_[node].pop(0)
        node = outlet.node
