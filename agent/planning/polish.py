"""The best sizes of a flow whose arcs are chosen, where distances from targets are charged.

The solver is told of the charge by its tangents, which are as near to it as is wanted only where a
flow is known to end. So it is asked again, each time near the last answer.
"""

from __future__ import annotations

import numpy as np

from agent.planning.coupling import coupling
from agent.planning.flowcost import DUST, Outcome, outcome
from agent.planning.majorant import Hull, concave_run
from agent.planning.program import Program
from agent.planning.sizes import sizes
from agent.planning.table import Table

_ROUNDS = 4
"""How often the solver is asked at most."""

_WORTHWHILE = 1e-7
"""The part of its cost that a flow must have got cheaper by to be looked at again."""

_DENT = 1e-9
"""Less than this (scaled money) is not sold."""


def polished(table: Table, best: Outcome) -> Outcome:
    """A flow over the same arcs that costs no more and misses no more."""
    if not best.charge > 0:
        return best
    for _ in range(_ROUNDS if best.sold.any() else 0):
        before, best = best, _sized_again(table, best)
        if not best.cost < before.cost - _WORTHWHILE * abs(before.cost):
            break
    return best


def _sized_again(table: Table, best: Outcome) -> Outcome:
    used = np.flatnonzero(best.sold)
    dust = DUST * table.whole
    shared = coupling(table, table.whole, elastic=best.missed > dust, near=best.off)
    runs = [concave_run(table, int(arc), float(best.sold[arc])) for arc in used]
    width = max(len(run[0]) for run in runs)
    xs, fs = (np.zeros((len(table.tail), width)) for _ in range(2))
    for arc, run in zip(used, runs, strict=True):
        for row, values in zip((xs[arc], fs[arc]), run, strict=True):
            row[: len(values)], row[len(values) :] = values, values[-1]
    found = sizes(Hull(sold=xs, brought=fs), shared)
    offered = np.zeros_like(found.fresh)
    offered[used] = found.fresh[used]
    program = Program(shared, found, offered)
    program.option("mip_rel_gap", _WORTHWHILE)
    if best.missed > dust:
        program.allow_missed(best.missed)
    answer = program.solve()
    if answer is None:
        return best
    again = outcome(table, np.where((answer.used > 0.5) & (answer.sold > _DENT), answer.sold, 0.0))
    # What goes round, or misses more, does not fit.
    return again if again.fits and again.better_than(best, dust) else best
