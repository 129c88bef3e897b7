"""CCTP's burn and claim as bytes: what they mean, and that no other bytes pass for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from proposals import ACCOUNT, ATTACKER, BRIDGE, CHAIN, DAI, NOW, OTHER, PIN, USDC, codes, honest

from agent.bridges._burn_message import DEPOSIT, BurnMessage, deposit_data, layouts, word
from agent.core.guard import Proposal, check
from agent.core.layout import Layout, Place
from agent.core.money import Address, Amount, Token
from agent.core.plan import Sell
from agent.core.quote import Allowance, Call, Meaning
from agent.core.verdict import Refusal
from agent.wire.abi import encode, functions, selector
from agent.wire.calldata import by_selector, meaning
from agent.wire.words import AbiError

SOLD = 4_150 * 10**6
MAX_FEE = 498_000
FAR_USDC = Token(OTHER, Address("0x" + "d3" * 20), 6, "USDC")
NUMBERS = {0: CHAIN, 6: OTHER}
LAYOUTS = layouts(NUMBERS, {(CHAIN, BRIDGE): Place(buys={(OTHER, USDC.address): FAR_USDC.address})})
DATA = deposit_data(
    amount=SOLD, domain=6, account=ACCOUNT, token=USDC.address, max_fee=MAX_FEE, finality=1_000
)
SELECTOR_BYTES, WORD = 4, 32
CLAIM = functions("cctp_message_transmitter")["receiveMessage(bytes,bytes)"]


def meant(data: str, value: int = 0) -> Meaning | Refusal:
    return meaning(Call(CHAIN, BRIDGE, value, data), LAYOUTS, account=ACCOUNT)


def proposal(data: str = DATA) -> Proposal:
    """The honest transfer of the guard's tests with CCTP's own bytes as its act."""
    p = honest("bridge")
    sold = Amount(USDC, SOLD)
    leg = replace(
        p.leg, via="cctp", sell=Sell(USDC, SOLD), buy=FAR_USDC, expected_out=SOLD, min_buy=1
    )
    allowance = Allowance(BRIDGE, sold)
    quote = replace(
        p.quote,
        via="cctp",
        sell=sold,
        buy=FAR_USDC,
        payload=Call(CHAIN, BRIDGE, 0, data),
        amount_out=SOLD - 415_000,
        min_amount_out=SOLD - MAX_FEE,
        allowances=(allowance,),
    )
    approve = meaning(
        Call(CHAIN, USDC.address, 0, approval(BRIDGE, SOLD)), LAYOUTS, account=ACCOUNT
    )
    drafts = (
        replace(
            p.drafts[0],
            payload=Call(CHAIN, USDC.address, 0, approval(BRIDGE, SOLD)),
            allowance=allowance,
        ),
        replace(p.drafts[-1], payload=quote.payload, moves=sold),
    )
    asset_of = {**p.prices.asset_of, FAR_USDC: "USDC"}
    assert p.far is not None
    return replace(
        p,
        leg=leg,
        sell_raw=SOLD,
        quote=quote,
        drafts=drafts,
        meanings=(approve, meant(data)),
        simulated=replace(p.simulated, deltas={USDC: -SOLD}),
        prices=replace(p.prices, asset_of=asset_of),
        min_out=SOLD * 99 // 100,
        value=None,
        code_hashes={**p.code_hashes, USDC.address: PIN},
    )


def approval(spender: Address, raw: int) -> str:
    return (
        selector("approve(address,uint256)") + encode(["address", "uint256"], [spender, raw]).hex()
    )


def refused(p: Proposal) -> list[str]:
    return codes(check(p).refusals)


def changed(**fields: Any) -> str:
    """A burn in which fields are what our own encoder never writes."""
    named = {
        "amount": SOLD,
        "domain": 6,
        "recipient": word(ACCOUNT),
        "token": USDC.address,
        "caller": bytes(32),
        "max_fee": MAX_FEE,
        "finality": 1_000,
    }
    return (
        selector(DEPOSIT.signature)
        + encode(DEPOSIT.inputs, tuple({**named, **fields}.values())).hex()
    )


def test_burn_means_its_fields() -> None:
    assert Meaning(
        target=BRIDGE,
        selector="0x8e0250ee",
        name="depositForBurn",
        recipient=ACCOUNT,
        sell=USDC.address,
        amount_in=SOLD,
        buy=FAR_USDC.address,
        min_out=SOLD - MAX_FEE,
        to_chain=OTHER,
        lasting=True,
    ) == meant(DATA)
    assert DATA == changed()


def test_honest_burn_passes_every_rule() -> None:
    assert [] == [refusal.why for refusal in check(proposal()).refusals]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": SOLD + 1}, "G107"),
        ({"domain": 0}, "G113"),
        ({"domain": 7}, "G101"),
        ({"recipient": word(ATTACKER)}, "G105"),
        ({"recipient": b"\1" + word(ACCOUNT)[1:]}, "G101"),
        ({"token": DAI.address}, "G106"),
        ({"caller": word(ATTACKER)}, "G101"),
        ({"max_fee": MAX_FEE + 1}, "G109"),
        ({"max_fee": SOLD + 1}, "G109"),
    ],
)
def test_each_field_that_could_cost_money_is_refused(fields: dict[str, Any], code: str) -> None:
    assert code in refused(proposal(changed(**fields)))


def mutants() -> Iterator[str]:
    """Every word replaced, every byte changed, bytes taken off and put on."""
    raw = bytes.fromhex(DATA[2:])
    numbers = (0, 1, 6, 7, 32, 1_000, 2_000, 2**32 - 1, 2**160, 2**255, 2**256 - 1, SOLD, SOLD + 1)
    places = (ATTACKER, ACCOUNT, USDC.address, DAI.address)
    values = [number.to_bytes(WORD) for number in (*numbers, MAX_FEE - 1, MAX_FEE + 1, NOW)]
    values += [bytes.fromhex(pad + place[2:]) for place in places for pad in ("00" * 12, "ff" * 12)]
    for start in (0, *range(SELECTOR_BYTES, len(raw), WORD)):
        for other in values:
            yield "0x" + (raw[:start] + other + raw[start + WORD :]).hex()
    for index, byte in enumerate(raw):
        for mask in (0x01, 0x80):
            yield "0x" + (raw[:index] + bytes([byte ^ mask]) + raw[index + 1 :]).hex()
    yield from ("0x" + raw[:-1].hex(), "0x" + raw.hex() + "00")


def no_worse(said: Meaning | Refusal) -> bool:
    """Whether it burns the same for the same wallet, and keeps no more of it."""
    return (
        isinstance(said, Meaning)
        and (said.recipient, said.sell, said.amount_in, said.to_chain)
        == (ACCOUNT, USDC.address, SOLD, OTHER)
        and said.min_out is not None
        and said.min_out >= SOLD - MAX_FEE
        and said.value == 0
    )


def test_every_mutant_is_refused_or_no_worse() -> None:
    checked = 0
    for data in mutants():
        p = proposal(data)
        checked += 1
        assert check(p).refusals or no_worse(p.meanings[-1]), data
    assert checked > 600


# The claim.


def message(**fields: Any) -> bytes:
    """A message as the attester fills it in."""
    named: dict[str, tuple[int, int]] = {
        "version": (1, 4),
        "source": (0, 4),
        "destination": (6, 4),
        "nonce": (77, 32),
        "sender": (int(BRIDGE, 16), 32),
        "recipient": (int(BRIDGE, 16), 32),
        "caller": (0, 32),
        "wanted": (1_000, 4),
        "executed": (1_000, 4),
        "body": (1, 4),
        "token": (int(USDC.address, 16), 32),
        "mint_recipient": (int(ACCOUNT, 16), 32),
        "amount": (SOLD, 32),
        "burner": (int(ACCOUNT, 16), 32),
        "max_fee": (MAX_FEE, 32),
        "fee": (415_000, 32),
        "expires": (9, 32),
    }
    made = {name: fields.get(name, number) for name, (number, _) in named.items()}
    return b"".join(made[name].to_bytes(size) for name, (_, size) in named.items())


def claimed(raw: bytes) -> Meaning | Refusal:
    data = CLAIM.encode(raw, b"s" * 65)
    return meaning(Call(OTHER, BRIDGE, 0, data), LAYOUTS, account=ACCOUNT)


def test_claim_means_whom_its_message_pays() -> None:
    assert Meaning(
        target=BRIDGE,
        selector="0x57ecfd28",
        name="receiveMessage",
        recipient=ACCOUNT,
        amount_in=SOLD,
        to_chain=OTHER,
    ) == claimed(message())


def test_claim_for_another_names_him() -> None:
    said = claimed(message(mint_recipient=int(ATTACKER, 16)))
    assert isinstance(said, Meaning)
    assert ATTACKER == said.recipient


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (message()[:-1], "it ends inside a field"),
        (b"", "it ends inside a field"),
        (message() + b"h", "a field that must be empty is not"),
        (message(caller=1), "a field that must be empty is not"),
        (message(destination=7), "nobody knows a chain of the number 7"),
        (message(mint_recipient=2**160), "an address has more than twenty bytes"),
    ],
)
def test_message_that_says_more_or_less_is_refused(raw: bytes, why: str) -> None:
    said = claimed(raw)
    assert isinstance(said, Refusal)
    assert ("G101", True) == (said.code, said.why.endswith(why)), said.why


def test_packed_bytes_inside_a_struct_are_read_where_they_stand() -> None:
    layout = Layout(
        signature="f((uint256,bytes),uint256)",
        packed=(((0, 1), ("uint16", "bytes32")),),
        amount_in=(0, 1, 0),
        recipient=(0, 1, 1),
        zeros=((0, 1, 2),),
    )
    packed = (515).to_bytes(2) + word(ACCOUNT)
    body = encode(layout.types, [(7, packed), 9]).hex()
    call = Call(CHAIN, BRIDGE, 0, selector(layout.signature) + body)
    said = meaning(call, by_selector(layout), account=ACCOUNT)
    assert isinstance(said, Meaning), said
    assert (515, ACCOUNT) == (said.amount_in, said.recipient)
    assert ["uint16", "bytes32", "bytes"] == [layout.type_at((0, 1, field)) for field in range(3)]
    assert ["uint256", "uint256"] == [layout.type_at((0, 0)), layout.type_at((1,))]


# The message.


def test_message_without_what_the_attester_fills_in_is_as_it_left() -> None:
    told = BurnMessage(message())
    left = BurnMessage(message(nonce=0, executed=0, fee=0, expires=0))
    assert left.raw == told.bare == left.bare
    assert (77, 0, 6, True) == (
        int.from_bytes(told.nonce),
        told.source,
        told.destination,
        told.wants_fast,
    )
    assert (SOLD, MAX_FEE, 415_000, 9) == (told.amount, told.max_fee, told.fee, told.expires)
    for name in ("source", "sender", "caller", "token", "mint_recipient", "amount", "burner"):
        assert left.raw != BurnMessage(message(**{name: 5})).bare


def test_bytes_that_are_too_few_are_no_message() -> None:
    with pytest.raises(AbiError, match="375 bytes are too few"):
        BurnMessage(message()[:-1])
