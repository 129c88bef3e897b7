"""Every rule of the guard: what it refuses, in which words, and that nothing else would."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proposals import (
    ACCOUNT,
    ATTACKER,
    BOOK,
    BRIDGE,
    CHAIN,
    DAI,
    DEADLINE,
    ETH,
    FAR,
    FAR_ETH,
    FAR_WETH,
    MINIMUM,
    NOW,
    OFFERED,
    OTHER,
    PIN,
    ROUTER,
    SOLD,
    USDC,
    WBTC,
    WETH,
    Kind,
    approval,
    call_data,
    codes,
    honest,
    order,
    prices,
    sent,
    swap_data,
    with_approvals,
    with_data,
    with_meaning,
    with_payload,
)

from agent.core.fees import FeeQuote, L1Fee
from agent.core.guard import (
    MAX_GAS_LIMIT,
    RULES,
    Proposal,
    amount_matches,
    check,
    impact_bounded,
    minimum_enforced,
    slippage_bounded,
)
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.policy import Limits
from agent.core.proposal import FarSide
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal, Verdict
from agent.core.whole import whole
from agent.venues._swap_calls import MULTICALL
from agent.wire.abi import encode, selector
from agent.wire.erc20 import APPROVE

KINDS: tuple[Kind, ...] = get_args(Kind)


def refusals(p: Proposal) -> list[str]:
    """Everything the guard says, as text."""
    return [f"{refusal.code} {refusal.why}" for refusal in check(p).refusals]


def with_quote(p: Proposal, **changes: Any) -> Proposal:
    return replace(p, quote=replace(p.quote, **changes))


def with_leg(p: Proposal, **changes: Any) -> Proposal:
    return replace(p, leg=replace(p.leg, **changes))


def with_simulated(p: Proposal, **changes: Any) -> Proposal:
    return replace(p, simulated=replace(p.simulated, **changes))


def with_gas(p: Proposal, gas_limit: int) -> Proposal:
    return replace(p, drafts=(*p.drafts[:-1], replace(p.drafts[-1], gas_limit=gas_limit)))


def with_l1_fees(p: Proposal, *l1_fees: L1Fee) -> Proposal:
    """The proposal with data fees of its last calls, none of the others."""
    before = p.l1_fees[: len(p.l1_fees) - len(l1_fees)]
    return replace(p, l1_fees=(*before, *l1_fees))


@pytest.mark.parametrize("kind", KINDS)
def test_honest_proposal_passes(kind: Kind) -> None:
    assert [] == refusals(honest(kind))


def test_order_after_an_exact_allowance_of_before_needs_no_call_at_all() -> None:
    assert [] == refusals(with_approvals(honest("order")))


# One test for each rule, named in docs/threats.md.


def test_act_with_an_unknown_selector_is_refused() -> None:
    bad = with_data(honest(), "0xdeadbeef")
    assert [f"G101 the call to {ROUTER} has the unknown selector 0xdeadbeef"] == refusals(bad)


def test_approval_with_bytes_of_something_else_is_refused() -> None:
    p = honest()
    first = p.drafts[0]
    assert isinstance(first.payload, Call)
    odd = replace(first, payload=replace(first.payload, data="0xa9059cbb" + "00" * 64))
    assert ["G101"] == codes(check(with_approvals(p, odd)).refusals)


def test_target_outside_the_venue_s_list_is_refused() -> None:
    p = honest()
    payload = p.drafts[-1].payload
    assert isinstance(payload, Call)
    bad = with_payload(p, replace(payload, to=ATTACKER))
    bad = replace(bad, code_hashes={**bad.code_hashes, ATTACKER: PIN})
    assert [f"G102 {ATTACKER} is not a contract of venue"] == refusals(bad)


@pytest.mark.parametrize(
    ("approvals", "why"),
    [
        ((approval(WETH, ATTACKER, SOLD),), f"{ATTACKER} must not spend {WETH.address}"),
        ((approval(USDC, ROUTER, SOLD),), f"{ROUTER} must not spend {USDC.address}"),
        (
            (approval(WETH, ROUTER, SOLD + 1),),
            f"an allowance of {SOLD + 1} base units, {SOLD} are needed",
        ),
        (
            (approval(WETH, ROUTER, 2**256 - 1),),
            f"an allowance of {2**256 - 1} base units, {SOLD} are needed",
        ),
        (
            (approval(WETH, ROUTER, 1, "approve_zero"), approval(WETH, ROUTER, SOLD)),
            "an allowance of 1 base units, 0 are needed",
        ),
    ],
    ids=["spender", "token", "one more", "infinite", "not zero"],
)
def test_approval_that_is_not_the_exact_one_is_refused(approvals: Any, why: str) -> None:
    bad = with_approvals(honest(), *approvals)
    bad = replace(
        bad, code_hashes=dict.fromkeys((WETH.address, USDC.address, ROUTER, ATTACKER), PIN)
    )
    assert [f"G103 {why}"] == refusals(bad)


def test_approval_to_zero_before_the_exact_one_passes() -> None:
    zero, exact = approval(WETH, ROUTER, 0, "approve_zero"), approval(WETH, ROUTER, SOLD)
    assert [] == refusals(with_approvals(honest(), zero, exact))


def test_approval_that_sends_value_is_refused() -> None:
    p = honest()
    first = p.drafts[0]
    assert isinstance(first.payload, Call)
    bad = with_approvals(p, replace(first, payload=replace(first.payload, value=1)))
    assert ["G103"] == codes(check(bad).refusals)


def test_swap_in_the_place_of_an_approval_is_refused() -> None:
    p = honest()
    bad = with_approvals(p, replace(p.drafts[-1], purpose="approve"))
    assert [f"G103 None must not spend {ROUTER}"] == refusals(bad)


@pytest.mark.parametrize(
    ("hashes", "why"),
    [
        ({WETH.address: PIN, ROUTER: ""}, f"{ROUTER} has no code"),
        ({WETH.address: "", ROUTER: PIN}, f"{WETH.address} has no code"),
        (
            {WETH.address: PIN, ROUTER: "0xabcdef0123"},
            f"{ROUTER} has other code than it must have (0xabcdef01…)",
        ),
        ({WETH.address: PIN}, f"the code of {ROUTER} was not read"),
        ({ROUTER: PIN}, f"the code of {WETH.address} was not read"),
    ],
)
def test_code_that_is_missing_changed_or_unread_is_refused(
    hashes: dict[Any, str], why: str
) -> None:
    assert [f"G104 {why}"] == refusals(replace(honest(), code_hashes=hashes))


def test_code_of_a_spender_that_is_not_called_must_be_read_too() -> None:
    p = replace(honest("order"), code_hashes={WETH.address: PIN})
    assert [f"G104 the code of {BOOK} was not read"] == refusals(p)


def test_code_of_what_an_order_is_signed_for_must_be_read_though_nothing_is_called() -> None:
    p = with_approvals(replace(honest("order"), code_hashes={WETH.address: PIN}))
    assert [f"G104 the code of {BOOK} was not read"] == refusals(p)


def test_contract_without_a_pin_only_needs_code() -> None:
    assert [] == refusals(replace(honest(), targets={ROUTER: ""}))


def test_act_on_another_chain_is_refused() -> None:
    p = honest()
    payload = p.drafts[-1].payload
    assert isinstance(payload, Call)
    bad = with_payload(p, replace(payload, chain=OTHER))
    assert ["G106 a call is for chain 8453, the leg for chain 1"] == refusals(bad)


@pytest.mark.parametrize("chain", [CHAIN, 10])
def test_delivery_on_another_chain_than_the_leg_s_is_refused(chain: int) -> None:
    bad = with_data(honest("bridge"), sent(to_chain=chain))
    assert [f"G113 the call delivers on chain {chain}, the leg on chain 8453"] == refusals(bad)


def test_swap_that_would_deliver_on_a_chain_of_its_own_is_refused() -> None:
    p = honest("v2")
    inner = p.meanings[-1]
    assert isinstance(inner, Meaning)
    elsewhere = replace(inner, inner=(replace(inner.inner[-1], to_chain=CHAIN),))
    bad = replace(p, meanings=(*p.meanings[:-1], elsewhere))
    assert ["G113 the call delivers on chain 1, the leg on chain 1"] == refusals(bad)


def test_refund_to_somebody_else_is_refused() -> None:
    bad = with_data(honest("bridge"), sent(refund=ATTACKER))
    assert [f"G114 an undelivered transfer would go back to {ATTACKER}"] == refusals(bad)


@pytest.mark.parametrize("ahead", [-1, 0, 599, 21_601, 2**32 - 1 - NOW])
def test_fill_deadline_that_is_past_near_or_far_is_refused(ahead: int) -> None:
    bad = with_data(honest("bridge"), sent(fill_deadline=NOW + ahead))
    assert [f"G115 it may be delivered for {ahead} s, not for 600 to 21600 s"] == refusals(bad)


@pytest.mark.parametrize("ahead", [600, 21_600])
def test_fill_deadline_within_hours_passes(ahead: int) -> None:
    assert [] == refusals(with_data(honest("bridge"), sent(fill_deadline=NOW + ahead)))


def test_fill_deadline_counts_by_the_clocks_of_both_chains() -> None:
    p = with_data(honest("bridge"), sent(fill_deadline=NOW + 600))
    assert ["G115"] == codes(check(replace(p, far=replace(FAR, time=NOW + 1))).refusals)
    assert ["G115", "G405"] == codes(
        check(replace(with_data(p, sent(fill_deadline=NOW)), far=None)).refusals
    )


def test_transfer_that_does_not_say_when_it_ends_is_refused() -> None:
    p = honest("bridge")
    said = p.meanings[-1]
    assert isinstance(said, Meaning)
    bad = replace(p, meanings=(*p.meanings[:-1], replace(said, fill_deadline=None)))
    assert ["G115 the call does not say when an undelivered transfer ends"] == refusals(bad)


def test_account_with_code_on_the_far_chain_is_refused() -> None:
    bad = replace(honest("bridge"), far=replace(FAR, account_code_hash="0x77"))
    assert ["G405 your wallet's account on chain 8453 has code"] == refusals(bad)


@pytest.mark.parametrize("far", [None, replace(FAR, chain=CHAIN)])
def test_far_side_that_nobody_looked_at_is_refused(far: FarSide | None) -> None:
    bad = replace(honest("bridge"), far=far)
    assert ["G405 your wallet's account on chain 8453 was not looked at"] == refusals(bad)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"code_hashes": {BRIDGE: ""}}, f"{BRIDGE} has no code on chain 8453"),
        ({"code_hashes": {}}, f"{BRIDGE} has no code on chain 8453"),
        (
            {"code_hashes": {BRIDGE: "0xabcdef0123"}},
            f"{BRIDGE} has other code on chain 8453 (0xabcdef01…)",
        ),
        ({"targets": {}}, "venue has no contract on chain 8453"),
    ],
)
def test_far_contract_without_its_code_is_refused(changes: Any, why: str) -> None:
    assert [f"G104 {why}"] == refusals(replace(honest("bridge"), far=replace(FAR, **changes)))


def test_far_contract_without_a_pin_only_needs_code() -> None:
    assert [] == refusals(replace(honest("bridge"), far=replace(FAR, targets={BRIDGE: ""})))


def wrapping(p: Proposal, *, value: int = 0) -> Proposal:
    """The proposal as bytes mean it whose wrapped coins stand for the gas coin."""
    payload, said = p.drafts[-1].payload, p.meanings[-1]
    assert isinstance(payload, Call)
    assert isinstance(said, Meaning)
    p = with_payload(p, replace(payload, value=value))
    return replace(p, meanings=(*p.meanings[:-1], replace(said, wraps=True, value=value)))


def test_wrapped_coin_that_a_bridge_pays_out_unwrapped_is_the_gas_coin() -> None:
    p = wrapping(honest("bridge"))
    why = f"the call swaps {WETH.address} for native, the leg says otherwise"
    assert [f"G106 {why}"] == refusals(p)
    bought = replace(p.leg, buy=FAR_ETH)
    assert [] == refusals(replace(p, leg=bought, quote=replace(p.quote, buy=FAR_ETH)))


def test_value_that_goes_along_with_a_wrapped_coin_sells_the_gas_coin() -> None:
    p = wrapping(honest("bridge"), value=SOLD)
    sold = replace(p.leg, sell=Sell(ETH, SOLD), buy=FAR_ETH)
    quote = replace(p.quote, sell=Amount(ETH, SOLD), buy=FAR_ETH)
    p = with_simulated(replace(p, leg=sold, quote=quote), deltas={ETH: -SOLD}, allowances=())
    p = replace(p, drafts=p.drafts[-1:], meanings=p.meanings[-1:], l1_fees=p.l1_fees[-1:])
    p = with_simulated(p, gas_used=(p.drafts[-1].gas_limit * 4 // 5,))
    assert [] == refusals(p)
    assert ["G106"] == codes(check(replace(p, wrapped={})).refusals)


def test_recipient_that_is_not_the_wallet_is_refused() -> None:
    bad = with_data(honest(), swap_data("v3 single", to=ATTACKER))
    assert [f"G105 the recipient {ATTACKER} is not your wallet"] == refusals(bad)


def test_output_that_stays_in_the_router_is_refused() -> None:
    bad = with_data(honest("v2"), swap_data("v2", to="0x" + "00" * 19 + "02"))
    assert [f"G105 the recipient {ROUTER} is not your wallet"] == refusals(bad)


def test_pseudo_address_of_the_caller_is_the_wallet() -> None:
    assert [] == refusals(with_data(honest("v2"), swap_data("v2", to="0x" + "00" * 19 + "01")))


@pytest.mark.parametrize("changes", [{"buy": DAI}, {"sell": Sell(DAI, SOLD)}])
def test_tokens_other_than_the_leg_s_are_refused(changes: Any) -> None:
    why = f"the call swaps {WETH.address} for {USDC.address}, the leg says otherwise"
    assert f"G106 {why}" in refusals(with_leg(honest(), **changes))


def test_quote_of_another_token_than_the_leg_buys_is_refused() -> None:
    assert ["G106"] == codes(check(with_quote(honest(), buy=WBTC)).refusals)


def test_bytes_that_name_no_token_do_not_buy_the_gas_coin() -> None:
    """What the bytes leave open must not pass as the native coin, which has no address."""
    silent = Meaning(
        target=ROUTER,
        selector="0x00000000",
        name="unoswap",
        recipient=ACCOUNT,
        sell=WETH.address,
        amount_in=SOLD,
        min_out=SOLD,
        deadline=DEADLINE,
    )
    p = honest("unwrap")
    bad = replace(p, meanings=(silent,), targets={ROUTER: ""})
    assert f"G106 the call swaps {WETH.address} for None, the leg says otherwise" in refusals(bad)


def test_amount_other_than_the_leg_s_is_refused() -> None:
    bad = with_data(honest(), swap_data("v3 single", amount_in=SOLD + 1))
    assert [f"G107 the call sells {SOLD + 1} base units, the leg {SOLD}"] == refusals(bad)


@pytest.mark.parametrize("sold", [Amount(WETH, SOLD - 1), Amount(DAI, SOLD)])
def test_quote_for_another_amount_is_refused(sold: Amount) -> None:
    assert ["G107"] == codes(check(with_quote(honest(), sell=sold)).refusals)


def test_wrap_of_another_amount_than_its_value_is_refused() -> None:
    p = honest("wrap")
    m = p.meanings[0]
    assert isinstance(m, Meaning)
    assert ["G107"] == codes(check(replace(p, meanings=(replace(m, amount_in=1),))).refusals)


def test_leg_that_sells_nothing_is_refused() -> None:
    p = honest("unwrap")
    p = with_data(p, p.drafts[0].payload.data[:10] + "00" * 32)
    p = with_simulated(replace(p, sell_raw=0, min_out=0), deltas={})
    p = with_quote(p, sell=Amount(WETH, 0), amount_out=1, min_amount_out=0)
    assert "G107 the call sells 0 base units, the leg 0" in refusals(p)


def test_hidden_value_is_refused() -> None:
    p = honest()
    payload = p.drafts[-1].payload
    assert isinstance(payload, Call)
    bad = with_payload(p, replace(payload, value=10**18))
    assert [
        "G108 the call sends 1.000000000000000000 ETH along, 0 base units belong to the leg"
    ] == refusals(bad)


@pytest.mark.parametrize("least", [0, 1, MINIMUM - 1])
def test_minimum_below_the_quote_s_is_refused(least: int) -> None:
    bad = with_data(honest(), swap_data("v3 single", min_out=least))
    assert [f"G109 the call guarantees {least} base units, at least {MINIMUM} must"] == refusals(
        bad
    )


def test_minimum_below_independent_prices_is_refused_whoever_proposes_it() -> None:
    """One percent below 6000 is 5940: the quote's own lower minimum does not count."""
    low = 5939 * 10**6
    p = with_quote(honest(), amount_out=5960 * 10**6, min_amount_out=low)
    p = with_data(p, swap_data("v3 single", min_out=low))
    assert 0 == p.min_out
    assert ["G109 the call guarantees 5939000000 base units, at least 5940000000 must"] == refusals(
        p
    )


def test_call_without_a_minimum_is_refused() -> None:
    p = honest()
    m = p.act
    assert isinstance(m, Meaning)
    bad = replace(p, meanings=(p.meanings[0], replace(m, min_out=None)))
    assert [f"G109 the call guarantees None base units, at least {MINIMUM} must"] == refusals(bad)


@pytest.mark.parametrize(
    ("ahead", "why"),
    [
        (301, "the deadline is 301 s away, not 1 to 300 s"),
        (0, "the deadline is 0 s away, not 1 to 300 s"),
        (-5, "the deadline is -5 s away, not 1 to 300 s"),
        (149, "the quote outlives the deadline of its call by 1 s"),
    ],
)
def test_deadline_that_is_far_or_past_is_refused(ahead: int, why: str) -> None:
    bad = with_data(honest(), swap_data("v3 single", deadline=NOW + ahead))
    assert [f"G110 {why}"] == refusals(bad)


@pytest.mark.parametrize("ahead", [1, 150, 300])
def test_deadline_up_to_five_minutes_away_passes(ahead: int) -> None:
    p = with_quote(honest(), expires=NOW + ahead)
    assert [] == refusals(with_data(p, swap_data("v3 single", deadline=NOW + ahead)))


def test_swap_without_a_deadline_is_refused() -> None:
    p = honest()
    m = p.meanings[-1]
    assert isinstance(m, Meaning)
    (single,) = m.inner
    bad = replace(p, meanings=(p.meanings[0], single))
    assert ["G110 the call has no deadline"] == refusals(bad)


@pytest.mark.parametrize(("ahead", "expected"), [(86_400, []), (86_401, ["G110"])])
def test_order_may_wait_for_a_day_and_not_longer(ahead: int, expected: list[str]) -> None:
    message = replace(order(validTo=NOW + ahead), valid_to=NOW + ahead)
    assert expected == codes(check(with_payload(honest("order"), message)).refusals)


def test_nested_call_that_is_not_the_venue_s_is_refused() -> None:
    grant = bytes.fromhex(selector(APPROVE)[2:]) + encode(["address", "uint256"], [ATTACKER, SOLD])
    bad = with_data(honest(), call_data(MULTICALL, DEADLINE, (grant,)))
    assert [f"G111 the nested call to {ROUTER} has the unknown selector 0x095ea7b3"] == refusals(
        bad
    )


def test_nested_calls_that_do_not_hand_on_are_refused() -> None:
    m = honest("mixed").meanings[-1]
    assert isinstance(m, Meaning)
    first, second = m.inner
    for broken in (
        (second, first),
        (first, replace(second, amount_in=1)),
        (first, replace(second, sell=DAI.address)),
        (replace(first, recipient=ACCOUNT), second),
        (replace(first, buy=None), replace(second, sell=None)),
    ):
        said = whole(replace(m, inner=broken))
        assert isinstance(said, Refusal)
        assert "G111" == said.code
        assert f"{broken[1].name} does not continue {broken[0].name}" == said.why


def test_calls_that_are_no_shares_of_one_swap_are_refused() -> None:
    m = honest("mixed split").meanings[-1]
    assert isinstance(m, Meaning)
    one, then, _, after, three, sweep = m.inner
    two_shares = (one, then, three)
    for broken, why in (
        ((sweep,), "sweepToken pays out what nothing before it has bought"),
        # What does more than swap into the router's own hands.
        ((*two_shares, sweep, sweep), "sweepToken is no share"),
        ((one, replace(then, recipient=ACCOUNT), sweep), "swapExactTokensForTokens is no share"),
        ((one, replace(then, target=BOOK), sweep), "swapExactTokensForTokens is no share"),
        ((replace(three, sell=None), sweep), "exactInput is no share"),
        ((replace(three, amount_in=None), sweep), "exactInput is no share"),
        ((replace(three, buy=None), sweep), "exactInput is no share"),
        ((replace(three, buy=WETH.address), sweep), "exactInput is no share"),
        ((replace(three, to_chain=OTHER), sweep), "exactInput is no share"),
        ((replace(three, unread=True), sweep), "exactInput is no share"),
        ((replace(three, inner=(three,)), sweep), "exactInput is no share"),
        # Shares that begin with another token, or what they bring is never sold.
        ((one, three, sweep), f"sweepToken leaves {DAI.address} behind"),
        ((three, replace(three, sell=DAI.address), sweep), "exactInput begins a share"),
        # Calls that sell all that the router holds, where it is not their share's own.
        (
            (then, three, sweep),
            "swapExactTokensForTokens would sell what no share before it brought",
        ),
        ((three, then, sweep), "swapExactTokensForTokens would sell what no share"),
        ((one, replace(after, sell=WBTC.address), sweep), "exactInputSingle would sell"),
        # The token bought, of which the router holds what the shares before have brought.
        (
            (one, then, replace(after, sell=USDC.address, buy=DAI.address), then, sweep),
            "exactInputSingle would sell",
        ),
        # The token sold, through which a share leads once more.
        (
            (one, replace(then, buy=WETH.address), replace(after, sell=WETH.address), sweep),
            "exactInputSingle would sell",
        ),
        # Another token is paid out than was bought last.
        ((*two_shares, replace(sweep, buy=DAI.address)), "swapExactTokensForTokens would sell"),
        ((three, three, replace(sweep, buy=DAI.address)), f"sweepToken leaves {USDC.address} beh"),
        ((three, one, sweep), f"sweepToken leaves {DAI.address} behind"),
        ((three, replace(sweep, buy=DAI.address)), f"sweepToken leaves {USDC.address} behind"),
    ):
        said = whole(replace(m, inner=broken))
        assert isinstance(said, Refusal), why
        assert ("G111", True) == (said.code, said.why.startswith(why)), said.why


def test_shares_that_meet_may_go_on_together() -> None:
    """What came to a token from several calls is sold by one, all of it."""
    m = honest("mixed split").meanings[-1]
    assert isinstance(m, Meaning)
    one, then, *_, three, sweep = m.inner
    for calls in ((one, one, then, three), (one, three, one, then), (three, one, one, then)):
        said = whole(replace(m, inner=(*calls, sweep)))
        assert isinstance(said, Meaning), said
        assert sum(call.amount_in or 0 for call in calls) == said.amount_in
        assert (MINIMUM, USDC.address) == (said.min_out, said.buy)


def test_one_share_that_is_paid_out_by_a_sweep_is_read_too() -> None:
    m = honest("mixed split").meanings[-1]
    assert isinstance(m, Meaning)
    *_, three, sweep = m.inner
    said = whole(replace(m, inner=(three, sweep)))
    assert isinstance(said, Meaning)
    assert (three.amount_in, MINIMUM, ACCOUNT) == (said.amount_in, said.min_out, said.recipient)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": ATTACKER}, "G105"),
        ({"to": ROUTER}, "G105"),
        ({"amount_in": SOLD - 4}, "G107"),
        ({"amount_in": SOLD + 1}, "G107"),
        ({"min_out": MINIMUM - 1}, "G109"),
        ({"deadline": NOW + 301}, "G110"),
    ],
)
@pytest.mark.parametrize("kind", ["split", "mixed split", "meeting split"])
def test_shares_are_held_to_the_leg_like_a_single_path(
    kind: Kind, changes: dict[str, Any], code: str
) -> None:
    assert [code] == codes(check(with_data(honest(kind), swap_data(kind, **changes))).refusals)


def test_refusal_deep_inside_is_the_refusal_of_the_whole() -> None:
    m = honest("mixed").meanings[-1]
    assert isinstance(m, Meaning)
    backwards = replace(m, inner=m.inner[::-1])
    said = whole(replace(m, inner=(backwards,)))
    assert isinstance(said, Refusal)
    assert whole(backwards) == said


def test_nested_calls_in_a_row_read_as_one() -> None:
    said = honest("sandwich").act
    assert isinstance(said, Meaning)
    assert "exactInputSingle + swapExactTokensForTokens + exactInputSingle" == said.name
    assert (WETH.address, SOLD) == (said.sell, said.amount_in)
    assert (USDC.address, MINIMUM) == (said.buy, said.min_out)
    assert (ACCOUNT, DEADLINE) == (said.recipient, said.deadline)


def test_quote_below_independent_prices_is_refused() -> None:
    p = with_quote(honest(), amount_out=5939 * 10**6, min_amount_out=5910 * 10**6)
    p = with_data(p, swap_data("v3 single", min_out=5940 * 10**6))
    p = with_simulated(p, deltas={WETH: -SOLD, USDC: 5940 * 10**6})
    assert [
        "G204 venue offers 5939.000000 USDC, "
        "independent prices and the plan want at least 5940.000000"
    ] == refusals(p)


def test_quote_below_the_plan_is_refused() -> None:
    assert ["G109", "G204", "S102"] == codes(check(replace(honest(), min_out=OFFERED + 1)).refusals)


def test_quote_whose_minimum_is_far_below_it_is_refused() -> None:
    p = with_quote(honest(), min_amount_out=MINIMUM - 1)
    assert [
        f"G205 the minimum {MINIMUM - 1} is too far below the quote {OFFERED} (limit 50 bps)"
    ] == refusals(p)


@pytest.mark.parametrize(
    ("known", "symbol"),
    [(prices(ETH=("feed",)), "WETH"), (prices(USDC=("feed",)), "USDC"), (prices(USDC=()), "USDC")],
)
def test_price_of_a_single_source_is_refused(known: Any, symbol: str) -> None:
    p = replace(honest(), prices=known, min_out=MINIMUM)
    assert [f"G206 {symbol} has no price from two sources"] == refusals(p)


def test_swap_without_any_price_or_plan_is_refused_whatever_it_offers() -> None:
    p = replace(honest(), prices=prices(USDC=()), min_out=0)
    assert 0 == p.fair_least == p.acceptable
    assert ["G204", "G206"] == codes(check(p).refusals)
    p = with_data(with_quote(p, amount_out=0, min_amount_out=0), swap_data("v3 single", min_out=0))
    assert ["G109", "G204", "G206"] == codes(check(p).refusals)


def test_smallest_amounts_are_amounts() -> None:
    p = replace(honest("v2"), prices=prices(USDC=()), min_out=1, sell_raw=1)
    p = with_quote(p, sell=Amount(WETH, 1), amount_out=1, min_amount_out=1)
    p = with_data(p, swap_data("v2", amount_in=1, min_out=1))
    assert check(p, (amount_matches, impact_bounded, minimum_enforced, slippage_bounded)).ok


def test_wrap_needs_no_price_but_the_one_that_limits_its_fee() -> None:
    why = "G307 ETH has no price, so no fee can be limited"
    for kind in ("wrap", "unwrap"):
        assert [] == refusals(replace(honest(kind), prices=prices(ETH=("feed",))))
        assert [why] == refusals(replace(honest(kind), prices=prices(ETH=())))


def test_wrap_that_is_not_one_to_one_is_refused() -> None:
    p = with_simulated(honest("wrap"), deltas={ETH: -SOLD, WETH: SOLD - 1})
    assert [f"S102 only {SOLD - 1} base units of WETH arrive in the simulation"] == refusals(p)
    assert ["G204"] == codes(check(with_quote(honest("wrap"), amount_out=SOLD - 1)).refusals)


def test_account_with_code_is_refused() -> None:
    bad = replace(honest(), account_code_hash="0x" + "77" * 32)
    assert ["G401 your wallet's account has code (EIP-7702 delegation)"] == refusals(bad)


@pytest.mark.parametrize("skew", [61, -61, 86_400])
def test_clock_that_differs_from_the_chain_is_refused(skew: int) -> None:
    bad = replace(honest(), clock_time=NOW + skew)
    assert [
        f"G402 the chain's newest block and this machine's clock differ by {abs(skew)} s (limit 60)"
    ] == refusals(bad)


@pytest.mark.parametrize("skew", [60, -60, 0])
def test_clock_within_a_minute_of_the_chain_passes(skew: int) -> None:
    assert [] == refusals(replace(honest(), clock_time=NOW + skew))


def test_simulation_that_reverts_is_refused() -> None:
    nothing = with_simulated(honest(), ok=False, deltas={}, gas_used=(), allowances=())
    bad = with_simulated(nothing, reverted=(1, "Too little received"))
    assert ["S101 call 2 of 2 reverts: Too little received"] == refusals(bad)
    assert ["S101 call 1 of 2 reverts: no reason"] == refusals(nothing)
    left = with_simulated(nothing, allowances=(SOLD,))
    assert ["S101 call 1 of 2 reverts: no reason"] == refusals(left)


@pytest.mark.parametrize(
    ("deltas", "why"),
    [
        (
            {WETH: -SOLD - 1, USDC: OFFERED},
            f"{SOLD + 1} base units of WETH leave instead of {SOLD}",
        ),
        (
            {WETH: 1 - SOLD, USDC: OFFERED},
            f"{SOLD - 1} base units of WETH leave instead of {SOLD}",
        ),
        ({USDC: OFFERED}, f"0 base units of WETH leave instead of {SOLD}"),
        (
            {WETH: -SOLD, USDC: MINIMUM - 1},
            f"only {MINIMUM - 1} base units of USDC arrive in the simulation",
        ),
        ({WETH: -SOLD}, "only 0 base units of USDC arrive in the simulation"),
        ({WETH: -SOLD, USDC: OFFERED, DAI: -5}, "5 base units of DAI leave too"),
        ({WETH: -SOLD, USDC: OFFERED, ETH: -1}, "1 base units of ETH leave too"),
    ],
)
def test_simulation_with_other_balances_is_refused(deltas: Any, why: str) -> None:
    assert [f"S102 {why}"] == refusals(with_simulated(honest(), deltas=deltas))


def test_gift_of_another_token_in_the_simulation_passes() -> None:
    deltas = {WETH: -SOLD, USDC: OFFERED + 1, DAI: 5, ETH: 0}
    assert [] == refusals(with_simulated(honest(), deltas=deltas))


def test_bridge_s_far_side_is_not_simulated() -> None:
    p = honest("bridge")
    assert FAR_WETH not in p.simulated.deltas
    assert [] == refusals(p)
    assert ["S102"] == codes(check(with_simulated(p, deltas={WETH: 1 - SOLD})).refusals)


def test_allowance_that_is_left_over_is_refused() -> None:
    bad = with_simulated(honest(), allowances=(7,))
    assert ["S103 an allowance of 7 base units is left"] == refusals(bad)


def test_allowance_that_was_not_looked_at_is_refused() -> None:
    bad = with_simulated(honest(), allowances=())
    assert ["S103 what is left of an allowance was not read"] == refusals(bad)


def test_allowance_for_an_order_is_used_later() -> None:
    assert [] == refusals(with_simulated(honest("order"), allowances=(SOLD,)))


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (132_000, "gas limits [60000, 132000] do not fit the gas used [48000, 132000]"),
        (MAX_GAS_LIMIT + 1, "a gas limit of 15000001 (limit 15000000)"),
    ],
)
def test_gas_limit_that_is_too_low_or_absurd_is_refused(limit: int, why: str) -> None:
    assert [f"G306 {why}"] == refusals(with_gas(honest(), limit))


def test_gas_of_a_call_that_was_not_simulated_is_refused() -> None:
    bad = with_simulated(honest(), gas_used=(48_000,))
    assert ["G306 gas limits [60000, 165000] do not fit the gas used [48000]"] == refusals(bad)


def test_gas_limit_up_to_the_cap_passes() -> None:
    assert [] == refusals(with_gas(honest(), MAX_GAS_LIMIT))
    assert [] == refusals(with_gas(honest(), 132_001))


def test_fee_that_could_be_too_high_with_its_data_is_refused() -> None:
    """15.00 at 3000 a coin are 0.005 coins: what data may cost counts twice, the gas once."""
    gas = 165_000 * (2 * 10**6 + 10**5)
    room = 5 * 10**15 - gas
    assert [] == refusals(with_l1_fees(honest(), L1Fee(wei=room // 2)))
    bad = with_l1_fees(honest(), L1Fee(wei=room // 2 + 10**9))
    assert ["G304 the network fee could reach 15.00 (limit max_fee_per_tx 15.00)"] == refusals(bad)
    dear = replace(honest(), fees=FeeQuote(10**12, 1))
    assert ["G304", "G304"] == [refusal.code for refusal in check(dear).refusals]


def test_gas_for_the_parent_chain_counts_as_all_gas() -> None:
    allowed = 5 * 10**15 // (2 * 10**6 + 10**5) - 165_000
    assert [] == refusals(with_l1_fees(honest(), L1Fee(gas=allowed // 2)))
    assert ["G304"] == codes(check(with_l1_fees(honest(), L1Fee(gas=allowed))).refusals)


def test_data_fee_that_was_not_read_is_refused() -> None:
    why = "G307 what the transactions pay for data was not read"
    assert [why] == refusals(replace(honest(), l1_fees=(L1Fee(),)))


def test_fee_of_what_reverts_is_not_judged() -> None:
    bad = with_l1_fees(with_simulated(honest(), ok=False), L1Fee(wei=10**18))
    assert ["S101"] == codes(check(bad).refusals)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Decimal("50.01"), "first use of venue with 50.01 (canary 50.00)"),
        (None, "first use of venue with an unknown value (canary 50.00)"),
    ],
)
def test_first_use_with_more_than_the_canary_is_refused(value: Any, why: str) -> None:
    bad = replace(honest(), canary=Decimal(50), value=value)
    assert [f"G501 {why}"] == refusals(bad)


def test_first_use_up_to_the_canary_passes() -> None:
    assert [] == refusals(replace(honest(), canary=Decimal(50), value=Decimal(50)))
    assert [] == refusals(replace(honest("wrap"), canary=Decimal(50)))


def test_value_that_is_no_number_never_passes() -> None:
    bad = replace(honest(), canary=Decimal(50), value=Decimal("NaN"))
    with pytest.raises(InvalidOperation):
        check(bad)


# Necessity: without its rule, each of these would be signed.

BAD: dict[str, tuple[str, Proposal]] = {
    "understood": ("G101", with_data(honest(), "0xdeadbeef")),
    "target_allowed": ("G102", replace(honest(), targets={ATTACKER: PIN})),
    "allowance_exact": ("G103", with_approvals(honest(), approval(WETH, ROUTER, 2 * SOLD))),
    "code_pinned": ("G104", replace(honest(), code_hashes={WETH.address: PIN, ROUTER: "0xee"})),
    "chain_matches": (
        "G106",
        with_payload(honest(), replace(honest().drafts[-1].payload, chain=OTHER)),
    ),
    "destination_matches": ("G113", with_data(honest("bridge"), sent(to_chain=10))),
    "refund_is_wallet": ("G114", with_data(honest("bridge"), sent(refund=ATTACKER))),
    "fill_deadline_sane": ("G115", with_data(honest("bridge"), sent(fill_deadline=NOW))),
    "recipient_is_wallet": ("G105", with_data(honest(), swap_data("v3 single", to=ATTACKER))),
    "tokens_match": ("G106", with_quote(honest(), buy=DAI)),
    "amount_matches": ("G107", with_data(honest(), swap_data("v3 single", amount_in=SOLD + 1))),
    "value_matches": (
        "G108",
        with_payload(honest(), replace(honest().drafts[-1].payload, value=1)),
    ),
    "minimum_enforced": ("G109", with_data(honest(), swap_data("v3 single", min_out=1))),
    "deadline_short": ("G110", with_data(honest(), swap_data("v3 single", deadline=2**40))),
    "impact_bounded": ("G204", replace(honest(), min_out=OFFERED + 1)),
    "slippage_bounded": ("G205", replace(honest(), limits=Limits(max_slippage_bps=10))),
    "priced_twice": ("G206", replace(honest(), prices=prices(USDC=("feed",)))),
    "account_plain": ("G401", replace(honest(), account_code_hash="0x77")),
    "far_account_plain": (
        "G405",
        replace(honest("bridge"), far=replace(FAR, account_code_hash="0x77")),
    ),
    "far_code_pinned": ("G104", replace(honest("bridge"), far=replace(FAR, code_hashes={}))),
    "clocks_agree": ("G402", replace(honest(), clock_time=NOW + 61)),
    "simulation_passed": ("S101", with_simulated(honest(), ok=False)),
    "simulation_matches": ("S102", with_simulated(honest(), deltas={WETH: -SOLD})),
    "allowance_used_up": ("S103", with_simulated(honest(), allowances=(1,))),
    "gas_sane": ("G306", with_gas(honest(), 2**63)),
    "fee_capped": ("G304", with_l1_fees(honest(), L1Fee(wei=10**16))),
    "unread_protected": ("G116", with_meaning(honest("bridge"), unread=True)),
    "canary_first": ("G501", replace(honest(), canary=Decimal(50))),
}


def test_every_rule_has_a_proposal_that_only_it_refuses() -> None:
    assert [rule.__name__ for rule in RULES] == list(BAD)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_bad_proposal_loses_its_refusal_without_the_rule(rule: Any) -> None:
    code, bad = BAD[rule.__name__]
    assert code in codes(check(bad).refusals)
    without = tuple(other for other in RULES if other is not rule)
    assert code not in codes(check(bad, without).refusals)


def test_nested_refusal_is_lost_without_the_same_rule() -> None:
    p = honest("mixed")
    m = p.meanings[-1]
    assert isinstance(m, Meaning)
    bad = replace(p, meanings=(p.meanings[0], replace(m, inner=m.inner[::-1])))
    assert ["G111"] == codes(check(bad).refusals)
    assert check(bad, RULES[1:]).ok


def test_all_rules_are_asked_and_every_refusal_is_kept() -> None:
    bad = replace(
        with_data(honest(), swap_data("v3 single", to=ATTACKER, min_out=0, deadline=NOW - 1)),
        account_code_hash="0x77",
        canary=Decimal(50),
    )
    assert ["G105", "G109", "G110", "G401", "G501"] == codes(check(bad).refusals)


def test_meanings_that_do_not_belong_to_the_drafts_are_a_mistake_and_no_verdict() -> None:
    with pytest.raises(ValueError, match="zip"):
        check(replace(honest(), meanings=honest().meanings[1:]))


def test_verdicts_add_up() -> None:
    one, other = Verdict((Refusal("G101", "a"),)), Verdict((Refusal("G102", "b"),))
    assert Verdict((Refusal("G101", "a"), Refusal("G102", "b"))) == one + other
    assert (False, True) == (one.ok, Verdict().ok)


def test_no_refusal_suggests_to_loosen_anything() -> None:
    for _, bad in BAD.values():
        for text in refusals(bad):
            assert not {"raise", "increase", "loosen", "disable", "allow more"} & set(text.split())


# Whatever passes keeps the promises, restated here without the rules.

numbers = st.one_of(
    st.sampled_from([0, 1, SOLD, MINIMUM, OFFERED, DEADLINE, NOW, 2**256 - 1]),
    st.integers(0, 2**256 - 1),
)
near_minimum = st.one_of(numbers, st.integers(MINIMUM - 3, MINIMUM + 3))
places = st.sampled_from([ACCOUNT, ATTACKER, ROUTER, WETH.address, USDC.address, None])


@st.composite
def meanings(draw: st.DrawFn) -> Meaning:
    """An act that differs from an honest one in some fields."""
    fields: dict[str, Any] = {
        "target": ROUTER,
        "recipient": ACCOUNT,
        "sell": WETH.address,
        "amount_in": SOLD,
        "buy": USDC.address,
        "min_out": MINIMUM,
        "deadline": DEADLINE,
        "value": 0,
    }
    others = {
        "target": st.sampled_from([ROUTER, ATTACKER]),
        "recipient": places,
        "sell": places,
        "buy": places,
        "amount_in": st.one_of(numbers, st.none()),
        "min_out": st.one_of(near_minimum, st.none()),
        "deadline": st.one_of(st.integers(NOW - 10, NOW + 400), st.none()),
        "value": numbers,
    }
    for name in draw(st.sets(st.sampled_from(sorted(fields)), max_size=2)):
        fields[name] = draw(others[name])
    return Meaning(selector="0x00000000", name="swap", **fields)


@given(
    act=meanings(),
    out=st.one_of(near_minimum, st.just(OFFERED)),
    least=st.one_of(st.just(MINIMUM), near_minimum),
    got=st.one_of(st.just(OFFERED), near_minimum),
    sold=st.one_of(st.just(SOLD), numbers),
    left=st.sampled_from([0, 0, 1]),
)
def test_whatever_passes_cannot_lose_more_than_the_policy_allows(
    act: Meaning, out: int, least: int, got: int, sold: int, left: int
) -> None:
    p = with_quote(honest(), amount_out=out, min_amount_out=least)
    p = with_simulated(p, deltas={WETH: -sold, USDC: got}, allowances=(left,))
    p = replace(p, meanings=(p.meanings[0], act))
    if not check(p).ok:
        return
    assert (ROUTER, ACCOUNT, 0) == (act.target, act.recipient, act.value)
    assert (WETH.address, USDC.address, SOLD) == (act.sell, act.buy, act.amount_in)
    assert act.min_out is not None
    # One percent below the fair 6000, and half a percent below the quote.
    assert act.min_out >= max(5940 * 10**6, out * 9950 // 10_000, least)
    assert act.deadline is not None
    assert NOW < act.deadline <= NOW + 300
    assert (SOLD, 0) == (sold, left)
    assert got >= 5940 * 10**6
