"""Rules of the guard for what only providers' calls have: nested targets, fees, unread bytes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from proposals import (
    ACCOUNT,
    ATTACKER,
    DEADLINE,
    ETH,
    NOW,
    OFFERED,
    PIN,
    ROUTER,
    SOLD,
    USDC,
    honest,
    with_meaning,
)

from agent.core.guard import Proposal, check
from agent.core.money import Address, Amount
from agent.core.plan import Sell
from agent.core.policy import Limits
from agent.core.quote import Meaning
from agent.core.whole import whole

INNER = Address("0x" + "5e" * 20)
FEE = 10**15


def refusals(p: Proposal) -> list[str]:
    return [f"{refusal.code} {refusal.why}" for refusal in check(p).refusals]


def codes(p: Proposal) -> list[str]:
    return [refusal.code for refusal in check(p).refusals]


def inner(**changes: object) -> Meaning:
    """What a contract behind the one that is called does."""
    m = honest().act
    assert isinstance(m, Meaning)
    known = replace(m, target=INNER, name="execute", sell=None, amount_in=None, unread=True)
    return replace(known, **changes)  # type: ignore[arg-type]


def passed_on(**changes: object) -> Proposal:
    """An honest call that goes on to another contract of the venue."""
    p = with_meaning(honest(), inner=(inner(**changes),), recipient=None, buy=None, min_out=None)
    return replace(
        p,
        targets={**p.targets, INNER: PIN},
        code_hashes={**p.code_hashes, INNER: PIN},
    )


def paying_a_fee(fee: int = FEE) -> Proposal:
    """An honest transfer that sends a message fee along."""
    p = with_meaning(honest("bridge"), value=fee, fee=fee)
    quote = replace(p.quote, fee=fee)
    deltas = {**p.simulated.deltas, ETH: -fee}
    return replace(p, quote=quote, simulated=replace(p.simulated, deltas=deltas))


def selling_the_coin(sold: int) -> Proposal:
    """A transfer of the gas coin with a fee on top, of which *sold* leaves in the simulation."""
    p = paying_a_fee()
    p = with_meaning(p, value=SOLD + FEE, fee=FEE, sell=ETH.address, amount_in=SOLD)
    leg = replace(p.leg, sell=Sell(ETH, SOLD))
    quote = replace(p.quote, sell=Amount(ETH, SOLD), allowances=())
    deltas = {ETH: -sold}
    return replace(
        p,
        leg=leg,
        quote=quote,
        drafts=p.drafts[-1:],
        meanings=p.meanings[-1:],
        l1_fees=p.l1_fees[-1:],
        simulated=replace(
            p.simulated, deltas=deltas, gas_used=p.simulated.gas_used[-1:], allowances=()
        ),
    )


def test_call_that_goes_on_to_a_contract_of_the_venue_passes() -> None:
    assert [] == refusals(passed_on())


def test_call_that_goes_on_reads_as_one() -> None:
    m = whole(
        Meaning(
            target=ROUTER,
            selector="0x2213bc0b",
            name="exec",
            sell=USDC.address,
            amount_in=7,
            value=3,
            inner=(inner(undated=True, deadline=None),),
        )
    )
    assert isinstance(m, Meaning)
    assert (USDC.address, 7, 3) == (m.sell, m.amount_in, m.value)
    assert (ACCOUNT, USDC.address, True, True) == (m.recipient, m.buy, m.unread, m.undated)
    assert [INNER] == [part.target for part in m.inner]


def test_call_that_goes_on_to_another_contract_than_the_venue_s_is_refused() -> None:
    bad = replace(passed_on(), targets={ROUTER: PIN})
    assert [f"G102 {INNER} is not a contract of venue"] == refusals(bad)


def test_code_of_the_contract_that_a_call_goes_on_to_must_be_read() -> None:
    bad = replace(passed_on(), code_hashes=honest().code_hashes)
    assert [f"G104 the code of {INNER} was not read"] == refusals(bad)


def test_recipient_that_is_named_inside_counts() -> None:
    assert ["G105"] == codes(passed_on(recipient=ATTACKER))


def test_minimum_that_is_named_inside_counts() -> None:
    assert ["G109"] == codes(passed_on(min_out=1))


def test_unread_bytes_in_a_simulated_swap_with_a_minimum_pass() -> None:
    assert [] == refusals(with_meaning(honest(), unread=True))


@pytest.mark.parametrize("kind", ["bridge", "order"])
def test_unread_bytes_are_refused_where_no_simulation_shows_what_they_do(kind: str) -> None:
    bad = with_meaning(honest(kind), unread=True)  # type: ignore[arg-type]
    assert ["G116"] == codes(bad)


def test_unread_bytes_without_a_minimum_or_a_simulation_are_refused() -> None:
    assert "G116" in codes(with_meaning(honest(), unread=True, min_out=0))
    unsimulated = replace(honest().simulated, ok=False, reverted=(1, "no reason"))
    assert "G116" in codes(replace(with_meaning(honest(), unread=True), simulated=unsimulated))


def test_function_without_a_deadline_is_bound_by_its_quote_s_end() -> None:
    undated = with_meaning(honest(), undated=True, deadline=None)
    assert [] == refusals(undated)
    late = replace(undated, quote=replace(undated.quote, expires=NOW + 301))
    assert ["G110 the deadline is 301 s away, not 1 to 300 s"] == refusals(late)


def test_deadline_in_the_bytes_counts_where_the_function_knows_one() -> None:
    assert ["G110 the call has no deadline"] == refusals(with_meaning(honest(), deadline=None))


def test_transfer_that_stays_claimable_needs_neither_refund_nor_deadline() -> None:
    bare = with_meaning(honest("bridge"), refund=None, fill_deadline=None)
    assert ["G114", "G115"] == codes(bare)
    assert [] == refusals(with_meaning(bare, lasting=True))


def test_refund_of_a_claimable_transfer_to_somebody_else_is_refused() -> None:
    bad = with_meaning(honest("bridge"), lasting=True, refund=ATTACKER)
    assert ["G114"] == codes(bad)


def test_message_fee_of_the_quote_passes() -> None:
    assert [] == refusals(paying_a_fee())
    assert [] == refusals(selling_the_coin(SOLD + FEE))


def test_message_fee_that_partly_comes_back_passes() -> None:
    p = paying_a_fee()
    less = replace(p.simulated, deltas={**p.simulated.deltas, ETH: -FEE // 2})
    assert [] == refusals(replace(p, simulated=less))
    assert [] == refusals(selling_the_coin(SOLD + FEE // 2))


@pytest.mark.parametrize("sold", [SOLD - 1, SOLD + FEE + 1])
def test_coin_that_leaves_beyond_amount_and_fee_is_refused(sold: int) -> None:
    assert ["S102"] == codes(selling_the_coin(sold))


def test_coin_that_leaves_beyond_the_fee_is_refused() -> None:
    p = paying_a_fee()
    more = replace(p.simulated, deltas={**p.simulated.deltas, ETH: -FEE - 1})
    assert ["S102"] == codes(replace(p, simulated=more))


@pytest.mark.parametrize(("value", "fee"), [(FEE, FEE + 1), (FEE + 1, FEE), (0, FEE), (FEE, 0)])
def test_message_fee_other_than_the_quote_s_is_refused(value: int, fee: int) -> None:
    assert "G108" in codes(with_meaning(paying_a_fee(), value=value, fee=fee))


def test_message_fee_counts_as_a_network_fee() -> None:
    tight = replace(paying_a_fee(), limits=Limits(max_fee_per_tx=Decimal(3)))
    assert ["G304"] == codes(tight)
    assert [] == refusals(replace(tight, limits=Limits(max_fee_per_tx=Decimal(4))))


def test_quote_keeps_its_minimum_whatever_is_unread() -> None:
    assert ["G109"] == codes(with_meaning(honest(), unread=True, min_out=OFFERED // 2))
    assert DEADLINE == honest().quote.expires
