"""Our interfaces say what the published contracts say, word for word."""

from pathlib import Path
from typing import Any

import pytest

from agent import resources
from agent.lab.compiled import compiled_contracts
from agent.lab.packages import artifacts
from agent.lab.pins import uniswap_v4_pins
from agent.wire.abi import canonical_type, interface

ORIGINS = {
    "across_spoke_pool": "Ethereum_SpokePool",
    "canonical_op_bridge": "L1StandardBridge",
    "canonical_op_game": "FaultDisputeGame",
    "canonical_op_games": "DisputeGameFactory",
    "canonical_op_messenger": "L1CrossDomainMessenger",
    "canonical_op_passer": "L2ToL1MessagePasser",
    "canonical_op_portal": "OptimismPortal2",
    "cow_settlement": "GPv2Settlement",
    "arbitrum_bridge": "ArbitrumBridge",
    "arbitrum_gateway": "ArbitrumGateway",
    "arbitrum_gateway_router": "ArbitrumGatewayRouter",
    "arbitrum_inbox": "ArbitrumInbox",
    "arbitrum_outbox": "ArbitrumOutbox",
    "arbitrum_rollup": "ArbitrumRollup",
    "arbitrum_sequencer_inbox": "ArbitrumSequencerInbox",
    "erc20": "FiatTokenV2_2",
    "multicall3": "Multicall3",
    "quoter_v2": "QuoterV2",
    "stargate_endpoint": "EndpointV2",
    "stargate_messaging": "TokenMessaging",
    "stargate_pool": "StargatePoolUSDC",
    "swap_router_02": "SwapRouter02",
    "uniswap_v2_pair": "UniswapV2Pair",
    "uniswap_v3_factory": "UniswapV3Factory",
    "uniswap_v3_pool": "UniswapV3Pool",
    "uniswap_v4_state_view": "StateView",
    "weth": "WETH9",
}
OWN = {
    "arbitrum_arb_sys": ("arb_sys",),
    "arbitrum_child_gateway": ("arb_gateway",),
    "arbitrum_node_interface": ("node_interface",),
    "arbitrum_retryable_tx": ("arb_retryable_tx",),
    "cctp_message_transmitter": ("cctp_message_transmitter",),
    "cctp_token_messenger": ("cctp_token_messenger",),
    "cctp_token_minter": ("cctp_token_minter",),
    "chainlink_feed": ("feed_proxy", "aggregator"),
}
"""Contracts of our own: no package has the compiled ones."""
NAMES = sorted(file.stem for file in resources.path("abis").glob("*.json"))


def meaning(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry says to a decoder; compilers add notes for people."""
    return {
        "type": entry["type"],
        "name": entry["name"],
        "mutability": entry.get("stateMutability"),
        "anonymous": entry.get("anonymous"),
        "inputs": [parameter(item) for item in entry["inputs"]],
        "outputs": [parameter(item) for item in entry.get("outputs", [])],
    }


def parameter(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": item["type"],
        "indexed": item.get("indexed"),
        "components": [parameter(part) for part in item.get("components", [])],
    }


def names(items: list[dict[str, Any]]) -> list[str]:
    """All names of parameters and, inside them, of the fields of tuples."""
    return [name for item in items for name in (item["name"], *names(item.get("components", [])))]


def signature(entry: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    return entry["type"], entry["name"], tuple(canonical_type(item) for item in entry["inputs"])


def published(lab_cache: Path, name: str) -> list[dict[str, Any]]:
    ours = compiled_contracts(lab_cache)
    theirs = artifacts(lab_cache) | artifacts(lab_cache, uniswap_v4_pins())
    found = [ours[one] for one in OWN[name]] if name in OWN else [theirs[ORIGINS[name]]]
    kinds = ("function", "event")
    return [dict(entry) for one in found for entry in one.abi if entry["type"] in kinds]


def test_every_interface_has_an_origin() -> None:
    assert sorted([*ORIGINS, *OWN]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_interface_says_what_its_origin_says(name: str, lab_cache: Path) -> None:
    theirs = {signature(entry): entry for entry in published(lab_cache, name)}
    for entry in interface(name):
        origin = theirs[signature(entry)]
        assert meaning(origin) == meaning(entry)
        for side in ("inputs", "outputs"):
            pairs = zip(names(origin.get(side, [])), names(entry.get(side, [])), strict=True)
            # Getters of public variables have parameters without names, which Vyper calls arg0;
            # ours say what they are.
            assert [] == [pair for pair in pairs if pair[0] not in {"", "arg0", pair[1]}]


@pytest.mark.parametrize("name", NAMES)
def test_interface_has_no_entry_twice_and_is_sorted(name: str) -> None:
    found = [(entry["type"] == "event", entry["name"]) for entry in interface(name)]
    assert sorted(set(found)) == found


@pytest.mark.parametrize("name", NAMES)
def test_provenance_names_every_interface_and_entry(name: str) -> None:
    text = resources.text("abis/PROVENANCE.md")
    section = text.partition(f"`{name}.json`")[2].partition("\n| `")[0]
    assert [] == [entry["name"] for entry in interface(name) if f"`{entry['name']}`" not in section]
