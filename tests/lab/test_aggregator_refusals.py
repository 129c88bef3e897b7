"""Servers of aggregators refuse in their own words: keys, parameters, tokens, chains, paths."""

from typing import Any

import pytest
from lab.aggregators import ASKED, Wish, ask_velora
from lab.reading import ALICE
from lab.trading import allow, ask, fund

from agent.lab.places import ETHEREUM
from agent.lab.worlds import Worlds

EEE = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
ZERO = "0x" + "00" * 20
USDC, WETH = ETHEREUM.tokens["USDC"].address, ETHEREUM.weth
SHOWN = {
    "USDC": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    "WETH": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    "wstETH": "0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0",
}
UNKNOWN = ETHEREUM.wsteth

BEARER = {"Authorization": "Bearer k"}
ZEROX = {"0x-api-key": "k", "0x-version": "v2"}
HEADERS = {"oneinch": BEARER, "zerox": ZEROX}

ONEINCH = {
    **{"src": USDC, "dst": WETH, "amount": 10**6, "from": ALICE, "origin": ALICE},
    **{"slippage": 1, "disableEstimate": "true"},
}
KYBER = {"tokenIn": USDC, "tokenOut": WETH, "amountIn": 10**6}
QUOTE = {
    **{"chainId": 1, "sellToken": USDC, "buyToken": WETH, "sellAmount": 10**6, "taker": ALICE},
}
PRICES = {
    **{"srcToken": USDC, "destToken": WETH, "amount": 10**6, "network": 1, "version": "6.2"},
    **{"userAddress": ALICE, "slippage": 100},
}
OCEAN = {
    **{"inTokenAddress": USDC, "outTokenAddress": WETH, "amountDecimals": 10**6},
    **{"gasPriceDecimals": 1, "account": ALICE},
}
LIFI = {
    **{"fromChain": 1, "toChain": 1, "fromToken": USDC, "toToken": WETH, "fromAmount": 10**6},
    **{"fromAddress": ALICE},
}


@pytest.mark.parametrize(
    ("name", "path", "query", "status", "said"),
    [
        ("oneinch", "/1/swap", {**ONEINCH, "src": "me"}, 400, ("meta", 0, "value")),
        ("oneinch", "/1/swap", {**ONEINCH, "dst": UNKNOWN}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "dst": USDC}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "amount": "1.5"}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "amount": 0}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "slippage": 51}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "slippage": "much"}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "disableEstimate": "True"}, 400, ("description",)),
        ("oneinch", "/1/swap", {**ONEINCH, "disableEstimate": "false"}, 400, ("description",)),
        ("oneinch", "/10/swap", ONEINCH, 404, ("error",)),
        ("oneinch", "/1/approve/transaction", {}, 404, ("error",)),
        ("kyberswap", "/gnosis/api/v1/routes", KYBER, 404, ("message",)),
        ("kyberswap", "/ethereum/api/v1/route/build", KYBER, 404, ("message",)),
        ("kyberswap", "/ethereum/api/v1/routes", {**KYBER, "tokenIn": "x"}, 400, ("details",)),
        ("kyberswap", "/ethereum/api/v1/routes", {**KYBER, "tokenIn": UNKNOWN}, 400, ("code",)),
        ("kyberswap", "/ethereum/api/v1/routes", {**KYBER, "tokenIn": WETH}, 400, ("code",)),
        ("zerox", "/swap/permit2/quote", QUOTE, 404, ("name",)),
        ("zerox", "/swap/allowance-holder/quote", {**QUOTE, "chainId": 10}, 400, ("data",)),
        ("zerox", "/swap/allowance-holder/quote", {**QUOTE, "taker": ""}, 400, ("data",)),
        ("velora", "/prices", {**PRICES, "version": "5"}, 400, ("error",)),
        ("velora", "/prices", {**PRICES, "side": "BUY"}, 400, ("error",)),
        ("velora", "/prices", {**PRICES, "network": 10}, 400, ("error",)),
        ("velora", "/prices", {**PRICES, "destToken": UNKNOWN}, 400, ("error",)),
        ("velora", "/prices", {**PRICES, "srcDecimals": 18}, 400, ("error",)),
        ("velora", "/prices", {**PRICES, "amount": "x"}, 400, ("error",)),
        ("velora", "/prices/all", PRICES, 404, ("error",)),
        ("velora", "/swap", PRICES, 400, ("error",)),
        ("odos", "/sor/quote/v3", {}, 404, ("detail",)),
        ("openocean", "/v4/1/dexList", OCEAN, 404, ("error",)),
        ("lifi", "/v1/token", LIFI, 404, ("code",)),
        ("lifi", "/v1/quote", {**LIFI, "toChain": 8453}, 404, ("code",)),
        ("lifi", "/v1/quote", {**LIFI, "toChain": 10}, 400, ("code",)),
        ("lifi", "/v1/status", {}, 400, ("message",)),
        ("lifi", "/v1/quote", {**LIFI, "fromToken": UNKNOWN}, 404, ("code",)),
        ("lifi", "/v1/quote", {**LIFI, "fromChain": 10, "toChain": 10}, 400, ("code",)),
        ("lifi", "/v1/quote", {**LIFI, "slippage": 2}, 400, ("message",)),
    ],
)
def test_question_that_cannot_be_answered_is_refused(
    worlds: Worlds,
    name: str,
    path: str,
    query: dict[str, Any],
    status: int,
    said: tuple[str | int, ...],
) -> None:
    found, body = ask(worlds, name, path, query, headers=HEADERS.get(name))
    for key in said:
        body = body[key]
    assert (status, True) == (found, bool(body))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inTokenAddress": UNKNOWN}, 500),
        ({"inTokenAddress": WETH}, 500),
        ({"amountDecimals": "0.1"}, 400),
        ({"slippage": 90}, 400),
        ({"account": "me"}, 400),
    ],
)
def test_openocean_says_no_with_status_200(
    worlds: Worlds, change: dict[str, Any], code: int
) -> None:
    status, body = ask(worlds, "openocean", "/v4/eth/swap", {**OCEAN, **change})
    assert (200, code, True) == (status, body["code"], bool(body["error"]))
    assert 400 == ask(worlds, "openocean", "/v4/bsc/quote", OCEAN)[1]["code"]
    assert 200 == ask(worlds, "openocean", "/eth/quote", OCEAN)[1]["code"]


@pytest.mark.parametrize(
    ("name", "path", "headers", "status"),
    [
        ("oneinch", "/1/swap", {}, 401),
        ("oneinch", "/1/swap", {"Authorization": "Bearer "}, 401),
        ("zerox", "/swap/allowance-holder/quote", {"0x-version": "v2"}, 401),
        ("zerox", "/swap/allowance-holder/quote", {"0x-api-key": "k"}, 400),
    ],
)
def test_key_is_asked_for(
    worlds: Worlds, name: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert status == ask(worlds, name, path, {"chainId": 1}, headers=headers)[0]


def test_zerox_says_that_there_is_no_liquidity_and_what_is_missing(chains: Worlds) -> None:
    for what in ("price", "quote"):
        path = f"/swap/allowance-holder/{what}"
        for sell in (UNKNOWN, WETH):
            status, found = ask(chains, "zerox", path, {**QUOTE, "sellToken": sell}, headers=ZEROX)
            assert (200, False) == (status, found["liquidityAvailable"])
        missing = ask(chains, "zerox", path, QUOTE, headers=ZEROX)[1]["issues"]
        expected = {"token": USDC, "actual": "0", "expected": str(10**6)}
        assert ("0", expected) == (missing["allowance"]["actual"], missing["balance"])
        priced = ask(chains, "zerox", path, {**QUOTE, "sellToken": EEE}, headers=ZEROX)[1]
        assert (None, None) == (priced["allowanceTarget"], priced["issues"]["allowance"])


@pytest.mark.parametrize(("sell", "buy"), [(EEE, WETH), (WETH, EEE)])
def test_zerox_wraps_without_a_settler(worlds: Worlds, sell: str, buy: str) -> None:
    query = {**QUOTE, "sellToken": sell, "buyToken": buy}
    _, found = ask(worlds, "zerox", "/swap/allowance-holder/quote", query, headers=ZEROX)
    selector = "0xd0e30db0" if sell == EEE else "0x2e1a7d4d"
    assert (WETH, selector) == (found["transaction"]["to"], found["transaction"]["data"][:10])
    assert str(10**6) == found["buyAmount"]


def test_oneinch_tells_more_when_asked_and_looks_at_what_there_is(chains: Worlds) -> None:
    more = {"includeTokensInfo": "true", "includeGas": "true", "includeProtocols": "true"}
    found = ask(chains, "oneinch", "/v6.0/1/quote", {**ONEINCH, **more}, headers=BEARER)[1]
    assert ("USDC", "WETH") == (found["srcToken"]["symbol"], found["dstToken"]["symbol"])
    assert (True, "UNISWAP_V3") == (found["gas"] > 0, found["protocols"][0][0][0]["name"])
    looked = {**ONEINCH, "minReturn": 5, "disableEstimate": "false"}
    fund(chains[1], "USDC", 10**6)
    refused = ask(chains, "oneinch", "/1/swap", looked, headers=BEARER)[1]
    assert "Not enough allowance" in refused["description"]
    allow(chains[1], "USDC", "0x111111125421ca6dc452d289314280a0f8842a65", 10**6)
    assert ask(chains, "oneinch", "/1/swap", looked, headers=BEARER)[1]["tx"]["gas"] > 0
    assert ask(chains, "oneinch", "/1/swap", {**looked, "src": EEE}, headers=BEARER)[1]["tx"]["gas"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"routeSummary": {"tokenIn": USDC}}, 4002),
        ({"sender": "me"}, 4000),
        ({"recipient": ""}, 4000),
        ({"slippageTolerance": 2001}, 4000),
    ],
)
def test_kyberswap_builds_what_it_routed_alone(
    worlds: Worlds, change: dict[str, Any], code: int
) -> None:
    path = "/ethereum/api/v1"
    routed = ask(worlds, "kyberswap", f"{path}/routes", KYBER)[1]["data"]["routeSummary"]
    body = {"routeSummary": routed, "sender": ALICE, "recipient": ALICE, **change}
    status, found = ask(worlds, "kyberswap", f"{path}/route/build", body=body)
    assert (400, code) == (status, found["code"])


def test_velora_builds_what_it_priced_alone(chains: Worlds) -> None:
    query = {**PRICES, "ignoreChecks": "true"}
    both = ask(chains, "velora", "/swap", query)[1]
    assert both["txParams"]["data"].startswith("0xe3ead59e")
    priced = both["priceRoute"]
    body = {
        **{"priceRoute": priced, "srcToken": USDC, "destToken": WETH, "srcAmount": str(10**6)},
        **{"userAddress": ALICE, "slippage": 100},
    }
    known = {"ignoreChecks": "true"}
    for change, query, said in [
        ({"priceRoute": {**priced, "destAmount": "1"}}, known, "rate has changed"),
        ({"srcAmount": "7"}, known, "Source Amount Mismatch"),
        ({"destAmount": str(10**30)}, known, "rate has changed"),
        ({}, {}, "Not enough USDC balance"),
    ]:
        asked = {**body, **change}
        status, found = ask(chains, "velora", "/transactions/1", query, body=asked)
        assert (400, True) == (status, said in found["error"])
    fund(chains[1], "USDC", 10**6)
    found = ask(chains, "velora", "/transactions/1", body=body)[1]
    assert "Not enough USDC allowance given to TokenTransferProxy" in found["error"]
    surplus = {**body, "isCapSurplus": False, "takeSurplus": True}
    data = ask(chains, "velora", "/transactions/1", known, body=surplus)[1]["data"]
    assert f"{1 << 95:064x}" in data


def test_velora_looks_at_no_balance_of_who_sells_the_gas_coin(worlds: Worlds) -> None:
    query = {**PRICES, "srcToken": EEE, "amount": 10**18}
    assert str(10**18) == ask(worlds, "velora", "/swap", query)[1]["txParams"]["value"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"chainId": 10}, 4001),
        ({"inputTokens": []}, 4002),
        ({"inputTokens": [{"tokenAddress": USDC, "amount": "1"}]}, 4002),
        ({"inputTokens": [{"tokenAddress": SHOWN["USDC"], "amount": "-1"}]}, 4002),
        ({"inputTokens": [{"tokenAddress": SHOWN["wstETH"], "amount": "1"}]}, 2000),
        ({"outputTokens": [{"tokenAddress": SHOWN["USDC"], "proportion": 1}]}, 2000),
        ({"outputTokens": [{"tokenAddress": SHOWN["WETH"], "proportion": 0.5}]}, 4003),
        ({"userAddr": "me"}, 4004),
    ],
)
def test_odos_refuses_with_a_code(worlds: Worlds, change: dict[str, Any], code: int) -> None:
    body = {
        "chainId": 1,
        "inputTokens": [{"tokenAddress": SHOWN["USDC"], "amount": str(10**6)}],
        "outputTokens": [{"tokenAddress": SHOWN["WETH"], "proportion": 1}],
    }
    status, found = ask(worlds, "odos", "/sor/quote/v3", body={**body, **change})
    assert (400, code) == (status, found["errorCode"])
    quoted = ask(worlds, "odos", "/sor/quote/v3", body=body)[1]
    told = {"pathId": quoted["pathId"], "userAddr": ALICE}
    assert 4004 == ask(worlds, "odos", "/sor/assemble", body=told)[1]["errorCode"]
    # Without a word about it the calldata is packed in a way of its own.
    packed = ask(worlds, "odos", "/sor/assemble", body={**told, "userAddr": ZERO})[1]
    assert packed["transaction"]["data"].startswith("0x83bd37f9")


def test_lifi_names_its_diamond(worlds: Worlds) -> None:
    named = ask(worlds, "lifi", "/v1/chains")[1]["chains"]
    assert ([1, 8453, 42161], 1) == (
        [chain["id"] for chain in named],
        len({chain["diamondAddress"] for chain in named}),
    )


def test_amount_that_empties_every_pool_has_no_route(worlds: Worlds) -> None:
    query = {**ONEINCH, "amount": 10**17}
    status, found = ask(worlds, "oneinch", "/1/swap", query, headers=BEARER)
    assert (400, "insufficient liquidity") == (status, found["description"])


def test_server_that_splits_gives_no_less(worlds: Worlds) -> None:
    wish = Wish(1, "USDC", "WETH", 2_000_000 * 10**6)
    assert ASKED["oneinch"](worlds, wish)[0] > ask_velora(worlds, wish)[0]
