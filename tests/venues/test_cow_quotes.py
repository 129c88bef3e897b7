"""Orders to sign, out of what the book says: all of them our own, whatever it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cow_book import Book, book_server, no
from cow_rig import RELAYER, SETTLEMENT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Allowance, Quote, TypedMessage
from agent.errors import (
    AgentError,
    BadReply,
    Contradicted,
    NoRoute,
    ProviderSilent,
    RateLimited,
    Rejected,
    Unreachable,
)
from agent.ports import AdapterIo
from agent.provider import ProviderChain, ProviderOptions
from agent.venues.cow import ABOUT, SIGN_SECONDS, VALID_SECONDS, Cow, make
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.order import APP_DATA, APP_DATA_HASH, BUY_COIN, Order, read_order

CHAIN, FAR = ChainId(1), ChainId(10)
NOW = 1_800_000_000
WALLET = Address("0x" + "a11e7" * 8)
ETH = Token(CHAIN, NATIVE, 18, "ETH")
WETH = Token(CHAIN, Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), 18, "WETH")
USDC = Token(CHAIN, Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "USDC")
RAW = 2 * 10**18
OUT = 5_997 * 10**6
"""3000 USDC for one WETH, less the book's fee."""

RECORDED = json.loads((Path(__file__).parents[1] / "cassettes/venues/cow.json").read_text())


@pytest.fixture
def book() -> Iterator[Book]:
    with book_server() as served:
        served.rate = (3_000 * 10**6, 10**18)
        yield served


def chain_of(chain: ChainId = CHAIN, wrapped: Token = WETH) -> ProviderChain:
    return ProviderChain(
        chain=chain,
        native=replace(ETH, chain=chain),
        wrapped=wrapped,
        tokens={},
        facts={"settlement": SETTLEMENT, "vault_relayer": RELAYER, "network": "mainnet"},
        code_hashes={SETTLEMENT: "0x" + "c0de" * 16},
        confirmations=2,
    )


def venue(book: Book, **changes: Any) -> Cow:
    options = ProviderOptions(api=book.api, chains={CHAIN: chain_of()}, max_slippage_bps=50)
    client = HttpClient(retries=0, timeout_seconds=2)
    return make(replace(options, **changes), AdapterIo({}, SystemClock(), client))


def leg(sell: Token = WETH, buy: Token = USDC, raw: int = RAW) -> Leg:
    return Leg(
        id="1",
        kind="swap",
        via="router",
        sell=Sell(sell, raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
    )


def quote(made: Cow, wanted: Leg | None = None, min_out: int = 1) -> Quote:
    wanted = leg() if wanted is None else wanted
    return made.quote(wanted, wanted.sell.fixed_raw, WALLET, min_out, NOW)


def test_quote_is_an_order_of_ours_over_exactly_the_leg(book: Book) -> None:
    found = quote(venue(book))
    minimum = OUT * 995 // 1000
    assert isinstance(found.payload, TypedMessage)
    assert Order(
        chain=CHAIN,
        settlement=SETTLEMENT,
        sell=WETH.address,
        buy=USDC.address,
        receiver=WALLET,
        sell_amount=RAW,
        buy_amount=minimum,
        valid_to=NOW + VALID_SECONDS,
    ) == read_order(found.payload)
    assert ("cow", OUT, minimum, NOW + SIGN_SECONDS, 0) == (
        found.via,
        found.amount_out,
        found.min_amount_out,
        found.expires,
        found.gas,
    )
    assert (Allowance(RELAYER, Amount(WETH, RAW)),) == found.allowances


def test_book_is_asked_once_in_its_documented_words(book: Book) -> None:
    quote(venue(book))
    assert [
        (
            "POST",
            "/mainnet/api/v1/quote",
            {
                "sellToken": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                "buyToken": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
                "receiver": WALLET,
                "from": WALLET,
                "kind": "sell",
                "sellAmountBeforeFee": str(RAW),
                "validTo": NOW + VALID_SECONDS,
                "appData": APP_DATA,
                "appDataHash": APP_DATA_HASH,
                "signingScheme": "eip712",
            },
        )
    ] == book.asked


def test_gas_coin_is_bought_by_its_pseudo_address_and_never_sold(book: Book) -> None:
    found = quote(venue(book), leg(USDC, ETH, 10**9))
    assert isinstance(found.payload, TypedMessage)
    assert BUY_COIN in found.payload.content
    assert NATIVE == read_order(found.payload).buy
    with pytest.raises(NoRoute, match="CoW Protocol sells no gas coin"):
        quote(venue(book), leg(ETH, USDC))


def test_minimum_is_the_stricter_of_slippage_and_what_prices_allow(book: Book) -> None:
    made = venue(book)
    assert OUT - 7 == quote(made, min_out=OUT - 7).min_amount_out
    assert OUT * 995 // 1000 == quote(made, min_out=OUT * 99 // 100).min_amount_out
    assert OUT == quote(made, min_out=OUT + 1).min_amount_out


def test_offer_far_above_independent_prices_is_contradicted(book: Book) -> None:
    """Nobody would fill it, and the honest venues would have been passed over for it."""
    made = venue(book)
    assert OUT == quote(made, min_out=-(-OUT * 10 // 11)).amount_out
    with pytest.raises(Contradicted, match="promises far more than independent prices"):
        quote(made, min_out=OUT * 10 // 11)


@pytest.mark.parametrize(
    ("sell", "buy", "raw"),
    [
        (WETH, WETH, RAW),
        (WETH, ETH, RAW),
        (WETH, replace(USDC, chain=FAR), RAW),
        (replace(WETH, chain=FAR), replace(USDC, chain=FAR), RAW),
        (WETH, USDC, 0),
    ],
)
def test_what_is_no_swap_here_has_no_route_and_asks_nobody(
    sell: Token, buy: Token, raw: int, book: Book
) -> None:
    with pytest.raises(NoRoute):
        venue(book).quote(leg(sell, buy), raw, WALLET, 1, NOW)
    assert [] == book.asked


@pytest.mark.parametrize(
    "said",
    [
        no("NoLiquidity", 404),
        no("SellAmountDoesNotCoverFee", data={"fee_amount": "1"}),
        no("UnsupportedToken"),
        no("InsufficientLiquidity"),
        no("TokenTemporarilySuspended"),
        no("TradingOutsideAllowedWindow"),
    ],
)
def test_no_to_the_pair_or_size_is_no_route(said: Any, book: Book) -> None:
    book.quotes = lambda _body: said
    with pytest.raises(NoRoute, match="from WETH to USDC"):
        quote(venue(book))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (no("Forbidden", 403), Rejected),
        (no("QuoteNotVerified"), Rejected),
        (no("ExcessiveValidTo"), Rejected),
        ((400, "nonsense"), Rejected),
        ((400, {"errorType": ["NoLiquidity"]}), Rejected),
        ((429, {}), RateLimited),
        ((500, no("InternalServerError")[1]), Unreachable),
        ((503, {}), Unreachable),
        ((302, {}), BadReply),
    ],
)
def test_any_other_no_is_told_for_what_it_is(
    said: Any, error: type[AgentError], book: Book
) -> None:
    book.quotes = lambda _body: said
    with pytest.raises(error):
        quote(venue(book))


def in_quote(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda answer: {**answer, "quote": {**answer["quote"], **changes}}


@pytest.mark.parametrize(
    "forge",
    [
        in_quote(sellToken=USDC.address),
        in_quote(buyToken=WETH.address),
        in_quote(buyToken=BUY_COIN),
        in_quote(receiver="0x" + "bad0" * 10),
        in_quote(kind="buy"),
        in_quote(partiallyFillable=True),
        in_quote(validTo=NOW + 10 * VALID_SECONDS),
        in_quote(sellAmount=str(2 * RAW)),
        in_quote(sellAmount="0"),
        in_quote(feeAmount="0"),
    ],
)
def test_answer_to_another_question_is_contradicted(forge: Any, book: Book) -> None:
    book.forge = forge
    with pytest.raises(Contradicted):
        quote(venue(book))


@pytest.mark.parametrize(
    "forge",
    [
        lambda _answer: [],
        lambda _answer: {},
        lambda _answer: {"quote": None},
        in_quote(buyAmount="0"),
        in_quote(buyAmount="-1"),
        in_quote(buyAmount="1e30"),
        in_quote(buyAmount=1.5),
        in_quote(buyAmount=None),
        in_quote(buyAmount="9" * 78),
        in_quote(sellAmount="NaN"),
        in_quote(feeAmount=True),
        in_quote(receiver=None),
        in_quote(sellToken="WETH"),
        in_quote(buyAmount=float("nan")),
    ],
)
def test_answer_that_cannot_be_meant_is_as_good_as_none(forge: Any, book: Book) -> None:
    book.forge = forge
    with pytest.raises((BadReply, ProviderSilent)):
        quote(venue(book))


def cut_off(handler: Any) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"quote": {')


def too_long(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n{")


def page(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")


def silent(_handler: Any) -> None:
    time.sleep(3)


@pytest.mark.parametrize(
    ("raw", "error"),
    [(cut_off, Unreachable), (too_long, BadReply), (page, BadReply), (silent, Unreachable)],
)
def test_broken_or_silent_server_gives_no_offer(
    raw: Any, error: type[AgentError], book: Book
) -> None:
    book.raw = raw
    with pytest.raises(error):
        quote(venue(book))


def test_where_nobody_is_to_be_asked_it_says_so(book: Book) -> None:
    with pytest.raises(NoRoute, match="CoW Protocol is not asked here"):
        quote(venue(book, api=""))


def test_targets_are_the_settlement_and_its_relayer_as_pinned(book: Book) -> None:
    made = venue(book)
    assert {SETTLEMENT: "0x" + "c0de" * 16, RELAYER: ""} == dict(made.targets(CHAIN))
    assert {} == dict(made.targets(FAR))
    assert {} == dict(made.layouts)
    assert () == made.survey(CHAIN, [(WETH, USDC)], {WETH: RAW})


def test_title_and_limit_are_those_of_the_provider() -> None:
    assert ("CoW Protocol", "none", 5, 1) == (ABOUT.title, ABOUT.key, ABOUT.calls, ABOUT.seconds)


def test_recorded_answer_is_understood(book: Book) -> None:
    """Word for word as its own tests have it, of a test chain."""
    said = RECORDED["body"]["quote"]
    chain = ChainId(11_155_111)
    sell, buy = (Token(chain, Address(said[side]), 18, side) for side in ("sellToken", "buyToken"))
    book.quotes = lambda _body: (200, RECORDED["body"])
    made = venue(book, chains={chain: chain_of(chain, replace(WETH, chain=chain))})
    now = said["validTo"] - VALID_SECONDS
    found = made.quote(leg(sell, buy, 10**17), 10**17, Address(said["receiver"]), 1, now)
    assert (984_440_000_000, 979_517_800_000) == (found.amount_out, found.min_amount_out)
    with pytest.raises(Contradicted):
        made.quote(leg(sell, buy, 10**17), 10**17, WALLET, 1, now)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.dictionaries(
        st.sampled_from(
            [
                *("sellToken", "buyToken", "receiver", "sellAmount", "buyAmount", "validTo"),
                *("feeAmount", "kind", "partiallyFillable", "appData", "appDataHash"),
                *("sellTokenBalance", "buyTokenBalance", "gasAmount", "signingScheme"),
            ]
        ),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.text(max_size=5),
            st.integers(0, 2**256).map(str),
            st.sampled_from(["0x" + "bad0" * 10, WALLET, "0", "internal", "buy"]),
            st.lists(st.integers(), max_size=1),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_the_book_says_the_order_is_ours_or_there_is_none(
    changes: dict[str, Any], book: Book
) -> None:
    book.forge = in_quote(**changes)
    try:
        found = quote(venue(book), min_out=OUT * 99 // 100)
    except (ProviderSilent, Contradicted, NoRoute):
        return
    assert isinstance(found.payload, TypedMessage)
    order = read_order(found.payload)
    assert (WETH.address, USDC.address, WALLET, RAW, NOW + VALID_SECONDS) == (
        order.sell,
        order.buy,
        order.receiver,
        order.sell_amount,
        order.valid_to,
    )
    assert found.min_amount_out == order.buy_amount <= found.amount_out <= OUT * 11 // 10
