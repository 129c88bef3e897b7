"""Across in direct mode: our own deposit with our own output amount, delivered by its relayers.

A relayer pays the exact output amount on the far chain or nothing at all; a deposit that nobody
delivers before its deadline is paid back on its own chain. Only the fee comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from agent.bridges._relay_fee import FeeServer, Offer, OwnFee, no_key, own_offer
from agent.bridges._routes import ChainOptions, Route, route
from agent.bridges._spoke_pool import (
    DEPOSITS_PAUSED,
    FILL_BUFFER,
    FILLS_PAUSED,
    LAYOUTS,
    QUOTE_BUFFER,
    WRAPPED,
    Terms,
    deposit_data,
)
from agent.bridges._swap_approval import SOMEBODY
from agent.bridges._tracking import Tracker
from agent.core.frozen import empty
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.errors import BadReply, NoRoute, ProviderSilent, Rejected, Unavailable
from agent.ports import AdapterIo, Delivery, Read, Track, Transfer
from agent.wire.abi import Function

__all__ = ["Across", "ChainOptions", "Options", "OwnFee", "make"]

DEPOSIT_GAS, COIN_GAS = 90_400, 78_400
"""Gas of the first deposit of USDC, the dearest of the usual tokens, and of the gas coin, measured
on local chains; those after it take 17 100 less, because the pool then holds some."""

APPROVAL_GAS = 55_600
"""Gas of the exact approval before it (USDC's)."""

DEPOSIT_BYTES, APPROVAL_BYTES = 560, 190
"""Bytes of the two signed transactions: 420 and 68 of calldata, the rest are the fields of an
EIP-1559 transaction and its signature."""

QUOTE_SECONDS = 300
"""A fee is asked for anew after this, and a deposit that is not mined by then is taken back: time
for the approval before it. The pools themselves take a quote for an hour."""

FILL_SECONDS = 7_200
"""How long a deposit waits for a relayer before it is paid back: what Across's own server sets."""

LADDER_STEPS = 8
"""Points of a ladder, each twice the one before, as for venues."""

SMALLER = 8
"""A size that is refused is asked for once more in this part: relayers have limits."""

_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Across by chain, and where its fee comes from.

    `api` is the fee server's URL without a slash at its end; where it is None, or does not answer,
    the owner's `fee` counts, and without either nothing can be sent. A server that lies, or says
    no, is not overruled. `key` reveals the owner's key for it, '' without one.
    """

    chains: Mapping[ChainId, ChainOptions] = field(default_factory=empty)
    api: str | None = None
    fee: OwnFee | None = None
    key: Callable[[], str] = field(default=no_key, repr=False)


class Across:
    """Implements the Bridge port over Across's SpokePools."""

    name = "across"

    def __init__(self, options: Options, io: AdapterIo) -> None:
        self.options = options
        self._io = io
        self._tracker = Tracker(options.chains, io.nodes, self.name)

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function that it calls."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The chain's pool, both called and spending."""
        known = self.options.chains.get(chain)
        return {} if known is None else {known.spoke_pool: known.code_hash}

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of those *routes* for which somebody tells the fee; one question for each."""
        found = [route(self.options.chains, sell, buy) for sell, buy in routes]
        known = [each for each in found if each is not None and sizes.get(each.sell, 0) > 0]
        if not known:
            return ()
        with ThreadPoolExecutor(min(_ASKED_AT_ONCE, len(known)), "across") as pool:
            edges = list(pool.map(lambda each: self._edge(each, sizes[each.sell]), known))
        return tuple(edge for edge in edges if edge is not None)

    def _edge(self, found: Route, size: int) -> Edge | None:
        offer = self._indicative(found, size)
        if offer is None:
            return None
        top = min(size, offer.amount if offer.most is None else offer.most)
        ladder: list[tuple[int, int]] = []
        for step in range(LADDER_STEPS - 1, -1, -1):
            raw = top >> step
            out = _output(found, offer, raw) if offer.takes(raw) else 0
            if out > 0 and (not ladder or raw > ladder[-1][0]):
                ladder.append((raw, out))
        if not ladder:
            return None
        approved = not found.sell.is_native
        return Edge(
            via=self.name,
            sell=found.sell,
            buy=found.buy,
            ladder=tuple(ladder),
            gas=DEPOSIT_GAS + APPROVAL_GAS if approved else COIN_GAS,
            seconds=offer.seconds,
            data_bytes=DEPOSIT_BYTES + approved * APPROVAL_BYTES,
        )

    def _indicative(self, found: Route, size: int) -> Offer | None:
        """The fee at *size*, or at a part of it where the whole is refused; None for neither."""
        for asked in (size, size // SMALLER):
            try:
                return self._offer(found, asked)
            except Rejected:
                continue  # it may be more than all relayers together have
            except Unavailable:
                return None
        return None

    def _offer(
        self, found: Route, raw: int, *, now: int | None = None, account: Address = SOMEBODY
    ) -> Offer:
        """The relayer fee by whoever may tell it; raises what FeeServer raises, and NoRoute."""
        options = self.options
        if options.api is not None:
            server = FeeServer(
                http=self._io.http, api=options.api, chains=options.chains, key=options.key
            )
            try:
                return server.offer(found, raw, now=now, account=account)
            except ProviderSilent:
                if options.fee is None:
                    raise
        if options.fee is None:
            raise NoRoute(
                "nobody tells the relayer fee of Across",
                fix="name a relayer fee of your own in portfolio.toml",
            )
        return own_offer(options.fee, found, raw)

    def quote(
        self,
        leg: Leg,
        sell_raw: int,
        account: Address,
        min_out: int,  # noqa: ARG002  what relayers want is the offer; the guard compares it
        now: int,
    ) -> Quote:
        """Exactly *sell_raw* for exactly the rest after the fee, or nothing and all of it back.

        Raises NoRoute, and what the fee server deserves: Contradicted, Rejected, ProviderSilent.
        """
        found = route(self.options.chains, leg.sell.token, leg.buy)
        if found is None or not sell_raw > 0:
            raise _no_way(leg, "does not know this pair")
        window = self._window(found, leg, now)
        offer = self._offer(found, sell_raw, now=now, account=account)
        if not offer.takes(sell_raw):
            raise _no_way(leg, f"takes from {offer.least} to {offer.most} base units of it")
        out = _output(found, offer, sell_raw)
        if not out > 0:
            raise _no_way(leg, "would keep all of it as its fee")
        pool = self.options.chains[found.sell.chain].spoke_pool
        payload = deposit_data(
            Terms(
                account=account,
                input_token=found.input.address,
                output_token=found.output.address,
                input_amount=sell_raw,
                output_amount=out,
                to_chain=found.buy.chain,
                quote_timestamp=now,
                fill_deadline=window.fill_deadline,
            )
        )
        sold = Amount(found.sell, sell_raw)
        by_value = found.sell.is_native
        return Quote(
            via=self.name,
            sell=sold,
            buy=found.buy,
            amount_out=out,
            min_amount_out=out,
            allowances=() if by_value else (Allowance(pool, sold),),
            payload=Call(found.sell.chain, pool, sell_raw if by_value else 0, payload),
            expires=now + window.quote_seconds,
            gas=COIN_GAS if by_value else DEPOSIT_GAS,
            route="Across",
        )

    def _window(self, found: Route, leg: Leg, now: int) -> _Window:
        """How long a deposit may lie about and be delivered, by what both pools say now."""
        here, there = found.sell.chain, found.buy.chain
        near, far = self.options.chains[here], self.options.chains[there]
        asked = (QUOTE_BUFFER, FILL_BUFFER, DEPOSITS_PAUSED, WRAPPED)
        quote_buffer, fill_buffer, no_deposits, near_coin = self._read(here, asked)
        no_fills, far_coin = self._read(there, (FILLS_PAUSED, WRAPPED))
        if no_deposits or no_fills:
            raise _no_way(leg, "is paused there" if no_fills else "is paused here")
        if (near_coin, far_coin) != (_number(near.wrapped), _number(far.wrapped)):
            raise _no_way(leg, "wraps another coin than it should")
        # The deadline is read by the far chain's clock, and bounded by the near chain's.
        later = max(now, self._io.nodes[there].block().timestamp)
        return _Window(
            quote_seconds=min(QUOTE_SECONDS, quote_buffer),
            fill_deadline=min(later + FILL_SECONDS, now + fill_buffer),
        )

    def _read(self, chain: ChainId, asked: Sequence[Function]) -> list[int]:
        pool = self.options.chains[chain].spoke_pool
        answers = self._io.nodes[chain].read([Read(pool, each.encode()) for each in asked])
        found = []
        for function, answer in zip(asked, answers, strict=True):
            if answer is None or len(answer) != 32:
                raise BadReply(
                    f"Across's pool {pool} on chain {chain} does not answer {function.name}",
                    fix="check its address in chains.toml",
                )
            found.append(int.from_bytes(answer, "big"))
        return found

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:  # noqa: ARG002  nothing of Across is claimed
        """Where the money of a mined deposit is, by both chains' logs and balances."""
        return self._tracker.track(leg, deposit, sold_raw, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Deposits of *account* that were neither delivered nor paid back, from logs alone."""
        return self._tracker.find(account, since)

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:
        """What a relayer would send on the far chain; None once it is delivered."""
        return self._tracker.rehearse(leg, deposit, account)


@dataclass(frozen=True, slots=True)
class _Window:
    """How long a quote holds, and the unix second until which its deposit may be delivered."""

    quote_seconds: int
    fill_deadline: int


def _output(found: Route, offer: Offer, raw: int) -> int:
    """What comes out of *raw*: all but the fee, and no more than the server itself would pay."""
    out = found.converted(max(0, raw - offer.fee(raw)))
    return out if offer.out is None or raw != offer.amount else min(out, offer.out)


def _number(token: Token) -> int:
    return int(token.address, 16)


def _no_way(leg: Leg, why: str) -> NoRoute:
    pair = f"{leg.sell.token.symbol} to {leg.buy.symbol} on chain {leg.buy.chain}"
    return NoRoute(f"Across {why}: {pair}", fix="use another bridge, or another amount")


def make(options: Options, io: AdapterIo) -> Across:
    """Across over the pools of *options*; nothing is read yet."""
    return Across(options, io)
