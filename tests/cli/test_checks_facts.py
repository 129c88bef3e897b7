"""Checks of what stands on no local chain: spoke pools, sequencers, tokens of another age."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from oracles.scripted_node import ScriptedNode

from agent.cli import checks_facts
from agent.core.money import Address, ChainId
from agent.settings import ChainFacts, load_chains_only
from agent.wire.abi import Function, functions
from agent.wire.address import checksum

BASE = load_chains_only(environ={}).chains[ChainId(8453)]
NOW = 1_800_000_000
ROUND = functions("chainlink_feed")["latestRoundData()"]
SYMBOL, DECIMALS = functions("erc20")["symbol()"], functions("erc20")["decimals()"]
WRAPPED = Function("wrappedNativeToken", (), ("address",))
CHAIN = Function("chainId", (), ("uint256",))
NOBODY = Address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")


def told(found: Any) -> list[tuple[str, str, str]]:
    return [(one.level, one.what, one.place.partition(": ")[2]) for one in found]


def pool(*, wrapped: str | None, chain: int | None = 8453) -> ScriptedNode:
    node = ScriptedNode(8453)
    assert BASE.across is not None
    if wrapped is not None:
        node.answers(BASE.across.spoke_pool, WRAPPED, (wrapped,))
    if chain is not None:
        node.answers(BASE.across.spoke_pool, CHAIN, (chain,))
    return node


ACROSS = 'chains."eip155:8453".across'
WETH = "0x4200000000000000000000000000000000000006"


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (pool(wrapped=WETH), ("ok", "its wrapped coin is WETH", "")),
        (pool(wrapped=WETH, chain=None), ("ok", "its wrapped coin is WETH", "")),
        (pool(wrapped=WETH, chain=10), ("error", "it says that it is on chain 10", ACROSS)),
        (
            pool(wrapped=NOBODY),
            (
                "error",
                "its wrapped coin is 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed, "
                f"chains.toml has {WETH}",
                ACROSS,
            ),
        ),
        (
            pool(wrapped=None),
            ("error", f"its wrapped coin is none, chains.toml has {WETH}", ACROSS),
        ),
    ],
)
def test_spoke_pool_knows_its_chain_and_coin(node: Any, expected: tuple[str, str, str]) -> None:
    assert [expected] == told(checks_facts.spoke_pool(BASE, node))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((1, 0, NOW - 9_000, NOW, 1), ("ok", "up for 2 h", "")),
        ((1, 1, NOW - 60, NOW, 1), ("warning", "it is down for 1 min", "")),
        (None, ("error", "its feed does not answer", 'chains."eip155:8453".sequencer')),
    ],
)
def test_sequencer_feed_answers(answer: Any, expected: tuple[str, str, str]) -> None:
    node = ScriptedNode(8453)
    assert BASE.sequencer is not None
    if answer is not None:
        node.answers(BASE.sequencer.feed, ROUND, answer)
    assert [expected] == told(checks_facts.sequencer(BASE, node, NOW))


def test_chain_without_sequencer_across_and_uniswap_has_nothing_to_check() -> None:
    gnosis = load_chains_only(environ={}).chains[ChainId(100)]
    node = ScriptedNode(100)
    looks = (
        checks_facts.sequencer(gnosis, node, NOW),
        checks_facts.spoke_pool(gnosis, node),
        checks_facts.tiers(gnosis, node),
        checks_facts.feeds(gnosis, node, NOW),
    )
    assert [[], [], [], []] == [told(look) for look in looks]
    assert 0 == node.requests
    assert (
        {}
        == checks_facts.across_addresses(gnosis)
        == checks_facts.provider_addresses(replace(gnosis, providers={}))
    )


def test_contracts_that_a_provider_names_in_a_table_are_looked_at_too() -> None:
    named = checks_facts.provider_addresses(load_chains_only(environ={}).chains[ChainId(1)])
    what, _ = named[Address("0xc026395860db2d07ee33e05fe50ed7bd583189c7")]
    assert "USDC among the pools of stargate" == what


def tokens(*, usdt: bytes) -> tuple[ChainFacts, ScriptedNode]:
    """Arbitrum's tokens with their own symbols, USDT saying exactly these bytes."""
    facts = load_chains_only(environ={}).chains[ChainId(42161)]
    node = ScriptedNode(42161)
    for row in facts.listings[1:]:
        node.answers(row.token.address, SYMBOL, (row.says,))
    tether = facts.named("USDT")
    assert tether is not None
    node.says(tether.address, SYMBOL, usdt)
    return facts, node


def test_symbol_is_compared_with_what_the_contract_is_known_to_say() -> None:
    ours = Function("symbol", (), ("string",))
    facts, node = tokens(usdt=encoded(ours, "USD₮0"))
    assert [("ok", "6 say the symbol that chains.toml has", "")] == told(
        checks_facts.symbols(facts, node)
    )


def test_symbol_of_another_token_is_shown_without_its_tricks() -> None:
    ours = Function("symbol", (), ("string",))
    facts, node = tokens(usdt=encoded(ours, "US\x1b[31mDC"))
    (found,) = checks_facts.symbols(facts, node)
    assert "USDT calls itself US__31mDC, chains.toml has USD₮0" == found.what


def test_symbol_in_32_bytes_is_read_too() -> None:
    facts, node = tokens(usdt=b"USDT".ljust(32, b"\0"))
    (found,) = checks_facts.symbols(facts, node)
    assert "USDT calls itself USDT, chains.toml has USD₮0" == found.what


def encoded(function: Function, text: str) -> bytes:
    from agent.wire.abi import encode

    return encode(function.outputs, (text,))


def test_feed_without_decimals_or_answer_is_found() -> None:
    interface = functions("chainlink_feed")
    feed = BASE.feeds["ETH"]
    node = ScriptedNode(8453)
    node.answers(feed.address, interface["description()"], ("ETH / USD",))
    first = next(checks_facts.feeds(BASE, node, NOW))
    assert "its answers have no decimals, chains.toml has 8" == first.what
    node.answers(feed.address, interface["decimals()"], (8,))
    assert "it has no answer" == next(checks_facts.feeds(BASE, node, NOW)).what
    node.answers(feed.address, ROUND, (1, 1, NOW - 1_261, NOW - 1_261, 1))
    old = next(checks_facts.feeds(BASE, node, NOW))
    assert "it has not spoken for 21 min, its heartbeat is 20 min" == old.what
    node.answers(feed.address, ROUND, (1, 1, NOW - 1_260, NOW - 1_260, 1))
    assert "ok" == next(checks_facts.feeds(BASE, node, NOW)).level


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (1_234_500_000_000_000_000, ("ok", "it stands for 1.2345", "")),
        (
            None,
            (
                "error",
                "its contract does not answer stEthPerToken()",
                'chains."eip155:1".feeds.wstETH',
            ),
        ),
    ],
)
def test_token_that_counts_tells_its_rate(rate: int | None, expected: tuple[str, str, str]) -> None:
    ethereum = load_chains_only(environ={}).chains[ChainId(1)]
    wsteth = ethereum.named("wstETH")
    assert wsteth is not None
    node = ScriptedNode(1)
    if rate is not None:
        node.answers(wsteth.address, Function("stEthPerToken", (), ("uint256",)), (rate,))
    assert [expected] == told(checks_facts.rates(ethereum, node))


def test_feed_of_what_counts_is_no_contract_that_every_wallet_depends_on() -> None:
    ethereum = load_chains_only(environ={}).chains[ChainId(1)]
    feed = ethereum.feeds["wstETH"].address
    assert feed not in checks_facts.addresses(ethereum)
    assert {feed} == set(checks_facts.counted_addresses(ethereum))


class Coded(ScriptedNode):
    """Has code with these hashes and nothing else."""

    def __init__(self, hashes: dict[Address, str]) -> None:
        super().__init__(8453)
        self.hashes = hashes

    def code_hashes(self, addresses: Any) -> dict[Address, str]:
        return {address: self.hashes.get(address, "") for address in addresses}


V4 = BASE.uniswap_v4
assert V4 is not None
CODE = {V4.state_view: "0x01", V4.universal_router: "0x02", V4.permit2: "0x03"}
V4_TABLE = 'chains."eip155:8453".uniswap_v4'
NOT_PINNED = "3 have code; no hash is pinned of StateView, UniversalRouter and Permit2"


@pytest.mark.parametrize("rpc", ["https://base.example", "http://127.0.0.1:8545"])
def test_v4_with_code_says_what_is_not_pinned(rpc: str) -> None:
    facts = replace(BASE, rpc=(rpc,))
    assert [("ok", NOT_PINNED, "")] == told(checks_facts.uniswap_v4(facts, Coded(CODE)))


def test_v4_with_pinned_code_says_so_and_other_code_is_wrong() -> None:
    pinned = replace(BASE, code_hashes=CODE)
    right = told(checks_facts.uniswap_v4(pinned, Coded(CODE)))
    assert [("ok", "3 have code, the code that is pinned", "")] == right
    other = Coded({**CODE, V4.permit2: "0x04"})
    what = f"Permit2 at {checksum(V4.permit2)} has other code (0x04…) than is pinned (0x03…)"
    assert [("error", what, V4_TABLE)] == told(checks_facts.uniswap_v4(pinned, other))


@pytest.mark.parametrize("missing", list(CODE))
@pytest.mark.parametrize("rpc", ["https://base.example", "http://127.0.0.1:8545"])
def test_v4_in_part_is_wrong_everywhere(rpc: str, missing: Address) -> None:
    there = Coded({address: code for address, code in CODE.items() if address != missing})
    ((level, what, place),) = told(checks_facts.uniswap_v4(replace(BASE, rpc=(rpc,)), there))
    assert ("error", V4_TABLE) == (level, place)
    assert what.endswith(f"at {checksum(missing)} has no code")


def test_v4_is_not_checked_where_it_stands_on_no_local_chain() -> None:
    here, nobody = replace(BASE, rpc=("http://127.0.0.1:8545",)), Coded({})
    left_out = [("ok", "not checked: this local chain has none", "")]
    assert left_out == told(checks_facts.uniswap_v4(here, nobody))
    assert 3 == len(
        told(checks_facts.uniswap_v4(replace(BASE, rpc=("https://b.example",)), nobody))
    )
    assert [] == told(checks_facts.uniswap_v4(replace(BASE, uniswap_v4=None), nobody))
