"""Follows deposits by what both chains themselves say: delivered, under way, or paid back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from agent.bridges._evidence import Evidence
from agent.bridges._routes import ChainOptions
from agent.bridges._spoke_pool import NOBODY, Deposit, address_in, fill_data
from agent.core.intent import Receipt
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import whole
from agent.ports import Delivered, Delivery, Gone, Node, Returned, Track, Transfer, Waiting
from agent.wire import erc20
from agent.wire.abi import functions

USUAL_SECONDS, LATE_SECONDS = 60, 600
"""When most deposits are delivered, and when one is worth a word: relayers that wait for a
block of Ethereum take a minute."""

REFUND_SECONDS = 5_400
"""From the deadline to the refund: a bundle of refunds is proposed, and stands for challenge, for
about an hour and a half (docs.across.to, "Refunds")."""

SOON_SECONDS, SELDOM_SECONDS, REFUND_POLL_SECONDS = 2, 15, 30
"""Pauses between looks: while it may come any moment, while there is only waiting, and while
refunds are looked for, which takes many requests."""


class Tracker:
    """Says of deposits where their money is; never that it is lost because a node is silent.

    `via` names the bridge that they are made by.
    """

    def __init__(
        self, chains: Mapping[ChainId, ChainOptions], nodes: Mapping[ChainId, Node], via: str
    ) -> None:
        self._via = via
        self._chains = chains
        self._nodes = nodes
        self._evidence = Evidence(chains, nodes)

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, now: int) -> Track:
        """Where the money of one mined deposit is; raises Unavailable."""
        made = self._evidence.deposit_of(leg, receipt)
        if made is None:
            return Waiting(now + SOON_SECONDS, "the deposit is not where it was mined")
        if isinstance(made, str):
            return Gone(made)
        if made.input_amount != sold_raw:
            return Gone(f"deposit {made.id} is of {made.input_amount} base units, not {sold_raw}")
        # One block for the state, the logs and the clock, so that they fit together.
        head = self._nodes[made.to_chain].block()
        if self._evidence.is_filled(made, head.number):
            return self._delivered(made, head.number, now)
        if head.timestamp <= made.fill_deadline:
            return self._under_way(made, now)
        return self._paid_back(made, now)

    def _delivered(self, made: Deposit, head: int, now: int) -> Track:
        """What a delivery brought, once its block is deep enough."""
        told = f"{_named(made)} was delivered on chain {made.to_chain}"
        log = self._evidence.fill_of(made, head)
        if log is None:
            why = f"{told}; no node has shown its log yet"
            return Waiting(now + SOON_SECONDS, why, str(made.id))
        needed = self._chains[made.to_chain].confirmations
        depth = head - log.block_number + 1
        if not (depth >= needed):
            why = f"{told} and waits for {needed} confirmations ({depth} now)"
            return Waiting(now + SOON_SECONDS, why, str(made.id))
        found = self._evidence.measured(made, log)
        if found is None:
            return Gone(f"{told} by {log.transaction}, and nothing came to your wallet")
        return Delivered(found, log.block_number)

    def _under_way(self, made: Deposit, now: int) -> Waiting:
        """Who has the money, and when what is to be expected."""
        token = self._chains[made.origin].known(address_in(made.input_token)) or _stranger(made)
        sold = whole(Amount(token, made.input_amount))
        since = now - made.quote_timestamp
        state = "is late" if since > LATE_SECONDS else "is on its way"
        why = (
            f"{sold} {state}: Across's pool holds it ({_named(made)}) and a relayer "
            f"delivers it on chain {made.to_chain}, usually within {USUAL_SECONDS} s, late after "
            f"{LATE_SECONDS // 60} min; if nobody has by {_clock(made.fill_deadline)}, it comes "
            f"back to your wallet on chain {made.origin} by about "
            f"{_clock(_back(made))}"
        )
        pause = SELDOM_SECONDS if since > LATE_SECONDS else SOON_SECONDS
        return Waiting(now + pause, why, str(made.id), _back(made))

    def _paid_back(self, made: Deposit, now: int) -> Track:
        """The refund of a deposit that nobody can deliver any more."""
        token = self._chains[made.origin].known(address_in(made.input_token))
        if token is None:
            return Gone(f"{_named(made)} was of a token that is not known here")
        block = self._evidence.refunded_in(made)
        if block is not None:
            return Returned(Amount(token, made.input_amount), block)
        why = (
            f"nobody delivered {_named(made)} by {_clock(made.fill_deadline)}: Across pays "
            f"{whole(Amount(token, made.input_amount))} back to your wallet on chain "
            f"{made.origin}, by about {_clock(_back(made))}"
        )
        return Waiting(now + REFUND_POLL_SECONDS, why, str(made.id), _back(made))

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Deposits of *account* that were neither delivered nor paid back; raises Unavailable."""
        return tuple(
            self._transfer(made)
            for chain, first in since.items()
            if chain in self._chains
            for made in self._evidence.open_deposits(chain, account, first)
        )

    def _transfer(self, made: Deposit) -> Transfer:
        near, far = self._chains[made.origin], self._chains.get(made.to_chain)
        sold = near.known(address_in(made.input_token)) or _stranger(made)
        bought = None if far is None else far.known(address_in(made.output_token))
        buy = _stranger(made) if far is None or bought is None else far.as_received(bought)
        return Transfer(
            via=self._via,
            id=str(made.id),
            sold=Amount(sold, made.input_amount),
            buy=buy,
            least=made.output_amount,
            deposit=made.log.transaction,
            block=made.log.block_number,
            due=made.fill_deadline,
        )

    def rehearse(self, leg: Leg, receipt: Receipt, account: Address) -> Delivery | None:
        """What *account* may send to deliver a deposit; None when it is delivered already."""
        made = self._evidence.deposit_of(leg, receipt)
        if not isinstance(made, Deposit) or self._evidence.is_filled(made):
            return None
        there, far = made.to_chain, self._chains[made.to_chain]
        output = far.known(address_in(made.output_token))
        if output is None:
            return None
        raw = made.output_amount
        calls = [
            erc20.approve(there, output.address, far.spoke_pool, raw),
            Call(there, far.spoke_pool, 0, fill_data(made, account)),
        ]
        if output == far.wrapped:
            wrap = functions("weth")["deposit()"].encode()
            calls.insert(0, Call(there, output.address, raw, wrap))
        return Delivery(calls=tuple(calls), needs=Amount(far.as_received(output), raw))


def _named(made: Deposit) -> str:
    return f"deposit {made.id} of chain {made.origin}"


def _stranger(made: Deposit) -> Token:
    """A token that is not among those known here: its amount can only be told in base units."""
    address = address_in(made.input_token) or NOBODY
    return Token(made.origin, address, 0, "base units of an unknown token")


def _back(made: Deposit) -> int:
    """Unix seconds by when a deposit that nobody delivers is about to be back."""
    return made.fill_deadline + REFUND_SECONDS


def _clock(unix: int) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"
