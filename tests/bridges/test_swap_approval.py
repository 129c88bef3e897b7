"""The relayer fee by `/swap/approval`, and when the older endpoint is asked instead."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from replay_server import Replay, recorded, replaying

from agent.bridges._relay_fee import FeeServer, Offer
from agent.bridges._routes import ChainOptions, Route
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.errors import Contradicted, ProviderSilent, Rejected, Unavailable
from agent.wire.address import checksum
from agent.wire.http import HttpClient

NEAR, FAR = ChainId(10), ChainId(42161)
USDC = Token(NEAR, Address("0x0b2c639c533813f4aa9d7837caf62653d097ff85"), 6, "USDC")
FAR_USDC = Token(FAR, Address("0xaf88d065e77c8cc2239327c5edb3a432268e5831"), 6, "USDC")
ROUTE = Route(sell=USDC, buy=FAR_USDC, input=USDC, output=FAR_USDC)
POOL = Address("0x6f26bf09b1c792e3228e5467807a900a503c0281")
ME, ROBBER = Address("0x" + "a11e7" * 8), Address("0x" + "bad0" * 10)
RAW, FEE, GAS, OUT = 1_000_000, 19_338, 19_227, 980_662
KEY = "canary-5e12e7"

OLDER: dict[str, Any] = {
    "totalRelayFee": {"total": "30000"},
    "relayerGasFee": {"total": "10000"},
    "outputAmount": "970000",
}


def approval(**changes: Any) -> dict[str, Any]:
    """The recorded answer, as it would have been without the swap after the deposit."""
    found: dict[str, Any] = copy.deepcopy(recorded("bridges", "across")["swap_approval"]["body"])
    found.update(
        crossSwapType="bridgeableToBridgeable",
        outputToken=found["steps"]["bridge"]["tokenOut"],
        expectedOutputAmount=str(OUT),
        minOutputAmount=str(OUT),
    )
    found.update(changes)
    return found


def bridged(**changes: Any) -> dict[str, Any]:
    found = approval()
    found["steps"]["bridge"].update(changes)
    return found


def sent(**changes: Any) -> dict[str, Any]:
    found = approval()
    found["swapTx"].update(changes)
    return found


def options(chain: ChainId, token: Token) -> ChainOptions:
    coin = Token(chain, NATIVE, 18, "ETH")
    return ChainOptions(spoke_pool=POOL, native=coin, wrapped=coin, tokens={"USDC": token})


def ask(replay: Replay, **more: Any) -> Offer:
    chains = {NEAR: options(NEAR, USDC), FAR: options(FAR, FAR_USDC)}
    server = FeeServer(http=HttpClient(retries=0), api=replay.api, chains=chains, **more)
    return server.offer(ROUTE, RAW, account=ME)


def answered(body: Any, status: int = 200, older: Any = None) -> tuple[Offer, list[str]]:
    answers = {"/swap/approval": (status, body), "/suggested-fees": (200, older or OLDER)}
    with replaying(answers) as replay:
        return ask(replay), [each.path.removeprefix("/api") for each in replay.asked]


def test_fee_is_read_to_the_base_unit_from_one_question() -> None:
    offer, asked = answered(approval())
    assert ["/swap/approval"] == asked
    assert Offer(amount=RAW, total=FEE, fixed=GAS, seconds=3, out=OUT) == offer
    no_time = approval()
    del no_time["expectedFillTime"]
    assert 60 == answered(no_time)[0].seconds


def test_question_is_in_its_documented_words_without_anybody_s_fee() -> None:
    with replaying({"/swap/approval": (200, approval())}) as replay:
        ask(replay)
        ask(replay, key=lambda: KEY)
    first, second = replay.asked
    assert {
        "tradeType": "exactInput",
        "amount": str(RAW),
        "inputToken": checksum(USDC.address),
        "outputToken": checksum(FAR_USDC.address),
        "originChainId": "10",
        "destinationChainId": "42161",
        "depositor": checksum(ME),
        "recipient": checksum(ME),
        "skipOriginTxEstimation": "true",
    } == first.query
    assert "authorization" not in first.headers
    assert f"Bearer {KEY}" == second.headers["authorization"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 404),
        (recorded("bridges", "across")["swap_approval"]["body"], 200),
        (bridged(provider="cctp"), 200),
    ],
)
def test_older_endpoint_is_asked_where_that_one_tells_no_fee_of_a_deposit(
    body: Any, status: int
) -> None:
    offer, asked = answered(body, status)
    assert ["/swap/approval", "/suggested-fees"] == asked
    assert Offer(amount=RAW, total=30_000, fixed=10_000, out=970_000) == offer


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (sent(to=checksum(ROBBER)), Contradicted),
        (sent(chainId=1), Contradicted),
        (bridged(inputAmount="2000000"), Contradicted),
        (approval(expectedOutputAmount=str(OUT - 1)), Contradicted),
        (bridged(outputAmount="2000000"), Contradicted),
        (bridged(tokenOut={"address": ROBBER, "chainId": 42161}), Contradicted),
        (bridged(tokenIn={"address": ROBBER, "chainId": 10}), Contradicted),
        (approval(swapTx={}), ProviderSilent),
        (bridged(outputAmount="NaN"), ProviderSilent),
        (bridged(fees={}), ProviderSilent),
        (["no object"], ProviderSilent),
    ],
)
def test_answer_that_lies_is_not_made_good_by_the_older_endpoint(
    body: Any, kind: type[Unavailable]
) -> None:
    with pytest.raises(kind):
        answered(body)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (429, ProviderSilent), (500, ProviderSilent)]
)
def test_no_of_the_server_is_its_last_word(status: int, kind: type[Unavailable]) -> None:
    with pytest.raises(kind):
        answered({"type": "AcrossApiError", "code": "AMOUNT_TOO_LOW", "message": "no"}, status)
