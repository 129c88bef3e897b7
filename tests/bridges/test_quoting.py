"""Offers of Across: our own amount out of an honest fee, and nothing out of a dishonest one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bridge_rigs import FAR, NEAR, WALLET, Crossing, chain_options
from fee_server import GAS_FEE, honest_output

from agent.bridges.across import APPROVAL_GAS, DEPOSIT_GAS, OwnFee, make
from agent.core.money import Address, Bps, ChainId, Token
from agent.core.quote import Allowance, Call, Meaning
from agent.errors import AgentError, BadReply, Contradicted, NoRoute, ProviderSilent, Rejected
from agent.lab.accounts import ATTENDANT
from agent.lab.puppet import tx
from agent.ports import AdapterIo
from agent.wire.calldata import meaning
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient

RAW = 4_150 * 10**6
ETHER = 10**18
OWN = OwnFee(bps=Bps(8), fixed=lambda _token: 500_000)


def meant(crossing: Crossing, call: Call) -> Meaning:
    said = meaning(call, crossing.bridge.layouts, account=WALLET)
    assert isinstance(said, Meaning)
    return said


def test_quote_is_everything_but_the_fee_to_our_own_wallet(crossing: Crossing) -> None:
    leg = crossing.leg("USDC", "USDC", RAW)
    quote = crossing.quote(leg)
    now = crossing.nodes[NEAR].block().timestamp
    out = honest_output(RAW)
    assert (out, out, leg.sell.token, leg.buy) == (
        quote.amount_out,
        quote.min_amount_out,
        quote.sell.token,
        quote.buy,
    )
    pool = Address(crossing.worlds[NEAR].place.spoke_pool)
    assert (Allowance(pool, quote.sell),) == quote.allowances
    assert isinstance(quote.payload, Call)
    said = meant(crossing, quote.payload)
    assert (pool, 0, WALLET, WALLET) == (said.target, said.value, said.recipient, said.refund)
    assert (RAW, out, FAR, now + 7_200) == (
        said.amount_in,
        said.min_out,
        said.to_chain,
        said.fill_deadline,
    )
    assert now + 300 == quote.expires
    assert DEPOSIT_GAS == quote.gas


@pytest.mark.parametrize("symbol", ["USDC", "ETH"])
def test_gas_of_an_edge_is_what_a_first_deposit_takes(crossing: Crossing, symbol: str) -> None:
    raw = RAW if symbol == "USDC" else ETHER
    # Not all of it: to empty an account's balance is cheaper.
    crossing.worlds[NEAR].fund(WALLET, {symbol: 2 * raw})
    leg = crossing.leg(symbol, symbol, raw)
    (edge,) = surveyed(crossing, symbol, symbol, raw)
    deposit = crossing.deposit(leg).gas_used + (APPROVAL_GAS if symbol == "USDC" else 0)
    assert abs(edge.gas - deposit) < edge.gas // 100


def test_server_is_asked_once_in_its_documented_words(crossing: Crossing) -> None:
    crossing.quote(crossing.leg("USDC", "USDC", RAW))
    assert ["/api/suggested-fees"] == crossing.fees.paths
    (asked,) = crossing.fees.asked
    assert {
        "inputToken": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        "outputToken": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
        "originChainId": "1",
        "destinationChainId": "8453",
        "amount": str(RAW),
    } == asked


def test_gas_coin_goes_along_as_value_without_an_allowance(crossing: Crossing) -> None:
    quote = crossing.quote(crossing.leg("ETH", "ETH", ETHER))
    assert isinstance(quote.payload, Call)
    assert ((), ETHER) == (quote.allowances, quote.payload.value)
    wrapped = crossing.quote(crossing.leg("WETH", "ETH", ETHER))
    assert isinstance(wrapped.payload, Call)
    assert (ETHER, 0) == (wrapped.allowances[0].amount.raw, wrapped.payload.value)
    assert quote.payload.data == wrapped.payload.data


def test_deadline_is_by_the_later_clock_within_what_the_near_pool_takes(
    crossing: Crossing,
) -> None:
    leg = crossing.leg("USDC", "USDC", RAW)
    near = crossing.nodes[NEAR].block().timestamp
    for ahead, expected in ((1_000, 8_200), (20_000, 21_600)):
        crossing.worlds[FAR].set_time(near + ahead)
        quote = crossing.quote(leg)
        assert isinstance(quote.payload, Call)
        assert near + expected == meant(crossing, quote.payload).fill_deadline


@pytest.mark.parametrize(
    ("sell", "buy"),
    [("USDC", "USDT"), ("ETH", "WETH"), ("WETH", "WETH"), ("USDC", "ETH"), ("ETH", "USDC")],
)
def test_pair_that_is_not_one_asset_has_no_route(crossing: Crossing, sell: str, buy: str) -> None:
    with pytest.raises(NoRoute, match="does not know this pair"):
        crossing.quote(crossing.leg(sell, buy, RAW))
    assert [] == crossing.fees.asked


def test_pair_on_one_chain_or_an_unknown_one_has_no_route(crossing: Crossing) -> None:
    leg = crossing.leg("USDC", "USDC", RAW)
    for buy in (leg.sell.token, Token(ChainId(10), leg.buy.address, 6, "USDC")):
        with pytest.raises(NoRoute):
            crossing.quote(replace(leg, buy=buy))
    with pytest.raises(NoRoute):
        crossing.quote(crossing.leg("USDC", "USDC", 0))


# What the server may say.

Forge = Callable[[dict[str, Any]], Any]


def at(path: str, value: Any) -> Forge:
    """An honest answer with one field changed, or taken away for `...`."""

    def forge(answer: dict[str, Any]) -> Any:
        *parents, last = path.split(".")
        inner = answer
        for name in parents:
            inner = inner[name]
        inner[last] = value
        if value is ...:
            del inner[last]
        return answer

    return forge


BAD = "0x" + "bad0" * 10
CONTRADICTIONS: dict[str, Forge] = {
    "another pool": at("spokePoolAddress", BAD),
    "another far pool": at("destinationSpokePoolAddress", BAD),
    "a pool that is no address": at("spokePoolAddress", 7),
    "another token": at("inputToken.address", BAD),
    "another far token": at("outputToken.address", BAD),
    "another chain": at("inputToken.chainId", 10),
    "another far chain": at("outputToken.chainId", "10"),
    "other decimals": at("outputToken.decimals", 18),
    "a negative fee": at("totalRelayFee.total", "-1"),
    "a fee of all": at("totalRelayFee.total", str(RAW)),
    "more out than in": at("outputAmount", str(RAW + 1)),
    "more out than the fee leaves": at("outputAmount", str(honest_output(RAW) + 1)),
    "nothing out": at("outputAmount", "0"),
    "a deadline that is over": at("fillDeadline", "1600000000"),
}
NONSENSE: dict[str, Forge] = {
    "no object": lambda _: [],
    "no fee": at("totalRelayFee", ...),
    "a fee that is no table": at("totalRelayFee", "9649"),
    "a fee of words": at("totalRelayFee.total", "some"),
    "a fee with a fraction": at("totalRelayFee.total", "9649.5"),
    "a fee as a fraction": at("totalRelayFee.total", 0.5),
    "a fee that is true": at("totalRelayFee.total", True),
    "a fee with a plus": at("totalRelayFee.total", "+9649"),
    "a fee in hex": at("totalRelayFee.total", "0x25b1"),
    "a fee without end": at("totalRelayFee.total", "9" * 79),
    "a time without end": at("estimatedFillTimeSec", 10**9),
    "a negative time": at("estimatedFillTimeSec", -1),
    "limits without figures": at("limits", {}),
    "a gas fee of words": at("relayerGasFee.total", "some"),
}


def failed(crossing: Crossing, kind: type[AgentError]) -> AgentError:
    with pytest.raises(kind) as caught:
        crossing.quote(crossing.leg("USDC", "USDC", RAW))
    leg = crossing.leg("USDC", "USDC", RAW)
    routes = [(leg.sell.token, leg.buy)]
    assert () == crossing.bridge.survey(routes, {leg.sell.token: RAW}) or _only_late(caught.value)
    return caught.value


def _only_late(error: AgentError) -> bool:
    """A deadline is compared only when something is to be signed."""
    return "deadline" in error.message


@pytest.mark.parametrize("lie", CONTRADICTIONS)
def test_answer_that_contradicts_what_is_known_is_worthless(crossing: Crossing, lie: str) -> None:
    crossing.fees.forge = CONTRADICTIONS[lie]
    told = failed(crossing, Contradicted)
    assert ("N108", True) == (told.code, told.nothing_signed)
    assert told.message.startswith("Across's fee server contradicts what is known: ")


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_answer_that_cannot_be_meant_is_silence(crossing: Crossing, nonsense: str) -> None:
    crossing.fees.forge = NONSENSE[nonsense]
    assert "N109" == failed(crossing, ProviderSilent).code


def raw(body: bytes) -> Callable[[Any], None]:
    def write(handler: Any) -> None:
        handler.wfile.write(body)

    return write


def slow(handler: Any) -> None:
    time.sleep(0.6)
    handler.wfile.write(b"")


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a": NaN}'),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n"),
        raw(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        raw(b"nonsense\r\n\r\n"),
        raw(b""),
        slow,
    ],
    ids=["cut off", "NaN", "huge", "elsewhere", "no HTTP", "nothing", "late"],
)
def test_server_that_does_not_answer_is_silent(
    crossing: Crossing, answer: Callable[[Any], None]
) -> None:
    crossing.fees.raw = answer
    http = HttpClient(retries=0, timeout_seconds=0.4)
    crossing.bridge = make(crossing.options(), AdapterIo(dict(crossing.nodes), SystemClock(), http))
    failed(crossing, ProviderSilent)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_that_is_out_of_order_is_silent(crossing: Crossing, status: int) -> None:
    crossing.fees.status = status
    assert f"HTTP status {status}" in failed(crossing, ProviderSilent).message


def test_server_that_says_no_is_not_overruled(crossing: Crossing) -> None:
    crossing.fees.status = 400
    crossing.fees.forge = lambda _: json.loads('{"code": "AMOUNT_TOO_LOW", "message": "too low"}')
    crossing.bridge = make(crossing.options(fee=OWN), crossing.io)
    told = failed(crossing, Rejected)
    assert ("N110", True) == (told.code, "too low" in told.message)


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (at("isAmountTooLow", True), "too low for a relayer"),
        (at("limits.minDeposit", str(RAW + 1)), "takes from"),
        (at("limits.maxDeposit", str(RAW - 1)), "takes from"),
    ],
)
def test_amount_beyond_the_limits_has_no_route(crossing: Crossing, forge: Forge, why: str) -> None:
    crossing.fees.forge = forge
    with pytest.raises(NoRoute, match=why):
        crossing.quote(crossing.leg("USDC", "USDC", RAW))


def test_amount_that_the_fee_would_eat_up_has_no_route(crossing: Crossing) -> None:
    with pytest.raises(NoRoute, match="too low for a relayer"):
        crossing.quote(crossing.leg("USDC", "USDC", GAS_FEE))
    crossing.bridge = make(crossing.options(api=None, fee=OWN), crossing.io)
    with pytest.raises(NoRoute, match="would keep all of it"):
        crossing.quote(crossing.leg("USDC", "USDC", 500_000))


def test_server_that_offers_less_than_its_fee_leaves_is_believed(crossing: Crossing) -> None:
    crossing.fees.forge = at("outputAmount", str(honest_output(RAW) - 7))
    assert honest_output(RAW) - 7 == crossing.quote(crossing.leg("USDC", "USDC", RAW)).amount_out


@pytest.mark.parametrize("name", ["outputAmount", "limits", "estimatedFillTimeSec", "fillDeadline"])
def test_answer_may_leave_out_what_is_known_anyway(crossing: Crossing, name: str) -> None:
    crossing.fees.forge = at(name, ...)
    assert honest_output(RAW) == crossing.quote(crossing.leg("USDC", "USDC", RAW)).amount_out


# The owner's own fee.


def test_own_fee_counts_where_no_server_is_asked(crossing: Crossing) -> None:
    crossing.bridge = make(crossing.options(api=None, fee=OWN), crossing.io)
    quote = crossing.quote(crossing.leg("USDC", "USDC", RAW))
    assert RAW - 500_000 - RAW * 8 // 10_000 == quote.amount_out
    assert [] == crossing.fees.asked


def test_own_fee_counts_where_the_server_is_silent(crossing: Crossing) -> None:
    crossing.bridge = make(crossing.options(fee=OWN), crossing.io)
    crossing.fees.status = 503
    quote = crossing.quote(crossing.leg("USDC", "USDC", RAW))
    assert RAW - 500_000 - RAW * 8 // 10_000 == quote.amount_out


def test_own_fee_does_not_overrule_a_server_that_lies(crossing: Crossing) -> None:
    crossing.bridge = make(crossing.options(fee=OWN), crossing.io)
    crossing.fees.forge = at("spokePoolAddress", BAD)
    failed(crossing, Contradicted)


def test_without_a_fee_there_is_no_offer(crossing: Crossing) -> None:
    for fee in (None, replace(OWN, fixed=lambda _token: None)):
        crossing.bridge = make(crossing.options(api=None, fee=fee), crossing.io)
        failed(crossing, NoRoute)


# What the pools say.


@pytest.mark.parametrize(
    ("chain", "call"), [(NEAR, "pauseDeposits(bool)"), (FAR, "pauseFills(bool)")]
)
def test_paused_pool_has_no_route(crossing: Crossing, chain: ChainId, call: str) -> None:
    pool = crossing.worlds[chain].place.spoke_pool
    crossing.puppet(chain, ATTENDANT).send(tx(pool, call, True))
    with pytest.raises(NoRoute, match="is paused"):
        crossing.quote(crossing.leg("USDC", "USDC", RAW))
    assert [] == crossing.fees.asked


def test_pool_that_wraps_another_coin_has_no_route(crossing: Crossing) -> None:
    chains = dict(crossing.options().chains)
    odd = replace(chains[FAR].wrapped, address=Address("0x" + "0d" * 20))
    chains[FAR] = replace(chains[FAR], wrapped=odd)
    crossing.bridge = make(crossing.options(chains=chains), crossing.io)
    with pytest.raises(NoRoute, match="wraps another coin"):
        crossing.quote(crossing.leg("USDC", "USDC", RAW))


def test_address_without_a_pool_is_a_bad_reply(crossing: Crossing) -> None:
    chains = dict(crossing.options().chains)
    chains[NEAR] = replace(chains[NEAR], spoke_pool=chains[NEAR].wrapped.address)
    crossing.bridge = make(crossing.options(chains=chains), crossing.io)
    with pytest.raises(BadReply, match="does not answer depositQuoteTimeBuffer"):
        crossing.quote(crossing.leg("USDC", "USDC", RAW))


# Ladders.


def surveyed(crossing: Crossing, sell: str, buy: str, size: int) -> Any:
    pair = (crossing.token(NEAR, sell), crossing.token(FAR, buy))
    return crossing.bridge.survey([pair], {pair[0]: size})


def test_ladder_is_the_fee_at_every_size_with_one_question(crossing: Crossing) -> None:
    (edge,) = surveyed(crossing, "USDC", "USDC", RAW)
    assert ("across", RAW, honest_output(RAW)) == (edge.via, *edge.ladder[-1])
    assert (8, 3, 1) == (len(edge.ladder), edge.seconds, len(crossing.fees.asked))
    for sold, bought in edge.ladder:
        assert 0 <= honest_output(sold) - bought <= 1
    assert (146_000, 750) == (edge.gas, edge.data_bytes)
    (coin,) = surveyed(crossing, "ETH", "ETH", ETHER)
    assert (78_400, 560) == (coin.gas, coin.data_bytes)


def test_ladder_stays_within_the_limits(crossing: Crossing) -> None:
    def forge(answer: dict[str, Any]) -> Any:
        return at("limits.maxDeposit", str(RAW // 2))(
            at("limits.minDeposit", str(RAW // 20))(answer)
        )

    crossing.fees.forge = forge
    (edge,) = surveyed(crossing, "USDC", "USDC", RAW)
    sizes = [sold for sold, _ in edge.ladder]
    assert (RAW // 2, True) == (sizes[-1], sizes[0] >= RAW // 20)
    assert 4 == len(sizes)


def test_size_that_is_refused_is_asked_for_in_part(crossing: Crossing) -> None:
    crossing.fees.refuse = lambda query: int(query["amount"]) == RAW
    crossing.fees.forge = at("limits", ...)
    (edge,) = surveyed(crossing, "USDC", "USDC", RAW)
    assert RAW // 8 == edge.ladder[-1][0]
    assert [str(RAW), str(RAW // 8)] == [asked["amount"] for asked in crossing.fees.asked]


def test_routes_that_it_does_not_serve_are_no_edges(crossing: Crossing) -> None:
    assert () == surveyed(crossing, "USDC", "USDT", RAW)
    assert () == surveyed(crossing, "USDC", "USDC", 0)
    assert () == surveyed(crossing, "USDC", "USDC", GAS_FEE)
    assert () == crossing.bridge.survey([], {})
    crossing.bridge = make(crossing.options(api=None), crossing.io)
    assert () == surveyed(crossing, "USDC", "USDC", RAW)
    crossing.bridge = make(crossing.options(api=None, fee=OWN), crossing.io)
    assert () == surveyed(crossing, "USDC", "USDC", 500_000)


def test_silent_route_does_not_hide_the_others(crossing: Crossing) -> None:
    def forge(answer: dict[str, Any]) -> Any:
        usdc = crossing.token(NEAR, "USDC").address
        return [] if answer["inputToken"]["address"].lower() == usdc else answer

    crossing.fees.forge = forge
    pairs = [(crossing.token(NEAR, each), crossing.token(FAR, each)) for each in ("USDC", "USDT")]
    edges = crossing.bridge.survey(pairs, {sell: RAW for sell, _ in pairs})
    assert ["USDT"] == [edge.sell.symbol for edge in edges]


def test_targets_are_the_pools_with_their_code(crossing: Crossing) -> None:
    for chain, world in crossing.worlds.items():
        pinned = chain_options(world).code_hash
        assert {world.place.spoke_pool: pinned} == dict(crossing.bridge.targets(chain))
    assert {} == crossing.bridge.targets(ChainId(10))
