"""What providers' servers refuse, or say of another swap, is told as what it is."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from replay_server import recorded, replaying
from router_rig import swap_leg
from venues.recorded_rig import (
    BASE_ETH,
    BASE_OTHER,
    BASE_USDC,
    BASE_WETH,
    ETH,
    ETHEREUM,
    FACTS,
    KEY,
    ME,
    NOW,
    ROUTERS,
    USDC,
    USDT,
    WETH,
    ask,
    chain,
    made,
)

from agent.core.money import NATIVE, Address, ChainId
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.core.whole import whole
from agent.errors import Contradicted, NoRoute, ProviderSilent, Rejected, Unavailable
from agent.ports import AdapterIo, Read
from agent.provider import ProviderOptions
from agent.venues import zerox
from agent.wire.abi import encode
from agent.wire.calldata import meaning
from agent.wire.clock import SystemClock
from agent.wire.keccak import selector

FIRST = {
    "kyberswap": "/routes",
    "lifi": "/quote",
    "odos": "/sor/quote/v3",
    "oneinch": "/quote",
    "openocean": "/quote",
    "velora": "/prices",
    "zerox": "/price",
}

NOES: list[tuple[str, int, Any, type[Unavailable]]] = [
    ("oneinch", 400, {"error": "Bad Request", "description": "insufficient liquidity"}, NoRoute),
    ("oneinch", 400, {"error": "Bad Request", "description": "src must be an address"}, Rejected),
    ("oneinch", 401, {"error": "Unauthorized", "description": f"no such key: {KEY}"}, Rejected),
    (
        "oneinch",
        429,
        {"message": "The limit of requests per second has been exceeded"},
        ProviderSilent,
    ),
    *(
        ("kyberswap", 400, error, NoRoute if error["code"] not in {4000, 4990} else Rejected)
        for error in recorded("venues", "kyberswap")["errors"]["body"]
    ),
    ("kyberswap", 200, {"code": 4008, "message": "route not found"}, NoRoute),
    ("kyberswap", 200, {"code": 4002, "message": "malformed"}, Rejected),
    ("kyberswap", 404, {"message": "404 Route Not Found"}, Rejected),
    ("velora", 400, recorded("venues", "velora")["errors"]["body"]["no_route"], NoRoute),
    ("velora", 400, recorded("venues", "velora")["errors"]["body"]["prices_400"], Rejected),
    ("velora", 400, {"error": "ESTIMATED_LOSS_GREATER_THAN_MAX_IMPACT"}, NoRoute),
    ("lifi", 404, {"message": "No available quotes", "code": 1002}, NoRoute),
    ("lifi", 404, {"message": "not found", "code": 1003}, NoRoute),
    ("lifi", 400, {"message": "too often", "code": 1005}, ProviderSilent),
    ("lifi", 400, {"message": "/fromToken must be", "code": 1011}, Rejected),
    ("odos", 400, {"detail": "No viable path", "traceId": "1", "errorCode": 2000}, NoRoute),
    ("odos", 400, {"detail": "Invalid chain id", "traceId": "1", "errorCode": 4001}, Rejected),
    ("openocean", 200, {"code": 500, "error": "No avail liquidity"}, NoRoute),
    ("openocean", 200, {"code": 429, "error": "slow down"}, ProviderSilent),
    ("openocean", 200, {"code": 400, "error": "account is required"}, Rejected),
    ("zerox", 200, {"liquidityAvailable": False, "zid": "0x11"}, NoRoute),
    ("zerox", 400, {"name": "TOKEN_NOT_SUPPORTED", "message": "no"}, NoRoute),
    ("zerox", 400, {"name": "INPUT_INVALID", "message": "The input is invalid"}, Rejected),
    ("zerox", 403, {"name": "UNAUTHORIZED", "message": f"who is {KEY}?"}, Rejected),
    ("zerox", 404, b"<html>", Rejected),
    ("velora", 404, ["no object"], Rejected),
    *((name, 200, {}, ProviderSilent) for name in FIRST),
]


@pytest.mark.parametrize(("name", "status", "body", "kind"), NOES)
def test_no_of_a_server_is_the_error_that_fits(
    name: str, status: int, body: Any, kind: type[Unavailable]
) -> None:
    with replaying({FIRST[name]: (status, body)}) as replay, pytest.raises(Unavailable) as caught:
        ask(name, replay, BASE_USDC, BASE_WETH, 10**6)
    assert kind is type(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.fix
    assert KEY not in shown


def test_refused_key_is_said_by_its_variable() -> None:
    for name, variable in (("oneinch", "ONEINCH_API_KEY"), ("zerox", "ZEROX_API_KEY")):
        said = {"message": f"invalid key {KEY}"}
        with replaying({FIRST[name]: (401, said)}) as replay, pytest.raises(Rejected) as caught:
            ask(name, replay, BASE_USDC, BASE_WETH, 10**6)
        assert f"check the key in {variable}" == caught.value.fix
        assert "HTTP status 401: invalid key [redacted]" in caught.value.message


def test_provider_that_nobody_is_to_ask_has_no_route() -> None:
    for name in FIRST:
        leg = swap_leg(USDC, WETH, 10**6)
        with pytest.raises(NoRoute, match="is not asked here"):
            made(name, "").quote(leg, 10**6, ME, 1, NOW)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"tokenIn": USDT.address}, "pair of tokens"),
        ({"tokenOut": USDT.address}, "pair of tokens"),
        ({"amountIn": "5"}, "amount"),
    ],
)
def test_route_about_another_swap_is_contradicted(change: dict[str, str], what: str) -> None:
    routes = recorded("venues", "kyberswap")["routes"]["body"]
    routes["data"]["routeSummary"] |= change
    with (
        replaying({"/routes": (200, routes)}) as replay,
        pytest.raises(Contradicted, match=f"another {what} than was asked for"),
    ):
        ask("kyberswap", replay, BASE_USDC, BASE_OTHER, 10**9)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"srcToken": USDT.address}, "pair of tokens"),
        ({"destToken": USDT.address}, "pair of tokens"),
        ({"network": 10}, "chain"),
        ({"srcAmount": "5"}, "amount"),
        ({"contractAddress": USDT.address}, "contract"),
        ({"tokenTransferProxy": USDT.address}, "spender"),
    ],
)
def test_price_about_another_swap_is_contradicted(change: dict[str, Any], what: str) -> None:
    prices = recorded("venues", "velora")["prices"]["body"]
    prices["priceRoute"] |= change
    with (
        replaying({"/prices": (200, prices)}) as replay,
        pytest.raises(Contradicted, match=f"another {what} than was asked for"),
    ):
        ask("velora", replay, USDC, ETH, 10**9)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sellToken": USDT.address}, "pair of tokens"),
        ({"buyToken": USDC.address}, "pair of tokens"),
        ({"sellAmount": "5"}, "amount"),
        ({"issues": {"allowance": {"spender": USDT.address}}}, "spender"),
    ],
)
def test_quote_about_another_swap_is_contradicted(change: dict[str, Any], what: str) -> None:
    cassette = recorded("venues", "zerox")
    quote = cassette["quote"]["body"]
    quote["transaction"]["to"] = ROUTERS["zerox"]
    answers = {"/price": (200, cassette["price"]["body"]), "/quote": (200, {**quote, **change})}
    with (
        replaying(answers) as replay,
        pytest.raises(Contradicted, match=f"another {what} than was asked for"),
    ):
        ask("zerox", replay, USDC, USDT, 10**8)


class Registry:
    """A node that answers reads of 0x's registry, and remembers them."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = answers
        self.asked: list[Read] = []

    def read(self, calls: list[Read]) -> tuple[bytes | None, ...]:
        self.asked += calls
        return self.answers


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("answers", "settlers"),
    [
        ((word(7), word(6)), [7, 6]),
        ((word(7), word(7)), [7]),
        ((word(7), word(0)), [7]),
        ((word(7), None), [7]),
        ((None, word(6)), []),
        ((b"", word(6)), []),
        ((word(7), b"\1"), []),
        ((word(1 << 200), word(6)), []),
    ],
    ids=["both", "same", "no earlier", "no answer", "paused", "no code", "short", "no address"],
)
def test_settlers_of_0x_are_those_that_the_registry_knows(
    answers: tuple[bytes | None, ...], settlers: list[int]
) -> None:
    registry = Registry(*answers)
    options = ProviderOptions(chains={ETHEREUM: chain("zerox", ETH, WETH)})
    nodes: Any = {ETHEREUM: registry}
    venue = zerox.make(options, AdapterIo(nodes, SystemClock()))
    wanted = [ROUTERS["zerox"], *(f"0x{number:040x}" for number in settlers)]
    assert wanted == list(venue.targets(ETHEREUM))
    assert [
        "0x6352211e" + word(2).hex(),
        "0xe2603dc2" + word(2).hex(),
    ] == [read.data for read in registry.asked]
    assert {FACTS["zerox"]["registry"]} == {read.to for read in registry.asked}
    assert {} == dict(venue.targets(ChainId(100)))


@pytest.mark.parametrize(
    ("gas", "counted"),
    [
        (None, 200_000),
        (1, 200_000),
        (333_333, 333_333),
        ("333333", 333_333),
        (333_333.0, 333_333),
        (10**9, 15_000_000),
        (-5.5, 200_000),
        ("much", 200_000),
    ],
)
def test_gas_that_a_server_says_only_compares_offers(gas: Any, counted: int) -> None:
    swap = recorded("venues", "oneinch")["swap"]["body"]
    price = {"dstAmount": swap["dstAmount"]} | ({} if gas is None else {"gas": gas})
    account = Address(swap["tx"]["from"])
    with replaying({"/quote": (200, price), "/swap": (200, swap)}) as replay:
        quote = ask("oneinch", replay, BASE_ETH, BASE_USDC, 10**15, account)
    assert counted == quote.gas


@pytest.mark.parametrize("amount", ["0", str(2**128), "1.5", "-1", 5.5, None, True])
def test_offer_of_nothing_or_of_everything_is_no_answer(amount: Any) -> None:
    with (
        replaying({"/quote": (200, {"dstAmount": amount})}) as replay,
        pytest.raises(ProviderSilent, match="dstAmount"),
    ):
        ask("oneinch", replay, BASE_ETH, BASE_USDC, 10**15)


def test_settler_sells_the_gas_coin_and_the_holder_everything_else() -> None:
    """AllowanceHolder passes a call on to a Settler: who is called and what is sold are its own."""
    settler = "0x" + "5e" * 20
    inner = selector(zerox.EXECUTE.signature) + (
        encode(zerox.EXECUTE.types, ((ME, WETH.address, 99), [b"act"], b"\0" * 32)).hex()
    )

    def held(operator: str, target: str, data: str = inner) -> Meaning | Refusal:
        told = (operator, USDC.address, 10**6, target, bytes.fromhex(data[2:]))
        outer = selector(zerox.EXEC.signature) + encode(zerox.EXEC.types, told).hex()
        call = Call(ETHEREUM, Address(ROUTERS["zerox"]), 0, outer)
        return meaning(call, zerox.LAYOUTS, account=ME)

    said = held(settler, settler)
    assert isinstance(said, Meaning)
    act = whole(said)
    assert isinstance(act, Meaning)
    assert (ME, USDC.address, 10**6, WETH.address, 99) == (
        act.recipient,
        act.sell,
        act.amount_in,
        act.buy,
        act.min_out,
    )
    assert ([settler], True, True) == ([part.target for part in act.inner], act.unread, act.undated)
    direct = meaning(Call(ETHEREUM, Address(settler), 5, inner), zerox.LAYOUTS, account=ME)
    assert isinstance(direct, Meaning)
    assert (NATIVE, None, 5, ME) == (direct.sell, direct.amount_in, direct.value, direct.recipient)
    for odd in (held("0x" + "5f" * 20, settler), held(settler, settler, "0xdeadbeef")):
        assert isinstance(odd, Refusal)
