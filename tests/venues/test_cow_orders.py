"""Posted orders: what the chain says is what was filled; the book only says what it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from cow_book import Book, book_server, no
from cow_rig import RELAYER, SETTLEMENT, sign
from signer_rigs import ADDRESS, STRANGER

from agent.core.log import Log, LogQuery
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.order import OrderFill, OrderState
from agent.core.quote import TypedMessage
from agent.core.snapshot import Block
from agent.errors import BadReply
from agent.ports import AdapterIo, Node, OrderBook, Read, Sent
from agent.provider import ProviderChain, ProviderOptions
from agent.venues.cow import VALID_SECONDS, Cow, make
from agent.wire.abi import encode
from agent.wire.clock import SystemClock
from agent.wire.events import events
from agent.wire.http import HttpClient
from agent.wire.order import (
    APP_DATA,
    APP_DATA_HASH,
    Order,
    order_fields,
    order_message,
    order_uid,
)

CHAIN = ChainId(1)
START = 1_800_000_000
BLOCK_SECONDS = 12
WETH, USDC = Address("0x" + "3e" * 20), Address("0x" + "0d" * 20)
RAW, LEAST, GOT = 10**18, 2_980 * 10**6, 2_995 * 10**6
INVALIDATED = 2**256 - 1
TRADE = events("cow_settlement")["Trade"]

ORDER = Order(
    chain=CHAIN,
    settlement=SETTLEMENT,
    sell=WETH,
    buy=USDC,
    receiver=ADDRESS,
    sell_amount=RAW,
    buy_amount=LEAST,
    valid_to=START + VALID_SECONDS,
)
MESSAGE = order_message(ORDER)
SIGNED = sign(ORDER)
UID = order_uid(SIGNED.digest, ADDRESS, ORDER.valid_to)
FILL = OrderFill(UID, RAW, GOT)


@dataclass
class PaperNode:
    """A chain of a block every twelve seconds; block 1000 is the one of the quote."""

    head: int = 1_010
    filled: dict[int, int] = field(default_factory=dict)
    trades: list[Log] = field(default_factory=list)
    answer: bytes | None = b""
    queries: list[LogQuery] = field(default_factory=list)
    looks: int = 0

    def block(self, at: int | str = "latest") -> Block:
        self.looks += 1
        number = self.head if isinstance(at, str) else at
        time = START + (number - 1_000) * BLOCK_SECONDS
        return Block(
            number=number,
            hash=f"0x{number:064x}",
            parent_hash="0x",
            timestamp=time,
            base_fee_per_gas=1,
        )

    def read(self, calls: Sequence[Read], at: int | str = "latest") -> tuple[bytes | None, ...]:
        assert [SETTLEMENT] == [call.to for call in calls]
        assert UID[2:] in calls[0].data
        if self.answer != b"":
            return (self.answer,)
        raw = max((raw for number, raw in self.filled.items() if number <= int(at)), default=0)
        return (raw.to_bytes(32),)

    def logs(self, query: LogQuery) -> tuple[Log, ...]:
        self.queries.append(query)
        return tuple(log for log in self.trades if query.first <= log.block_number <= query.last)

    def fill(self, number: int, *trades: Log) -> None:
        self.filled[number] = RAW
        self.trades += trades or (trade(number),)


def trade(number: int, uid: str = UID, bought: int = GOT, index: int = 0) -> Log:
    values = (WETH, USDC, RAW, bought, 0, bytes.fromhex(uid[2:]))
    return Log(
        address=SETTLEMENT,
        topics=cast("tuple[str, ...]", TRADE.topics(owner=ADDRESS)),
        data=encode([kind for _, kind in TRADE.plain], values),
        block_number=number,
        block_hash=f"0x{number:064x}",
        transaction=f"0x{number:064x}",
        index=index,
    )


@pytest.fixture
def book() -> Iterator[Book]:
    with book_server() as served:
        served.orders = lambda _body: (201, UID)
        yield served


@pytest.fixture
def node() -> PaperNode:
    return PaperNode()


def venue(book: Book, node: PaperNode, confirmations: int = 1) -> Cow:
    chain = ProviderChain(
        chain=CHAIN,
        native=Token(CHAIN, NATIVE, 18, "ETH"),
        wrapped=Token(CHAIN, WETH, 18, "WETH"),
        tokens={},
        facts={"settlement": SETTLEMENT, "vault_relayer": RELAYER, "network": "mainnet"},
        confirmations=confirmations,
    )
    io = AdapterIo(
        {CHAIN: cast("Node", node)}, SystemClock(), HttpClient(retries=0, timeout_seconds=2)
    )
    return make(ProviderOptions(api=book.api, chains={CHAIN: chain}), io)


def state(book: Book, node: PaperNode, confirmations: int = 1) -> OrderState:
    return venue(book, node, confirmations).order(MESSAGE, SIGNED)


def test_it_is_an_order_book(book: Book, node: PaperNode) -> None:
    assert isinstance(venue(book, node), OrderBook)


# Posting


def test_order_is_posted_whole_with_what_its_hash_stands_for(book: Book, node: PaperNode) -> None:
    assert Sent(accepted=True) == venue(book, node).post(MESSAGE, SIGNED)
    assert [
        (
            "POST",
            "/mainnet/api/v1/orders",
            {
                **order_fields(ORDER),
                "appData": APP_DATA,
                "appDataHash": APP_DATA_HASH,
                "signingScheme": "eip712",
                "signature": SIGNED.signature,
                "from": ADDRESS,
            },
        )
    ] == book.asked


def test_order_that_the_book_has_already_is_the_same_order(book: Book, node: PaperNode) -> None:
    book.orders = lambda _body: no("DuplicatedOrder")
    assert Sent(accepted=True, said="DuplicatedOrder") == venue(book, node).post(MESSAGE, SIGNED)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (no("InsufficientAllowance"), "InsufficientAllowance"),
        (no("InvalidSignature"), "InvalidSignature"),
        ((403, {"errorType": "<script>"}), "HTTP status 403"),
        ((422, []), "HTTP status 422"),
        ((201, "0x" + "00" * 56), "the book calls the order by another name"),
        ((201, {}), "the book calls the order by another name"),
    ],
)
def test_no_is_no_end_of_an_order_that_is_signed(
    said: Any, told: str, book: Book, node: PaperNode
) -> None:
    book.orders = lambda _body: said
    assert Sent(accepted=False, said=told) == venue(book, node).post(MESSAGE, SIGNED)


@pytest.mark.parametrize("said", [(429, {}), (500, {}), (302, {})])
def test_silence_is_an_unknown_and_never_raised(said: Any, book: Book, node: PaperNode) -> None:
    book.orders = lambda _body: said
    sent = venue(book, node).post(MESSAGE, SIGNED)
    assert not sent.accepted
    assert "127.0.0.1" in sent.said


def test_broken_answer_is_an_unknown(book: Book, node: PaperNode) -> None:
    book.raw = lambda handler: handler.wfile.write(b"HTTP/1.1 201 Created\r\n")
    assert not venue(book, node).post(MESSAGE, SIGNED).accepted


def test_message_that_is_no_order_of_ours_is_not_posted(book: Book, node: PaperNode) -> None:
    wrong = TypedMessage("cow_order", CHAIN, "{}", ORDER.valid_to)
    with pytest.raises(ValueError, match="the order has a field"):
        venue(book, node).post(wrong, SIGNED)
    assert [] == book.asked


# Following


def test_unfilled_order_is_open_until_its_time_is_over(book: Book, node: PaperNode) -> None:
    last = 1_000 + VALID_SECONDS // BLOCK_SECONDS
    node.head = last
    assert OrderState(open=True, fills=()) == state(book, node)
    node.head = last + 1
    assert OrderState(open=False, fills=()) == state(book, node)


def test_order_ends_only_when_a_block_that_counts_is_past_its_time(
    book: Book, node: PaperNode
) -> None:
    last = 1_000 + VALID_SECONDS // BLOCK_SECONDS
    node.head = last + 4
    assert state(book, node, confirmations=5).open
    node.head = last + 5
    assert not state(book, node, confirmations=5).open


def test_fill_is_what_the_settlement_s_own_log_says(book: Book, node: PaperNode) -> None:
    node.fill(1_005)
    assert OrderState(open=False, fills=(FILL,)) == state(book, node)
    (query,) = node.queries
    assert (SETTLEMENT, TRADE.topics(owner=ADDRESS)) == (query.address, query.topics)
    assert query.first <= 1_000
    assert query.last >= 1_005


def test_fill_counts_once_its_block_is_deep_enough(book: Book, node: PaperNode) -> None:
    node.fill(1_009)
    assert OrderState(open=True, fills=()) == state(book, node, confirmations=3)
    node.head = 1_011
    assert OrderState(open=False, fills=(FILL,)) == state(book, node, confirmations=3)


def test_other_trades_of_the_wallet_are_not_the_order_s(book: Book, node: PaperNode) -> None:
    other = order_uid("0x" + "0f" * 32, ADDRESS, ORDER.valid_to)
    node.fill(1_005, trade(1_004, other), trade(1_005, index=1), trade(1_006, other, bought=1))
    assert (FILL,) == state(book, node).fills


def test_fill_whose_log_is_not_there_yet_is_waited_for(book: Book, node: PaperNode) -> None:
    node.filled[1_005] = RAW
    with pytest.raises(BadReply, match="no log tells of it yet"):
        state(book, node)


def test_log_that_cannot_be_read_says_nothing(book: Book, node: PaperNode) -> None:
    node.fill(1_005, replace(trade(1_005), data=b"\0" * 31))
    with pytest.raises(BadReply, match="cannot be read"):
        state(book, node)


@pytest.mark.parametrize("said", [None, b"\1", b"\0" * 64])
def test_settlement_that_does_not_say_is_asked_again(
    said: bytes | None, book: Book, node: PaperNode
) -> None:
    node.answer = said
    with pytest.raises(BadReply, match="does not say whether an order is filled"):
        state(book, node)


def test_order_that_its_owner_invalidated_on_chain_is_over(book: Book, node: PaperNode) -> None:
    node.filled[1_005] = INVALIDATED
    assert OrderState(open=False, fills=()) == state(book, node)


def test_order_that_was_filled_and_then_invalidated_is_still_filled(
    book: Book, node: PaperNode
) -> None:
    node.fill(1_004)
    node.filled[1_005] = INVALIDATED
    assert OrderState(open=False, fills=(FILL,)) == state(book, node)


def test_search_for_the_trade_begins_before_the_order_and_takes_few_looks(
    book: Book, node: PaperNode
) -> None:
    node.head = 1_000 + VALID_SECONDS // BLOCK_SECONDS
    node.fill(node.head - 1)
    assert (FILL,) == state(book, node).fills
    assert node.looks < 12
    assert node.queries[0].first <= 1_000


def test_chain_that_is_younger_than_the_order_is_searched_from_its_first_block(
    book: Book, node: PaperNode
) -> None:
    node.head = 3
    young = replace(ORDER, valid_to=START - 12_000 + VALID_SECONDS)
    signed = sign(young)
    uid = order_uid(signed.digest, ADDRESS, young.valid_to)
    node.trades.append(trade(2, uid))
    made = venue(book, cast("PaperNode", Filled(node)))
    assert (OrderFill(uid, RAW, GOT),) == made.order(order_message(young), signed).fills
    assert 0 == node.queries[0].first


class Filled:
    """A chain on which whatever is asked about is filled."""

    def __init__(self, inner: PaperNode) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, _calls: Sequence[Read], _at: int) -> tuple[bytes]:
        return (RAW.to_bytes(32),)


# What the book is asked


def test_book_that_never_got_the_order_makes_it_unknown(book: Book, node: PaperNode) -> None:
    book.known = no("NotFound", 404)
    assert OrderState(open=True, fills=(), known=False) == state(book, node)
    assert [("GET", f"/mainnet/api/v1/orders/{UID}", None)] == book.asked


@pytest.mark.parametrize(
    "said",
    [
        (200, {"status": "fulfilled", "executedBuyAmount": str(GOT)}),
        (200, {"status": "cancelled"}),
        (200, {"status": "expired"}),
        (200, []),
        (400, {}),
        (403, {}),
        (429, {}),
        (500, {}),
    ],
)
def test_whatever_else_the_book_says_the_order_is_open_and_unfilled(
    said: Any, book: Book, node: PaperNode
) -> None:
    book.known = said
    assert OrderState(open=True, fills=()) == state(book, node)


def test_book_that_says_nothing_changes_nothing(book: Book, node: PaperNode) -> None:
    book.raw = lambda _handler: None
    assert OrderState(open=True, fills=()) == state(book, node)


def test_book_is_not_asked_about_what_is_over(book: Book, node: PaperNode) -> None:
    node.fill(1_005)
    assert not state(book, node).open
    assert [] == book.asked


def test_order_of_somebody_else_is_not_this_one() -> None:
    assert order_uid(SIGNED.digest, STRANGER, ORDER.valid_to) != UID
