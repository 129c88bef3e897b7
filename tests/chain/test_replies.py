"""Values of JSON-RPC answers: read exactly or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chain.replies import hash_text, payload, quantity, value
from agent.errors import BadReply
from agent.wire.rpc import JSON, RpcError


@given(st.binary(max_size=80))
def test_bytes_come_back_unchanged(raw: bytes) -> None:
    assert raw == payload("0x" + raw.hex()) == payload("0x" + raw.hex().upper())


@given(st.integers(0, 2**256 - 1))
def test_quantities_come_back_unchanged(number: int) -> None:
    assert number == quantity(hex(number))


@pytest.mark.parametrize(
    "answer",
    [None, 1, "", "0", "00", "0x0", "0x0g", "0x 0 ", "0x00 ", "0x00\n", "0x0 0", "0X00", " 0x00", "0x٠٠"],
)  # fmt: skip
def test_text_that_is_not_plain_hex_is_no_bytes(answer: JSON) -> None:
    with pytest.raises(BadReply, match="bytes that are not hex"):
        payload(answer)


@pytest.mark.parametrize(
    "answer", [None, 1, True, "", "1", "0x", "0x-1", "-0x1", "0x1 ", "0x1_0", "0x" + "1" * 65]
)
def test_text_that_is_no_quantity_is_refused(answer: JSON) -> None:
    with pytest.raises(BadReply, match="a quantity that is not hex"):
        quantity(answer)


def test_hash_is_lower_case_and_whole() -> None:
    assert "0x" + "ab" * 32 == hash_text("0x" + "AB" * 32)
    for answer in (None, "0x" + "ab" * 31, "0x" + "ab" * 33, "ab" * 32):
        with pytest.raises(BadReply, match="a hash that is not 32 bytes of hex"):
            hash_text(answer)


def test_error_in_a_batch_is_raised_where_its_value_is_needed() -> None:
    assert "0x1" == value("0x1")
    with pytest.raises(RpcError, match=r"^nope"):
        value(RpcError(-1, "nope"))
