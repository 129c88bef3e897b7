"""How each aggregator of the local world is asked for a swap, in its own words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.reading import ALICE
from lab.trading import Call, ask

from agent.core.money import Address
from agent.lab.providers import kyberswap, lifi, odos, oneinch, openocean, velora, zerox
from agent.lab.worlds import Worlds
from agent.wire.address import checksum

EEE = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"


@dataclass(frozen=True)
class Wish:
    """What Alice asks for: symbols, ETH among them, base units, and slippage in bps."""

    chain: int
    sell: str
    buy: str
    amount: int
    slippage_bps: int = 100

    def token(self, worlds: Worlds, symbol: str, native: str = EEE) -> str:
        return native if symbol == "ETH" else worlds[self.chain].addresses[symbol]


def succeeded(answer: tuple[int, Any]) -> Any:
    status, body = answer
    assert 200 == status, body
    return body


def ask_oneinch(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    headers = {"Authorization": "Bearer k"}
    query = {
        "src": wish.token(worlds, wish.sell),
        "dst": wish.token(worlds, wish.buy),
        "amount": wish.amount,
        "from": ALICE,
        "origin": ALICE,
        "slippage": wish.slippage_bps / 100,
        "disableEstimate": "true",
    }
    path = f"/swap/v6.1/{wish.chain}"
    got = succeeded(ask(worlds, "oneinch", f"{path}/swap", query, headers=headers))
    spender = succeeded(ask(worlds, "oneinch", f"{path}/approve/spender", headers=headers))
    transaction = got["tx"]
    call = Call(
        transaction["to"], transaction["data"], int(transaction["value"]), spender["address"]
    )
    return int(got["dstAmount"]), call


def ask_odos(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    sold, bought = (
        checksum(Address(wish.token(worlds, symbol, "0x" + "00" * 20)))
        for symbol in (wish.sell, wish.buy)
    )
    body = {
        "chainId": wish.chain,
        "inputTokens": [{"tokenAddress": sold, "amount": str(wish.amount)}],
        "outputTokens": [{"tokenAddress": bought, "proportion": 1}],
        "userAddr": ALICE,
        "slippageLimitPercent": wish.slippage_bps / 100,
        "compact": False,
    }
    quoted = succeeded(ask(worlds, "odos", "/sor/quote/v3", body=body))
    told = {"userAddr": ALICE, "pathId": quoted["pathId"], "simulate": False}
    got = succeeded(ask(worlds, "odos", "/sor/assemble", body=told))["transaction"]
    call = Call(got["to"], got["data"], int(got["value"]), got["to"], got["chainId"])
    return int(quoted["outAmounts"][0]), call


SLUGS = {1: "ethereum", 8453: "base", 42161: "arbitrum"}


def ask_kyberswap(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    path = f"/{SLUGS[wish.chain]}/api/v1"
    query = {
        "tokenIn": wish.token(worlds, wish.sell),
        "tokenOut": wish.token(worlds, wish.buy),
        "amountIn": wish.amount,
    }
    got = succeeded(ask(worlds, "kyberswap", f"{path}/routes", query))["data"]
    body = {
        "routeSummary": got["routeSummary"],
        "sender": ALICE,
        "recipient": ALICE,
        "slippageTolerance": wish.slippage_bps,
    }
    built = succeeded(ask(worlds, "kyberswap", f"{path}/route/build", body=body))["data"]
    assert got["routeSummary"]["amountOut"] == built["amountOut"]
    call = Call(
        built["routerAddress"],
        built["data"],
        int(built["transactionValue"]),
        got["routerAddress"],
    )
    return int(built["amountOut"]), call


def ask_openocean(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    query = {
        "inTokenAddress": wish.token(worlds, wish.sell),
        "outTokenAddress": wish.token(worlds, wish.buy),
        "amountDecimals": wish.amount,
        "gasPriceDecimals": 10**9,
        "slippage": wish.slippage_bps / 100,
        "account": ALICE,
    }
    got = succeeded(ask(worlds, "openocean", f"/v4/{wish.chain}/swap", query))["data"]
    call = Call(got["to"], got["data"], int(got["value"]), got["to"], got["chainId"])
    return int(got["outAmount"]), call


def ask_lifi(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    native = "0x" + "00" * 20
    query = {
        "fromChain": wish.chain,
        "toChain": wish.chain,
        "fromToken": wish.token(worlds, wish.sell, native),
        "toToken": wish.token(worlds, wish.buy, native),
        "fromAmount": wish.amount,
        "fromAddress": ALICE,
        "slippage": wish.slippage_bps / 10_000,
    }
    got = succeeded(ask(worlds, "lifi", "/v1/quote", query))
    transaction, estimate = got["transactionRequest"], got["estimate"]
    call = Call(
        transaction["to"],
        transaction["data"],
        int(transaction["value"], 16),
        estimate["approvalAddress"],
        transaction["chainId"],
    )
    return int(estimate["toAmount"]), call


def ask_velora(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    pair = {
        "srcToken": wish.token(worlds, wish.sell),
        "destToken": wish.token(worlds, wish.buy),
    }
    query = {**pair, "amount": wish.amount, "network": wish.chain, "version": "6.2"}
    priced = succeeded(ask(worlds, "velora", "/prices", query))["priceRoute"]
    body = {
        **pair,
        "priceRoute": priced,
        "srcAmount": str(wish.amount),
        "slippage": wish.slippage_bps,
        "userAddress": ALICE,
    }
    path = f"/transactions/{wish.chain}"
    built = succeeded(ask(worlds, "velora", path, {"ignoreChecks": "true"}, body=body))
    spender = priced["tokenTransferProxy"]
    call = Call(built["to"], built["data"], int(built["value"]), spender, built["chainId"])
    return int(priced["destAmount"]), call


def ask_zerox(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    query = {
        "chainId": wish.chain,
        "sellToken": wish.token(worlds, wish.sell),
        "buyToken": wish.token(worlds, wish.buy),
        "sellAmount": wish.amount,
        "taker": ALICE,
        "slippageBps": wish.slippage_bps,
    }
    headers = {"0x-api-key": "k", "0x-version": "v2"}
    got = succeeded(ask(worlds, "zerox", "/swap/allowance-holder/quote", query, headers=headers))
    transaction = got["transaction"]
    spender = got["allowanceTarget"] or ALICE
    call = Call(transaction["to"], transaction["data"], int(transaction["value"]), spender)
    return int(got["buyAmount"]), call


ASKED: dict[str, Callable[[Worlds, Wish], tuple[int, Call]]] = {
    "kyberswap": ask_kyberswap,
    "lifi": ask_lifi,
    "odos": ask_odos,
    "oneinch": ask_oneinch,
    "openocean": ask_openocean,
    "velora": ask_velora,
    "zerox": ask_zerox,
}
SELECTORS = {
    "kyberswap": "e21fd0e9",
    "lifi": "4666fc80",
    "odos": "30f80b4c",
    "oneinch": "07ed2379",
    "openocean": "90411a32",
    "velora": "e3ead59e",
    "zerox": "2213bc0b",
}
ROUTERS = {
    "kyberswap": kyberswap.ROUTER,
    "lifi": lifi.DIAMOND,
    "odos": odos.ROUTER,
    "oneinch": oneinch.ROUTER,
    "openocean": openocean.EXCHANGE,
    "velora": velora.AUGUSTUS,
    "zerox": zerox.ALLOWANCE_HOLDER,
}


def expected_call(name: str, wish: Wish) -> tuple[str, str]:
    """Who is to be called, and the function's selector."""
    if name == "zerox" and wish.sell == "ETH":
        return zerox.SETTLER, "1fff991f"
    if name == "lifi" and "ETH" in {wish.sell, wish.buy}:
        return lifi.DIAMOND, "af7060fd" if wish.sell == "ETH" else "733214a3"
    return ROUTERS[name], SELECTORS[name]
