"""Stargate v2: pools of one asset on many chains, with LayerZero's messages between them.

A transfer leaves by taxi, alone and at once. The near pool takes the money and says what the far
one will pay; whoever executes the message there pays it out. It cannot be taken back, and it cannot
be lost either: a verified message stays until somebody executes it, and anybody may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from agent.bridges._stargate_chains import Route, layouts, route, stargate_chain
from agent.bridges._stargate_offers import SEND_CALL, Offer, Offers, closed, parameters
from agent.bridges._stargate_tracking import Tracker
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import WHOLE_BPS, Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.core.rounding import mul_div_down
from agent.errors import NoRoute, Unavailable
from agent.ports import AdapterIo, Delivery, Track, Transfer
from agent.provider import About, ProviderOptions

ABOUT = About(title="Stargate v2")

SEND_GAS, COIN_GAS = 183_900, 155_600
"""Gas of a transfer of USDC and of the gas coin, measured on local chains."""

APPROVAL_GAS = 55_600
"""Gas of the exact approval before it (USDC's)."""

SEND_BYTES, APPROVAL_BYTES = 720, 190
"""Bytes of the two signed transactions: 580 and 68 of calldata, the rest are the fields of an
EIP-1559 transaction and its signature."""

QUOTE_SECONDS = 300
"""A transfer that is not mined by then is taken back: time for the approval before it."""

DELIVERY_SECONDS = 45
"""From a message that may be verified to its execution: two blocks of Ethereum for each."""

LADDER_STEPS = 8
"""Points of a ladder, each twice the one before, as for venues."""

_ASKED_AT_ONCE = 8


class Stargate:
    """Implements the Bridge port over Stargate's pools; it asks nobody but the chains."""

    name = "stargate"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._chains = {chain: stargate_chain(known) for chain, known in options.chains.items()}
        self._kept_bps = WHOLE_BPS - options.max_slippage_bps
        self._layouts = layouts(self._chains)
        self._offers = Offers(io.nodes)
        self._tracker = Tracker(self._chains, io.nodes)

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The transfer, and the two ways to finish one."""
        return self._layouts

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The chain's pools, both called and spending, and LayerZero's endpoint."""
        known = self._chains.get(chain)
        return {} if known is None else known.targets

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of those *routes* that are open, as the pools tell them; a request for each.

        Of an ERC-20 only whole multiples of a unit cross, which nobody would hit by chance: where
        that is not one base unit there is no ladder.
        """
        found = [route(self._chains, sell, buy) for sell, buy in routes]
        known = [
            each
            for each in found
            if each is not None
            and sizes.get(each.sell, 0) > 0
            and (each.unit == 1 or each.sell.is_native)
        ]
        if not known:
            return ()
        with ThreadPoolExecutor(min(_ASKED_AT_ONCE, len(known)), "stargate") as pool:
            edges = list(pool.map(lambda each: self._edge(each, sizes[each.sell]), known))
        return tuple(edge for edge in edges if edge is not None)

    def _edge(self, found: Route, size: int) -> Edge | None:
        raws = [raw for step in range(LADDER_STEPS - 1, -1, -1) if (raw := size >> step)]
        try:
            offers, fee = self._offers.ladder(found, raws)
        except Unavailable:
            return None
        ladder: list[tuple[int, int]] = []
        for raw, out in (_point(found, offer) for offer in offers):
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
            gas=SEND_GAS + APPROVAL_GAS if approved else COIN_GAS,
            seconds=found.near.verify_seconds + DELIVERY_SECONDS,
            data_bytes=SEND_BYTES + approved * APPROVAL_BYTES,
            fee=fee,
        )

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """Exactly *sell_raw* for at least what the policy's slippage leaves, or it reverts.

        Raises NoRoute, Contradicted where the contracts are not what they should be, and what a
        silent node deserves.
        """
        found = route(self._chains, leg.sell.token, leg.buy)
        if found is None or not sell_raw > 0:
            pair = f"{leg.sell.token.symbol} to {leg.buy.symbol} on chain {leg.buy.chain}"
            raise NoRoute(f"Stargate does not know this pair: {pair}", fix="use another bridge")
        self._offers.check(found)
        (offer,), fee = self._offers.ladder(found, [sell_raw])
        dust = sell_raw % found.unit
        if offer.sent != sell_raw - dust or offer.received > offer.most:
            raise closed(found, f"lets no more than {offer.most} base units through now")
        if not offer.received > 0:
            raise closed(found, "would keep all of it as its fee")
        least = self._least(found, offer, min_out)
        sold = Amount(found.sell, sell_raw)
        by_value = found.sell.is_native
        if dust and not (by_value and fee >= dust):
            raise closed(found, f"takes whole multiples of {found.unit} base units only")
        # Of the gas coin the pool leaves what does not cross to the message, whose fee it pays.
        rest = fee - dust
        data = SEND_CALL.encode(parameters(found, account, sell_raw, least), (rest, 0), account)
        return Quote(
            via=self.name,
            sell=sold,
            buy=found.buy,
            amount_out=offer.received,
            min_amount_out=least,
            allowances=() if by_value else (Allowance(found.pool, sold),),
            payload=Call(found.near.chain, found.pool, rest + (sell_raw if by_value else 0), data),
            expires=now + QUOTE_SECONDS,
            gas=COIN_GAS if by_value else SEND_GAS,
            route="Stargate",
            fee=rest,
        )

    def _least(self, found: Route, offer: Offer, min_out: int) -> int:
        """The least that must come out: the pool reads it in whole units, rounded down.

        So it is rounded up here, and where not even all of it is enough the guard says no.
        """
        wanted = max(min_out, mul_div_down(offer.received, self._kept_bps, WHOLE_BPS))
        return min(offer.received, -(-wanted // found.unit) * found.unit)

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:  # noqa: ARG002  what is claimed is read from the chain
        """Where the money of a mined transfer is, by both chains' states, logs and balances."""
        return self._tracker.track(leg, deposit, sold_raw, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Transfers of *account* to itself that have not arrived, from logs alone."""
        return self._tracker.find(account, since)

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:
        """What those who verify and execute messages would send on the far chain."""
        return self._tracker.rehearse(leg, deposit, account)


def _point(found: Route, offer: Offer) -> tuple[int, int]:
    """A point of a ladder: all that was asked for, or no more than the path lets through."""
    is_whole = offer.sent == offer.asked - offer.asked % found.unit
    raw = offer.asked if is_whole else offer.sent
    return raw, min(offer.received, offer.most)


def make(options: ProviderOptions, io: AdapterIo) -> Stargate:
    """Stargate over the pools of *options*; nothing is read yet."""
    return Stargate(options, io)
