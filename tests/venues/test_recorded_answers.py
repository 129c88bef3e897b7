"""What providers' own servers said, word for word, is understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from replay_server import recorded, replaying
from venues.recorded_rig import (
    BASE_ETH,
    BASE_OTHER,
    BASE_USDC,
    BNB,
    ETH,
    ETHEREUM,
    KEY,
    ME,
    NOW,
    ROUTERS,
    USDC,
    USDT,
    WETH,
    ask,
    made,
)

from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Allowance, Amount, Call, Meaning, Quote
from agent.core.verdict import Refusal
from agent.errors import Contradicted, NoRoute, ProviderSilent
from agent.venues import kyberswap, lifi, oneinch, velora, zerox
from agent.wire.abi import encode
from agent.wire.calldata import meaning
from agent.wire.keccak import selector

BSC_USDT = Token(ChainId(56), Address("0x55d398326f99059ff775485246999027b3197955"), 18, "USDT")
SOLD_FTM = Token(ChainId(250), Address("0x039e2fb66102314ce7b64ce5ce3e5183bc94ad38"), 18, "ONE")
BOUGHT_FTM = Token(ChainId(250), Address("0x3333b97138d4b086720b5ae8a7844b1345a33333"), 18, "TWO")


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
