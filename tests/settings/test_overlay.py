"""The overlay of local chains: loopback only, never the real genesis, never mixed."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from agent.core.money import ChainId
from agent.errors import AgentError
from agent.settings import load_chains_only

ETHEREUM = ChainId(1)
GENESIS = "0x" + "1a" * 32
KEY = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"

OVERLAY = f"""\
schema = 1
local = true
[chains."eip155:1"]
rpc = ["http://127.0.0.1:41801"]
genesis = "{GENESIS}"
block_seconds = 1
[chains."eip155:1".code_hashes]
"0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45" = "0x{"2b" * 32}"
[chains."eip155:1".heartbeats]
"0x8fffffd4afb6115b954bd326cbe7b4ba576818f6" = 60
[keys]
generated = ["{KEY}"]
"""


@pytest.fixture
def overlay(folder):
    def write(text: str = OVERLAY) -> Path:
        Path("overlay.toml").write_text(text)
        return Path("overlay.toml")

    return write


def test_an_overlay_replaces_what_is_local_and_nothing_else(overlay):
    real = load_chains_only(environ={}).chains[ETHEREUM]
    world = load_chains_only(overlay=overlay(), environ={})
    facts = world.chains[ETHEREUM]
    assert world.local is True
    assert world.generated == {KEY.lower()}
    assert facts.rpc == ("http://127.0.0.1:41801",)
    assert facts.loopback is True
    assert facts.genesis == GENESIS
    assert facts.block_seconds == Decimal(1)
    assert facts.code_hashes == {"0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45": "0x" + "2b" * 32}
    assert facts.feeds["USDC"].heartbeat_seconds == 60
    assert facts.feeds["ETH"] == real.feeds["ETH"]
    assert (facts.listings, facts.uniswap) == (real.listings, real.uniswap)
    assert (facts.confirmations, facts.max_head_age_seconds) == (6, 60)
    assert world.files[1] == Path("overlay.toml")
    origin = world.origin['chains."eip155:1".rpc']
    assert (origin.value, origin.source, origin.place) == (
        "127.0.0.1:41801",
        "overlay",
        "overlay.toml:4",
    )


def test_an_overlay_may_shorten_confirmations_and_head_age(overlay):
    text = OVERLAY.replace("block_seconds = 1", "confirmations = 1\nmax_head_age_seconds = 15")
    facts = load_chains_only(overlay=overlay(text), environ={}).chains[ETHEREUM]
    assert (facts.confirmations, facts.max_head_age_seconds) == (1, 15)
    assert facts.block_seconds == Decimal(12)


ROLLUP = OVERLAY.replace("eip155:1", "eip155:8453").replace(
    '"0x8fffffd4afb6115b954bd326cbe7b4ba576818f6" = 60', ""
)


def test_an_overlay_may_shorten_the_grace_of_a_sequencer(overlay):
    base = ChainId(8453)
    real = load_chains_only(environ={}).chains[base].sequencer
    assert load_chains_only(overlay=overlay(ROLLUP), environ={}).chains[base].sequencer == real
    text = ROLLUP.replace("block_seconds = 1", "sequencer_grace_seconds = 0")
    found = load_chains_only(overlay=overlay(text), environ={}).chains[base].sequencer
    assert replace(real, grace_seconds=0) == found


def test_an_overlay_tells_where_fees_of_across_are_asked_for(overlay):
    assert load_chains_only(overlay=overlay(), environ={}).across_api == ""
    text = OVERLAY + '[bridges.across]\napi = "http://127.0.0.1:41900/api"\n'
    world = load_chains_only(overlay=overlay(text), environ={})
    assert world.across_api == "http://127.0.0.1:41900/api"


def test_an_overlay_is_named_by_its_variable_too(overlay):
    overlay()
    assert load_chains_only(environ={"REBALANCER_OVERLAY": "overlay.toml"}).local is True


def test_settings_under_an_overlay_are_local(overlay, load_text):
    settings = load_text(overlay=overlay())
    assert settings.local is True
    assert settings.generated == {KEY.lower()}
    assert settings.world.files[1] == Path("overlay.toml")


def test_variables_of_real_nodes_are_not_asked_for_under_an_overlay(overlay):
    world = load_chains_only(overlay=overlay(), environ={"ETH_RPC_URL": "https://real.example"})
    assert world.chains[ETHEREUM].rpc == ("http://127.0.0.1:41801",)


def test_policy_is_the_same_with_and_without_an_overlay(overlay, load_text):
    assert load_text().policy == load_text(overlay=overlay()).policy


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "local = true",
            "local = false",
            "C106 overlay.toml:2: local: an overlay says local = true",
        ),
        ("local = true\n", "", "C106 overlay.toml:1: an overlay says local = true"),
        (
            "local = true",
            'local = "true"',
            "C103 overlay.toml:2: local: true or false is wanted, not text",
        ),
        (
            "http://127.0.0.1:41801",
            "https://node.example/s3cr3t",
            'C106 overlay.toml:4: chains."eip155:1".rpc: node.example is not this machine (127.0.0.1, ::1 or localhost)',
        ),
        (
            '["http://127.0.0.1:41801"]',
            '["http://127.0.0.1:1", "https://node.example"]',
            'C106 overlay.toml:4: chains."eip155:1".rpc: node.example is not this machine (127.0.0.1, ::1 or localhost)',
        ),
        (
            "http://127.0.0.1:41801",
            "http://127.0.0.1.evil.example",
            'C106 overlay.toml:4: chains."eip155:1".rpc: the RPC URL of 127.0.0.1.evil.example must use https: plain http is for loopback only',
        ),
        (
            "http://127.0.0.1:41801",
            "https://localhost@evil.example",
            'C106 overlay.toml:4: chains."eip155:1".rpc: evil.example is not this machine (127.0.0.1, ::1 or localhost)',
        ),
        (
            "http://127.0.0.1:41801",
            "http://0.0.0.0:1",
            'C106 overlay.toml:4: chains."eip155:1".rpc: the RPC URL of 0.0.0.0 must use https: plain http is for loopback only',
        ),
        (
            "[keys]",
            '[bridges.across]\napi = "https://app.across.to/api"\n[keys]',
            "C106 overlay.toml:12: bridges.across.api: app.across.to is not this machine "
            "(127.0.0.1, ::1 or localhost)",
        ),
        (
            "block_seconds = 1",
            "sequencer_grace_seconds = 1",
            'C104 overlay.toml:6: chains."eip155:1".sequencer_grace_seconds: '
            "chains.toml knows no sequencer of Ethereum",
        ),
        (
            '["http://127.0.0.1:41801"]',
            "[]",
            'C106 overlay.toml:4: chains."eip155:1".rpc: names no node',
        ),
        (
            GENESIS,
            "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
            'C106 overlay.toml:5: chains."eip155:1".genesis: this is the genesis of the real Ethereum: what is signed there is valid on the real chain',
        ),
        (
            f'genesis = "{GENESIS}"\n',
            "",
            'C104 overlay.toml:3: chains."eip155:1": needs the key genesis',
        ),
        (
            GENESIS,
            "0x12",
            'C104 overlay.toml:5: chains."eip155:1".genesis: must be 0x and 64 lower-case hex digits',
        ),
        (
            'eip155:1"]\nrpc',
            'eip155:777"]\nrpc',
            'C104 overlay.toml:7: chains."eip155:1": needs the key genesis',
        ),
        (
            "eip155:1",
            "eip155:777",
            'C104 overlay.toml:3: chains."eip155:777": chains.toml has no such chain',
        ),
        (
            "block_seconds",
            "blok_seconds",
            'C102 overlay.toml:6: chains."eip155:1".blok_seconds: unknown key, did you mean "block_seconds"?',
        ),
        (
            "0x8fffffd4afb6115b954bd326cbe7b4ba576818f6",
            "0x" + "ab" * 20,
            'C104 overlay.toml:10: chains."eip155:1".heartbeats.0x'
            + "ab" * 20
            + ": is the address of no feed",
        ),
        (
            "= 60",
            '= "60"',
            'C103 overlay.toml:10: chains."eip155:1".heartbeats.0x8fffffd4afb6115b954bd326cbe7b4ba576818f6: a whole number is wanted, not text',
        ),
        (
            "0x71C7",
            "0x71c7",
            "C104 overlay.toml:12: keys.generated: 0x71c7656EC7ab88b098defB751B7401B5f6d8976F has a wrong checksum, so a character may be wrong: copy it again from its source (as it stands it would be 0x71C7656EC7ab88b098defB751B7401B5f6d8976F)",
        ),
        (
            "[keys]\n",
            "",
            "C104 overlay.toml:11: chains.\"eip155:1\".heartbeats.generated: 'generated' is not an address: 0x and 40 hex digits",
        ),
    ],
)
def test_each_reason_to_refuse_an_overlay_is_told(overlay, old, new, expected):
    with pytest.raises(AgentError) as caught:
        load_chains_only(overlay=overlay(OVERLAY.replace(old, new)), environ={})
    assert expected == f"{caught.value.code} {caught.value.message}"


def test_a_refused_overlay_says_what_to_use_instead(overlay):
    with pytest.raises(AgentError) as caught:
        load_chains_only(
            overlay=overlay(OVERLAY.replace("local = true", "local = false")), environ={}
        )
    expected = "use only the overlay that the local chains wrote; for another node set its RPC URL"
    assert expected == caught.value.fix


def test_local_and_real_chains_never_mix(folder, overlay, load_text, minimal):
    two = minimal.replace('["eip155:1"]', '["eip155:1", "eip155:8453"]')
    assert list(load_text(two).chains) == [1, 8453]
    with pytest.raises(AgentError) as caught:
        load_text(two, overlay=overlay())
    expected = "portfolio.toml:5: wallet.chains: the overlay of local chains has no eip155:8453; it has eip155:1"
    assert expected == caught.value.message


def test_overlay_that_the_lab_writes_is_accepted(overlay):
    from types import SimpleNamespace

    from agent.lab.overlay import HEARTBEAT_SECONDS, overlay_text
    from agent.lab.places import PLACES

    router = "0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45"
    local = SimpleNamespace(
        chain_id=1,
        place=PLACES[1],
        url="http://127.0.0.1:41801",
        genesis=GENESIS,
        block_seconds=1,
        code_hashes={router: "0x" + "2b" * 32},
    )
    text = overlay_text(local, [KEY], confirmations=1, max_head_age_seconds=600)
    world = load_chains_only(overlay=overlay(text), environ={})
    facts = world.chains[ETHEREUM]
    assert world.generated == {KEY.lower()}
    beats = {feed.heartbeat_seconds for feed in facts.feeds.values()}
    assert beats == {HEARTBEAT_SECONDS}
    assert list(facts.code_hashes) == [router]
    assert (facts.confirmations, facts.max_head_age_seconds) == (1, 600)
