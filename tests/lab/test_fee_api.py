"""The fee API of local chains: Across' format, honest figures, and lies on order."""

import json
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pytest
from lab.reading import ALICE

from agent.core.money import Address
from agent.errors import PortInUse, SetupFailed
from agent.lab.attendance import order
from agent.lab.attendant import Attendant
from agent.lab.desk import Desk
from agent.lab.fee_api import FORGED_SPOKE_POOL, FORGERIES
from agent.lab.relayer import Terms
from agent.lab.worlds import Worlds
from agent.wire.address import checksum

AMOUNT = 4_150 * 10**6

# The fields of a recorded answer, docs.across.to, `GET /suggested-fees`.
FORM = {
    "estimatedFillTimeSec": int,
    "capitalFeePct": str,
    "capitalFeeTotal": str,
    "relayGasFeePct": str,
    "relayGasFeeTotal": str,
    "relayFeePct": str,
    "relayFeeTotal": str,
    "lpFeePct": str,
    "timestamp": str,
    "isAmountTooLow": bool,
    "quoteBlock": str,
    "exclusiveRelayer": str,
    "exclusivityDeadline": int,
    "spokePoolAddress": str,
    "destinationSpokePoolAddress": str,
    "totalRelayFee": dict,
    "relayerCapitalFee": dict,
    "relayerGasFee": dict,
    "lpFee": dict,
    "internalizedSwapFee": dict,
    "limits": dict,
    "fillDeadline": str,
    "outputAmount": str,
    "inputToken": dict,
    "outputToken": dict,
    "id": str,
}


def ask(worlds: Worlds, **changed: object) -> tuple[int, dict]:
    question = {
        "inputToken": checksum(Address(worlds[1].addresses["USDC"])),
        "outputToken": worlds[8453].addresses["USDC"],
        "originChainId": 1,
        "destinationChainId": 8453,
        "amount": AMOUNT,
        "recipient": ALICE,
        **changed,
    }
    return get(f"{worlds.fee_api}/suggested-fees?{urlencode(question)}")


def get(url: str, body: bytes | None = None) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_answer_has_the_fields_of_the_real_one(worlds: Worlds) -> None:
    status, found = ask(worlds)
    assert (200, FORM) == (status, {name: type(value) for name, value in found.items()})
    assert {"pct", "total"} == set(found["totalRelayFee"])
    assert ["minDeposit", "maxDeposit", "maxDepositInstant", "maxDepositShortDelay"] == list(
        found["limits"]
    )[:4]
    assert {
        "address": checksum(Address(worlds[8453].addresses["USDC"])),
        "symbol": "USDC",
        "decimals": 6,
        "chainId": 8453,
    } == found["outputToken"]
    assert worlds[1].place.spoke_pool == found["spokePoolAddress"].lower()
    assert worlds[8453].place.spoke_pool == found["destinationSpokePoolAddress"].lower()


def approval(worlds: Worlds, **changed: object) -> tuple[int, dict]:
    question = {
        "tradeType": "exactInput",
        "inputToken": checksum(Address(worlds[1].addresses["USDC"])),
        "outputToken": worlds[8453].addresses["USDC"],
        "originChainId": 1,
        "destinationChainId": 8453,
        "amount": AMOUNT,
        "depositor": ALICE,
        "recipient": ALICE,
        **changed,
    }
    return get(f"{worlds.fee_api}/swap/approval?{urlencode(question)}")


def test_newer_endpoint_says_the_same_in_its_own_words(worlds: Worlds) -> None:
    (status, found), (_, older) = approval(worlds), ask(worlds)
    bridge = found["steps"]["bridge"]
    assert (200, "bridgeableToBridgeable", "across") == (
        status,
        found["crossSwapType"],
        bridge["provider"],
    )
    assert older["totalRelayFee"] == bridge["fees"]["totalRelay"]
    assert older["relayerGasFee"] == bridge["fees"]["relayerGas"]
    outputs = (bridge["outputAmount"], found["expectedOutputAmount"], found["minOutputAmount"])
    assert (older["outputAmount"],) * 3 == outputs
    assert str(AMOUNT) == bridge["inputAmount"]
    assert worlds[1].place.spoke_pool == found["swapTx"]["to"].lower()
    assert "AMOUNT_TOO_LOW" == approval(worlds, amount=15_599)[1]["code"]


def test_fee_is_two_bps_and_the_gas_of_a_fill(chains: Worlds) -> None:
    _, found = ask(chains)
    # 130,000 gas at 0.01 gwei and 3,000 USD for one ether.
    assert ("830000", "3900") == (found["capitalFeeTotal"], found["relayGasFeeTotal"])
    assert str(833_900) == found["totalRelayFee"]["total"] == found["relayFeeTotal"]
    assert str(833_900 * 10**18 // AMOUNT) == found["totalRelayFee"]["pct"]
    assert str(AMOUNT - 833_900) == found["outputAmount"]
    now = max(world.head()[1] for world in chains.values())
    assert str(now + 7_200) == found["fillDeadline"]
    assert chains[1].head()[1] == int(found["timestamp"])


def test_fee_follows_the_price_of_gas(chains: Worlds) -> None:
    chains[8453].set_price("ETH", chains[8453].price("ETH") * 2)
    assert "7800" == ask(chains)[1]["relayGasFeeTotal"]


def test_fill_on_ethereum_is_dear(worlds: Worlds) -> None:
    there = {"originChainId": 42161, "destinationChainId": 1}
    tokens = {
        "inputToken": worlds[42161].addresses["WBTC"],
        "outputToken": worlds[1].addresses["WBTC"],
    }
    _, found = ask(worlds, **there, **tokens, amount=10**8)
    # 0.00065 ether are 1.95 USD, which are 3,250 of 10^8 at 60,000 USD.
    assert "3250" == found["relayGasFeeTotal"]


@pytest.mark.parametrize(
    ("changed", "code", "parameter"),
    [
        ({"amount": "1.5"}, "INVALID_PARAM", "amount"),
        ({"amount": "-5"}, "INVALID_PARAM", "amount"),
        ({"amount": ""}, "INVALID_PARAM", "amount"),
        ({"amount": "9" * 80}, "INVALID_PARAM", "amount"),
        ({"inputToken": "USDC"}, "INVALID_PARAM", "inputToken"),
        ({"outputToken": "0x" + "be" * 20}, "INVALID_PARAM", "inputToken"),
        ({"destinationChainId": 10}, "INVALID_PARAM", "inputToken"),
        ({"destinationChainId": 1}, "INVALID_PARAM", "inputToken"),
        ({"amount": 15_599}, "AMOUNT_TOO_LOW", "amount"),
        ({"amount": 10**20}, "AMOUNT_TOO_HIGH", "amount"),
    ],
)
def test_question_that_has_no_answer_is_an_error_of_the_real_ones_form(
    worlds: Worlds, changed: dict[str, object], code: str, parameter: str
) -> None:
    status, found = ask(worlds, **changed)
    assert (400, 400) == (status, found["status"])
    assert ("AcrossApiError", code, parameter) == (found["type"], found["code"], found["param"])
    assert found["message"]


def test_next_answers_are_forged_and_the_one_after_them_is_not(chains: Worlds) -> None:
    _, honest = ask(chains)
    chains.forge("fee", 2)
    for left in (1, 0):
        _, found = ask(chains)
        assert AMOUNT * 30 // 100 == int(found["totalRelayFee"]["total"])
        assert AMOUNT * 70 // 100 == int(found["outputAmount"])
        assert left == chains.state()["forgeries_left"]
    assert honest["outputAmount"] == ask(chains)[1]["outputAmount"]


@pytest.mark.parametrize(
    ("way", "place", "lie"),
    [
        ("spoke", ("spokePoolAddress",), FORGED_SPOKE_POOL),
        ("nan", ("totalRelayFee", "total"), "NaN"),
        ("huge", ("totalRelayFee", "total"), str(10**60)),
        ("token", ("outputToken", "address"), FORGED_SPOKE_POOL),
    ],
)
def test_forgery_lies_in_its_way(
    chains: Worlds, way: str, place: tuple[str, ...], lie: str
) -> None:
    chains.forge(way)
    _, found = ask(chains)
    for key in place:
        found = found[key]
    assert lie == found


def test_every_way_of_forging_is_tried() -> None:
    assert {"fee", "spoke", "nan", "huge", "token"} == set(FORGERIES)


@pytest.mark.parametrize(
    "told", [("forge", "kindness"), ("relay", "often"), ("halt", 10), ("sing",), ("forge",)]
)
def test_order_that_makes_no_sense_is_an_error(worlds: Worlds, told: tuple[object, ...]) -> None:
    with pytest.raises(SetupFailed, match=f"did not take the order {told[0]}: no such order"):
        order(worlds.desk_url, *told)


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{}"])
def test_body_that_is_no_order_is_an_error(worlds: Worlds, body: bytes) -> None:
    status, found = get(f"{worlds.desk_url}/orders", body)
    assert (200, -32602) == (status, found["error"]["code"])


def test_other_paths_are_not_there(worlds: Worlds) -> None:
    assert 404 == get(f"{worlds.desk_url}/api/limits")[0]
    assert 404 == get(f"{worlds.desk_url}/api/suggested-fees", b"{}")[0]


def test_chain_that_does_not_answer_makes_the_api_fail(
    chains: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    attendant = chains._attendant
    assert attendant is not None

    def fail(*_: object) -> None:
        raise SetupFailed("it is down", fix="none")

    monkeypatch.setattr(attendant.branches[8453], "puppet", type("Down", (), {"rpc": fail})())
    assert (502, "it is down") == (ask(chains)[0], ask(chains)[1]["message"])


def test_desk_on_a_taken_port_is_an_error_with_a_fix(worlds: Worlds) -> None:
    attendant = Attendant({}, Terms())
    with pytest.raises(PortInUse, match="is in use") as problem:
        Desk(attendant.fees, {}, attendant.obey, int(worlds.desk_url.rpartition(":")[2]))
    assert "choose another port" in problem.value.fix
