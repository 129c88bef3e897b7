"""What is known of a chain: tokens, feeds, contracts, and where each fact comes from.

Each has the `place` where it stands (file, line and key), for whoever must correct it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from agent.core.money import Address, ChainId, Token
from agent.core.policy import Role
from agent.provider import FactValue
from agent.wire.address import chain_name
from agent.wire.endpoint import is_loopback, parse_endpoint

Checked = Literal["live", "document"]
"""Read from the chain itself, or taken from its publisher's document."""

FeeModel = Literal["eip1559", "op_stack", "arbitrum", "legacy"]
"""How fees are quoted: base and priority fee, the same and a fee for data (`op_stack` beside
the gas, `arbitrum` inside it), or one price for gas."""

Finality = Literal["finalized"]
"""How final blocks are recognised: by the block tag of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """A token and the asset that it is a form of; native and wrapped coin are tokens too.

    `place` is that of its decimals; `says` is the symbol that its contract has, which may be
    another than ours.
    """

    token: Token
    asset: str
    role: Role
    says: str
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A Chainlink feed of an asset in the unit of account, or of a token that only counts.

    `decimals` are those of its answers; it publishes at least every `heartbeat_seconds`;
    `unbounded` is for feeds whose aggregator has no bounds to ask for. `rate` is a function of
    the token that only counts: how many of what the feed prices it stands for, in 18 decimals;
    empty for an asset.
    """

    asset: str
    address: Address
    heartbeat_seconds: int
    decimals: int
    description: str
    unbounded: bool
    rate: str
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniswap:
    """The contracts that the built-in router works with.

    `v3_fee_tiers` are pairs of a fee in hundredths of a bp, the unit of the pools
    themselves, and its tick spacing; routes go through `hub_tokens` (ERC-20 contracts,
    never the native coin).
    """

    v2_factory: Address
    v3_factory: Address
    swap_router_02: Address
    quoter_v2: Address
    v3_fee_tiers: tuple[tuple[int, int], ...]
    hub_tokens: tuple[Token, ...]
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class UniswapV4:
    """The contracts that the built-in router needs for pools of V4.

    `universal_router` must be of a version 2.0: later ones take other fields. `fee_tiers` are
    pairs of a fee in hundredths of a bp and a tick spacing; pools of others are not looked for.
    """

    state_view: Address
    universal_router: Address
    permit2: Address
    fee_tiers: tuple[tuple[int, int], ...]
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """The contract of the bridge Across: deposits are made there, and fills paid out."""

    spoke_pool: Address
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequencer:
    """The feed that tells whether the one sequencer of a rollup is up.

    After an outage prices count again `grace_seconds` after its end.
    """

    feed: Address
    grace_seconds: int
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What is known of a venue or bridge on one chain: its adapter knows what its facts mean.

    Addresses are lower-case hex.
    """

    facts: Mapping[str, FactValue]
    place: str
    source: str
    checked: Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """One chain. `rpc` may hold keys and is in no repr; `genesis` is the hash of block 0.

    `slip44` is the native coin's number in SLIP-44, by which CAIP-19 names it. `listings`
    begins with the native coin. `code_hashes` are Keccak-256 hashes of runtime
    code that must stand at an address. `gas_reserve` is in whole native coins.
    """

    chain: ChainId
    name: str
    short_name: str
    slip44: int
    wrapped: Token
    multicall3: Address
    explorer: str
    fee_model: FeeModel
    finality: Finality
    confirmations: int
    block_seconds: Decimal
    max_head_age_seconds: int
    gas_reserve: Decimal
    genesis: str
    rpc: tuple[str, ...] = field(repr=False)
    listings: tuple[TokenFacts, ...]
    feeds: Mapping[str, Feed]
    uniswap: Uniswap | None
    uniswap_v4: UniswapV4 | None
    across: Across | None
    sequencer: Sequencer | None
    providers: Mapping[str, Provider]
    code_hashes: Mapping[Address, str]
    place: str
    source: str
    checked: Checked

    @property
    def caip2(self) -> str:
        """Its name in files and JSON: `eip155:1`."""
        return chain_name(self.chain)

    @property
    def native(self) -> Token:
        """The gas coin."""
        return self.listings[0].token

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All known tokens, the native coin first."""
        return tuple(listing.token for listing in self.listings)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Host and port of each node: what may be shown."""
        return tuple(parse_endpoint(url).name for url in self.rpc)

    @property
    def loopback(self) -> bool:
        """Whether a node is on this machine: local chains are told apart by their genesis."""
        return any(is_loopback(parse_endpoint(url).host) for url in self.rpc)

    def listing(self, token: Token) -> TokenFacts | None:
        """What is known of *token*, None when it is not listed."""
        return next((listing for listing in self.listings if listing.token == token), None)

    def named(self, symbol: str) -> Token | None:
        """The ERC-20 token with exactly this symbol, None when there is none."""
        return next((t for t in self.tokens[1:] if t.symbol == symbol), None)


def by_names(chains: Iterable[ChainFacts]) -> dict[str, ChainFacts]:
    """Chains by what people call them, in small letters.

    A chain goes by its CAIP-2 name, number, short name and name, and by the first word of its
    name where no other chain's begins so.
    """
    known = tuple(chains)
    found: dict[str, ChainFacts] = {}
    for facts in known:
        for name in (facts.caip2, str(facts.chain), facts.short_name, facts.name):
            found.setdefault(name.lower(), facts)
    words = [facts.name.partition(" ")[0].lower() for facts in known]
    for facts, word in zip(known, words, strict=True):
        if words.count(word) == 1:
            found.setdefault(word, facts)
    return found
