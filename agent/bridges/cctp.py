"""Circle's CCTP v2: USDC is burnt here and minted there, one to one, on Circle's attestation.

The wallet burns for itself, asks Circle's service for the attestation, and claims with it; anybody
else may claim for it, and what nobody claims stays claimable. Two ways: a standard transfer waits
for finality and is free, a fast one does not and costs a fee, whose most stands in the burn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from agent.bridges._burn_message import (
    BURN_LIMIT,
    FAST,
    LEAST_FEE,
    LOCAL_MINTER,
    LOCAL_TOKEN,
    PAUSED,
    REMOTE,
    STANDARD,
    deposit_data,
    layouts,
    word,
)
from agent.bridges._burn_tracking import BurnTracker
from agent.bridges._domains import Domain, Domains, numbered, pair, places
from agent.bridges._iris import Iris, fee_of
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.errors import BadReply, NoRoute, Unavailable
from agent.ports import AdapterIo, Delivery, Read, Track, Transfer
from agent.provider import About, ProviderChain, ProviderOptions

ABOUT = About(title="Circle CCTP v2", calls=35, seconds=1)

BURN_GAS = 130_000
"""Gas of a burn: 116 000 for Circle's own contracts, measured on local chains."""

APPROVAL_GAS = 55_600
"""Gas of the exact approval before it (USDC's)."""

FAR_GAS = 200_000
"""Gas of the claim on the far chain: up to 156 000 measured, a second mint for a fee on top."""

BURN_BYTES, APPROVAL_BYTES = 370, 190
"""Bytes of the two signed transactions: 228 and 68 of calldata, and the transaction's own."""

CLAIM_BYTES = 788
"""Bytes of the signed claim: 676 of calldata with two signatures, and the transaction's own."""

QUOTE_SECONDS = 300
"""A fee is asked for anew after this, and a burn that is not mined by then is taken back."""

FEE_MARGIN = Decimal("1.2")
"""How far the fee may rise until the attestation: Circle's own advice is 10 to 20 %."""

LADDER_STEPS = 8
"""Points of a ladder, each twice the one before, as for venues."""

FAST_DETAIL, STANDARD_DETAIL = "fast", "standard"
"""What edges and legs call the two ways; a leg that says neither is standard."""

_ASKED_AT_ONCE = 8


class Cctp:
    """Implements the Bridge port over CCTP's contracts and Circle's attestation service."""

    name = "cctp"

    def __init__(self, domains: Domains, api: str, io: AdapterIo) -> None:
        self._domains = domains
        self._api = api
        self._io = io
        self._iris = Iris(io.http, api)
        self._tracker = BurnTracker(domains, io.nodes, self._iris)
        self._layouts = layouts(numbered(domains), places(domains))

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The burn and the claim."""
        return self._layouts

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The chain's messenger, which also spends, and the transmitter that takes claims."""
        known = self._domains.get(chain)
        if known is None:
            return {}
        return dict(known.code_hashes)

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Up to two ladders for each pair of USDC; one question to Circle for each pair."""
        found = [pair(self._domains, sell, buy) for sell, buy in routes]
        known = [each for each in found if each is not None and sizes.get(each[0].usdc, 0) > 0]
        if not (known and self._api):
            return ()
        try:
            allowance = self._fast_allowance()
        except Unavailable:
            allowance = 0
        with ThreadPoolExecutor(min(_ASKED_AT_ONCE, len(known)), "cctp") as pool:
            edges = pool.map(lambda ends: self._edges(ends, sizes, allowance), known)
            return tuple(edge for several in edges for edge in several)

    def _edges(
        self, ends: tuple[Domain, Domain], sizes: Mapping[Token, int], allowance: int
    ) -> list[Edge]:
        near, far = ends
        size = sizes[near.usdc]
        try:
            ways = self._ways(near, far)
        except Unavailable:
            return []
        return [
            _edge(way, near, far, top)
            for way, top in ((way, min(size, allowance) if way.is_fast else size) for way in ways)
            if top > way.most_fee(top)
        ]

    def _ways(self, near: Domain, far: Domain) -> list[_Way]:
        """Those that Circle names a fee for; raises what the service deserves, and NoRoute."""
        if not self._api:
            raise NoRoute(
                "nobody attests burns of USDC where no server may be asked",
                fix="ask outside of the rehearsal, or use another bridge",
            )
        fees = self._iris.fees(near.number, far.number)
        ways = []
        if STANDARD in fees:
            ways.append(_Way(STANDARD_DETAIL, STANDARD, near.standard_seconds, fees[STANDARD]))
        if FAST in fees and near.fast_seconds is not None:
            ways.append(_Way(FAST_DETAIL, FAST, near.fast_seconds, fees[FAST]))
        return ways

    def _fast_allowance(self) -> int:
        """Base units of USDC that fast transfers may take now."""
        return int(self._iris.allowance() * 10**6)

    def quote(
        self,
        leg: Leg,
        sell_raw: int,
        account: Address,
        min_out: int,  # noqa: ARG002  the fee is the offer; the guard compares what is left
        now: int,
    ) -> Quote:
        """Burn exactly *sell_raw*, to get it all but a fee that the bytes bound.

        Raises NoRoute, and what the service deserves: Rejected, ProviderSilent.
        """
        ends = pair(self._domains, leg.sell.token, leg.buy)
        if ends is None or not sell_raw > 0:
            raise _no_way(leg, "does not know this pair")
        near, far = ends
        wanted = FAST_DETAIL if FAST_DETAIL in leg.detail.split(", ") else STANDARD_DETAIL
        way = next((way for way in self._ways(near, far) if way.detail == wanted), None)
        if way is None:
            raise _no_way(leg, f"has no {wanted} transfer")
        if way.is_fast and not (sell_raw <= self._fast_allowance()):
            raise _no_way(leg, "takes less than that in fast transfers now")
        least = self._least_fee(near, far, leg, sell_raw)
        fee, most = max(way.fee(sell_raw), least), max(way.most_fee(sell_raw), least)
        if not (most < sell_raw):
            raise _no_way(leg, "would keep all of it as its fee")
        if not self._can_claim(far, account):
            raise _no_way(leg, "needs gas there for the claim, which your wallet does not have")
        data = deposit_data(
            amount=sell_raw,
            domain=far.number,
            account=account,
            token=near.usdc.address,
            max_fee=most,
            finality=way.finality,
        )
        sold = Amount(near.usdc, sell_raw)
        return Quote(
            via=self.name,
            sell=sold,
            buy=far.usdc,
            amount_out=sell_raw - fee,
            min_amount_out=sell_raw - most,
            allowances=(Allowance(near.messenger, sold),),
            payload=Call(near.chain, near.messenger, 0, data),
            expires=now + QUOTE_SECONDS,
            gas=BURN_GAS,
            route=f"CCTP, {way.detail}",
        )

    def _least_fee(self, near: Domain, far: Domain, leg: Leg, raw: int) -> int:
        """The least that the burn must offer, once both ends are known to work together."""
        remote, minter, least = self._read(
            near.chain,
            Read(near.messenger, REMOTE.encode(far.number)),
            Read(near.messenger, LOCAL_MINTER.encode()),
            # Messengers before v2.1 know no least fee.
            Read(near.messenger, LEAST_FEE.encode(raw)),
        )
        back, far_minter = self._read(
            far.chain,
            Read(far.messenger, REMOTE.encode(near.number)),
            Read(far.messenger, LOCAL_MINTER.encode()),
        )
        if (remote, back) != (_number(far.messenger), _number(near.messenger)):
            raise _no_way(leg, "does not connect these two chains")
        paused, limit = self._read(
            near.chain,
            Read(near.transmitter, PAUSED.encode()),
            Read(_address(minter), BURN_LIMIT.encode(near.usdc.address)),
        )
        far_paused, token = self._read(
            far.chain,
            Read(far.transmitter, PAUSED.encode()),
            Read(_address(far_minter), LOCAL_TOKEN.encode(near.number, word(near.usdc.address))),
        )
        if paused or far_paused:
            raise _no_way(leg, "is paused here" if paused else "is paused there")
        if token != _number(far.usdc.address):
            raise _no_way(leg, "pays out another token there")
        if not (raw <= (limit or 0)):
            raise _no_way(leg, f"burns at most {limit} base units at once")
        return least or 0

    def _can_claim(self, far: Domain, account: Address) -> bool:
        """Whether the wallet could pay for a claim there now; what is burnt waits if it cannot."""
        node = self._io.nodes[far.chain]
        held = node.balances(account, [far.native], node.block().number)[far.native]
        return held >= node.fees().expected(FAR_GAS, CLAIM_BYTES)

    def _read(self, chain: ChainId, *reads: Read) -> list[int | None]:
        """Answers as numbers, None where the contract has none."""
        found = []
        for read, answer in zip(reads, self._io.nodes[chain].read(reads), strict=True):
            if answer is not None and len(answer) != 32:
                raise BadReply(
                    f"CCTP's contract {read.to} on chain {chain} does not answer as it should",
                    fix="check its address in chains.toml",
                )
            found.append(None if answer is None else int.from_bytes(answer, "big"))
        return found

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:  # noqa: ARG002  the far chain says what was claimed, by us or by others
        """Where the money of a mined burn is, by both chains' logs and Circle's attestation."""
        return self._tracker.track(leg, deposit, sold_raw, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Burns of *account* for which nothing was minted, from both chains' logs alone."""
        return self._tracker.find(account, since)

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:  # noqa: ARG002  whoever appoints attesters sends it
        """What claims a burn on a fork; None once it is claimed."""
        return self._tracker.rehearse(leg, deposit)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to send, with its fee in basis points."""

    detail: str
    finality: int
    seconds: int
    bps: Decimal

    @property
    def is_fast(self) -> bool:
        """Whether it does not wait for finality."""
        return self.finality == FAST

    def fee(self, raw: int) -> int:
        """Base units that Circle keeps."""
        return fee_of(raw, self.bps)

    def most_fee(self, raw: int) -> int:
        """Base units that it may keep at most."""
        return fee_of(raw, self.bps * FEE_MARGIN)


def _edge(way: _Way, near: Domain, far: Domain, top: int) -> Edge:
    steps = sorted({top >> step for step in range(LADDER_STEPS)} - {0})
    return Edge(
        via="cctp",
        sell=near.usdc,
        buy=far.usdc,
        ladder=tuple((raw, raw - way.fee(raw)) for raw in steps if raw > way.most_fee(raw)),
        gas=BURN_GAS + APPROVAL_GAS,
        seconds=way.seconds,
        detail=way.detail,
        data_bytes=BURN_BYTES + APPROVAL_BYTES,
        far_gas=FAR_GAS,
    )


def _number(address: Address) -> int:
    return int(address, 16)


def _address(number: int | None) -> Address:
    return Address(f"0x{number or 0:040x}")


def _no_way(leg: Leg, why: str) -> NoRoute:
    pair_named = f"{leg.sell.token.symbol} to {leg.buy.symbol} on chain {leg.buy.chain}"
    return NoRoute(f"CCTP {why}: {pair_named}", fix="use another bridge, or another amount")


def make(options: ProviderOptions, io: AdapterIo) -> Cctp:
    """CCTP between the chains of *options*; nothing is read yet."""
    domains = {
        chain: _domain(found) for chain, found in options.chains.items() if "USDC" in found.tokens
    }
    return Cctp(domains, options.api, io)


def _domain(found: ProviderChain) -> Domain:
    """The facts about one chain, as the settings have checked them."""
    messenger, transmitter = found.address("token_messenger"), found.address("message_transmitter")
    return Domain(
        chain=found.chain,
        number=found.number("domain"),
        native=found.native,
        usdc=found.tokens["USDC"],
        messenger=messenger,
        transmitter=transmitter,
        standard_seconds=found.number("standard_seconds"),
        fast_seconds=found.number("fast_seconds") if "fast_seconds" in found.facts else None,
        confirmations=found.confirmations,
        code_hashes=found.pinned(messenger, transmitter),
    )
