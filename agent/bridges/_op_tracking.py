"""Follows what went over the OP stack's bridge: on its way, to be claimed, delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.bridges._op_messages import Messages, clock
from agent.bridges._op_stack import Message
from agent.bridges._op_ways import Route, Way, route, routes
from agent.bridges._op_withdrawals import Withdrawals
from agent.core.intent import Draft, Receipt
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import whole
from agent.ports import Act, Delivered, Delivery, Gone, Node, Track, Transfer, Waiting

USUAL_SECONDS, LATE_SECONDS = 180, 900
"""From a deposit to its arrival: one to three minutes (docs.optimism.io, "Deposit flow"); late when
the rollup waits for Ethereum to be final."""

FORCED_SECONDS = 43_200
"""The rollup's rules make a deposit within this, whoever would rather not: 3600 blocks of Ethereum
(`seq_window_size` in the superchain registry)."""

SOON_SECONDS, SELDOM_SECONDS = 2, 30
"""Pauses between looks: while it may come any moment, and when it is late."""

MAX_CLAIMS = 6
"""Claims of one transfer after which a person looks: a withdrawal needs two, and two more for each
output that falls."""

REPLAY_GAS = 300_000
"""Gas beside what the message reserves; a delivery takes 105 000 in all."""

ALIAS = 0x1111000000000000000000000000000000001111
"""What is added to a contract's address where it speaks on the rollup (Optimism specs, "Address
Aliasing")."""


class Tracker:
    """Says of transfers where their money is; never that it is lost because a node is silent."""

    def __init__(self, ways: Sequence[Way], nodes: Mapping[ChainId, Node]) -> None:
        self._ways = ways
        self._nodes = nodes
        self._messages = Messages(nodes)
        self._withdrawals = Withdrawals(nodes, self._messages)

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money of one mined transfer is; raises Unavailable."""
        found = self._sent(leg, receipt, sold_raw)
        if not isinstance(found, _Sent):
            return Waiting(now + SOON_SECONDS, found) if found == _ELSEWHERE else Gone(found)
        on, message = found.route, found.message
        # One block for the state, the logs and the clock, so that they fit together.
        head = self._nodes[on.far.chain].block()
        ((delivered, failed),) = self._messages.states(on.far, [message], head.number)
        if delivered:
            return self._delivered(on, message, head.number, now)
        if claims >= MAX_CLAIMS:
            return Gone(f"{claims} claims did not deliver {message.id} on chain {on.far.chain}")
        if failed:
            return _replay(on, message)
        if on.withdraws:
            return self._withdrawals.next(on.way, message, head, now)
        return self._under_way(on, message, now)

    def _sent(self, leg: Leg, receipt: Receipt, sold_raw: int) -> _Sent | str:
        """The one message that a transaction sent for a leg, or why there is none."""
        on = route(self._ways, leg.sell.token, leg.buy)
        if on is None:
            return f"{leg.sell.token.symbol} does not cross to chain {leg.buy.chain} here"
        sent = self._messages.sent(on, receipt)
        if sent is None:
            return _ELSEWHERE
        mine = [each for each in sent if each.amount == each.value == sold_raw]
        if len(mine) != 1:
            return f"transaction {receipt.hash} sent {len(mine)} transfers for this leg"
        return _Sent(on, mine[0])

    def _delivered(self, on: Route, message: Message, head: int, now: int) -> Track:
        """What a delivery brought, once its block is deep enough."""
        told = f"{_money(on, message)} was delivered on chain {on.far.chain}"
        log = self._messages.delivery(on, message, head)
        if log is None:
            why = f"{told}; no node has shown its log yet"
            return Waiting(now + SOON_SECONDS, why, message.id)
        depth = head - log.block_number + 1
        if not (depth >= on.far.confirmations):
            why = f"{told} and waits for {on.far.confirmations} confirmations ({depth} now)"
            return Waiting(now + SOON_SECONDS, why, message.id)
        found = self._messages.measured(on, message, log)
        if found is None:
            return Gone(f"{told} by {log.transaction}, and nothing came to your wallet")
        return Delivered(found, log.block_number)

    def _under_way(self, on: Route, message: Message, now: int) -> Waiting:
        """Who makes a deposit arrive, and when that is to be expected."""
        sent = self._nodes[on.near.chain].block(message.log.block_number).timestamp
        late = now - sent > LATE_SECONDS
        why = (
            f"{_money(on, message)} {'is late' if late else 'is on its way'}: chain "
            f"{on.far.chain} makes the deposit of chain {on.near.chain}, usually within "
            f"{USUAL_SECONDS // 60} min, and its rules force it by {clock(sent + FORCED_SECONDS)}"
        )
        return Waiting(now + (SELDOM_SECONDS if late else SOON_SECONDS), why, message.id)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """What *account* sent to itself and was not delivered; raises Unavailable."""
        found = []
        for on in routes(self._ways):
            if on.near.chain not in since:
                continue
            made = self._messages.sent_since(on, account, since[on.near.chain])
            if not made:
                continue
            head = self._nodes[on.far.chain].block().number
            states = self._messages.states(on.far, made, head)
            for message, (delivered, _) in zip(made, states, strict=True):
                if not delivered:
                    found.append(_transfer(on, message))
        return tuple(found)

    def rehearse(self, leg: Leg, receipt: Receipt) -> Delivery | None:
        """What only the rollup itself may send to deliver a deposit; None once it is delivered.

        Of a withdrawal the same payment: what its claims rest on takes days, and no fork has it.
        """
        found = self._sent(leg, receipt, leg.planned_sell.raw)
        if not isinstance(found, _Sent):
            return None
        on, message = found.route, found.message
        head = self._nodes[on.far.chain].block().number
        ((delivered, _),) = self._messages.states(on.far, [message], head)
        if delivered:
            return None
        there, coming = on.far.chain, Amount(on.far.native, message.amount)
        if on.withdraws:
            call = Call(there, message.to, message.amount, "0x")
            return Delivery(calls=(call,), needs=coming, brings=coming)
        speaker = Address(f"0x{(int(on.near.messenger, 16) + ALIAS) % 2**160:040x}")
        call = Call(there, on.far.messenger, message.value, message.relay)
        nothing = Amount(on.far.native, 0)
        return Delivery(calls=(), needs=nothing, played=((speaker, call),))


class _Sent:
    """A message and the route that it takes."""

    def __init__(self, on: Route, message: Message) -> None:
        self.route = on
        self.message = message


_ELSEWHERE = "the transfer is not where it was mined"


def _replay(on: Route, message: Message) -> Act:
    chain = on.far.chain
    call = Call(chain, on.far.messenger, 0, message.relay)
    draft = Draft(
        purpose="claim", chain=chain, payload=call, gas_limit=message.gas * 64 // 63 + REPLAY_GAS
    )
    why = f"{_money(on, message)}: its delivery failed on chain {chain} and is tried once more"
    return Act(draft, why)


def _money(on: Route, message: Message) -> str:
    return whole(Amount(on.near.native, message.amount))


def _transfer(on: Route, message: Message) -> Transfer:
    return Transfer(
        via="canonical_op",
        id=message.id,
        sold=Amount(on.near.native, message.amount),
        buy=on.far.native,
        least=message.amount,
        deposit=message.log.transaction,
        block=message.log.block_number,
    )
