"""What LI.FI is asked between chains, what its answers mean, and which of them are refused."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from replay_server import Replay, recorded, replaying

from agent.bridges._lifi_offers import DEPOSIT, LAYOUTS
from agent.bridges._spoke_pool import word
from agent.bridges.lifi import SOMEBODY, LiFi, make
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Meaning, Quote
from agent.core.verdict import Refusal
from agent.errors import Contradicted, NoRoute, ProviderSilent, Rejected, Unavailable
from agent.ports import AdapterIo
from agent.provider import ProviderChain, ProviderOptions
from agent.wire.abi import encode
from agent.wire.address import checksum
from agent.wire.calldata import meaning
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.keccak import selector
from agent.wire.pace import ProviderHttp

NEAR, FAR, APART = ChainId(1), ChainId(8453), ChainId(100)
ME, ROBBER = Address("0x" + "a11e7" * 8), Address("0x" + "bad0" * 10)
NOBODY = Address("0x" + "00" * 20)
NOW, RAW, OUT = 1_800_000_000, 10**9, 999_700_000
DIAMOND = Address("0x1231deb6f5749ef6ce6943a275a1d3e7486f4eae")
KEY = "canary-5e12e7"

USDC = Token(NEAR, Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "USDC")
WETH = Token(NEAR, Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), 18, "WETH")
FAR_USDC = Token(FAR, Address("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"), 6, "USDC")
FAR_WETH = Token(FAR, Address("0x4200000000000000000000000000000000000006"), 18, "WETH")
ETH, FAR_ETH = Token(NEAR, NATIVE, 18, "ETH"), Token(FAR, NATIVE, 18, "ETH")
APART_USDC = Token(APART, Address("0xddafbb505ad214d7b80b1f830fccc89b60fb7a83"), 6, "USDC")

BRIDGED: dict[str, Any] = {
    "id": b"\1" * 32,
    "bridge": "across",
    "integrator": "rebalancer",
    "referrer": NOBODY,
    "sold": USDC.address,
    "receiver": ME,
    "amount": RAW,
    "far_chain": FAR,
    "swaps": False,
    "calls": False,
}
DEPOSITED: dict[str, Any] = {
    "recipient": word(ME),
    "refund": word(ME),
    "sold": word(USDC.address),
    "bought": word(FAR_USDC.address),
    "out": OUT,
    "multiplier": 10**18,
    "relayer": bytes(32),
    "quoted": NOW,
    "deadline": NOW + 7_200,
    "exclusivity": 0,
    "message": b"",
}


def payload(bridged: Mapping[str, Any] = {}, deposited: Mapping[str, Any] = {}) -> str:
    first = tuple({**BRIDGED, **bridged}.values())
    second = tuple({**DEPOSITED, **deposited}.values())
    return selector(DEPOSIT.signature) + encode(DEPOSIT.types, (first, second)).hex()


def answer(data: str = "") -> dict[str, Any]:
    """An honest answer, as docs.li.fi and @lifi/types have it."""
    return {
        "type": "lifi",
        "tool": "across",
        "action": {
            "fromToken": {"address": checksum(USDC.address)},
            "toToken": {"address": checksum(FAR_USDC.address)},
            "fromChainId": 1,
            "toChainId": 8453,
            "fromAmount": str(RAW),
        },
        "estimate": {
            "toAmount": str(OUT),
            "toAmountMin": str(OUT),
            "approvalAddress": checksum(DIAMOND),
            "executionDuration": 4,
        },
        "transactionRequest": {
            "to": checksum(DIAMOND),
            "data": data or payload(),
            "value": "0x0",
            "chainId": 1,
        },
    }


def changed(value: Any, *path: str) -> dict[str, Any]:
    found = copy.deepcopy(answer())
    inner = found
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return found


def chain(native: Token, wrapped: Token, usdc: Token, **facts: str) -> ProviderChain:
    return ProviderChain(
        chain=native.chain,
        native=native,
        wrapped=wrapped,
        tokens={"USDC": usdc, "ETH": wrapped},
        facts={"diamond": DIAMOND, **facts},
        code_hashes={DIAMOND: "0x11"},
    )


def made(replay: Replay, *, key: str = "", api: str | None = None) -> LiFi:
    pools = {"spoke_pool": "0x" + "50" * 20}
    apart = Token(APART, NATIVE, 18, "xDAI")
    chains = {
        NEAR: chain(ETH, WETH, USDC, **pools),
        FAR: chain(FAR_ETH, FAR_WETH, FAR_USDC, **pools),
        APART: chain(apart, apart, APART_USDC),
    }
    options = ProviderOptions(
        api=replay.api if api is None else api, chains=chains, key=lambda: key
    )
    http = ProviderHttp(HttpClient(retries=0), bucket=None)
    return make(options, AdapterIo({}, SystemClock(), http))


def leg(sell: Token = USDC, buy: Token = FAR_USDC, raw: int = RAW) -> Leg:
    return Leg(
        id="1",
        kind="bridge",
        via="lifi",
        sell=Sell(sell, raw),
        buy=buy,
        expected_out=raw,
        min_buy=1,
    )


def ask(replay: Replay, wanted: Leg | None = None, **options: Any) -> Quote:
    found = wanted or leg()
    return made(replay, **options).quote(found, found.sell.fixed_raw, ME, 1, NOW)


def read(bridged: Mapping[str, Any] = {}, deposited: Mapping[str, Any] = {}) -> Any:
    return meaning(Call(NEAR, DIAMOND, 0, payload(bridged, deposited)), LAYOUTS, account=ME)


def test_selector_is_that_of_the_published_facet() -> None:
    assert ["0xa1f1ce43"] == list(LAYOUTS)


def test_offer_is_asked_for_by_across_alone_and_is_firm() -> None:
    with replaying({"/quote": (200, answer())}) as replay:
        quote = ask(replay)
    (asked,) = replay.asked
    assert {
        "fromChain": "1",
        "toChain": "8453",
        "fromToken": checksum(USDC.address),
        "toToken": checksum(FAR_USDC.address),
        "fromAmount": str(RAW),
        "fromAddress": checksum(ME),
        "toAddress": checksum(ME),
        "allowBridges": "across",
        "allowDestinationCall": "false",
        "integrator": "rebalancer",
        "skipSimulation": "true",
    } == asked.query
    assert (OUT, OUT, NOW + 300) == (quote.amount_out, quote.min_amount_out, quote.expires)
    assert Call(NEAR, DIAMOND, 0, payload()) == quote.payload
    assert [(DIAMOND, RAW)] == [(each.spender, each.amount.raw) for each in quote.allowances]


def test_key_goes_along_where_there_is_one() -> None:
    with replaying({"/quote": (200, answer())}) as replay:
        ask(replay)
        ask(replay, key=KEY)
    assert [None, KEY] == [each.headers.get("x-lifi-api-key") for each in replay.asked]


def test_survey_asks_once_for_nobody_and_spares_small_amounts_nothing() -> None:
    with replaying({"/quote": (200, answer())}) as replay:
        (edge,) = made(replay).survey([(USDC, FAR_USDC)], {USDC: RAW})
    (asked,) = replay.asked
    assert checksum(SOMEBODY) == asked.query["fromAddress"]
    assert (RAW, OUT) == edge.ladder[-1]
    assert (RAW >> 7, (RAW >> 7) - (RAW - OUT)) == edge.ladder[0]
    assert 60 == edge.seconds


def test_survey_of_what_it_refuses_is_empty() -> None:
    with replaying({"/quote": (500, {})}) as replay:
        assert () == made(replay).survey([(USDC, FAR_USDC)], {USDC: RAW})


def test_ladder_has_no_point_that_the_fee_eats() -> None:
    dear = changed("1000000", "estimate", "toAmount")
    dear["estimate"]["toAmountMin"] = "1000000"
    with replaying({"/quote": (200, dear)}) as replay:
        (edge,) = made(replay).survey([(USDC, FAR_USDC)], {USDC: RAW})
    assert ((RAW, 10**6),) == edge.ladder


@pytest.mark.parametrize(
    ("sell", "buy"), [(ETH, FAR_ETH), (USDC, FAR_ETH), (USDC, USDC), (USDC, APART_USDC)]
)
def test_pair_that_does_not_cross_is_not_asked_for(sell: Token, buy: Token) -> None:
    with replaying({"/quote": (200, answer())}) as replay:
        with pytest.raises(NoRoute, match=r"LI\.FI is not asked for this pair"):
            ask(replay, leg(sell, buy))
        assert () == made(replay).survey([(sell, buy)], {sell: RAW})
    assert [] == replay.asked


def test_nobody_is_asked_where_there_is_no_server() -> None:
    with replaying({}) as replay, pytest.raises(NoRoute):
        ask(replay, api="")
    assert [] == replay.asked


def test_diamond_is_the_target_where_across_has_a_pool() -> None:
    with replaying({}) as replay:
        bridge = made(replay)
    assert {DIAMOND: "0x11"} == dict(bridge.targets(NEAR))
    assert {} == dict(bridge.targets(APART))


LIES: list[tuple[Any, tuple[str, ...], type[Unavailable]]] = [
    (checksum(WETH.address), ("action", "fromToken", "address"), Contradicted),
    (checksum(FAR_WETH.address), ("action", "toToken", "address"), Contradicted),
    (10, ("action", "fromChainId"), Contradicted),
    (10, ("action", "toChainId"), Contradicted),
    (str(RAW + 1), ("action", "fromAmount"), Contradicted),
    (ROBBER, ("transactionRequest", "to"), Contradicted),
    (10, ("transactionRequest", "chainId"), Contradicted),
    ("0x1", ("transactionRequest", "value"), Contradicted),
    (ROBBER, ("estimate", "approvalAddress"), Contradicted),
    (str(RAW + 1), ("estimate", "toAmount"), Contradicted),
    (str(OUT + 1), ("estimate", "toAmountMin"), Contradicted),
    ("0", ("estimate", "toAmountMin"), Contradicted),
    ("NaN", ("estimate", "toAmount"), ProviderSilent),
    (10**9, ("estimate", "executionDuration"), ProviderSilent),
    (None, ("transactionRequest", "data"), ProviderSilent),
    ("0x1794958f00", ("transactionRequest", "data"), NoRoute),
]


@pytest.mark.parametrize(("value", "path", "kind"), LIES)
def test_answer_that_lies_is_the_error_that_fits(
    value: Any, path: tuple[str, ...], kind: type[Unavailable]
) -> None:
    with (
        replaying({"/quote": (200, changed(value, *path))}) as replay,
        pytest.raises(Unavailable) as caught,
    ):
        ask(replay)
    assert kind is type(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"message": "No available quotes", "code": 1002}, NoRoute),
        (404, {"message": "not found", "code": 1003}, NoRoute),
        (400, {"message": "too often", "code": 1005}, ProviderSilent),
        (400, {"message": "/fromToken must be", "code": 1011}, Rejected),
        (400, ["no object"], Rejected),
        (200, ["no object"], ProviderSilent),
        (429, {}, ProviderSilent),
        (500, {}, ProviderSilent),
        (200, b'{"action": {"fromTok', ProviderSilent),
    ],
)
def test_no_of_its_server_is_the_error_that_fits(
    status: int, body: Any, kind: type[Unavailable]
) -> None:
    with replaying({"/quote": (status, body)}) as replay, pytest.raises(Unavailable) as caught:
        ask(replay)
    assert kind is type(caught.value)


def test_refused_key_is_said_by_its_variable() -> None:
    with (
        replaying({"/quote": (401, {"message": f"invalid key {KEY}"})}) as replay,
        pytest.raises(Rejected) as caught,
    ):
        ask(replay, key=KEY)
    assert "check the key in LIFI_API_KEY" == caught.value.fix
    assert KEY not in caught.value.message


def test_recorded_answer_with_its_own_fee_first_is_no_way_that_can_be_read() -> None:
    body = recorded("venues", "lifi")["quote"]["body"]
    said = Call(NEAR, DIAMOND, 0, body["transactionRequest"]["data"])
    assert isinstance(meaning(said, LAYOUTS, account=ME), Refusal)


# What the bytes mean.


def test_deposit_means_what_both_halves_say() -> None:
    m = read()
    assert isinstance(m, Meaning), m
    assert (USDC.address, RAW, FAR_USDC.address, OUT) == (m.sell, m.amount_in, m.buy, m.min_out)
    assert (ME, ME, FAR, NOW + 7_200) == (m.recipient, m.refund, m.to_chain, m.fill_deadline)
    assert (False, False, 0) == (m.unread, m.lasting, m.fee)


@pytest.mark.parametrize(
    ("bridged", "deposited"),
    [
        ({"receiver": ROBBER}, {}),
        ({}, {"recipient": word(ROBBER)}),
        ({"sold": WETH.address}, {}),
        ({}, {"sold": word(WETH.address)}),
        # The gas coin: the halves name it by two addresses, and only Across knows the second.
        ({"sold": NOBODY}, {"sold": word(WETH.address)}),
        ({"swaps": True}, {}),
        ({"calls": True}, {}),
        ({}, {"relayer": word(ROBBER)}),
        ({}, {"exclusivity": 1}),
        ({}, {"message": b"\0"}),
        ({}, {"refund": b"\1" * 32}),
        ({"receiver": ME}, {"recipient": b"\1" + word(ME)[1:]}),
    ],
)
def test_deposit_that_says_more_or_contradicts_itself_is_not_understood(
    bridged: dict[str, Any], deposited: dict[str, Any]
) -> None:
    found = read(bridged, deposited)
    assert isinstance(found, Refusal)
    assert "G101" == found.code


def test_names_number_referrer_and_multiplier_change_nothing() -> None:
    told = {"id": b"\2" * 32, "bridge": "x", "integrator": "y", "referrer": ROBBER}
    assert read() == read(told, {"multiplier": 0})
