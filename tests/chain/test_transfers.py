"""Transfer logs: exactly the token's, exactly in shape, or an error."""

from __future__ import annotations

from typing import Any

import pytest
from chain.scripted import Scripted, block_hash
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.chain.client import web3_over
from agent.chain.transfers import received
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.errors import BadReply
from agent.wire.keccak import keccak256

quick = settings(max_examples=25, deadline=None)

CHAIN = ChainId(1)
ACCOUNT, OTHER, NOBODY = (Address("0x" + byte * 20) for byte in ("ac", "57", "00"))
TOKEN = Token(CHAIN, Address("0x" + "70" * 20), 6, "T")
HASH = "0x" + "aa" * 32


def topic(signature: str) -> str:
    return "0x" + keccak256(signature.encode()).hex()


TRANSFER = topic("Transfer(address,address,uint256)")
DEPOSIT, WITHDRAWAL = topic("Deposit(address,uint256)"), topic("Withdrawal(address,uint256)")


def padded(address: str) -> str:
    return "0x" + "00" * 12 + address[2:]


def log(*topics: str, raw: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "address": TOKEN.address,
        "topics": list(topics),
        "data": f"0x{raw:064x}",
        "blockNumber": "0x5",
        "blockHash": block_hash(5),
        "transactionHash": HASH,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
        **changes,
    }


def moved(source: str, target: str, raw: int = 1, **changes: Any) -> dict[str, Any]:
    return log(TRANSFER, padded(source), padded(target), raw=raw, **changes)


def read(*logs: Any, account: Address = ACCOUNT, **changes: Any) -> tuple[int, int]:
    receipt = {"transactionHash": HASH, "logs": list(logs), "status": "0x1", **changes}
    node = Scripted(eth_getTransactionReceipt=receipt)
    return received(web3_over(node.ask, CHAIN), account, TOKEN, HASH)


amounts = st.integers(0, 2**256 - 1)


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from([ACCOUNT, OTHER]), st.sampled_from([ACCOUNT, OTHER]), amounts),
        max_size=4,
    )
)
def test_sums_are_those_of_the_logs(moves: list[tuple[str, str, int]]) -> None:
    came = sum(raw for _, target, raw in moves if target == ACCOUNT)
    went = sum(raw for source, _, raw in moves if source == ACCOUNT)
    assert (came, went) == read(*(moved(*move) for move in moves))


def test_address_may_be_written_in_any_case() -> None:
    token = "0x" + "Ab" * 20
    found = Token(CHAIN, Address(token.lower()), 6, "T")
    receipt = {"transactionHash": HASH, "logs": [moved(OTHER, ACCOUNT, 3, address=token)]}
    node = Scripted(eth_getTransactionReceipt=receipt)
    assert (3, 0) == received(web3_over(node.ask, CHAIN), ACCOUNT, found, HASH)


def test_logs_of_other_contracts_are_nothing() -> None:
    elsewhere = {"address": "0x" + "71" * 20}
    assert (0, 0) == read(moved(OTHER, ACCOUNT, 9, **elsewhere), log(TRANSFER, **elsewhere))


def test_other_events_of_the_token_are_nothing() -> None:
    assert (0, 0) == read(log(topic("Approval(address,address,uint256)"), padded(ACCOUNT)), log())


def test_deposit_and_withdrawal_of_a_wrapped_coin_count() -> None:
    assert (7, 0) == read(log(DEPOSIT, padded(ACCOUNT), raw=7))
    assert (0, 7) == read(log(WITHDRAWAL, padded(ACCOUNT), raw=7))
    assert (9, 7) == read(log(WITHDRAWAL, padded(ACCOUNT), raw=7), moved(OTHER, ACCOUNT, 9))


def test_deposit_that_is_also_a_transfer_counts_once() -> None:
    assert (7, 0) == read(log(DEPOSIT, padded(ACCOUNT), raw=7), moved(NOBODY, ACCOUNT, 7))
    assert (0, 7) == read(log(WITHDRAWAL, padded(ACCOUNT), raw=7), moved(ACCOUNT, NOBODY, 7))


@pytest.mark.parametrize(
    "odd",
    [
        log(TRANSFER),
        log(TRANSFER, padded(OTHER)),
        log(TRANSFER, padded(OTHER), padded(ACCOUNT), padded(ACCOUNT)),
        log(TRANSFER, "0x" + "ff" * 12 + OTHER[2:], padded(ACCOUNT)),
        log(TRANSFER, padded(OTHER), "0x" + "01" * 32),
        log(TRANSFER, OTHER, ACCOUNT),
        moved(OTHER, ACCOUNT, data="0x"),
        moved(OTHER, ACCOUNT, data="0x01"),
        moved(OTHER, ACCOUNT, data="0x" + "00" * 64),
        moved(OTHER, ACCOUNT, data=None),
        moved(OTHER, ACCOUNT, data="0xzz"),
        moved(OTHER, ACCOUNT, removed=True),
        moved(OTHER, ACCOUNT, topics=None),
        moved(OTHER, ACCOUNT, address=None),
        log(DEPOSIT, padded(ACCOUNT), padded(ACCOUNT)),
        log(WITHDRAWAL, padded(ACCOUNT), data="0x"),
        {},
        [],
        None,
    ],
)
def test_log_of_another_shape_is_refused(odd: Any) -> None:
    with pytest.raises(BadReply):
        read(moved(OTHER, ACCOUNT, 1), odd)


@pytest.mark.parametrize(
    "receipt",
    [
        None,
        [],
        "0x",
        {},
        {"logs": []},
        {"logs": None, "transactionHash": HASH},
        {"logs": 1, "transactionHash": HASH},
        {"logs": [], "transactionHash": "0x" + "ab" * 32},
    ],
)
def test_receipt_that_is_none_is_refused(receipt: Any) -> None:
    node = Scripted(eth_getTransactionReceipt=receipt)
    with pytest.raises(BadReply):
        received(web3_over(node.ask, CHAIN), ACCOUNT, TOKEN, HASH)


def test_native_coin_leaves_no_logs() -> None:
    coin = Token(CHAIN, NATIVE, 18, "ETH")
    with pytest.raises(ValueError, match="native"):
        received(web3_over(Scripted().ask, CHAIN), ACCOUNT, coin, HASH)
