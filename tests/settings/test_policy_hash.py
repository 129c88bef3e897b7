"""The hash of the will: the same for the same meaning, another for any other meaning."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings.example import EXAMPLE

from agent import resources
from agent.settings.policy_hash import policy_hash


def test_hash_is_sha256_in_hex(load_text):
    assert re.fullmatch("[0-9a-f]{64}", load_text(EXAMPLE).policy.hash)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# optional: what counts", "# other words"),
        ('"0.50"', '"0.5"'),
        ('"10000"', '"10000.00"'),
        ('"7d"', '"168h"'),
        ("max_cost_bps = 80", ""),
        ('"router", "cow"', '"cow", "router"'),
        ('ETH  = { weight = "0.50", band = "0.05" }\nWBTC', "WBTC"),
        ('name   = "core"', 'name = "other"'),
        ('"keystore:main"', '"watch"'),
        (
            "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
            "0x71c7656ec7ab88b098defb751b7401b5f6d8976f",
        ),
        ('{ max = "1" }', '{ min = "0", max = "1" }'),
    ],
)
def test_another_spelling_of_the_same_will_has_the_same_hash(load_text, old, new):
    assert old in EXAMPLE
    text = EXAMPLE.replace(old, new, 1)
    if new == "WBTC":
        text = text.replace(
            "[targets_by_chain]", 'ETH = { weight = "0.50", band = "0.05" }\n[targets_by_chain]'
        )
    assert load_text(EXAMPLE).policy.hash == load_text(text).policy.hash


LOOSENED = [
    ("[bridges]", '[bridges.across]\napi = "off"\n[bridges]'),
    ("[bridges]", "[bridges.across]\nrelayer_fee_bps = 8\n[bridges]"),
    ("0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
    ('ETH  = { weight = "0.50", band = "0.05" }', 'ETH  = { weight = "0.50", band = "0.06" }'),
    ('count = ["wstETH"]', "count = []"),
    ('"eip155:1" = { max = "1" }', '"eip155:1" = { max = "1", min = "0.1" }'),
    ('max = "0.90"', 'max = "0.91"'),
    ('"outside"  ', '"refuse"  '),
    ('"5"  ', '"6"  '),
    ('"3000"', '"3001"'),
    ('"hybrid"', '"time"'),
    ('"7d"', '"8d"'),
    ('"6h"', '"5h"'),
    ('"cheapest"', '"edge"'),
    ("max_slippage_bps = 50", "max_slippage_bps = 51"),
    ("max_price_impact_bps = 100", "max_price_impact_bps = 101"),
    ("max_cost_bps = 80", "max_cost_bps = 81"),
    ('max_run_value = "10000"', 'max_run_value = "10000.000000000000000001"'),
    ('max_day_value = "20000"', 'max_day_value = "20001"'),
    ('max_month_cost = "100"', 'max_month_cost = "101"'),
    ('max_in_flight = "20000"', 'max_in_flight = "20001"'),
    ('max_fee_per_tx = "15"', 'max_fee_per_tx = "16"'),
    ('min_trade = "50"', 'min_trade = "49"'),
    ('"heartbeat"', '"1h"'),
    ("max_price_spread_bps = 75", "max_price_spread_bps = 76"),
    ('mode = "always"', 'mode = "never"'),
    ('over = "1000"', 'over = "1001"'),
    ('value = "50"', 'value = "51"'),
    ('"zerox", "oneinch"]', '"zerox", "oneinch", "odos"]'),
    ('["cctp", "across"]', '["cctp"]'),
    ('"0.03"', '"0.02"'),
    ("[wallet]", '[wallet]\nenv_key_max_value = "1001"'),
    ("[limits]", '[tracking]\nrisk_aversion = "1"\n[limits]'),
    ("[limits]", '[tracking]\nhorizon = "7d"\n[limits]'),
    ("[limits]", '[tracking]\nvolatility = { ETH = "0.7" }\n[limits]'),
]


@pytest.mark.parametrize(("old", "new"), LOOSENED)
def test_any_other_will_has_another_hash(load_text, old, new):
    assert EXAMPLE.count(old) >= 1
    assert load_text(EXAMPLE).policy.hash != load_text(EXAMPLE.replace(old, new, 1)).policy.hash


def test_hash_covers_what_is_in_force_and_not_only_the_file(load_text):
    expected = load_text(
        EXAMPLE.replace('max_run_value = "10000"', 'max_run_value = "9"')
    ).policy.hash
    assert (
        expected
        == load_text(EXAMPLE, environ={"REBALANCER_LIMITS__MAX_RUN_VALUE": "9"}).policy.hash
    )
    assert expected == load_text(EXAMPLE, flags={"limits.max_run_value": "9"}).policy.hash


def test_a_token_at_another_address_under_the_same_name_is_another_will(load_text, folder):
    moved = resources.text("chains.toml").replace(
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
    )
    Path("c.toml").write_text(moved)
    assert load_text(EXAMPLE).policy.hash != load_text(EXAMPLE, chains=Path("c.toml")).policy.hash


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.integers() | st.text() | st.none() | st.decimals(allow_nan=False, allow_infinity=False),
        max_size=4,
    )
)
def test_order_of_what_stands_beside_the_policy_does_not_matter(beyond):
    turned = dict(reversed(beyond.items()))
    assert policy_hash(POLICY, beyond) == policy_hash(POLICY, turned)


def _policy():
    from agent.core.money import Bps, ChainId, Token
    from agent.core.policy import Asset, Instance, Policy, Target

    token = Token(ChainId(1), "native", 18, "ETH")
    return Policy(
        account="0x" + "ab" * 20,
        chains=(ChainId(1),),
        assets=(Asset("ETH", (Instance(token, "spend"),)),),
        targets={"ETH": Target(Bps(10_000), Bps(0))},
    )


POLICY = _policy()
