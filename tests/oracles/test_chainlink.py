"""What Chainlink feeds say, and which answers do not count."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.scripted_node import ScriptedNode, io
from portfolios import CHAIN, ETH, OTHER, USDC, WETH

from agent.core.agree import agree
from agent.core.price import Opinion, Unpriced
from agent.oracles.chainlink import Feed, Options, Sequencer, make
from agent.wire.abi import Function, functions

NOW = 1_800_000_000
FEED = functions("chainlink_feed")
ROUND, DECIMALS = FEED["latestRoundData()"], FEED["decimals()"]
AGGREGATOR, LOW, HIGH = FEED["aggregator()"], FEED["minAnswer()"], FEED["maxAnswer()"]
AT = {"ETH": "0x" + "e1" * 20, "USDC": "0x" + "c1" * 20, "BASE": "0x" + "b1" * 20}
BEHIND = {name: "0x" + name.encode().hex().rjust(40, "a") for name in AT}
UPTIME = "0x" + "5e" * 20
ETH_FEED = Feed(chain=CHAIN, address=AT["ETH"], heartbeat_seconds=3_600, decimals=8)
USDC_FEED = Feed(chain=CHAIN, address=AT["USDC"], heartbeat_seconds=86_400, decimals=8)


def healthy(node, name, answer, *, updated=NOW - 41, round_id=7, answered_in=7, decimals=8):
    node.answers(AT[name], ROUND, (round_id, answer, updated, updated, answered_in))
    node.answers(AT[name], DECIMALS, (decimals,))
    node.answers(AT[name], AGGREGATOR, (BEHIND[name],))
    node.answers(BEHIND[name], LOW, (10**8,))
    node.answers(BEHIND[name], HIGH, (10**13,))
    return node


def asked(node, feed=ETH_FEED, now=NOW):
    """The only thing that is said about ETH."""
    oracle = make(Options({"ETH": (feed,)}), io(node))
    (said,) = oracle.opinions({"ETH": (ETH, WETH)}, now)
    return said


def refused(said):
    assert isinstance(said, Unpriced)
    assert "ETH" == said.asset
    return said.code, said.why


def test_healthy_feed_has_an_opinion_with_its_own_heartbeat():
    assert Opinion(
        "chainlink", "ETH", Decimal("3012.45678901"), NOW - 41, NOW - 41 + 3_660
    ) == asked(healthy(ScriptedNode(), "ETH", 301_245_678_901))


def test_all_feeds_of_a_chain_take_two_requests():
    node = healthy(healthy(ScriptedNode(), "ETH", 3000 * 10**8), "USDC", 10**8 + 1)
    oracle = make(Options({"USDC": (USDC_FEED,), "ETH": (ETH_FEED,)}), io(node))
    said = oracle.opinions({"USDC": (USDC,), "ETH": (ETH,)}, NOW)
    assert [("ETH", Decimal(3000)), ("USDC", Decimal("1.00000001"))] == [
        (opinion.asset, opinion.value) for opinion in said
    ]
    assert 2 == node.requests


def test_feeds_are_asked_on_their_own_chains():
    one, other = ScriptedNode(1), ScriptedNode(OTHER)
    healthy(one, "ETH", 3000 * 10**8)
    healthy(other, "BASE", 2 * 10**8)
    base = replace(USDC_FEED, chain=OTHER, address=AT["BASE"])
    oracle = make(Options({"ETH": (ETH_FEED,), "USDC": (base,)}), io(one, other))
    said = oracle.opinions({"ETH": (ETH,), "USDC": (USDC,)}, NOW)
    assert [Decimal(3000), Decimal(2)] == [opinion.value for opinion in said]
    assert (2, 2) == (one.requests, other.requests)


def test_asset_without_a_feed_is_said_to_have_none_and_costs_no_request():
    node = ScriptedNode()
    oracle = make(Options({"ETH": (ETH_FEED,)}), io(node))
    assert (Unpriced("USDC", "G202", "chainlink has no feed of USDC"),) == oracle.opinions(
        {"USDC": (USDC,)}, NOW
    )
    assert 0 == node.requests


def test_silent_node_is_told_apart_from_a_missing_price():
    node = ScriptedNode()
    node.silent = True
    assert (
        "N101",
        "chainlink of ETH was not read: 127.0.0.1 does not answer",
    ) == refused(asked(node))


def test_feed_that_is_no_contract_does_not_answer():
    node = ScriptedNode()
    assert ("G202", "chainlink of ETH does not answer on eip155:1") == refused(asked(node))
    assert 1 == node.requests


@pytest.mark.parametrize("raw", [b"", b"\x00" * 31, b"\xff" * 160, None])
def test_answer_that_is_no_round_is_no_price(raw):
    node = healthy(ScriptedNode(), "ETH", 3000 * 10**8)
    node.says(AT["ETH"], ROUND, raw)
    assert "G202" == refused(asked(node))[0]


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_answer_not_above_nothing_is_no_price(answer):
    code, why = refused(asked(healthy(ScriptedNode(), "ETH", answer)))
    assert ("G202", f"chainlink of ETH says {answer}, which is no price") == (code, why)


@pytest.mark.parametrize("answer", [10**8, 10**8 - 1, 10**13, 10**13 + 1])
def test_answer_at_or_beyond_a_bound_may_be_cut_off(answer):
    assert (
        "G202",
        f"chainlink of ETH says {answer}, which is not inside its bounds 100000000 to "
        "10000000000000",
    ) == refused(asked(healthy(ScriptedNode(), "ETH", answer)))


@pytest.mark.parametrize("answer", [10**8 + 1, 10**13 - 1])
def test_answer_just_inside_the_bounds_counts(answer):
    assert Decimal(answer).scaleb(-8) == asked(healthy(ScriptedNode(), "ETH", answer)).value


@pytest.mark.parametrize("function", [AGGREGATOR, LOW, HIGH])
def test_feed_that_does_not_tell_its_bounds_does_not_count(function):
    node = healthy(ScriptedNode(), "ETH", 3000 * 10**8)
    node.says(AT["ETH"] if function is AGGREGATOR else BEHIND["ETH"], function, None)
    assert (
        "G202",
        "chainlink of ETH does not tell its bounds, so its answer may be cut off",
    ) == refused(asked(node))


def test_feed_known_to_have_no_bounds_counts_without_them():
    node = healthy(ScriptedNode(), "ETH", 3000 * 10**8)
    node.says(AT["ETH"], AGGREGATOR, None)
    assert Decimal(3000) == asked(node, replace(ETH_FEED, unbounded=True)).value


def test_bounds_belong_to_the_feed_whose_aggregator_told_them():
    node = healthy(healthy(ScriptedNode(), "ETH", 3000 * 10**8), "USDC", 10**8 + 1)
    node.says(AT["ETH"], AGGREGATOR, None)
    oracle = make(Options({"ETH": (ETH_FEED,), "USDC": (USDC_FEED,)}), io(node))
    eth, usdc = oracle.opinions({"ETH": (ETH,), "USDC": (USDC,)}, NOW)
    assert isinstance(eth, Unpriced)
    assert Decimal("1.00000001") == usdc.value


def test_other_decimals_than_configured_are_refused():
    node = healthy(ScriptedNode(), "ETH", 3000 * 10**8, decimals=18)
    assert ("G202", "chainlink of ETH has 18 decimals, 8 are configured") == refused(asked(node))


@pytest.mark.parametrize("updated", [0, NOW + 61, 2**200])
def test_round_without_a_date_in_the_past_is_no_price(updated):
    node = healthy(ScriptedNode(), "ETH", 3000 * 10**8, updated=updated)
    assert (
        "G202",
        f"chainlink of ETH is dated {updated}, which is not before now ({NOW})",
    ) == refused(asked(node))


def test_round_answered_in_an_earlier_one_is_stale():
    node = healthy(ScriptedNode(), "ETH", 3000 * 10**8, answered_in=6)
    assert ("G201", "chainlink of ETH repeats the answer of an earlier round") == refused(
        asked(node)
    )


@pytest.mark.parametrize(("age", "code"), [(3_660, "G206"), (3_661, "G201")])
def test_feed_is_stale_a_minute_after_its_heartbeat(age, code):
    said = asked(healthy(ScriptedNode(), "ETH", 3000 * 10**8, updated=NOW - age))
    prices = agree([said], assets={"ETH": (ETH,)}, now=NOW, max_spread_bps=75)
    assert code == prices.refused["ETH"].code


# ---- rollups --------------------------------------------------------------------------------


def on_rollup(state, started, *, node=None):
    """What a healthy feed says when its chain's sequencer is in *state* since *started*."""
    node = healthy(node or ScriptedNode(), "ETH", 3000 * 10**8)
    if state is not None:
        node.answers(UPTIME, ROUND, (1, state, started, NOW, 1))
    options = Options({"ETH": (ETH_FEED,)}, {CHAIN: Sequencer(UPTIME)})
    (said,) = make(options, io(node)).opinions({"ETH": (ETH,)}, NOW)
    return said


def test_feed_counts_while_the_sequencer_is_up():
    node = ScriptedNode()
    assert Decimal(3000) == on_rollup(0, NOW - 3_601, node=node).value
    assert 2 == node.requests


@pytest.mark.parametrize(
    ("state", "started", "why"),
    [
        (1, NOW - 9_000, "its sequencer is down"),
        (0, 0, "its sequencer is down"),
        (0, NOW - 600, "its sequencer is back for 10 min only, 1 h are waited"),
        (0, NOW - 3_600, "its sequencer is back for 1 h only, 1 h are waited"),
        (0, NOW + 5, "its sequencer is back for 0 s only, 1 h are waited"),
        (None, 0, "its sequencer's state is not known"),
    ],
)
def test_feed_does_not_count_while_the_sequencer_is_down_or_just_up(state, started, why):
    assert ("G201", f"chainlink of ETH does not count: {why}") == refused(on_rollup(state, started))


# ---- properties -----------------------------------------------------------------------------


@given(
    st.tuples(*[st.integers(0, 2**80 - 1)], st.integers(-(2**255), 2**255 - 1),
              st.integers(0, 2**256 - 1), st.integers(0, 2**40), st.integers(0, 2**80 - 1)),
    st.integers(0, 255),
)  # fmt: skip
def test_any_round_is_an_opinion_inside_the_bounds_or_a_reason(round_, decimals):
    node = healthy(ScriptedNode(), "ETH", 1)
    node.answers(AT["ETH"], ROUND, round_)
    node.answers(AT["ETH"], DECIMALS, (decimals,))
    said = asked(node)
    if isinstance(said, Opinion):
        assert 1 < said.value < 100_000
        assert 0 < said.at <= NOW + 60
        assert 8 == decimals
    else:
        assert said.why


@given(st.binary(max_size=200), st.binary(max_size=64), st.binary(max_size=64))
def test_any_bytes_are_an_opinion_or_a_reason(round_, decimals, aggregator):
    node = ScriptedNode()
    for function, raw in ((ROUND, round_), (DECIMALS, decimals), (AGGREGATOR, aggregator)):
        node.says(AT["ETH"], function, raw)
    assert isinstance(asked(node), Unpriced)


def on_both(asset="ETH"):
    """A feed of *asset* on our chain, and one on the other that stands in for it."""
    return {asset: (ETH_FEED, replace(ETH_FEED, chain=OTHER, address=AT["BASE"]))}


def two_nodes():
    one = healthy(ScriptedNode(1), "ETH", 3000 * 10**8)
    return one, healthy(ScriptedNode(OTHER), "BASE", 3001 * 10**8)


def test_first_chain_that_can_be_read_speaks_for_the_asset_and_no_other_is_asked():
    one, other = two_nodes()
    (said,) = make(Options(on_both()), io(one, other)).opinions({"ETH": (ETH,)}, NOW)
    assert (Decimal(3000), 2, 0) == (said.value, one.requests, other.requests)


def test_another_chains_feed_stands_in_while_the_first_chain_is_silent():
    one, other = two_nodes()
    one.silent = True
    (said,) = make(Options(on_both()), io(one, other)).opinions({"ETH": (ETH,)}, NOW)
    assert (Decimal(3001), 1, 2) == (said.value, one.requests, other.requests)


def test_another_chains_feed_stands_in_while_the_first_chains_sequencer_is_down():
    one, other = two_nodes()
    one.answers(UPTIME, ROUND, (1, 1, NOW - 9_000, NOW - 9_000, 1))
    options = Options(on_both(), {CHAIN: Sequencer(UPTIME)})
    (said,) = make(options, io(one, other)).opinions({"ETH": (ETH,)}, NOW)
    assert Decimal(3001) == said.value


def test_feed_that_is_refused_on_a_readable_chain_is_not_replaced_by_another():
    one, other = two_nodes()
    healthy(one, "ETH", 10**8)
    (said,) = make(Options(on_both()), io(one, other)).opinions({"ETH": (ETH,)}, NOW)
    assert ("G202", 0) == (refused(said)[0], other.requests)


def test_chain_that_is_down_is_asked_once_and_the_first_reason_stays():
    one, other = two_nodes()
    one.silent = other.silent = True
    feeds = on_both() | {"USDC": (replace(USDC_FEED, chain=OTHER),)}
    asked = {"ETH": (ETH,), "USDC": (USDC,)}
    said = make(Options(feeds), io(one, other)).opinions(asked, NOW)
    assert ["N101", "N101"] == [refusal.code for refusal in said]
    assert (1, 1) == (one.requests, other.requests)


STAKED = "0x" + "57" * 20
RATE = Function("stEthPerToken", (), ("uint256",))
STETH_FEED = replace(ETH_FEED, rate=(STAKED, "stEthPerToken()"))


def staked(*, rate, answer=3000 * 10**8):
    node = healthy(ScriptedNode(), "ETH", answer)
    if rate is not None:
        node.answers(STAKED, RATE, (rate,))
    (said,) = make(Options({"wstETH": (STETH_FEED,)}), io(node)).opinions({"wstETH": ()}, NOW)
    return said, node.requests


def test_token_that_counts_is_worth_what_it_stands_for_and_takes_no_request_more():
    said, requests = staked(rate=1_234_567_890_123_456_789)
    assert (Decimal("3703.703670370370367000"), NOW - 41, 2) == (said.value, said.at, requests)


@pytest.mark.parametrize("rate", [None, 0])
def test_token_that_counts_has_no_price_without_its_rate(rate):
    said, _ = staked(rate=rate)
    assert ("wstETH", "chainlink of wstETH has no rate: its contract does not tell one") == (
        said.asset,
        said.why,
    )


def test_rate_is_nothing_where_the_feed_is_refused():
    said, _ = staked(rate=10**18, answer=-1)
    assert "chainlink of wstETH says -1, which is no price" == said.why


def test_rates_of_several_feeds_and_a_sequencer_are_not_mixed_up():
    node = healthy(healthy(ScriptedNode(), "ETH", 3000 * 10**8), "USDC", 10**8 + 1)
    node.answers(STAKED, RATE, (2 * 10**18,))
    node.answers(UPTIME, ROUND, (1, 0, NOW - 9_000, NOW - 9_000, 1))
    feeds = {"ETH": (ETH_FEED,), "wstETH": (STETH_FEED,), "USDC": (USDC_FEED,)}
    options = Options(feeds, {CHAIN: Sequencer(UPTIME)})
    said = make(options, io(node)).opinions(dict.fromkeys(feeds, ()), NOW)
    assert [Decimal(3000), Decimal("1.00000001"), Decimal(6000)] == [one.value for one in said]
