"""A signer whose bytes are the transaction itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from paper_world import ME, USDC_A, A

from agent.core.fact import Reserved
from agent.core.intent import Charges, Draft, Intent, UnsignedTx
from agent.core.quote import Call, TypedMessage
from agent.sim.signer import PaperSigner

CALL = Call(A, USDC_A.address, 0, "0x")
ORDER = TypedMessage("cow_order", A, "{}", 1_800_000_100)
FREE = Charges(Decimal(0), Decimal(0))
UNSIGNED = UnsignedTx(
    chain=A,
    sender=ME,
    nonce=3,
    to=CALL.to,
    value=0,
    data="0x",
    gas_limit=21_000,
    max_fee_per_gas=2,
    max_priority_fee_per_gas=1,
)


def reserved(payload: Call | TypedMessage, unsigned: UnsignedTx | None) -> Reserved:
    intent = Intent(
        id="r1/1/1/0",
        run="r1",
        leg="1",
        round=1,
        index=0,
        draft=Draft(purpose="swap", chain=A, payload=payload, gas_limit=21_000),
        account=ME,
        nonce=None if unsigned is None else unsigned.nonce,
        charges=FREE,
        native_price=Decimal(3000),
    )
    return Reserved(
        intent=intent, attempt=0, kind="first", unsigned=unsigned, charges=FREE, at=1_800_000_000
    )


def test_signer_has_the_address_that_it_was_given_and_is_never_locked() -> None:
    signer = PaperSigner(ME)
    signer.unlock()
    assert (ME, "paper") == (signer.address, signer.kind)


def test_same_reservation_gives_the_same_bytes_and_another_nonce_others() -> None:
    signer = PaperSigner(ME)
    first, again, other = (
        signer.sign(reserved(CALL, unsigned))
        for unsigned in (UNSIGNED, UNSIGNED, replace(UNSIGNED, nonce=4))
    )
    assert first == again
    assert first != other


def test_message_is_signed_by_its_digest_until_its_time() -> None:
    signed = PaperSigner(ME).sign(reserved(ORDER, None))
    assert ("cow_order", 66, 1_800_000_100) == (signed.kind, len(signed.digest), signed.valid_to)


def test_reservation_without_a_transaction_or_a_message_is_not_signed() -> None:
    with pytest.raises(TypeError, match="neither"):
        PaperSigner(ME).sign(reserved(CALL, None))
