"""Addresses, chains and tokens at the border."""

import re

import eth_utils
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import NATIVE, Address, ChainId
from agent.wire.address import (
    MAX_CHAIN_ID,
    account_name,
    chain_name,
    chain_text,
    checksum,
    parse_account,
    parse_address,
    parse_chain,
    parse_token,
    token_name,
)

# The test vectors of EIP-55.
VECTORS = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
CHAINS = st.integers(1, MAX_CHAIN_ID).map(ChainId)


@pytest.mark.parametrize("text", VECTORS)
def test_checksum_of_the_standards_vectors_is_right_both_ways(text: str) -> None:
    assert text == checksum(Address(text.lower()))
    assert text.lower() == parse_address(text)
    assert text.lower() == parse_address(text.lower())


@given(ADDRESSES)
def test_checksum_equals_eth_utils(address: Address) -> None:
    assert eth_utils.to_checksum_address(address) == checksum(address)


@given(ADDRESSES, st.integers(2, 41))
def test_address_with_one_letter_of_the_wrong_case_is_refused(address: Address, place: int) -> None:
    text = checksum(address)
    changed = text[:place] + text[place].swapcase() + text[place + 1 :]
    if changed in (text, address):
        assert address == parse_address(changed)
    else:
        with pytest.raises(ValueError, match="wrong checksum"):
            parse_address(changed)


@given(ADDRESSES, st.integers(2, 41), st.sampled_from("0123456789"))
def test_address_with_one_digit_changed_is_refused_unless_it_has_no_capital(
    address: Address, place: int, digit: str
) -> None:
    text = checksum(address)
    changed = text[:place] + digit + text[place + 1 :]
    try:
        assert changed.lower() == parse_address(changed)
    except ValueError:
        return
    # A checksum catches all but about one change in four thousand.
    assert changed in (text, changed.lower()) or changed == checksum(Address(changed.lower()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "52908400098527886e0f7030069857d2e4169ee7",
        "0X52908400098527886e0f7030069857d2e4169ee7",
        "0x52908400098527886e0f7030069857d2e4169ee",
        "0x52908400098527886e0f7030069857d2e4169ee70",
        "0x52908400098527886e0f7030069857d2e4169eg7",
        "0x52908400098527886e0f7030069857d2e4169ee7\n",
        " 0x52908400098527886e0f7030069857d2e4169ee7",
        "0x5290840009852788６e0f7030069857d2e4169ee7",
        "vitalik.eth",
        "x" * 1000,
    ],
)
def test_text_that_is_no_address_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address: 0x and 40 hex digits$") as refused:
        parse_address(text)
    assert len(str(refused.value)) < 160
    assert str(refused.value).isprintable()


def test_wrong_checksum_says_what_to_do() -> None:
    text = VECTORS[4].replace("5a", "5A")
    with pytest.raises(ValueError, match="checksum") as refused:
        parse_address(text)
    assert (
        f"{text} has a wrong checksum: a character is wrong; copy it again from its source"
        == str(refused.value)
    )


@given(CHAINS, ADDRESSES)
def test_names_come_back_unchanged(chain: ChainId, address: Address) -> None:
    assert chain == parse_chain(chain_name(chain))
    assert (chain, address) == parse_account(account_name(chain, address))
    assert (chain, address) == parse_token(token_name(chain, address))
    assert (chain, NATIVE) == parse_token(token_name(chain, NATIVE))


def test_names_are_written_as_the_standards_say() -> None:
    address = Address(VECTORS[4].lower())
    assert "eip155:8453" == chain_name(ChainId(8453))
    assert f"eip155:1:{VECTORS[4]}" == account_name(ChainId(1), address)
    assert f"eip155:1/erc20:{VECTORS[4]}" == token_name(ChainId(1), address)
    assert "eip155:1/slip44:60" == token_name(ChainId(1), NATIVE)
    assert "eip155:56/slip44:714" == token_name(ChainId(56), NATIVE, native_coin_type=714)
    assert (ChainId(56), NATIVE) == parse_token("eip155:56/slip44:714", native_coin_type=714)


@pytest.mark.parametrize(
    "text",
    ["", "1", "eip155", "eip155:", "eip155:0", "eip155:01", "eip155:-1", "eip155:1 ", "eip155:x", "EIP155:1",
     "eip155:¹", "solana:1", "eip155:9223372036854775772", "eip155:99999999999999999999", "eip155:1:1"],
)  # fmt: skip
def test_text_that_is_no_chain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a chain: write it like eip155:1$"):
        parse_chain(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (VECTORS[2], "is not an account"),
        (f"1:{VECTORS[2]}", "is not a chain"),
        ("eip155:1:0x12", "is not an address"),
    ],
)
def test_text_that_is_no_account_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_account(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("eip155:1", "is not a token"),
        ("eip155:1/slip44:0", "is not a token"),
        ("eip155:1/slip44:60:1", "is not a token"),
        (f"eip155:1/erc721:{VECTORS[2]}", "is not a token"),
        (f"eip155:1/erc20:{VECTORS[2]}/1", "is not an address"),
        (f"{VECTORS[2]}", "is not a chain"),
        ("eip155:1/erc20:USDC", "is not an address"),
    ],
)
def test_text_that_is_no_token_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_token(text)


@pytest.mark.parametrize(
    ("untrusted", "expected"),
    [
        ("USDC", "USDC"),
        ("USDC.e", "USDC.e"),
        ("", "_"),
        ("[/]", "___"),
        ("\x1b[2J\u202eCDSU", "__2J_CDSU"),
        ("USD\u200bC", "USD_C"),
        ("ＵＳＤＣ", "____"),
        ("=HYPERLINK(1)", "_HYPERLINK_1"),
        ("A" * 1_000_000, "A" * 12),
        (b"MKR" + bytes(29), "MKR"),
        (bytes(32), "_"),
        (b"\xff\xfeUSDT", "__USDT"),
        (b"US\0DC", "US_DC"),
    ],
)
def test_name_given_by_a_contract_becomes_harmless(untrusted: str | bytes, expected: str) -> None:
    assert expected == chain_text(untrusted)


@given(st.text() | st.binary())
def test_any_name_given_by_a_contract_becomes_short_and_plain(untrusted: str | bytes) -> None:
    assert re.fullmatch("[A-Za-z0-9._-]{1,12}", chain_text(untrusted))
