"""How much work the exact planner may do."""

from __future__ import annotations

from dataclasses import dataclass

FINE, COARSE = 1e-4, 1e-3
"""The gaps at which the search of few and of more arcs ends, if nothing else is wished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much work a plan may take, counted so that the same input gives the same flow.

    `gap` ends the search when the cost is proven to within it; `nodes` are linear programs of the
    last search, `first_nodes` those of the one among `first_arcs` promising arcs before it. Of more
    than `most_arcs` those are searched first that `slopes` rounds of slope scaling use, and last
    those that are still open, if they are no more than that; between, the flow is made cheaper
    by `swaps` tries, twice, among up to `near` arcs, and by a search of `near_nodes` among
    `most_near` or a quarter more than it uses (of few arcs by `few_swaps`, and nothing else), and
    the bound is raised by a search of `share_nodes` for each range. `columns` are rounds of pricing
    in the relaxation, `circles` how often a search is repeated because it led round. `seconds` is
    an outer brake of all searches together: a flow that hit it says so.
    """

    gap: float = FINE
    nodes: int = 4000
    first_nodes: int = 200
    first_arcs: int = 60
    most_arcs: int = 800
    slopes: int = 10
    swaps: int = 300
    few_swaps: int = 60
    share_nodes: int = 200
    near: int = 300
    near_nodes: int = 400
    most_near: int = 110
    columns: int = 200
    circles: int = 20
    seconds: float = 30.0
