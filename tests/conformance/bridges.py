"""Each bridge with what the suite of the Bridge port needs to know of it.

A new bridge joins with a rig of its own under its module's name: the suite asks nothing else.
"""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from typing import Protocol

import arbitrum_rigs
from arbitrum_rigs import Rollup
from bridge_rigs import FAR, NEAR, STRANGER, WALLET, Crossing, native
from cctp_rig import Burning
from lifi_rig import Ferry
from op_rig import Stack
from paper_world import BRIDGE, ETHER, ME, USDC_A, USDC_B, WBTC_B, WETH_A, WETH_B, A, World
from sim.paper import granted, mined
from stargate_rigs import Passing

import agent.bridges
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call
from agent.ports import Act, Bridge, Delivered, Node

ELSEWHERE = ChainId(424_242)
RAW = 1_000 * 10**6


def leg(bridge: Bridge, sell: Token, buy: Token, raw: int) -> Leg:
    return Leg(
        id="1",
        kind="bridge",
        via=bridge.name,
        sell=Sell(sell, raw),
        buy=buy,
        expected_out=raw,
        min_buy=1,
    )


class Rig(Protocol):
    """One bridge between real or paper chains, and the people and machines around it.

    `transfers` are (sell, buy, base units) that it can do, `unknown` pairs that it cannot.
    """

    bridge: Bridge
    account: Address
    transfers: tuple[tuple[Token, Token, int], ...]
    unknown: tuple[tuple[Token, Token], ...]

    def now(self) -> int:
        """Time of the chain that is sent from."""

    def node(self, chain: ChainId) -> Node:
        """The node of a chain."""

    def deposit(self, wanted: Leg) -> Receipt:
        """The wallet has what the leg sells, and deposits what its quote says."""

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        """Whoever delivers has done so, deep enough to count."""

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        """Nobody delivers, and the money has come back, deep enough to count."""

    def held(self, token: Token) -> int:
        """Base units that the wallet has."""


class OnPaper:
    """The bridge of the paper world."""

    def __init__(self) -> None:
        self.world = World("push")
        self.bridge = self.world.bridge
        self.account = ME
        self.transfers = ((USDC_A, USDC_B, RAW), (WETH_A, WETH_B, ETHER))
        self.unknown = ((USDC_A, USDC_A), (USDC_A, replace(WBTC_B, chain=ELSEWHERE)))
        self._later = 0

    def now(self) -> int:
        return self.world.clock.now() + self._later

    def node(self, chain: ChainId) -> Node:
        return self.world.chains[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        self._later = 0
        sold, node = wanted.planned_sell, self.world.chains[A]
        node.ledger.mint(sold.token.address, ME, sold.raw)
        node.ledger.approve(sold.token.address, ME, BRIDGE, 0)
        quote = self.bridge.quote(wanted, sold.raw, ME, 1, self.now())
        for allowance in quote.allowances:
            assert mined(node, granted(allowance)).ok
        assert isinstance(quote.payload, Call)
        return mined(node, quote.payload)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        self._later = 60

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        self.bridge.way = "refund"
        self._later = 60

    def held(self, token: Token) -> int:
        return self.world.holds(token)


class OnAcross:
    """Across's real pools on two local chains."""

    def __init__(self, crossing: Crossing) -> None:
        self.crossing = crossing
        self.bridge = crossing.bridge
        self.account = WALLET

        def both(symbol: str) -> tuple[Token, Token]:
            return crossing.token(NEAR, symbol), crossing.token(FAR, symbol)

        self.transfers = (
            (*both("USDC"), RAW),
            (*both("DAI"), ETHER),
            (*both("ETH"), ETHER),
            (crossing.token(NEAR, "WETH"), native(FAR), ETHER),
        )
        usdc, far_usdc = both("USDC")
        self.unknown = (
            (usdc, crossing.token(FAR, "USDT")),
            (usdc, usdc),
            (usdc, replace(far_usdc, chain=ELSEWHERE)),
            both("WETH"),
        )

    def now(self) -> int:
        return self.crossing.nodes[NEAR].block().timestamp

    def node(self, chain: ChainId) -> Node:
        return self.crossing.nodes[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        sold = wanted.planned_sell
        self.crossing.worlds[NEAR].fund(WALLET, {sold.token.symbol: sold.raw})
        return self.crossing.deposit(wanted)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        self.crossing.fill(self.crossing.made(deposit))
        self.crossing.mine()

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        self.crossing.expire(self.crossing.made(deposit))
        sold = wanted.planned_sell
        self.crossing.pay_back(
            sold.raw, symbol="WETH" if sold.token.is_native else sold.token.symbol
        )
        self.crossing.mine(NEAR)

    def held(self, token: Token) -> int:
        node = self.crossing.nodes[token.chain]
        return node.balances(WALLET, [token], node.block().number)[token]


class OnLiFi:
    """LI.FI's diamond over Across's real pools on two local chains."""

    def __init__(self, ferry: Ferry) -> None:
        self.ferry = ferry
        self.bridge = ferry.bridge
        self.account = WALLET

        def both(symbol: str) -> tuple[Token, Token]:
            return ferry.token(NEAR, symbol), ferry.token(FAR, symbol)

        usdc, far_usdc = both("USDC")
        self.transfers = ((usdc, far_usdc, RAW), (*both("DAI"), 1_000 * ETHER))
        self.unknown = (
            (usdc, ferry.token(FAR, "USDT")),
            (usdc, usdc),
            (usdc, replace(far_usdc, chain=ELSEWHERE)),
            both("ETH"),
            both("WETH"),
        )

    def now(self) -> int:
        return self.ferry.now()

    def node(self, chain: ChainId) -> Node:
        return self.ferry.nodes[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        return self.ferry.deposit(wanted)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        self.ferry.deliver()

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        self.ferry.pay_back()

    def held(self, token: Token) -> int:
        return self.ferry.held(token)


class OnStargate:
    """Stargate's real pools on local chains, with those who verify and execute its messages."""

    def __init__(self, passing: Passing) -> None:
        self.passing = passing
        self.bridge = passing.bridge
        self.account = WALLET

        def both(symbol: str) -> tuple[Token, Token]:
            return passing.token(NEAR, symbol), passing.token(FAR, symbol)

        usdc, far_usdc = both("USDC")
        self.transfers = ((usdc, far_usdc, RAW), (*both("ETH"), ETHER + 7))
        self.unknown = (
            (usdc, passing.token(FAR, "USDT")),
            (usdc, usdc),
            (usdc, replace(far_usdc, chain=ELSEWHERE)),
            both("WETH"),
            both("DAI"),
        )

    def now(self) -> int:
        return self.passing.now()

    def node(self, chain: ChainId) -> Node:
        return self.passing.nodes[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        sold = wanted.planned_sell
        self.passing.worlds[NEAR].fund(WALLET, {sold.token.symbol: sold.raw})
        return self.passing.deposit(wanted)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        self.passing.deliver()

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        raise AssertionError("a message cannot be taken back")

    def held(self, token: Token) -> int:
        return self.passing.held(token.chain, token.symbol)


class OnArbitrum:
    """Ether between Ethereum and a rollup, by the rollup's own contracts."""

    def __init__(self, rollup: Rollup) -> None:
        self.rollup = rollup
        self.bridge = rollup.bridge
        self.account = arbitrum_rigs.WALLET
        inward, outward = rollup.leg(inward=True), rollup.leg(inward=False)
        near, far = inward.sell.token, outward.sell.token
        token = rollup.token_leg()
        crossing = (token.sell.token, token.buy)
        self.transfers = ((near, far, ETHER), (far, near, ETHER), (*crossing, 10**7))
        self.unknown = (
            (near, near),
            crossing[::-1],
            (near, native(FAR)),
            (near, replace(far, address=Address("0x" + "82" * 20))),
        )

    def now(self) -> int:
        return self.rollup.now()

    def node(self, chain: ChainId) -> Node:
        return self.rollup.nodes[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        return self.rollup.deposit(wanted)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        if wanted.sell.token.chain == NEAR:
            self.rollup.take_in()
            return
        self.rollup.confirm()
        found = self.rollup.track(wanted, deposit)
        assert isinstance(found, Act)
        assert isinstance(found.draft.payload, Call)
        # Anybody may claim it.
        assert self.rollup.sent(found.draft.payload, STRANGER).ok
        self.rollup.worlds.mine(2)

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        raise AssertionError("it never pays back")

    def held(self, token: Token) -> int:
        return self.rollup.held(token.chain, token=token)


class OnCctp:
    """CCTP's stand-ins on two local chains, with their attester."""

    def __init__(self, burning: Burning) -> None:
        self.burning = burning
        self.bridge = burning.bridge
        self.account = WALLET
        usdc, far_usdc = burning.usdc(NEAR), burning.usdc(FAR)
        self.transfers = ((usdc, far_usdc, RAW), (far_usdc, usdc, RAW))
        self.unknown = (
            (usdc, usdc),
            (usdc, native(FAR)),
            (native(NEAR), far_usdc),
            (usdc, replace(far_usdc, chain=ELSEWHERE)),
        )

    def now(self) -> int:
        return self.burning.now()

    def node(self, chain: ChainId) -> Node:
        return self.burning.nodes[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        return self.burning.burn(wanted)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        self.burning.mine(wanted.sell.token.chain, 3)
        self.burning.claim(self.burning.track(wanted, deposit))
        self.burning.mine(wanted.buy.chain)

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        raise AssertionError("what was burnt never comes back")

    def held(self, token: Token) -> int:
        return self.burning.held(token.chain)


class OnOpStack:
    """Ether between Ethereum and Base, by the OP stack's own contracts."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.bridge = stack.bridge
        self.account = WALLET
        near, far = native(NEAR), native(FAR)
        self.transfers = ((near, far, ETHER), (far, near, ETHER))
        self.unknown = (
            (near, near),
            (near, replace(far, chain=ELSEWHERE)),
            (near, replace(far, address=Address("0x" + "82" * 20))),
        )

    def now(self) -> int:
        return self.stack.now()

    def node(self, chain: ChainId) -> Node:
        return self.stack.nodes[chain]

    def deposit(self, wanted: Leg) -> Receipt:
        return self.stack.send(wanted)

    def deliver(self, wanted: Leg, deposit: Receipt) -> None:
        while not isinstance(found := self.stack.track(wanted, deposit), Delivered):
            if isinstance(found, Act):
                self.stack.claim(found)
            self.stack.pass_time(5)

    def pay_back(self, wanted: Leg, deposit: Receipt) -> None:
        raise AssertionError("it never pays back")

    def held(self, token: Token) -> int:
        # What the claims cost is not the bridge's.
        held = self.stack.held(token.chain)
        return held + self.stack.fees[token.chain]


def bridge_names() -> list[str]:
    """The modules of the folder that are bridges."""
    found = pkgutil.iter_modules(agent.bridges.__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))
