"""Each venue with what the suite of the Venue port needs to know of it.

A new venue joins with a rig of its own under its module's name: the suite asks nothing else.
"""

from __future__ import annotations

import pkgutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import platformdirs
import pytest
from cow_book import book_server, no
from cow_rig import RELAYER, SETTLEMENT
from fork_rig import ROUTER, fork_options, put_sushi
from router_rig import CHAIN, SYMBOLS, lab_node, options, token, worth
from three_chains import write_files

import agent.venues
from agent.compose.providers import key_variable, make_provider, provider_names
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.lab import mainnet
from agent.lab.providers import desk_names
from agent.lab.world import World
from agent.lab.worlds import Worlds
from agent.ports import AdapterIo, Node, Venue
from agent.provider import ProviderChain, ProviderOptions
from agent.settings import Settings, load
from agent.venues import cow, router, v2_fork, wrap
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

    `pins` are the code hashes that it was given; `surveys` says that it has indicative edges,
    `is_api` that it asks a server. `module` is where it is made, '' where that has its name.
    """

    venue: Venue
    chain: ChainId
    swaps: tuple[tuple[Token, Token, int], ...]
    unknown: tuple[tuple[Token, Token], ...]
    now: int
    pins: Mapping[Address, str]
    surveys: bool = True
    is_api: bool = False
    module: str = ""


_NO_PAIRS = (
    (token("WETH"), NOBODY_S),
    (NOBODY_S, token("WETH")),
    (token("WETH"), token("WETH")),
    (ETH, token("USDC")),
    (token("USDC"), ETH),
)
"""What pools do not exchange: nobody's tokens, a token for itself, and the gas coin."""


def _every_pair(usd: int) -> tuple[tuple[Token, Token, int], ...]:
    """Each token for each other, and how much of it is worth so many dollars."""
    return tuple(
        (token(sell), token(buy), worth(sell, usd))
        for sell in SYMBOLS
        for buy in SYMBOLS
        if sell != buy
    )


@contextmanager
def _router(world: World) -> Iterator[Rig]:
    with lab_node(world, f"?key={SECRET}") as node:
        made = router.make(options(code_hash=PIN), AdapterIo({CHAIN: node}, SystemClock()))
        yield Rig(
            venue=made,
            chain=CHAIN,
            swaps=_every_pair(12_345),
            unknown=_NO_PAIRS,
            now=world.head()[1],
            pins={Address(mainnet.SWAP_ROUTER02): PIN},
        )


@contextmanager
def _v2_fork(world: World) -> Iterator[Rig]:
    """SushiSwap V2, put on the chain for as long as the rig stands."""
    snapshot = world.snapshot()
    put_sushi(world, platformdirs.user_cache_path("rebalancer"))
    with lab_node(world, f"?key={SECRET}") as node:
        io = AdapterIo({CHAIN: node}, SystemClock())
        yield Rig(
            venue=v2_fork.make(fork_options(code_hash=PIN), io),
            chain=CHAIN,
            swaps=_every_pair(1_234),
            unknown=_NO_PAIRS,
            now=world.head()[1],
            pins={ROUTER: PIN},
            module="v2_fork",
        )
    world.revert(snapshot)


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
        pins={Address(mainnet.WETH): PIN},
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
            pins={SETTLEMENT: PIN, RELAYER: PIN},
            surveys=False,
            is_api=True,
        )


API_SWAPS = (
    ("USDC", "WETH", 12_345),
    ("WETH", "USDC", 12_345),
    ("ETH", "USDC", 3_000),
    ("USDC", "ETH", 3_000),
    ("USDT", "WBTC", 20_000),
    ("DAI", "USDT", 500),
)
"""What every API venue can do: symbols, and for how many USD."""


def api_token(symbol: str) -> Token:
    return ETH if symbol == "ETH" else token(symbol)


def api_worth(symbol: str, usd: int) -> int:
    return worth("WETH" if symbol == "ETH" else symbol, usd)


def provider_settings(worlds: Worlds, name: str) -> Settings:
    """What a command would read on local chains, with a key for one provider."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_files(worlds, home, Address("0x" + "a11e7" * 8), "watch")
        return load(
            config=home / "portfolio.toml",
            overlay=home / "overlay.toml",
            environ={"HOME": folder, "REBALANCER_HOME": folder, key_variable(name): SECRET},
        )


def api_venue(
    name: str, worlds: Worlds, nodes: Mapping[ChainId, Node], *, seconds: float = 10.0
) -> Venue:
    """The venue as the program makes it, over its server of the local world."""
    http = HttpClient(retries=0, timeout_seconds=seconds)
    io = AdapterIo(dict(nodes), SystemClock(), http)
    venue: Venue = make_provider("venues", name, provider_settings(worlds, name), io)
    return venue


@contextmanager
def _api(name: str, worlds: Worlds) -> Iterator[Rig]:
    world = worlds[int(CHAIN)]
    with lab_node(world, f"?key={SECRET}") as node:
        yield Rig(
            venue=api_venue(name, worlds, {CHAIN: node}),
            chain=CHAIN,
            swaps=tuple(
                (api_token(sell), api_token(buy), api_worth(sell, usd))
                for sell, buy, usd in API_SWAPS
            ),
            unknown=(
                (token("WETH"), NOBODY_S),
                (NOBODY_S, token("WETH")),
                (token("WETH"), token("WETH")),
                (ETH, token("WETH")),
                (token("WETH"), ETH),
                (ETH, ETH),
            ),
            now=world.head()[1],
            pins={Address(at): pin for at, pin in world.code_hashes.items()},
            surveys=False,
            is_api=True,
        )


RIGS: dict[str, Callable[[World], AbstractContextManager[Rig]]] = {
    "cow": _cow,
    "router": _router,
    "v2_fork": _v2_fork,
    "wrap": _wrap,
}
SURVEYING = ("router", "v2_fork", "wrap")
"""Venues that have indicative edges; the others are asked about legs of a plan only."""


def rig_of(name: str, request: pytest.FixtureRequest) -> AbstractContextManager[Rig]:
    """The rig of a venue, on the one local chain or, with its server, on all three.

    The test fails where there is none.
    """
    if name in RIGS:
        return RIGS[name](request.getfixturevalue("world"))
    if name in provider_names("venues") and name in desk_names():
        return partial(_api, name)(request.getfixturevalue("worlds"))
    missing = "ABOUT and a server in agent/lab/providers" if name not in RIGS else ""
    pytest.fail(f"{name} has no rig in venue_rigs.py, nor {missing}")


def venue_names() -> list[str]:
    """The modules of the folder that are venues."""
    found = pkgutil.iter_modules(agent.venues.__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))
