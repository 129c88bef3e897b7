"""Across's deposit as bytes: what they mean, and that no other bytes pass for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from proposals import (
    ACCOUNT,
    ATTACKER,
    BRIDGE,
    CHAIN,
    DAI,
    ETH,
    FAR_ETH,
    FAR_WETH,
    NOW,
    OTHER,
    SOLD,
    WETH,
    codes,
    honest,
)
from splices import Edits, edits, spliced

from agent.bridges._spoke_pool import DEPOSIT, LAYOUTS, NOBODY, Terms, deposit_data
from agent.core.guard import Proposal, check
from agent.core.layout import Layout
from agent.core.money import NATIVE, Address, Amount
from agent.core.plan import Sell
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.wire.abi import encode, selector
from agent.wire.calldata import meaning

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

OUT = SOLD * 999 // 1000
LATEST = NOW + 7_200
TERMS = Terms(
    account=ACCOUNT,
    input_token=WETH.address,
    output_token=FAR_WETH.address,
    input_amount=SOLD,
    output_amount=OUT,
    to_chain=OTHER,
    quote_timestamp=NOW,
    fill_deadline=LATEST,
)
DATA = deposit_data(TERMS)
SELECTOR_BYTES, WORD = 4, 32


def meant(data: str, value: int = 0) -> Meaning | Refusal:
    return meaning(Call(CHAIN, BRIDGE, value, data), LAYOUTS, account=ACCOUNT)


def proposal(data: str = DATA, *, native: bool = False) -> Proposal:
    """The honest transfer of the guard's tests with Across's own bytes as its act."""
    p = honest("bridge")
    sold = Amount(ETH if native else WETH, SOLD)
    leg = replace(p.leg, sell=Sell(sold.token, SOLD), buy=FAR_ETH)
    call = Call(CHAIN, BRIDGE, SOLD if native else 0, data)
    quote = replace(p.quote, sell=sold, buy=FAR_ETH, payload=call, amount_out=OUT)
    act = replace(p.drafts[-1], payload=call, moves=sold)
    before = 1 if native else 0
    simulated = replace(
        p.simulated,
        deltas={sold.token: -SOLD},
        gas_used=p.simulated.gas_used[before:],
        allowances=p.simulated.allowances[before:],
    )
    return replace(
        p,
        leg=leg,
        quote=quote,
        drafts=(*p.drafts[before:-1], act),
        meanings=(*p.meanings[before:-1], meant(data, call.value)),
        simulated=simulated,
        l1_fees=p.l1_fees[before:],
    )


def refused(p: Proposal) -> list[str]:
    return codes(check(p).refusals)


def changed(**fields: Any) -> str:
    """A deposit in which fields are what our own encoder never writes."""
    named = {
        "depositor": ACCOUNT,
        "recipient": ACCOUNT,
        "input_token": WETH.address,
        "output_token": FAR_WETH.address,
        "input_amount": SOLD,
        "output_amount": OUT,
        "to_chain": OTHER,
        "exclusive_relayer": NOBODY,
        "quote_timestamp": NOW,
        "fill_deadline": LATEST,
        "exclusivity": 0,
        "message": b"",
    }
    values = tuple({**named, **fields}.values())
    return selector(DEPOSIT.signature) + encode(DEPOSIT.types, values).hex()


def test_deposit_means_its_fields() -> None:
    assert Meaning(
        target=BRIDGE,
        selector="0x7b939232",
        name="depositV3",
        recipient=ACCOUNT,
        sell=WETH.address,
        amount_in=SOLD,
        buy=FAR_WETH.address,
        min_out=OUT,
        to_chain=OTHER,
        refund=ACCOUNT,
        fill_deadline=LATEST,
        wraps=True,
    ) == meant(DATA)
    assert DATA == changed()


@pytest.mark.parametrize("native", [True, False])
def test_honest_deposit_passes_every_rule(native: bool) -> None:
    p = proposal(native=native)
    assert [] == [refusal.why for refusal in check(p).refusals]
    said = p.meanings[-1]
    assert isinstance(said, Meaning)
    assert (NATIVE if native else WETH.address, NATIVE) == p.traded(said)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"depositor": ATTACKER}, "G114"),
        ({"recipient": ATTACKER}, "G105"),
        ({"input_token": DAI.address}, "G106"),
        ({"output_token": DAI.address}, "G106"),
        ({"input_amount": SOLD + 1}, "G107"),
        ({"output_amount": OUT - 1}, "G109"),
        ({"to_chain": 10}, "G113"),
        ({"fill_deadline": NOW}, "G115"),
        ({"fill_deadline": 2**32 - 1}, "G115"),
        ({"exclusive_relayer": ATTACKER}, "G101"),
        ({"exclusivity": 1}, "G101"),
        ({"message": b"\0"}, "G101"),
    ],
)
def test_each_field_that_could_cost_money_is_refused(fields: dict[str, Any], code: str) -> None:
    assert [code] == refused(proposal(changed(**fields)))


def test_value_that_does_not_go_along_with_its_amount_is_refused() -> None:
    p = proposal(native=True)
    said = meant(DATA, SOLD - 1)
    assert ["G107", "G108"] == refused(replace(p, meanings=(*p.meanings[:-1], said)))


def mutants() -> Iterator[str]:
    """Every word replaced, every byte changed, bytes taken off and put on."""
    raw = bytes.fromhex(DATA[2:])
    numbers = (0, 1, 32, 352, 384, 2**32 - 1, 2**160, 2**255, 2**256 - 1, SOLD, SOLD + 1, OUT)
    near = (OUT - 1, OUT + 1, NOW, NOW - 1, NOW + 3_600, LATEST, OTHER, CHAIN)
    places = (ATTACKER, ACCOUNT, WETH.address, FAR_WETH.address, DAI.address)
    values = [number.to_bytes(WORD, "big") for number in (*numbers, *near)]
    values += [bytes.fromhex(pad + place[2:]) for place in places for pad in ("00" * 12, "ff" * 12)]
    for start in (0, *range(SELECTOR_BYTES, len(raw), WORD)):
        for other in values:
            yield "0x" + (raw[:start] + other + raw[start + WORD :]).hex()
    for index, byte in enumerate(raw):
        for mask in (0x01, 0x80):
            yield "0x" + (raw[:index] + bytes([byte ^ mask]) + raw[index + 1 :]).hex()
    yield from ("0x" + raw[:-1].hex(), "0x" + raw.hex() + "00", "0x" + raw.hex() + "1dc0de0001")


def no_worse(said: Meaning | Refusal) -> bool:
    """Whether it pays at least as much to the same wallet, within the same bounds of time."""
    assert isinstance(said, Meaning)
    fixed = (said.target, said.value, said.sell, said.amount_in, said.buy, said.to_chain)
    mine = (said.recipient, said.refund)
    assert said.min_out is not None
    assert said.fill_deadline is not None
    return (
        (BRIDGE, 0, WETH.address, SOLD, FAR_WETH.address, OTHER) == fixed
        and (ACCOUNT, ACCOUNT) == mine
        and said.min_out >= OUT
        and NOW + 600 <= said.fill_deadline <= NOW + 21_600
    )


def test_every_mutant_of_a_deposit_is_refused_or_means_no_worse() -> None:
    counted = passed = 0
    for mutant in mutants():
        p = proposal(mutant)
        counted += mutant != DATA
        if mutant == DATA or not check(p).ok:
            continue
        passed += 1
        assert no_worse(p.meanings[-1]), mutant
    assert counted > 1000
    # What passes asks for more, may wait for another while, or names another time of its quote.
    assert 0 < passed < counted // 8


@settings(max_examples=200)
@given(edits(600))
def test_deposit_spliced_at_random_is_refused_or_means_no_worse(changes: Edits) -> None:
    p = proposal(spliced(DATA, changes))
    assert not check(p).ok or no_worse(p.meanings[-1])


def test_nothing_but_the_deposit_is_understood() -> None:
    other = Layout(signature="speedUpV3Deposit(address,uint256,uint256,address,bytes,bytes)")
    values = (ACCOUNT, 1, 1, ATTACKER, b"", b"")
    data = selector(other.signature) + encode(other.types, values).hex()
    assert ["G101"] == refused(proposal(data))
    assert Address(NOBODY) == NOBODY
