"""When to act, and the sentence that says why or why not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portfolios import (
    CHAIN,
    DEMO,
    NOW,
    OTHER,
    USDC,
    USDC_BASE,
    WBTC,
    WETH,
    assets,
    holdings,
    limits,
    policy,
    prices,
    snapshot,
    trigger,
)
from portfolios import ETH as COIN

from agent.core.decide import Drift, History, Rebalance, Rest, decide, drifts
from agent.core.money import Bps
from agent.core.policy import Range
from agent.core.value import value
from agent.core.verdict import Refusal

HOUR, DAY = 3_600, 86_400
NEVER = History()
INSIDE = holdings(ETH="13.896", WBTC="0.26", USDC="22712")
"""80 000 in value: ETH 52.11 %, WBTC 19.5 %, USDC 28.39 %."""


def ran(ago, outcome="done"):
    return History(NOW - ago, outcome)


def decided(held=None, history=NEVER, *, asked=False, **wishes):
    own = policy(**wishes)
    valuation = value(snapshot(DEMO if held is None else held), prices(), own)
    return decide(valuation, own, history, NOW, asked=asked)


def rest(decision):
    assert isinstance(decision, Rest)
    return decision.why


def go(decision):
    assert isinstance(decision, Rebalance)
    return decision.why


# ---- sentences ------------------------------------------------------------------------------


def test_rest_inside_the_bands_reads_as_the_command_line_promises():
    assert (
        "nothing to do: largest drift 2.1 % (ETH) is inside its 5.0 % band; last run 2 d ago"
    ) == rest(decided(INSIDE, ran(2 * DAY)))


def test_rest_without_an_earlier_run_says_so():
    assert rest(decided(INSIDE)).endswith("is inside its 5.0 % band; no run yet")


def test_act_names_every_part_outside_its_band():
    assert (
        "ETH is 60.0 %, 4,000.00 above its band of 45.0 % to 55.0 %; "
        "WBTC is 15.0 %, 800.00 below its band of 16.0 % to 24.0 %; last run 2 d ago"
    ) == go(decided(DEMO, ran(2 * DAY)))


def test_empty_wallet_rests_and_says_that_this_is_not_the_target():
    decision = decided(holdings())
    why = "the wallet holds nothing that counts: none of ETH, USDC and WBTC on eip155:1"
    assert f"nothing to do: {why}" == rest(decision)
    assert (Refusal("G404", why),) == decision.refusals


def test_unknown_value_decides_nothing_and_hands_the_reasons_on():
    own = policy(chains=(CHAIN, OTHER))
    decision = decide(value(snapshot(DEMO), prices(), own), own, NEVER, NOW)
    assert ("nothing is decided: eip155:8453 was not read, so the whole is not known") == rest(
        decision
    )
    assert ("N104",) == tuple(refusal.code for refusal in decision.refusals)
    assert isinstance(decision.refusals[0], Refusal)


def test_run_that_needs_a_person_goes_before_a_new_one():
    wanted = "nothing to do: a person must look at the last run first"
    assert wanted == rest(decided(DEMO, ran(9 * DAY, "needs_human"), asked=True))


@pytest.mark.parametrize("outcome", ["done", "nothing", "aborted", "waiting"])
def test_finished_run_stands_in_nobodys_way(outcome):
    assert go(decided(DEMO, ran(9 * DAY, outcome)))


# ---- triggers -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["threshold", "hybrid"])
def test_band_that_was_left_acts_before_the_schedule(mode):
    assert go(decided(DEMO, ran(DAY), trigger=trigger(mode=mode)))


def test_time_trigger_waits_for_its_schedule():
    assert (
        "nothing to do: ETH is 60.0 %, 4,000.00 above its band of 45.0 % to 55.0 %; WBTC is "
        "15.0 %, 800.00 below its band of 16.0 % to 24.0 %, but the next scheduled run is in "
        "6 d; last run 1 d ago"
    ) == rest(decided(DEMO, ran(DAY), trigger=trigger(mode="time")))


def test_time_trigger_acts_on_schedule():
    assert go(decided(DEMO, ran(7 * DAY), trigger=trigger(mode="time")))


def test_time_trigger_acts_when_nothing_ever_ran():
    assert go(decided(DEMO, NEVER, trigger=trigger(mode="time")))


@pytest.mark.parametrize("mode", ["time", "hybrid", "threshold"])
@pytest.mark.parametrize("to", ["edge", "cheapest"])
def test_schedule_does_nothing_inside_the_bands(mode, to):
    wish = trigger(mode=mode, rebalance_to=to)
    assert "largest drift 2.1 % (ETH)" in rest(decided(INSIDE, ran(30 * DAY), trigger=wish))


@pytest.mark.parametrize("mode", ["time", "hybrid"])
def test_schedule_goes_back_to_exact_targets_where_that_is_wanted(mode):
    wish = trigger(mode=mode, rebalance_to="target")
    assert "ETH is 2.1 % (1,688.00) off its target; last run 30 d ago" == go(
        decided(INSIDE, ran(30 * DAY), trigger=wish)
    )
    assert rest(decided(INSIDE, ran(2 * DAY), trigger=wish)).endswith(
        "but the next scheduled run is in 5 d; last run 2 d ago"
    )


def test_threshold_trigger_never_leaves_the_bands_alone_for_targets():
    wish = trigger(mode="threshold", rebalance_to="target")
    assert (
        "nothing to do: ETH is 2.1 % (1,688.00) off its target, but no part is outside its "
        "band; last run 30 d ago"
    ) == rest(decided(INSIDE, ran(30 * DAY), trigger=wish))


def test_manual_trigger_waits_to_be_asked():
    wish = trigger(mode="manual")
    assert rest(decided(DEMO, NEVER, trigger=wish)).endswith(
        "but the trigger is manual and nobody asked; no run yet"
    )
    assert go(decided(DEMO, NEVER, trigger=wish, asked=True))


def test_person_is_not_bound_by_schedule_and_cooldown():
    assert go(decided(DEMO, ran(60), trigger=trigger(mode="time"), asked=True))


def test_person_gets_nothing_where_there_is_nothing_to_do():
    assert rest(decided(INSIDE, ran(60), asked=True))


# ---- cooldown -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["threshold", "hybrid", "time"])
def test_cooldown_holds_every_trigger(mode):
    wish = trigger(mode=mode, every_seconds=HOUR)
    assert rest(decided(DEMO, ran(2 * HOUR), trigger=wish)).endswith(
        "but the cooldown of 6 h ends in 4 h; last run 2 h ago"
    )


def test_cooldown_ends_to_the_second():
    assert rest(decided(DEMO, ran(6 * HOUR - 1)))
    assert go(decided(DEMO, ran(6 * HOUR)))


def test_clock_that_went_back_counts_as_no_time():
    assert "the cooldown of 6 h ends in 6 h; last run 0 s ago" in rest(decided(DEMO, ran(-DAY)))


# ---- bands of all kinds ---------------------------------------------------------------------


def test_dust_outside_a_band_is_let_be():
    held = holdings(ETH="14.6666666", WBTC="0.2666666666", USDC="19950")
    assert (
        "nothing to do: USDC is 25.0 %, 37.50 below its band of 25.0 % to 35.0 %, which is dust "
        "(less than 100.00); no run yet"
    ) == rest(decided(held, dust=Decimal(100)))
    assert go(decided(held, dust=Decimal(37)))


def test_chain_that_holds_too_much_acts():
    own = {
        "chains": (CHAIN, OTHER),
        "assets": assets(("ETH", (COIN, WETH)), ("WBTC", (WBTC,)), ("USDC", (USDC, USDC_BASE))),
        "by_chain": {CHAIN: Range(Bps(0), Bps(6000)), OTHER: Range(Bps(500), Bps(10_000))},
    }
    held = {**INSIDE, USDC_BASE: 0}
    assert (
        "eip155:1 is 100.0 %, 32,000.00 above its band of 0.0 % to 60.0 %; "
        "eip155:8453 is 0.0 %, 4,000.00 below its band of 5.0 % to 100.0 %; no run yet"
    ) == go(decided(held, **own))


def test_asset_on_a_chain_that_holds_too_much_acts():
    cell = {("USDC", CHAIN): Range(Bps(0), Bps(2000)), ("USDC", OTHER): Range()}
    assert go(decided(INSIDE, by_asset_on_chain=cell)).startswith(
        "USDC on eip155:1 is 28.4 %, 6,712.00 above its band of 0.0 % to 20.0 %"
    )


def test_farthest_part_is_named_first():
    held = holdings(ETH="2", WBTC="1", USDC="14000")
    assert ["WBTC", "ETH", "USDC"] == [
        part.split(" is ")[0] for part in go(decided(held)).split("; ")[:3]
    ]


def test_drifts_are_as_the_drift_command_prints_them():
    decision = decided(DEMO)
    assert Drift(
        asset="ETH", chain=None, weight=Decimal("0.6"), target=Decimal("0.5"),
        low=Decimal("0.45"), high=Decimal("0.55"), value=Decimal(48_000), excess=Decimal(4_000),
    ) == decision.drifts[0]  # fmt: skip
    assert ["ETH", "USDC", "WBTC"] == [drift.name for drift in decision.drifts]
    assert [4_000, 0, -800] == [drift.excess for drift in decision.drifts]
    assert "USDC is 25.0 %, inside its band of 25.0 % to 35.0 %" == decision.drifts[1].sentence


def test_target_off_by_less_than_a_trade_rests():
    wish = {"trigger": trigger(rebalance_to="target"), "limits": limits(min_trade=Decimal(1_689))}
    assert rest(decided(INSIDE, **wish))
    wish["limits"] = limits(min_trade=Decimal(1_688))
    assert go(decided(INSIDE, **wish))


# ---- properties -----------------------------------------------------------------------------

held = st.fixed_dictionaries(
    {WETH: st.integers(0, 10**20), WBTC: st.integers(0, 10**9), USDC: st.integers(0, 10**11)}
)


@given(
    held=held,
    ago=st.none() | st.integers(-DAY, 30 * DAY),
    mode=st.sampled_from(["time", "threshold", "hybrid", "manual"]),
    to=st.sampled_from(["target", "edge", "cheapest"]),
    asked=st.booleans(),
)
def test_every_decision_has_a_sentence_and_never_acts_on_dust(held, ago, mode, to, asked):
    history = NEVER if ago is None else ran(ago)
    decision = decided(
        {COIN: 0, **held}, history, asked=asked, trigger=trigger(mode=mode, rebalance_to=to)
    )
    assert decision.why
    assert ";;" not in decision.why
    if isinstance(decision, Rest):
        assert decision.why.startswith("nothing to do: ")
        return
    off = max(abs(drift.excess) for drift in decision.drifts)
    total = sum(drift.value for drift in decision.drifts)
    away = max(drift.distance for drift in decision.drifts) * total
    assert off >= 5 or (to == "target" and away >= 50)
    if not asked:
        assert mode != "manual"
        assert ago is None or ago >= 6 * HOUR


@given(held)
def test_shares_and_excess_agree_with_the_values(held):
    own = policy()
    valuation = value(snapshot({COIN: 0, **held}), prices(), own)
    seen = drifts(valuation, own)
    assert bool(seen) == (valuation.value > 0)
    for drift in seen:
        inside = drift.low <= drift.weight <= drift.high
        assert inside == (abs(drift.excess) <= valuation.value / 10**20)
        assert drift.low <= drift.target <= drift.high
        back = replace(drift, value=drift.value - drift.excess).value / valuation.value
        assert drift.low - Decimal("1e-20") <= back <= drift.high + Decimal("1e-20")
