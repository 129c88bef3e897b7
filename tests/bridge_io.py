"""What every run over a bridge on local chains has: prices, an engine's surroundings, a start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from paper_world import policy
from portfolios import price

from agent.core.fact import Fact
from agent.core.follow import Rules
from agent.core.money import Address, ChainId, Token
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.engine.io import ChainRules, Io
from agent.planning.problem import NoPlan
from agent.ports import Bridge, Journal, Signer
from agent.signers.impersonate import ImpersonatingSigner

WORTH = {"ETH": "3000", "USDC": "1", "USDT": "1", "WBTC": "60000"}

Tokens = Mapping[ChainId, tuple[Token, ...]]
"""Of each chain its coin, that coin's wrapped form, then others."""


def known_prices(tokens: Tokens) -> Prices:
    """Two sources agree on everything; a wrapped coin is worth its coin."""
    asset_of = {
        token: "ETH" if token.symbol == "WETH" else token.symbol
        for some in tokens.values()
        for token in some
    }
    return Prices({name: price(name, text) for name, text in WORTH.items()}, {}, asset_of)


def bridge_io(
    bridge: Bridge,
    *,
    account: Address,
    nodes: Mapping[ChainId, Any],
    tokens: Tokens,
    journal: Journal,
    clock: Any,
    observe: Callable[[Fact], None],
    signer: Signer | None = None,
    confirmations: int = 2,
    poll_seconds: int = 1,
) -> Io:
    """A process's view of chains between which there is one bridge and nothing else."""
    chains = {
        chain: ChainRules(
            native=some[0],
            wrapped=some[1],
            tokens=some,
            rules=Rules(confirmations=confirmations),
            poll_seconds=poll_seconds,
        )
        for chain, some in tokens.items()
    }
    return Io(
        account=account,
        policy=replace(policy(), account=account, chains=tuple(tokens)),
        chains=chains,
        nodes=nodes,
        venues={},
        bridges={bridge.name: bridge},
        signer=signer or ImpersonatingSigner(account),
        journal=journal,
        clock=clock,
        prices=lambda: known_prices(tokens),
        replan=lambda _run: NoPlan(("nothing else to try",)),
        paused=lambda: None,
        observe=observe,
        serial=True,
    )


def seen(io: Io) -> Snapshot:
    """What the account has now."""
    chains = {
        chain: node.snapshot(io.account, io.chains[chain].tokens)
        for chain, node in io.nodes.items()
    }
    return Snapshot(io.account, chains)
