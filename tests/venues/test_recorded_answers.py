"""What providers' own servers said, word for word, is understood, and so is what they refuse."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest
from replay_server import Replay, recorded, replaying
from router_rig import swap_leg

from agent.core.fees import FeeQuote
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Allowance, Amount, Call, Meaning, Quote
from agent.core.verdict import Refusal
from agent.core.whole import whole
from agent.errors import Contradicted, NoRoute, ProviderSilent, Rejected, Unavailable
from agent.ports import AdapterIo, Read, Venue
from agent.provider import ProviderChain, ProviderOptions
from agent.venues import kyberswap, lifi, oneinch, velora, zerox
from agent.wire.abi import encode
from agent.wire.calldata import meaning
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.keccak import selector
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
BNB = Token(ChainId(56), NATIVE, 18, "BNB")
WBNB = Token(ChainId(56), Address("0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c"), 18, "WBNB")
BSC_USDT = Token(ChainId(56), Address("0x55d398326f99059ff775485246999027b3197955"), 18, "USDT")
FTM = Token(ChainId(250), NATIVE, 18, "FTM")
WFTM = Token(ChainId(250), Address("0x21be370d5312f44cb42ce377bc9b8a0cef1a4c83"), 18, "WFTM")
SOLD_FTM = Token(ChainId(250), Address("0x039e2fb66102314ce7b64ce5ce3e5183bc94ad38"), 18, "ONE")
BOUGHT_FTM = Token(ChainId(250), Address("0x3333b97138d4b086720b5ae8a7844b1345a33333"), 18, "TWO")

ROUTERS = {
    "oneinch": "0x111111125421ca6dc452d289314280a0f8842a65",
    "kyberswap": "0x6131b5fae19ea4f9d964eac0408e4408b66337b5",
    "lifi": "0x1231deb6f5749ef6ce6943a275a1d3e7486f4eae",
    "odos": "0x0d05a7d3448512b78fa8a9e46c4872c88c4a0d05",
    "openocean": "0x6352a56caadc4f1e25cd6c75970fa768a3304e64",
    "velora": "0x6a000f20005980200259b80c5102003040001068",
    "zerox": "0x0000000000001ff3684f28c67538d4d072c22734",
}
FACTS: dict[str, dict[str, Any]] = {
    "oneinch": {"router": ROUTERS["oneinch"]},
    "kyberswap": {"router": ROUTERS["kyberswap"], "slug": "base"},
    "lifi": {"diamond": ROUTERS["lifi"]},
    "odos": {"router": ROUTERS["odos"]},
    "openocean": {"exchange": ROUTERS["openocean"]},
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


class Gas:
    """A node that knows what gas costs, and nothing else."""

    def fees(self) -> FeeQuote:
        return FeeQuote(3 * 10**9, 10**9)


def made(name: str, api: str, *, bps: int = 101, key: str = KEY) -> Venue:
    coins = {ETH: WETH, BASE_ETH: BASE_WETH, BNB: WBNB, FTM: WFTM}
    chains = {coin.chain: chain(name, coin, wrapped) for coin, wrapped in coins.items()}
    options = ProviderOptions(api=api, chains=chains, max_slippage_bps=bps, key=lambda: key)
    nodes: Any = dict.fromkeys(chains, Gas())
    io = AdapterIo(nodes, SystemClock(), ProviderHttp(HttpClient(retries=0), None))
    venue: Venue = import_module(f"agent.venues.{name}").make(options, io)
    return venue


def ask(
    name: str,
    replay: Replay,
    sell: Token,
    buy: Token,
    raw: int,
    account: Address = ME,
    *,
    least: int = 1,
    key: str = KEY,
) -> Quote:
    leg = swap_leg(sell, buy, raw)
    return made(name, replay.api, key=key).quote(leg, raw, account, least, NOW)


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


ODOS_LEAST = 10_879_549_717_191_319_552 * 9_999 // 10_000


def odos_answers() -> dict[str, tuple[int, Any]]:
    path = recorded("venues", "odos")["quote"]["body"]
    assembled = {
        "gasEstimate": 487_759,
        "outputTokens": [{"tokenAddress": BOUGHT_FTM.address, "amount": path["outAmounts"][0]}],
        "transaction": {
            "to": ROUTERS["odos"],
            "from": ME,
            "data": "0x30f80b4c",
            "value": "0",
            "chainId": 250,
        },
    }
    return {"/sor/quote/v3": (200, path), "/sor/assemble": (200, assembled)}


def test_recorded_path_of_odos_is_assembled_by_its_number() -> None:
    with replaying(odos_answers()) as replay:
        quote = ask("odos", replay, SOLD_FTM, BOUGHT_FTM, 4 * 10**20)
    asked, built = replay.asked
    # A number, digit by digit: percent, one whole bp below the policy's.
    assert (1.0, False) == (asked.body["slippageLimitPercent"], asked.body["compact"])
    assert (
        "0x039e2fB66102314Ce7b64Ce5Ce3E5183bc94aD38"
        == (asked.body["inputTokens"][0]["tokenAddress"])
    )
    assert "59bf7e360f6123c44c5a788a63f16b97" == built.body["pathId"]
    assert (10_879_549_717_191_319_552, 487_759) == (quote.amount_out, quote.gas)
    assert KEY == asked.headers["x-api-key"]


def test_server_that_wants_slippage_first_is_asked_again_where_it_was_too_loose() -> None:
    with replaying(odos_answers()) as replay:
        quote = ask("odos", replay, SOLD_FTM, BOUGHT_FTM, 4 * 10**20, least=ODOS_LEAST)
    loose, tight, _ = replay.asked
    assert (1.0, 0) == (loose.body["slippageLimitPercent"], tight.body["slippageLimitPercent"])
    assert ODOS_LEAST == quote.min_amount_out


def test_optional_key_is_not_sent_where_there_is_none() -> None:
    with replaying(odos_answers()) as replay:
        ask("odos", replay, SOLD_FTM, BOUGHT_FTM, 4 * 10**20, key="")
    assert ["x-api-key" in each.headers for each in replay.asked] == [False, False]
    with replaying({"/quote": (404, {"code": 1002})}) as replay:
        for key in ("", KEY):
            with pytest.raises(NoRoute):
                ask("lifi", replay, USDC, WETH, 10**6, key=key)
    assert [False, True] == ["x-lifi-api-key" in each.headers for each in replay.asked]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"inTokens": [USDC.address]}, "pair of tokens"),
        ({"outTokens": [USDC.address]}, "pair of tokens"),
        ({"inAmounts": ["5"]}, "amount"),
    ],
)
def test_path_about_another_swap_is_contradicted(change: dict[str, Any], what: str) -> None:
    answers = odos_answers()
    answers["/sor/quote/v3"] = (200, {**answers["/sor/quote/v3"][1], **change})
    with (
        replaying(answers) as replay,
        pytest.raises(Contradicted, match=f"another {what} than was asked for"),
    ):
        ask("odos", replay, SOLD_FTM, BOUGHT_FTM, 4 * 10**20)


def test_documented_answer_of_openocean_lacks_its_call() -> None:
    swap = recorded("venues", "openocean")["swap"]["body"]
    answer = {**swap, "data": {**swap["data"], "chainId": 56, "from": ME}}
    answers = {"/quote": (200, swap), "/swap": (200, answer)}
    with (
        replaying(answers) as replay,
        pytest.raises(ProviderSilent, match=r"data\.data is no text"),
    ):
        ask("openocean", replay, BNB, BSC_USDT, 5 * 10**18)
    asked, built = replay.asked
    assert ("/api/56/quote", "/api/56/swap") == (asked.path, built.path)
    assert ("5000000000000000000", "4000000000") == (
        built.query["amountDecimals"],
        built.query["gasPriceDecimals"],
    )
    assert "0.99" == built.query["slippage"]


def test_recorded_bridge_of_lifi_is_no_swap() -> None:
    step = recorded("venues", "lifi")["quote"]["body"]
    told = step["transactionRequest"]
    call = Call(ETHEREUM, Address(told["to"].lower()), 0, told["data"])
    said = meaning(call, lifi.LAYOUTS, account=ME)
    assert isinstance(said, Refusal)
    assert "unknown selector 0x1794958f" in said.why
    with replaying({"/quote": (200, step)}) as replay, pytest.raises(Contradicted):
        ask("lifi", replay, USDC, WETH, 10**6)
    assert "0.01" == replay.asked[0].query["slippage"]


ZERO = Address("0x" + "00" * 20)


def lifi_call(name: str, *swaps: tuple[str, str, int], single: bool = False) -> Meaning | Refusal:
    (layout,) = [each for each in lifi.LAYOUTS.values() if each.name == name]
    told: list[Any] = [
        (ROUTERS["odos"], ROUTERS["odos"], sell, buy, raw, b"swap", True)
        for sell, buy, raw in swaps
    ]
    fields = (b"\1" * 32, "rebalancer", "", ME, 990, told[0] if single else told)
    data = selector(layout.signature) + encode(layout.types, fields).hex()
    return meaning(Call(ETHEREUM, Address(ROUTERS["lifi"]), 0, data), lifi.LAYOUTS, account=ME)


@pytest.mark.parametrize("middle", [[], [(USDC.address, USDC.address, 997)]])
def test_swaps_in_a_row_of_lifi_sell_the_first_and_buy_the_last(middle: list[Any]) -> None:
    swaps = [(USDC.address, USDC.address, 1_000), *middle, (USDC.address, WETH.address, 997)]
    said = lifi_call("swapTokensMultipleV3ERC20ToERC20", *swaps)
    assert isinstance(said, Meaning)
    assert (ME, USDC.address, 1_000, WETH.address, 990, True) == (
        said.recipient,
        said.sell,
        said.amount_in,
        said.buy,
        said.min_out,
        said.unread,
    )


def test_gas_coin_of_lifi_is_that_of_the_function() -> None:
    bought = lifi_call("swapTokensSingleV3ERC20ToNative", (USDC.address, ZERO, 5), single=True)
    sold = lifi_call("swapTokensSingleV3NativeToERC20", (ZERO, USDC.address, 5), single=True)
    assert isinstance(bought, Meaning)
    assert isinstance(sold, Meaning)
    assert (USDC.address, NATIVE) == (bought.sell, bought.buy)
    assert (NATIVE, USDC.address) == (sold.sell, sold.buy)


@pytest.mark.parametrize(
    ("name", "swaps"),
    [
        ("swapTokensMultipleV3ERC20ToERC20", []),
        ("swapTokensMultipleV3ERC20ToNative", [(USDC.address, WETH.address, 5)]),
        ("swapTokensMultipleV3NativeToERC20", [(USDC.address, WETH.address, 5)]),
    ],
    ids=["no swap", "buys no coin", "sells no coin"],
)
def test_call_of_lifi_that_does_not_do_what_its_function_says_is_not_understood(
    name: str, swaps: list[tuple[str, str, int]]
) -> None:
    said = lifi_call(name, *swaps)
    assert isinstance(said, Refusal)
    assert "G101" == said.code


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
