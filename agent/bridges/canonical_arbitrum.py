"""Arbitrum's canonical bridge: a deposit takes minutes, a withdrawal a week and a claim.

One to one; no server is asked. Ether goes in by `depositEth`, which credits the sender's own
address, and out by `withdrawEth`. Tokens go in through their gateway, with a fee for the ticket
that asks for them on the other side; both sides' contracts tell the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.bridges._arbitrum_batches import USUAL_SECONDS
from agent.bridges._arbitrum_contracts import (
    ALLOWED_INBOX,
    ALLOWED_OUTBOX,
    DEPOSIT,
    PAUSED,
    WITHDRAW,
    Pair,
    ask,
    layouts,
    pairs,
)
from agent.bridges._arbitrum_deposits import Deposits
from agent.bridges._arbitrum_ticket_terms import TicketTerms
from agent.bridges._arbitrum_tickets import Lane, lanes, outbound_data, ticket_layouts
from agent.bridges._arbitrum_token_deposits import TokenDeposits
from agent.bridges._arbitrum_withdrawals import ASSERTION_SECONDS, Withdrawals
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.errors import NoRoute, Unavailable
from agent.ports import AdapterIo, Delivery, Gone, Track, Transfer
from agent.provider import About, ProviderOptions

__all__ = ["ABOUT", "CanonicalArbitrum", "make"]

ABOUT = About(title="Arbitrum's canonical bridge")

DEPOSIT_GAS, WITHDRAWAL_GAS, CLAIM_GAS = 106_000, 130_000, 130_000
"""Measured on local chains: 105 800, up to 129 700 where many sends complete a part of their tree,
and 111 000 with 700 for each of some twenty heights of the real tree."""

TOKEN_GAS, APPROVAL_GAS = 250_600, 55_600
"""Of the first deposit of a token, measured on local chains, and of the approval before it."""

DEPOSIT_BYTES, WITHDRAWAL_BYTES = 115, 150
"""Bytes of the signed transaction: 4 and 36 of calldata, the rest are the fields of an EIP-1559
transaction and its signature."""

QUOTE_SECONDS = 300
"""The bridge's terms do not change; what is not mined by then is planned on old prices."""

LADDER_STEPS = 8
"""Points of a ladder, each twice the one before, as for venues: here they are all one to one."""


class CanonicalArbitrum:
    """Implements the Bridge port over the rollup's own contracts on both sides."""

    name = "canonical_arbitrum"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._io = io
        self._pairs = tuple(pairs(options.chains))
        self._lanes = tuple(lane for pair in self._pairs for lane in lanes(pair))
        self._layouts = {**layouts(self._pairs), **ticket_layouts(self._lanes)}

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Its deposits, its withdrawal and its claims."""
        return self._layouts

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The contracts that it calls; of those only a gateway needs an allowance."""
        found: dict[Address, str] = {}
        for pair in self._pairs:
            if chain == pair.parent.chain:
                found |= pair.parent.pinned(pair.inbox, pair.outbox)
            if chain == pair.child.chain:
                found |= pair.child.pinned(pair.arb_sys)
        for lane in self._lanes:
            if chain == lane.pair.parent.chain:
                router = lane.pair.parent.address("router")
                found |= lane.pair.parent.pinned(router, lane.gateway)
            if chain == lane.pair.child.chain:
                found |= lane.pair.child.pinned(lane.pair.child.address("retryables"))
        return found

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of those *routes* that lead into a rollup or out of it, one to one."""
        found = [self._edge(sell, buy, sizes.get(sell, 0)) for sell, buy in routes]
        return tuple(edge for edge in found if edge is not None)

    def _edge(self, sell: Token, buy: Token, size: int) -> Edge | None:
        if not size > 0:
            return None
        rungs = dict.fromkeys(size >> step for step in range(LADDER_STEPS - 1, -1, -1))
        ladder = tuple((raw, raw) for raw in rungs if raw > 0)
        try:
            lane, pair = self._lane(sell, buy), self._pair(sell, buy)
            if lane is not None:
                return self._token_edge(lane, ladder)
            return None if pair is None else self._coin_edge(pair, sell, buy, ladder)
        except Unavailable:
            return None

    def _token_edge(self, lane: Lane, ladder: tuple[tuple[int, int], ...]) -> Edge:
        return Edge(
            via=self.name,
            sell=lane.token,
            buy=lane.copy,
            ladder=ladder,
            gas=TOKEN_GAS + APPROVAL_GAS,
            seconds=USUAL_SECONDS,
            fee=TicketTerms(lane, self._io.nodes).now(Address("0x" + "00" * 20), 1).fee,
        )

    def _coin_edge(
        self, pair: Pair, sell: Token, buy: Token, ladder: tuple[tuple[int, int], ...]
    ) -> Edge:
        if sell == pair.parent.native:
            return Edge(
                via=self.name,
                sell=sell,
                buy=buy,
                ladder=ladder,
                gas=DEPOSIT_GAS,
                seconds=USUAL_SECONDS,
                data_bytes=DEPOSIT_BYTES,
            )
        period = Withdrawals(pair, self._io.nodes).period_seconds()
        return Edge(
            via=self.name,
            sell=sell,
            buy=buy,
            ladder=ladder,
            gas=WITHDRAWAL_GAS,
            seconds=period + ASSERTION_SECONDS,
            data_bytes=WITHDRAWAL_BYTES,
            far_gas=CLAIM_GAS,
        )

    def quote(
        self,
        leg: Leg,
        sell_raw: int,
        account: Address,
        min_out: int,  # noqa: ARG002  all of it comes out; the guard compares it
        now: int,
    ) -> Quote:
        """Exactly *sell_raw* for exactly as much; raises NoRoute, and Unavailable."""
        lane, pair = self._lane(leg.sell.token, leg.buy), self._pair(leg.sell.token, leg.buy)
        if lane is not None and sell_raw > 0:
            return self._token_quote(lane, leg, sell_raw, account, now)
        if pair is None or not sell_raw > 0:
            raise _no_way(leg, "does not know this pair")
        inward = leg.sell.token == pair.parent.native
        if not self._is_open(pair, inward=inward):
            raise _no_way(leg, "is closed there")
        if inward:
            self._plain(leg, account)
        target, data, gas = (
            (pair.inbox, DEPOSIT.encode(), DEPOSIT_GAS)
            if inward
            else (pair.arb_sys, WITHDRAW.encode(account), WITHDRAWAL_GAS)
        )
        return Quote(
            via=self.name,
            sell=Amount(leg.sell.token, sell_raw),
            buy=leg.buy,
            amount_out=sell_raw,
            min_amount_out=sell_raw,
            allowances=(),
            payload=Call(leg.sell.token.chain, target, sell_raw, data),
            expires=now + QUOTE_SECONDS,
            gas=gas,
            route="Arbitrum's bridge",
        )

    def _token_quote(
        self, lane: Lane, leg: Leg, sell_raw: int, account: Address, now: int
    ) -> Quote:
        self._plain(leg, account)
        found = TicketTerms(lane, self._io.nodes)
        if not (self._is_open(lane.pair, inward=True) and found.is_routed()):
            raise _no_way(leg, "sends this token elsewhere, or is closed")
        terms, sold = found.now(account, sell_raw), Amount(lane.token, sell_raw)
        router = lane.pair.parent.address("router")
        data = outbound_data(lane, account, sell_raw, terms)
        return Quote(
            via=self.name,
            sell=sold,
            buy=lane.copy,
            amount_out=sell_raw,
            min_amount_out=sell_raw,
            allowances=(Allowance(lane.gateway, sold),),
            payload=Call(lane.token.chain, router, terms.fee, data),
            expires=now + QUOTE_SECONDS,
            gas=TOKEN_GAS,
            route="Arbitrum's token bridge",
            fee=terms.fee,
        )

    def _is_open(self, pair: Pair, *, inward: bool) -> bool:
        """Whether the bridge's own contracts belong together and take what comes."""
        node = self._io.nodes[pair.parent.chain]
        if not inward:
            (allowed,) = ask(node, pair.bridge, (ALLOWED_OUTBOX, (pair.outbox,)))
            return bool(allowed)
        (allowed,) = ask(node, pair.bridge, (ALLOWED_INBOX, (pair.inbox,)))
        (paused,) = ask(node, pair.inbox, (PAUSED, ()))
        return bool(allowed) and not paused

    def _plain(self, leg: Leg, account: Address) -> None:
        """Refuse a sender with code: its deposit would be credited to an address of nobody's."""
        chain = leg.sell.token.chain
        if self._io.nodes[chain].code_hashes((account,))[account]:
            raise _no_way(leg, "credits an account with code elsewhere")

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money of a mined deposit or withdrawal is, by both chains."""
        lane = self._lane(leg.sell.token, leg.buy)
        if lane is not None:
            return TokenDeposits(lane, self._io.nodes).track(leg, deposit, sold_raw, claims, now)
        follower = self._follower(leg)
        if follower is None:
            return Gone(f"{self.name} has no way from {leg.sell.token.symbol} to {leg.buy.symbol}")
        return follower.track(leg, deposit, sold_raw, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Deposits not taken in and withdrawals not claimed, from logs alone."""
        found: list[Transfer] = []
        for pair in self._pairs:
            if pair.parent.chain in since:
                deposits = Deposits(pair, self._io.nodes)
                found += deposits.find(account, since[pair.parent.chain])
            if pair.child.chain in since:
                withdrawals = Withdrawals(pair, self._io.nodes)
                found += withdrawals.find(account, since[pair.child.chain])
        for lane in self._lanes:
            if lane.token.chain in since:
                tokens = TokenDeposits(lane, self._io.nodes)
                found += tokens.find(account, since[lane.token.chain])
        return tuple(found)

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:  # noqa: ARG002  whoever delivers only pays
        """What pays the same on a fork: neither batch nor proof can be rehearsed there."""
        lane = self._lane(leg.sell.token, leg.buy)
        follower = self._follower(leg) if lane is None else TokenDeposits(lane, self._io.nodes)
        return None if follower is None else follower.rehearse(leg, deposit)

    def _pair(self, sell: Token, buy: Token) -> Pair | None:
        """The rollup between two gas coins."""
        for pair in self._pairs:
            if {sell, buy} == {pair.parent.native, pair.child.native}:
                return pair
        return None

    def _lane(self, sell: Token, buy: Token) -> Lane | None:
        """The way of a token into a rollup; there is none out of it yet."""
        found = ((each.token, each.copy) for each in self._lanes)
        return next((x for x, y in zip(self._lanes, found, strict=True) if y == (sell, buy)), None)

    def _follower(self, leg: Leg) -> Deposits | Withdrawals | None:
        pair = self._pair(leg.sell.token, leg.buy)
        if pair is None:
            return None
        inward = leg.sell.token == pair.parent.native
        return Deposits(pair, self._io.nodes) if inward else Withdrawals(pair, self._io.nodes)


def _no_way(leg: Leg, why: str) -> NoRoute:
    pair = f"{leg.sell.token.symbol} to {leg.buy.symbol} on chain {leg.buy.chain}"
    return NoRoute(f"Arbitrum's bridge {why}: {pair}", fix="use another bridge, or another amount")


def make(options: ProviderOptions, io: AdapterIo) -> CanonicalArbitrum:
    """The canonical bridge of the rollups among the chains of *options*; nothing is read yet."""
    return CanonicalArbitrum(options, io)
