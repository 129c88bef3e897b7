"""Each venue with what the suite of the Venue port needs to know of it.

A new venue joins with a rig of its own under its module's name: the suite asks nothing else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from cow_book import book_server, no
from cow_rig import RELAYER, SETTLEMENT
from router_rig import CHAIN, SYMBOLS, lab_node, options, token, worth

import agent.venues
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.lab import mainnet
from agent.lab.world import World
from agent.ports import AdapterIo, Venue
from agent.provider import ProviderChain, ProviderOptions
from agent.venues import cow, router, wrap
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient

SECRET = "canary-5e12e7"
"""Stands in every key and URL that a venue is given."""

PIN = "0x" + "c0de" * 16
ETH = Token(CHAIN, NATIVE, 18, "ETH")
NOBODY_S = Token(CHAIN, Address("0x" + "0f" * 20), 18, "NOBODY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """One venue, swaps that it can do (sell, buy, base units), and pairs that it cannot.

    One that `surveys` nothing is asked for quotes alone.
    """

    venue: Venue
    chain: ChainId
    swaps: tuple[tuple[Token, Token, int], ...]
    unknown: tuple[tuple[Token, Token], ...]
    now: int
    surveys: bool = True


@contextmanager
def _router(world: World) -> Iterator[Rig]:
    with lab_node(world, f"?key={SECRET}") as node:
        made = router.make(options(code_hash=PIN), AdapterIo({CHAIN: node}, SystemClock()))
        yield Rig(
            venue=made,
            chain=CHAIN,
            swaps=tuple(
                (token(sell), token(buy), worth(sell, 12_345))
                for sell in SYMBOLS
                for buy in SYMBOLS
                if sell != buy
            ),
            unknown=(
                (token("WETH"), NOBODY_S),
                (NOBODY_S, token("WETH")),
                (token("WETH"), token("WETH")),
                (ETH, token("USDC")),
                (token("USDC"), ETH),
            ),
            now=world.head()[1],
        )


@contextmanager
def _wrap(world: World) -> Iterator[Rig]:
    wrapped = token("WETH")
    wrappers = MappingProxyType({CHAIN: (Address(mainnet.WETH), PIN)})
    yield Rig(
        venue=wrap.make(wrap.Options(wrappers), AdapterIo({}, SystemClock())),
        chain=CHAIN,
        swaps=((ETH, wrapped, 10**18), (wrapped, ETH, 1)),
        unknown=((ETH, token("USDC")), (token("USDC"), ETH), (wrapped, token("USDC")), (ETH, ETH)),
        now=world.head()[1],
    )


@contextmanager
def _cow(world: World) -> Iterator[Rig]:
    """CoW Protocol with a book that takes 5 bps of one to one."""
    chain = ProviderChain(
        chain=CHAIN,
        native=ETH,
        wrapped=token("WETH"),
        tokens={},
        facts={"settlement": SETTLEMENT, "vault_relayer": RELAYER, "network": "mainnet"},
        code_hashes={SETTLEMENT: PIN, RELAYER: PIN},
    )
    with book_server() as book:
        book.quotes = lambda asked: (
            no("UnsupportedToken") if NOBODY_S.address in str(asked).lower() else None
        )
        options = ProviderOptions(
            api=book.api, chains={CHAIN: chain}, max_slippage_bps=50, key=lambda: SECRET
        )
        yield Rig(
            venue=cow.make(options, AdapterIo({}, SystemClock(), HttpClient(retries=0))),
            chain=CHAIN,
            swaps=(
                (token("WETH"), token("USDC"), 10**18),
                (token("USDC"), token("WBTC"), 10**10),
                (token("USDC"), ETH, 10**10),
            ),
            unknown=(
                (token("WETH"), NOBODY_S),
                (NOBODY_S, token("WETH")),
                (token("WETH"), token("WETH")),
                (token("WETH"), ETH),
                (ETH, token("USDC")),
            ),
            now=world.head()[1],
            surveys=False,
        )


RIGS: dict[str, Callable[[World], AbstractContextManager[Rig]]] = {
    "cow": _cow,
    "router": _router,
    "wrap": _wrap,
}


def venue_names() -> list[str]:
    """The modules of the folder that are venues."""
    found = pkgutil.iter_modules(agent.venues.__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))
