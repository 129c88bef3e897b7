"""Reasons of a revert: what a contract may have written, made safe to show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.chain.reasons import MAX_REASON_CHARS, plain, revert_reason
from agent.wire.abi import encode, selector

patient = settings(deadline=None)


def error(text: str) -> bytes:
    return bytes.fromhex(selector("Error(string)")[2:]) + encode(["string"], [text])


def panic(number: int) -> bytes:
    return bytes.fromhex(selector("Panic(uint256)")[2:]) + encode(["uint256"], [number])


@pytest.mark.parametrize(
    ("raw", "said", "reason"),
    [
        (error("Too little received"), "execution reverted", "Too little received"),
        (error(""), "execution reverted", "an empty reason"),
        (panic(0x12), "", "Panic 0x12: division by zero"),
        (panic(0x99), "", "Panic 0x99: unknown kind"),
        (bytes.fromhex("fb8f41b2") + bytes(64), "", "custom error 0xfb8f41b2"),
        (error("x")[:40], "", "custom error 0x08c379a0"),
        (panic(1)[:10], "", "custom error 0x4e487b71"),
        (b"", "out of gas", "out of gas"),
        (b"\1\2", "", "reverted without a reason"),
    ],
)
def test_reason_is_what_the_bytes_say(raw: bytes, said: str, reason: str) -> None:
    assert reason == revert_reason(raw, said)


def test_reason_that_is_no_text_is_shown_by_its_selector() -> None:
    raw = error("abcd").replace(b"abcd", b"\xff\xfe\xfd\xfc")
    assert "custom error 0x08c379a0" == revert_reason(raw, "")


@patient
@given(st.binary(max_size=300), st.text(max_size=300))
def test_reason_is_short_and_printable_whatever_stands_there(raw: bytes, said: str) -> None:
    for start in (b"", error("")[:4], panic(0)[:4]):
        reason = revert_reason(start + raw, said)
        assert 0 < len(reason) <= MAX_REASON_CHARS
        assert reason.isprintable()


@patient
@given(st.text(max_size=400), st.integers(0, 300))
def test_plain_text_obeys_its_length(text: str, at_most: int) -> None:
    assert len(plain(text, at_most=at_most)) <= at_most


def test_megabytes_of_reason_are_cut() -> None:
    assert MAX_REASON_CHARS >= len(revert_reason(error("y" * 1_000_000), ""))
