"""The OP stack's own bridge between Ethereum and its rollups: one to one, and nobody to trust.

A deposit is made by the rollup within minutes. A withdrawal is proven on Ethereum once an output
of the rollup covers it, and paid after the challenge period, days later; both are claims of ours,
though anybody may make them. Neither ever expires. Only the gas coin crosses here: what stands for
a token on the other side would have to be known for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.bridges._op_games import Portals
from agent.bridges._op_stack import BRIDGE, MESSENGER, bridge_data, layouts
from agent.bridges._op_tracking import Tracker
from agent.bridges._op_ways import Route, Side, Way, route, ways
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.errors import BadReply, NoRoute, Unavailable
from agent.ports import AdapterIo, Delivery, Read, Track, Transfer
from agent.provider import About, ProviderOptions
from agent.wire.abi import AbiError

__all__ = ["ABOUT", "CanonicalOp", "make"]

ABOUT = About(title="OP stack")

DEPOSIT_GAS, WITHDRAW_GAS = 135_000, 160_000
"""Gas of a transfer, measured on local chains, without what a deposit burns."""

BURNED_GAS, BURNED_PRICE = 370_000, 10**9
"""A deposit pays for its gas on the rollup by burning some of Ethereum's: so much at a base fee of
1 gwei (wei per gas) or less, in proportion less above (ResourceMetering.sol, while few deposit)."""

CLAIMS_GAS = 800_000
"""Gas on Ethereum of proving (some 450 000 with mainnet's paths of eight nodes) and of finalising a
withdrawal, with a reserve."""

TRANSFER_BYTES = 310
"""Of the signed transaction: 132 of calldata, the rest are the fields of an EIP-1559 transaction
and its signature."""

DEPOSIT_SECONDS = 180
"""One to three minutes (docs.optimism.io, "Deposit flow")."""

PROPOSAL_SECONDS = 3_600
"""How long a withdrawal waits for an output of the rollup, which is stated about each hour."""

QUOTE_SECONDS = 300
"""A transfer that is not mined by then is taken back and thought over: nothing in it expires."""


class CanonicalOp:
    """Implements the Bridge port over the OP stack's standard bridges."""

    name = "canonical_op"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._ways = ways(options.chains)
        self._pins = options.chains
        self._io = io
        self._layouts = layouts(self._ways)
        self._tracker = Tracker(self._ways, io.nodes)
        self._portals = Portals(io.nodes)

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The bridges' function, the portal's for claims, and what their messages say."""
        return self._layouts

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The bridges and messengers on *chain*, and the portals of rollups whose parent it is."""
        found: list[Address] = []
        for way in self._ways:
            if way.parent.chain == chain:
                found += [way.parent.bridge, way.parent.messenger, way.portal]
            if way.rollup.chain == chain:
                found += [way.rollup.bridge, way.rollup.messenger]
        return self._pins[chain].pinned(*found) if found else {}

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """One to one, at what it takes in gas and time; no edge where a contract does not say."""
        found = []
        for sell, buy in routes:
            on, size = route(self._ways, sell, buy), sizes.get(sell, 0)
            if on is None or not size > 0:
                continue
            try:
                seconds, gas = self._seconds(on), self._gas(on)
            except Unavailable:
                continue
            found.append(
                Edge(
                    via=self.name,
                    sell=sell,
                    buy=buy,
                    ladder=((1, 1), (size, size)) if size > 1 else ((1, 1),),
                    gas=gas,
                    seconds=seconds,
                    data_bytes=TRANSFER_BYTES,
                    far_gas=CLAIMS_GAS if on.withdraws else 0,
                )
            )
        return tuple(found)

    def _seconds(self, on: Route) -> int:
        """From the transfer to the money, by what the contracts say now; raises Unavailable."""
        if not on.withdraws:
            return DEPOSIT_SECONDS
        way = on.way
        head = self._io.nodes[way.parent.chain].block().number
        rules = self._portals.rules(way, head)
        clock = self._portals.clock(way, rules, head)
        return PROPOSAL_SECONDS + max(rules.maturity, clock + rules.air_gap)

    def _gas(self, on: Route) -> int:
        """Gas of the transfer at Ethereum's base fee now; raises Unavailable."""
        if on.withdraws:
            return WITHDRAW_GAS
        base_fee = self._io.nodes[on.near.chain].fees().base_fee_per_gas
        return DEPOSIT_GAS + BURNED_GAS * BURNED_PRICE // max(BURNED_PRICE, base_fee)

    def quote(
        self,
        leg: Leg,
        sell_raw: int,
        account: Address,
        min_out: int,
        now: int,
    ) -> Quote:
        """Exactly *sell_raw* for as much; raises NoRoute, and Unavailable while it is paused."""
        on = route(self._ways, leg.sell.token, leg.buy)
        if on is None or not sell_raw > 0:
            raise _no_way(leg, "does not carry this pair")
        if not sell_raw >= min_out:
            raise _no_way(leg, "brings no more than is sent")
        self._check(on, leg)
        return Quote(
            via=self.name,
            sell=Amount(on.near.native, sell_raw),
            buy=on.far.native,
            amount_out=sell_raw,
            min_amount_out=sell_raw,
            allowances=(),
            payload=Call(on.near.chain, on.near.bridge, sell_raw, bridge_data(account)),
            expires=now + QUOTE_SECONDS,
            gas=self._gas(on),
            route="OP stack",
        )

    def _check(self, on: Route, leg: Leg) -> None:
        """Refuse a bridge that is paused on either side, or does not belong to the other one."""
        for here, there in ((on.near, on.far), (on.far, on.near)):
            if self._paired(on.way, here, there):
                raise _no_way(leg, f"is paused on chain {here.chain}")

    def _paired(self, way: Way, here: Side, there: Side) -> bool:
        """Whether *here* is paused; raises BadReply when its contracts name others than *there*."""
        asked = [
            (here.bridge, BRIDGE["messenger"], here.messenger),
            (here.bridge, BRIDGE["otherBridge"], there.bridge),
            (here.messenger, MESSENGER["otherMessenger"], there.messenger),
        ]
        if here == way.parent:
            asked.append((here.messenger, MESSENGER["portal"], way.portal))
        reads = [Read(to, function.encode()) for to, function, _ in asked]
        paused = MESSENGER["paused"]
        *said, halted = self._io.nodes[here.chain].read(
            [*reads, Read(here.messenger, paused.encode())]
        )
        for (to, function, wanted), answer in zip(asked, said, strict=True):
            if _address(answer) != wanted:
                raise BadReply(
                    f"{to} on chain {here.chain} does not name {wanted} as its {function.name}",
                    fix="check the addresses of the OP stack in chains.toml",
                )
        return halted is not None and any(halted)

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money of a mined transfer is, and what is to be claimed, by both chains."""
        return self._tracker.track(leg, deposit, sold_raw, claims, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """What *account* sent to itself and was not delivered, from logs alone."""
        return self._tracker.find(account, since)

    def rehearse(
        self,
        leg: Leg,
        deposit: Receipt,
        account: Address,  # noqa: ARG002  nobody but the chains themselves delivers
    ) -> Delivery | None:
        """What the rollup or its portal would send on the far chain; None once it is delivered."""
        return self._tracker.rehearse(leg, deposit)


def _address(answer: bytes | None) -> Address | None:
    try:
        return None if answer is None else Address(BRIDGE["messenger"].decode(answer)[0])
    except AbiError:
        return None


def _no_way(leg: Leg, why: str) -> NoRoute:
    pair = f"{leg.sell.token.symbol} to {leg.buy.symbol} on chain {leg.buy.chain}"
    return NoRoute(f"the OP stack's bridge {why}: {pair}", fix="use another bridge, or wait")


def make(options: ProviderOptions, io: AdapterIo) -> CanonicalOp:
    """The bridges of the rollups that *options* know with their parents; nothing is read yet."""
    return CanonicalOp(options, io)
