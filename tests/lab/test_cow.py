"""CoW Protocol on local chains: its own contracts, the book's answers, the solver's settlements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cow_rig import (
    NETWORKS,
    RELAYER,
    SETTLEMENT,
    allowance,
    approve,
    ask,
    creation,
    empty_books,
    held,
    order_of,
    sign,
)
from lab.reading import read
from signer_rigs import ADDRESS, KEY, STRANGER

from agent.core.money import ChainId
from agent.lab.packages import artifacts
from agent.lab.providers._cow_contracts import VAULT
from agent.lab.world import World
from agent.lab.worlds import Worlds
from agent.wire.keccak import keccak256
from agent.wire.order import APP_DATA, Order, order_digest, order_uid

RAW = 5_000 * 10**6
ALL = sorted(NETWORKS)


@pytest.fixture
def books(chains: Worlds) -> Iterator[Worlds]:
    with empty_books(chains) as emptied:
        yield emptied


def place(worlds: Worlds, chain: int, order: Order, **changes: Any) -> str:
    status, uid = ask(worlds, chain, "POST", "v1/orders", creation(order, **changes))
    assert 201 == status, uid
    return str(uid)


def ready(world: World, sell: str = "USDC", raw: int = RAW) -> None:
    """The wallet has what it sells, and lets the relayer have it."""
    world.fund(ADDRESS, {sell: raw, "ETH": 10**18})
    approve(world, sell, raw)


def quoted(worlds: Worlds, chain: int, sell: str, buy: str, raw: int) -> Any:
    tokens = worlds[chain].addresses
    buying = "0x" + "ee" * 20 if buy == "ETH" else tokens[buy]
    told = {
        "sellToken": tokens[sell],
        "buyToken": buying,
        "from": ADDRESS,
        "kind": "sell",
        "sellAmountBeforeFee": str(raw),
        "appData": APP_DATA,
    }
    return ask(worlds, chain, "POST", "v1/quote", told)


@pytest.mark.parametrize("chain", ALL)
def test_settlement_is_the_published_one_with_its_own_relayer(chain: int, books: Worlds) -> None:
    world = books[chain]
    assert (RELAYER,) == read(world, SETTLEMENT, "vaultRelayer()", "(address)")
    assert (VAULT,) == read(world, SETTLEMENT, "vault()", "(address)")
    assert {SETTLEMENT, RELAYER} <= set(world.code_hashes)


def test_relayer_s_code_is_what_its_artifact_makes_for_the_settlement(
    books: Worlds, lab_cache: Path
) -> None:
    made = artifacts(lab_cache)["GPv2VaultRelayer"].creation_code([VAULT])
    call = {"from": SETTLEMENT, "data": made}
    runtime = str(books[1].rpc.call("eth_call", call, "latest"))
    assert books[1].rpc.call("eth_getCode", RELAYER, "latest") == runtime


@pytest.mark.parametrize("chain", ALL)
def test_digest_of_an_order_is_over_the_settlement_s_own_domain(chain: int, books: Worlds) -> None:
    """A field of another value, or another domain, would not be the hash that it recovers from."""
    order = order_of(books[chain], "USDC", "WETH", RAW)
    (separator,) = read(books[chain], SETTLEMENT, "domainSeparator()", "(bytes32)")
    from eth_abi.abi import encode

    kind = bytes.fromhex("d5a25ba2e97094ad7d83dc28a6572da797d6b3e7fc6663bd93efb789fc17e489")
    types = ["bytes32", *["address"] * 3, *["uint256"] * 3, "bytes32", "uint256", "bytes32"]
    texts = {text: keccak256(text.encode()) for text in ("sell", "erc20")}
    struct = encode(
        [*types, "bool", "bytes32", "bytes32"],
        [
            *(kind, order.sell, order.buy, order.receiver),
            *(order.sell_amount, order.buy_amount, order.valid_to),
            *(keccak256(APP_DATA.encode()), 0, texts["sell"], False),
            *(texts["erc20"], texts["erc20"]),
        ],
    )
    digest = keccak256(b"\x19\x01" + separator + keccak256(struct))
    assert "0x" + digest.hex() == order_digest(order)


@pytest.mark.parametrize(
    ("chain", "sell", "buy", "raw"),
    [
        (1, "USDC", "WETH", RAW),
        (1, "USDT", "ETH", RAW),
        (1, "WETH", "WBTC", 2 * 10**18),
        (1, "DAI", "USDT", 5_000 * 10**18),
        (8453, "USDC", "WETH", RAW),
        (42161, "USDC", "WBTC", RAW),
    ],
)
def test_posted_order_is_settled_for_what_was_quoted(
    chain: int, sell: str, buy: str, raw: int, books: Worlds
) -> None:
    world = books[chain]
    ready(world, sell, raw)
    status, told = quoted(books, chain, sell, buy, raw)
    assert (200, True) == (status, told["verified"])
    out = int(told["quote"]["buyAmount"])
    assert raw == int(told["quote"]["sellAmount"]) + int(told["quote"]["feeAmount"])
    order = order_of(world, sell, buy, raw, least=out * 995 // 1000)
    uid = place(books, chain, order)
    assert order_uid(order_digest(order), ADDRESS, order.valid_to) == uid
    before = held(world, sell), held(world, buy)
    books.turn()
    assert (raw, 0) == (before[0] - held(world, sell), allowance(world, sell))
    # The base fee may have moved what the settlement costs by a little.
    got = held(world, buy) - before[1]
    assert abs(got - out) <= out // 1000
    assert got >= order.buy_amount
    _, said = ask(books, chain, "GET", f"v1/orders/{uid}")
    assert ("fulfilled", str(raw), str(got)) == (
        said["status"],
        said["executedSellAmount"],
        said["executedBuyAmount"],
    )
    _, (trade,) = ask(books, chain, "GET", f"v2/trades?orderUid={uid}")
    assert (uid, ADDRESS, str(got)) == (trade["orderUid"], trade["owner"], trade["buyAmount"])
    assert (200, {"type": "traded", "value": []}) == ask(
        books, chain, "GET", f"v1/orders/{uid}/status"
    )


def test_order_that_the_pools_do_not_pay_waits_and_expires(books: Worlds) -> None:
    world = books[1]
    ready(world)
    order = order_of(world, "USDC", "WETH", RAW, least=10**20)
    uid = place(books, 1, order)
    books.turn()
    assert "open" == ask(books, 1, "GET", f"v1/orders/{uid}")[1]["status"]
    world.set_time(order.valid_to + 1)
    books.turn()
    assert "expired" == ask(books, 1, "GET", f"v1/orders/{uid}")[1]["status"]
    assert RAW == held(world, "USDC")


def test_late_solver_settles_late_and_an_absent_one_never(books: Worlds) -> None:
    world = books[1]
    ready(world)
    books.tell("cow", "mode", "late")
    place(books, 1, order_of(world, "USDC", "WETH", RAW))
    books.turn()
    assert RAW == held(world, "USDC")
    books.tell("cow", "mode", "never")
    books.jump(61)
    books.turn()
    assert RAW == held(world, "USDC")
    books.tell("cow", "mode", "late")
    books.turn()
    assert 0 == held(world, "USDC")


def test_order_whose_allowance_is_taken_back_is_not_settled(books: Worlds) -> None:
    world = books[1]
    ready(world)
    place(books, 1, order_of(world, "USDC", "WETH", RAW))
    approve(world, "USDC", 0)
    books.turn()
    assert RAW == held(world, "USDC")


def test_same_order_twice_is_a_duplicate(books: Worlds) -> None:
    ready(books[1])
    order = order_of(books[1], "USDC", "WETH", RAW)
    place(books, 1, order)
    status, told = ask(books, 1, "POST", "v1/orders", creation(order))
    assert (400, "DuplicatedOrder") == (status, told["errorType"])


def test_order_is_the_book_s_only_with_all_that_it_needs(books: Worlds) -> None:
    world = books[1]
    ready(world)
    order = order_of(world, "USDC", "WETH", RAW)
    now = world.head()[1]
    wrong: dict[str, dict[str, Any]] = {
        "InvalidSignature": creation(order, signature="0x1234"),
        "WrongOwner": creation(order, buyAmount="2"),
        "InsufficientValidTo": creation(replace(order, valid_to=now)),
        "ExcessiveValidTo": creation(replace(order, valid_to=now + 2 * 31_536_000)),
        "ZeroAmount": creation(replace(order, buy_amount=0)),
        "NonZeroFee": creation(order, feeAmount="1"),
        "InsufficientBalance": creation(replace(order, sell_amount=RAW + 1)),
        "UnsupportedOrderType": creation(order, kind="buy"),
        "UnsupportedSellTokenSource": creation(order, sellTokenBalance="internal"),
        "UnsupportedBuyTokenDestination": creation(order, buyTokenBalance="internal"),
        "IncompatibleSigningScheme": creation(order, signingScheme="presign"),
        "UnsupportedToken": creation(order, buyToken=STRANGER),
        "SameBuyAndSellToken": creation(order, buyToken=order.sell),
        "InvalidNativeSellToken": creation(order, sellToken="0x" + "ee" * 20),
        "AppDataHashMismatch": creation(order, appDataHash="0x" + "00" * 32),
        "InvalidAppData": creation(order, appData="[]", appDataHash=None),
    }
    for kind, body in wrong.items():
        status, told = ask(books, 1, "POST", "v1/orders", body)
        assert (400, kind) == (status, told["errorType"])
    approve(world, "USDC", RAW - 1)
    status, told = ask(books, 1, "POST", "v1/orders", creation(order))
    assert (400, "InsufficientAllowance") == (status, told["errorType"])
    assert [] == books.tell("cow", "open")
    assert 422 == ask(books, 1, "POST", "v1/orders", {"kind": "sell"})[0]


def test_order_that_another_key_signed_is_the_other_s(books: Worlds) -> None:
    ready(books[1])
    order = order_of(books[1], "USDC", "WETH", RAW)
    body = creation(order, signature=sign_by("17" * 32, order))
    status, told = ask(books, 1, "POST", "v1/orders", body)
    assert (400, "WrongOwner") == (status, told["errorType"])


def sign_by(key: str, order: Order) -> str:
    return sign(order, key).signature


def test_owner_s_signature_cancels_an_order_in_the_book(books: Worlds) -> None:
    world = books[1]
    ready(world)
    uid = place(books, 1, order_of(world, "USDC", "WETH", RAW))
    for key, status in (("17" * 32, 401), (KEY, 200)):
        body = {"orderUids": [uid], "signature": cancellation(world, uid, key)}
        assert status == ask(books, 1, "DELETE", "v1/orders", body)[0]
    books.turn()
    assert RAW == held(world, "USDC")
    assert "cancelled" == ask(books, 1, "GET", f"v1/orders/{uid}")[1]["status"]


def cancellation(world: World, uid: str, key: str) -> str:
    from eth_account import Account

    made: Any = Account.sign_typed_data(
        key,
        {
            "name": "Gnosis Protocol",
            "version": "v2",
            "chainId": world.chain_id,
            "verifyingContract": SETTLEMENT,
        },
        {"OrderCancellations": [{"name": "orderUid", "type": "bytes[]"}]},
        {"orderUid": [bytes.fromhex(uid[2:])]},
    )
    return "0x" + bytes(made.signature).hex()


def test_quotes_say_no_in_the_book_s_words(books: Worlds) -> None:
    status, told = quoted(books, 1, "USDC", "WETH", 1)
    assert (400, "SellAmountDoesNotCoverFee") == (status, told["errorType"])
    assert int(told["data"]["fee_amount"]) > 1
    assert (400, "UnsupportedToken") == kind_of(quoted(books, 1, "USDC", "AIRDROP", RAW))
    for lie, said in (("none", (404, "NoLiquidity")), ("busy", (429, "TooManyRequests"))):
        books.tell("cow", "lie", lie, 1)
        assert said == kind_of(quoted(books, 1, "USDC", "WETH", RAW))
        assert 200 == quoted(books, 1, "USDC", "WETH", RAW)[0]


def kind_of(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], str(answer[1]["errorType"])


def test_lying_book_answers_in_each_way_it_was_told(books: Worlds) -> None:
    _, honest = quoted(books, 1, "USDC", "WETH", RAW)
    lies = {
        "far better": "buyAmount",
        "other receiver": "receiver",
        "other amount": "sellAmount",
        "other token": "buyToken",
    }
    for lie, field in lies.items():
        books.tell("cow", "lie", lie, 1)
        _, told = quoted(books, 1, "USDC", "WETH", RAW)
        changed = {name for name in told["quote"] if told["quote"][name] != honest["quote"][name]}
        assert field in changed


def test_unknown_network_path_and_order_are_not_found(books: Worlds) -> None:
    assert 404 == ask(books, 1, "GET", "v1/orders/0x" + "00" * 56)[0]
    assert 400 == ask(books, 1, "GET", "v1/orders/0x12")[0]
    assert 404 == ask(books, 1, "GET", "v1/solvers")[0]
    with pytest.raises(Exception, match="did not take the order"):
        books.tell("cow", "mode", "sideways")
    with pytest.raises(Exception, match="did not take the order"):
        books.tell("cow", "dance")


def test_orders_of_one_chain_are_not_on_another(books: Worlds) -> None:
    """The domain has the chain's id: the signature is somebody else's there."""
    ready(books[1])
    ready(books[8453])
    order = order_of(books[1], "USDC", "WETH", RAW)
    there = replace(order, sell=books[8453].addresses["USDC"], buy=books[8453].addresses["WETH"])
    body = creation(there)
    assert ChainId(1) == there.chain
    assert (400, "WrongOwner") == kind_of(ask(books, 8453, "POST", "v1/orders", body))
