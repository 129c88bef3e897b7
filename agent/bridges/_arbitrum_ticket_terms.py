"""What a ticket may cost at most: its making at Ethereum's prices, its call at the rollup's."""

from __future__ import annotations

from collections.abc import Mapping

from agent.bridges._arbitrum_contracts import ask
from agent.bridges._arbitrum_tickets import (
    CALL_OF,
    COPY_OF,
    GATEWAY_OF,
    SUBMISSION_FEE,
    Lane,
    Terms,
)
from agent.core.money import Address, ChainId
from agent.ports import Node

TICKET_GAS = 300_000
"""For the call on the rollup where the copy exists: @arbitrum/sdk 4.1.0 takes 275 000 at least for
a token (`MIN_CUSTOM_DEPOSIT_GAS_LIMIT`). What is not used comes back."""

SUBMISSION_GROWTH, PRICE_GROWTH = 4, 6
"""How often the base fees of both chains may grow until the ticket is made: those of
@arbitrum/sdk 4.1.0, ParentToChildMessageGasEstimator (300 and 500 percent more)."""


class TicketTerms:
    """Asks both chains for what a ticket of one token costs; methods raise Unavailable."""

    def __init__(self, lane: Lane, nodes: Mapping[ChainId, Node]) -> None:
        self._lane = lane
        self._parent = nodes[lane.pair.parent.chain]
        self._child = nodes[lane.pair.child.chain]
        self._router = lane.pair.parent.address("router")

    def is_routed(self) -> bool:
        """Whether the router sends this token through the known gateway to the known copy."""
        token = (self._lane.token.address,)
        found = ask(self._parent, self._router, (GATEWAY_OF, token), (COPY_OF, token))
        return found == [self._lane.gateway, self._lane.copy.address]

    def now(self, account: Address, raw: int) -> Terms:
        """The most that a ticket for *raw* base units may cost at the prices of now."""
        said = (self._lane.token.address, account, account, raw, b"")
        (call,) = ask(self._parent, self._router, (CALL_OF, said))
        base_fee = self._parent.fees().base_fee_per_gas * SUBMISSION_GROWTH
        asked = (SUBMISSION_FEE, (len(call), base_fee))
        (submission,) = ask(self._parent, self._lane.pair.inbox, asked)
        price = self._child.fees().base_fee_per_gas * PRICE_GROWTH
        return Terms(submission=int(submission), gas=TICKET_GAS, gas_price=price)
