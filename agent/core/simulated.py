"""What calls in a row did on a copy of the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agent.core.money import Token

NOTHING: Mapping[Token, int] = MappingProxyType({})
"""What an account is given in a simulation that shows the chain as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What calls in a row did on a copy of the chain.

    `deltas` are base units by token for the account, network fees excluded; `allowances`
    is what is left of each allowance that was asked for; `reverted` is the index and the
    reason of the first call that failed.
    """

    ok: bool
    gas_used: tuple[int, ...]
    deltas: Mapping[Token, int]
    allowances: tuple[int, ...]
    reverted: tuple[int, str] | None = None
