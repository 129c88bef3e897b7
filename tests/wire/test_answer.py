"""Fields of a provider's answer, read strictly."""

from __future__ import annotations

from typing import Any

import pytest

from agent.errors import ProviderSilent
from agent.wire.answer import Answer

SAID = {
    "out": "123",
    "number": 7,
    "hex": "0x1f",
    "list": [{"to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"}],
    "data": "0xABcd",
    "empty": "",
}


def answer() -> Answer:
    return Answer("Somebody", SAID)


@pytest.mark.parametrize("nonsense", [None, [], "text", 5, True])
def test_answer_that_is_no_object_is_none(nonsense: Any) -> None:
    with pytest.raises(ProviderSilent, match=r"Somebody gave an answer .* it is no object"):
        Answer("Somebody", nonsense)


def test_fields_are_found_by_names_and_places() -> None:
    assert "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" == answer().at("list", 0, "to")
    for path in (("list", 1), ("list", "to"), ("out", "x"), ("none",), (0,)):
        assert answer().at(*path) is None


def test_whole_numbers_are_read_in_all_their_spellings() -> None:
    assert (123, 7, 31) == tuple(answer().whole(name) for name in ("out", "number", "hex"))


@pytest.mark.parametrize(
    "value", ["", "-1", "1.0", "01", "1e3", "0x", "0x01", " 1", "9" * 79, -1, True, None, [1], {}]
)
def test_what_is_no_whole_number_is_none(value: Any) -> None:
    with pytest.raises(ProviderSilent, match=r"out is no whole number"):
        Answer("Somebody", {"out": value}).whole("out")


def test_text_address_and_bytes_are_read() -> None:
    said = answer()
    assert "123" == said.text("out")
    assert "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48" == said.address("list", 0, "to")
    assert "0xabcd" == said.calldata("data")


def test_what_is_missing_has_its_name_in_the_error() -> None:
    said = answer()
    for read, path, what in (
        (said.text, ("empty",), "empty is no text"),
        (said.address, ("data",), "data is no address"),
        (said.address, ("list", 0), "list.0 is no text"),
        (said.calldata, ("out",), "out is not hex"),
    ):
        with pytest.raises(ProviderSilent, match=what) as caught:
            read(*path)
        assert "N104" == caught.value.code
