"""Stargate by chain: which pool takes which token, and what comes out where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.core.layout import Layout, Place
from agent.core.money import Address, ChainId, Token
from agent.provider import ProviderChain
from agent.wire.calldata import by_selector

SHARED_DECIMALS = 6
"""Of amounts in Stargate's messages; what a token has beyond them does not cross (`sharedDecimals`
of every pool in @stargatefinance/stg-evm-v2 2.0.6, deployments)."""

COIN = "native"
"""The pool of the gas coin, beside those by asset."""

SEND = Layout(
    signature="send((uint32,bytes32,uint256,uint256,bytes,bytes,bytes),(uint256,uint256),address)",
    to_chain=(0, 0),
    recipient=(0, 1),
    amount_in=(0, 2),
    min_out=(0, 3),
    # No gas or coins for others, no message to a contract, no bus, no fee in another token.
    zeros=((0, 4), (0, 5), (0, 6), (1, 1)),
    fee=(1, 0),
    # What is too much of the fee comes back to it.
    refund=(2,),
    lasting=True,
)
EXECUTE = Layout(
    signature="lzReceive((uint32,bytes32,uint64),address,bytes32,bytes,bytes)", zeros=((4,),)
)
RETRY = Layout(
    signature="retryReceiveToken(bytes32,uint8,uint32,address,uint256,bytes)",
    recipient=(3,),
    zeros=((1,), (5,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StargateChain:
    """Stargate on one chain.

    `eid` is LayerZero's number for it, `messaging` Stargate's contract on LayerZero's `endpoint`.
    `pools` are by asset, `tokens` what each takes and pays. `verify_seconds` is how long those who
    verify messages let the chain settle; a block counts after `confirmations`. `targets` are
    called, and may spend, with the code that must stand there ('' where it is not pinned).
    """

    chain: ChainId
    eid: int
    endpoint: Address
    messaging: Address
    pools: Mapping[str, Address]
    tokens: Mapping[str, Token]
    verify_seconds: int
    confirmations: int
    targets: Mapping[Address, str]

    def asset_of(self, token: Token) -> str | None:
        """The asset that a token is here; None for one that no pool takes."""
        return next((asset for asset, known in self.tokens.items() if known == token), None)

    def unit(self, asset: str) -> int:
        """Base units of which only whole multiples cross."""
        return int(10 ** (self.tokens[asset].decimals - SHARED_DECIMALS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One asset from one chain to another."""

    asset: str
    near: StargateChain
    far: StargateChain

    @property
    def sell(self) -> Token:
        """What the near pool takes."""
        return self.near.tokens[self.asset]

    @property
    def buy(self) -> Token:
        """What the far pool pays."""
        return self.far.tokens[self.asset]

    @property
    def pool(self) -> Address:
        """Where a transfer begins."""
        return self.near.pools[self.asset]

    @property
    def far_pool(self) -> Address:
        """Where it ends."""
        return self.far.pools[self.asset]

    @property
    def unit(self) -> int:
        """Base units of which only whole multiples cross."""
        return self.near.unit(self.asset)


def stargate_chain(known: ProviderChain) -> StargateChain:
    """Stargate's table of one chain; pools of assets that are not known here are left out."""
    coin = next((asset for asset, token in known.tokens.items() if token == known.wrapped), None)
    pools: dict[str, Address] = {}
    tokens: dict[str, Token] = {}
    for name, pool in known.table("pools").items():
        asset = coin if name == COIN else name
        token = known.native if name == COIN else known.tokens.get(name)
        if asset is None or token is None or token.decimals < SHARED_DECIMALS:
            continue
        pools[asset], tokens[asset] = Address(str(pool)), token
    endpoint = known.address("endpoint")
    return StargateChain(
        chain=known.chain,
        eid=known.number("eid"),
        endpoint=endpoint,
        messaging=known.address("messaging"),
        pools=pools,
        tokens=tokens,
        verify_seconds=known.number("verify_seconds"),
        confirmations=known.confirmations,
        targets=known.pinned(*pools.values(), endpoint),
    )


def route(chains: Mapping[ChainId, StargateChain], sell: Token, buy: Token) -> Route | None:
    """The way from *sell* to *buy*; None when they are not one asset on two known chains.

    Nor when they count differently: the least that must come out is said in the base units of what
    is sold, and nobody could compare it.
    """
    near, far = chains.get(sell.chain), chains.get(buy.chain)
    if near is None or far is None or near == far:
        return None
    asset = near.asset_of(sell)
    if asset is None or far.tokens.get(asset) != buy or sell.decimals != buy.decimals:
        return None
    return Route(asset=asset, near=near, far=far)


def layouts(chains: Mapping[ChainId, StargateChain]) -> Mapping[str, Layout]:
    """The functions that are called, with what each pool implies."""
    places = {
        (near.chain, near.pools[asset]): Place(sell=token.address, buys=_buys(chains, near, asset))
        for near in chains.values()
        for asset, token in near.tokens.items()
    }
    numbers = {known.eid: known.chain for known in chains.values()}
    return by_selector(replace(SEND, numbers=numbers, places=places), EXECUTE, RETRY)


def _buys(
    chains: Mapping[ChainId, StargateChain], near: StargateChain, asset: str
) -> dict[tuple[ChainId, Address], Address]:
    token = near.tokens[asset]
    return {
        (far.chain, token.address): far.tokens[asset].address
        for far in chains.values()
        if asset in far.tokens and route(chains, token, far.tokens[asset]) is not None
    }
