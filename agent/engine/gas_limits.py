"""How much gas a call may use: while it is tried, and when it is signed."""

from __future__ import annotations

from fractions import Fraction

from agent.core.guard import MAX_GAS_LIMIT
from agent.core.quote import Quote

SIMULATION_GAS = 1_500_000
"""Least gas limit of an act in the first simulation, which finds out what it needs: a three-hop
swap takes under 600 000 (measured on the local chain), and some servers say no gas, or too little.
The wallet must own it at the present price, so it is not larger still."""

SIMULATION_MARGIN = Fraction(5, 2)
"""Gas limit of a larger act in the first simulation over the gas that its quote says: a split that
crosses many ticks may need twice that (`dearest_gas` of `agent.venues._split`)."""

APPROVAL_GAS = 100_000
"""Gas limit of an approval that was not simulated (a revocation): a proxied token with a
blacklist check takes about 60 000 (USDC, measured on the local chain)."""

GAS_MARGIN = Fraction(3, 2)
"""Gas limit over simulated gas: refunds of up to a fifth are given only at the end (EIP-3529), so
what is used may have needed five fourths; and prices and ticks move until the block."""

MOST_SIMULATION_GAS = int(MAX_GAS_LIMIT / GAS_MARGIN)
"""Most gas of an act in the first simulation, whatever its quote says: what uses more would get a
limit that the guard refuses. A transaction may have more (2²⁴, EIP-7825), and so may all that nodes
run at once (geth: 50 million, `--rpc.gascap`)."""


def gas_to_try(quote: Quote) -> int:
    """The gas limit that finds out what the act needs; what is signed goes by what it used."""
    said = int(quote.gas * SIMULATION_MARGIN)
    return min(max(said, SIMULATION_GAS), MOST_SIMULATION_GAS)
