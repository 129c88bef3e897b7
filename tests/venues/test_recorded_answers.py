"""What providers' own servers said, word for word, is understood, and so is what they refuse."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest
from replay_server import Replay, recorded, replaying
from router_rig import swap_leg

from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Allowance, Amount, Call, Meaning, Quote
from agent.core.verdict import Refusal
from agent.errors import Contradicted, NoRoute, ProviderSilent, Rejected, Unavailable
from agent.ports import AdapterIo, Venue
from agent.provider import ProviderChain, ProviderOptions
from agent.venues import kyberswap, oneinch, velora, zerox
from agent.wire.abi import encode
from agent.wire.calldata import meaning
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.pace import ProviderHttp

KEY = "canary-5e12e7"
ETHEREUM, BASE = ChainId(1), ChainId(8453)
NOW = 1_800_000_000
ME = Address("0x" + "a11e7" * 8)
EEEE = Address("0x" + "ee" * 20)

USDC = Token(ETHEREUM, Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "USDC")
USDT = Token(ETHEREUM, Address("0xdac17f958d2ee523a2206206994597c13d831ec7"), 6, "USDT")
ETH = Token(ETHEREUM, NATIVE, 18, "ETH")
WETH = Token(ETHEREUM, Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), 18, "WETH")
BASE_ETH = Token(BASE, NATIVE, 18, "ETH")
BASE_WETH = Token(BASE, Address("0x4200000000000000000000000000000000000006"), 18, "WETH")
BASE_USDC = Token(BASE, Address("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"), 6, "USDC")
BASE_OTHER = Token(BASE, Address("0x9b8df6e244526ab5f6e6400d331db28c8fdddb55"), 18, "OTHER")

ROUTERS = {
    "oneinch": "0x111111125421ca6dc452d289314280a0f8842a65",
    "kyberswap": "0x6131b5fae19ea4f9d964eac0408e4408b66337b5",
    "velora": "0x6a000f20005980200259b80c5102003040001068",
    "zerox": "0x0000000000001ff3684f28c67538d4d072c22734",
}
FACTS: dict[str, dict[str, Any]] = {
    "oneinch": {"router": ROUTERS["oneinch"]},
    "kyberswap": {"router": ROUTERS["kyberswap"], "slug": "base"},
    "velora": {"augustus": ROUTERS["velora"]},
    "zerox": {
        "allowance_holder": ROUTERS["zerox"],
        "registry": "0x00000000000004533fe15556b1e086bb1a72ceae",
    },
}


def chain(name: str, native: Token, wrapped: Token) -> ProviderChain:
    return ProviderChain(
        chain=native.chain, native=native, wrapped=wrapped, tokens={}, facts=FACTS[name]
    )


def made(name: str, api: str, *, bps: int = 101) -> Venue:
    chains = {ETHEREUM: chain(name, ETH, WETH), BASE: chain(name, BASE_ETH, BASE_WETH)}
    options = ProviderOptions(api=api, chains=chains, max_slippage_bps=bps, key=lambda: KEY)
    io = AdapterIo({}, SystemClock(), ProviderHttp(HttpClient(retries=0), None))
    venue: Venue = import_module(f"agent.venues.{name}").make(options, io)
    return venue


def ask(
    name: str, replay: Replay, sell: Token, buy: Token, raw: int, account: Address = ME
) -> Quote:
    leg = swap_leg(sell, buy, raw)
    return made(name, replay.api).quote(leg, raw, account, 1, NOW)


def means(name: str, quote: Quote, account: Address) -> Meaning:
    assert isinstance(quote.payload, Call)
    said = meaning(quote.payload, made(name, "").layouts, account=account)
    assert isinstance(said, Meaning), said
    return said


def test_recorded_swap_of_1inch_is_a_quote() -> None:
    swap = recorded("venues", "oneinch")["swap"]["body"]
    account = Address(swap["tx"]["from"])
    price = {"dstAmount": swap["dstAmount"], "gas": 181_416}
    with replaying({"/quote": (200, price), "/swap": (200, swap)}) as replay:
        quote = ask("oneinch", replay, BASE_ETH, BASE_USDC, 10**15, account)
    asked, built = replay.asked
    assert ("/api/8453/quote", "/api/8453/swap") == (asked.path, built.path)
    spoken = "0xF635736bab5f3b2D6C01304192Da098a760770E2"
    assert spoken.lower() == account
    assert "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE" == built.query["src"]
    assert (spoken.lower(), spoken.lower()) == (
        built.query["receiver"].lower(),
        built.query["origin"].lower(),
    )
    assert ("2498989", "false") == (built.query["minReturn"], built.query["allowPartialFill"])
    assert f"Bearer {KEY}" == built.headers["authorization"]
    assert (2_524_486, 2_498_989, 200_000) == (quote.amount_out, quote.min_amount_out, quote.gas)
    assert () == quote.allowances
    said = means("oneinch", quote, account)
    assert (account, NATIVE, 10**15, BASE_USDC.address) == (
        said.recipient,
        said.sell,
        said.amount_in,
        said.buy,
    )
    assert (2_499_241, 10**15, True, True) == (
        said.min_out,
        said.value,
        said.unread,
        said.undated,
    )


def test_recorded_call_that_does_not_name_what_it_buys_is_not_understood() -> None:
    swap = recorded("venues", "oneinch")["unoswap_to"]["body"]["tx"]
    call = Call(ChainId(42161), Address(swap["to"]), 0, swap["data"])
    said = meaning(call, oneinch.LAYOUTS, account=Address(swap["from"]))
    assert isinstance(said, Refusal)
    assert ("G101", True) == (said.code, "unknown selector 0xe2c95c82" in said.why)


def kyber_call(account: Address, *, min_out: int) -> str:
    description = (
        *(BASE_USDC.address, BASE_OTHER.address, ["0x" + "e8" * 20], [10**9], [], []),
        *(account, 10**9, min_out, 0, b""),
    )
    told = ("0x" + "e8" * 20, "0x" + "00" * 20, b"route", description, b"{}")
    return "0xe21fd0e9" + encode(kyberswap.SWAP.types, [told]).hex()


def test_recorded_route_of_kyberswap_is_sent_back_as_it_came() -> None:
    cassette = recorded("venues", "kyberswap")
    routes, build = cassette["routes"]["body"], cassette["build"]["body"]
    out = int(routes["data"]["routeSummary"]["amountOut"])
    told = {
        **build["data"],
        "amountIn": str(10**9),
        "amountOut": str(out - 1),
        "data": kyber_call(ME, min_out=out * 99 // 100),
        "transactionValue": "0",
    }
    answers = {"/routes": (200, routes), "/route/build": (200, {**build, "data": told})}
    with replaying(answers) as replay:
        quote = ask("kyberswap", replay, BASE_USDC, BASE_OTHER, 10**9)
    asked, built = replay.asked
    assert ("/api/base/api/v1/routes", "1000000000") == (asked.path, asked.query["amountIn"])
    assert routes["data"]["routeSummary"] == built.body["routeSummary"]
    assert (ME, ME) == (built.body["sender"].lower(), built.body["recipient"].lower())
    assert (99, NOW + 60) == (built.body["slippageTolerance"], built.body["deadline"])
    assert "rebalancer" == built.headers["x-client-id"]
    assert (out - 1, 250_000) == (quote.amount_out, quote.gas)
    sold = Amount(BASE_USDC, 10**9)
    assert (Allowance(Address(ROUTERS["kyberswap"]), sold),) == quote.allowances
    said = means("kyberswap", quote, ME)
    assert (ME, BASE_USDC.address, 10**9, BASE_OTHER.address) == (
        said.recipient,
        said.sell,
        said.amount_in,
        said.buy,
    )
    assert out * 99 // 100 == said.min_out


def test_documented_price_of_velora_is_sent_back_as_it_came() -> None:
    cassette = recorded("venues", "velora")
    prices, build = cassette["prices"]["body"], cassette["transactions"]["body"]
    built_for_me = {**build, "from": ME}
    answers = {"/prices": (200, prices), "/transactions/1": (200, built_for_me)}
    with replaying(answers) as replay:
        quote = ask("velora", replay, USDC, ETH, 10**9)
    asked, built = replay.asked
    assert ("6.2", "SELL", "swapExactAmountIn") == (
        asked.query["version"],
        asked.query["side"],
        asked.query["includeContractMethods"],
    )
    assert {"ignoreChecks": "true", "ignoreGasEstimate": "true"} == built.query
    assert prices["priceRoute"] == built.body["priceRoute"]
    out = 283_341_969_876_959_340
    least = -(-out * 9_899 // 10_000)
    assert (str(least), False) == (built.body["destAmount"], built.body["takeSurplus"])
    assert (out, least, 200_000) == (quote.amount_out, quote.min_amount_out, quote.gas)


def velora_call(**words: int) -> str:
    """The documented call, its bytes for the executor empty; *words* replace some of its words."""
    data = recorded("venues", "velora")["transactions"]["body"]["data"]
    said = [data[10:][start : start + 64] for start in range(0, 9 * 64, 64)]
    said += [f"{number:064x}" for number in (11 * 32, 12 * 32, 0, 0)]
    for place, number in words.items():
        said[int(place[1:])] = f"{number:064x}"
    return data[:10] + "".join(said)


def velora_meaning(data: str) -> Meaning | Refusal:
    call = Call(ETHEREUM, Address(ROUTERS["velora"]), 0, data)
    return meaning(call, velora.LAYOUTS, account=ME)


def test_documented_call_of_velora_pays_whoever_sends_it() -> None:
    said = velora_meaning(velora_call())
    assert isinstance(said, Meaning)
    dai = "0x6b175474e89094c44da98b954eedeac495271d0f"
    assert (ME, USDC.address, 10**6, dai) == (said.recipient, said.sell, said.amount_in, said.buy)
    assert 987_644_138_225_212_117 - said.min_out == 0


@pytest.mark.parametrize(
    "words",
    [
        {"w8": 1 << 95},
        {"w8": 1 << 94},
        {"w8": 1 << 91},
        {"w8": 1},
        {"w8": 1 << 40},
        {"w5": 987_644_138_225_212_116},
    ],
    ids=["takes surplus", "referral", "direct fee", "fee", "unknown", "quotes too little"],
)
def test_call_of_velora_that_takes_more_is_not_understood(words: Mapping[str, int]) -> None:
    said = velora_meaning(velora_call(**words))
    assert isinstance(said, Refusal)
    assert "G101" == said.code


@pytest.mark.parametrize("bit", [90, 92, 93])
def test_flags_of_velora_that_take_nothing_are_fine(bit: int) -> None:
    assert isinstance(velora_meaning(velora_call(w8=1 << bit)), Meaning)


def test_documented_call_of_a_settler_says_what_it_pays() -> None:
    quote = recorded("venues", "zerox")["quote"]["body"]
    told = quote["transaction"]
    call = Call(ETHEREUM, Address(told["to"]), int(told["value"]), told["data"])
    said = meaning(call, zerox.LAYOUTS, account=ME)
    assert isinstance(said, Meaning)
    assert ("0x70a9f34f9b34c64957b9c401a97bfed35b95049e", USDT.address) == (
        said.recipient,
        said.buy,
    )
    assert (int(quote["minBuyAmount"]), NATIVE, None) == (said.min_out, said.sell, said.amount_in)


def test_documented_quote_that_calls_a_settler_with_tokens_is_contradicted() -> None:
    cassette = recorded("venues", "zerox")
    answers = {part: (200, cassette[part[1:]]["body"]) for part in ("/price", "/quote")}
    with replaying(answers) as replay, pytest.raises(Contradicted, match="another contract"):
        ask("zerox", replay, USDC, USDT, 10**8)
    asked, built = replay.asked
    assert (KEY, "v2") == (built.headers["0x-api-key"], built.headers["0x-version"])
    assert "slippageBps" not in asked.query
    assert "99" == built.query["slippageBps"]


FIRST = {"oneinch": "/quote", "kyberswap": "/routes", "velora": "/prices", "zerox": "/price"}

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
