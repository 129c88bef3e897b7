"""Offers of Stargate's real pools: what crosses, for what fee, and when it does not."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from stargate_rigs import ENDPOINT, FACTS, FAR, NEAR, OTHER, WALLET, Passing

from agent.bridges.stargate import APPROVAL_GAS, COIN_GAS, SEND_GAS, make
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Allowance, Call, Meaning
from agent.errors import BadReply, Contradicted, NoRoute, Unavailable
from agent.lab.providers.stargate import MESSAGE_FEE
from agent.wire.calldata import meaning

RAW = 4_150 * 10**6
OUT = 4_147_509_999
"""After six basis points, which the pool rounds up by one unit."""

ETHER = 10**18
DUST = 123_456_789
"""Wei that messages have no decimals for."""


def meant(passing: Passing, call: object) -> Meaning:
    assert isinstance(call, Call)
    said = meaning(call, passing.bridge.layouts, account=WALLET)
    assert isinstance(said, Meaning), said
    return said


def surveyed(passing: Passing, symbol: str, raw: int) -> Any:
    leg = passing.leg(symbol, raw)
    return passing.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: raw})


# Surveys.


def test_ladder_is_what_the_pool_says_of_each_size(passing: Passing) -> None:
    (edge,) = surveyed(passing, "USDC", RAW)
    assert [
        (RAW >> step, (RAW >> step) - (RAW >> step) * 6 // 10_000 - 1) for step in (2, 1, 0)
    ] == (list(edge.ladder[-3:]))
    assert 8 == len(edge.ladder)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(edge.ladder))
    assert (MESSAGE_FEE, 225, 0) == (edge.fee, edge.seconds, edge.far_gas)
    assert SEND_GAS + APPROVAL_GAS == edge.gas


@pytest.mark.parametrize("symbol", ["USDC", "ETH"])
def test_gas_of_an_edge_is_what_a_transfer_takes(passing: Passing, symbol: str) -> None:
    raw = RAW if symbol == "USDC" else ETHER
    passing.worlds[NEAR].fund(WALLET, {symbol: 2 * raw})
    used = passing.deposit(passing.leg(symbol, raw)).gas_used
    assert abs((SEND_GAS if symbol == "USDC" else COIN_GAS) - used) < used // 100


def test_ladder_ends_at_what_the_path_has_credit_for(passing: Passing) -> None:
    passing.tell("credit", NEAR, "USDC", FAR, 10**9)
    (edge,) = surveyed(passing, "USDC", RAW)
    assert (10**9, 10**9 - 600_001) == edge.ladder[-1]
    with pytest.raises(NoRoute, match="lets no more than 1000000000 base units through now"):
        passing.quote(passing.leg("USDC", RAW))


def test_path_without_credit_has_no_edge_and_no_route(passing: Passing) -> None:
    passing.tell("credit", NEAR, "USDC", FAR, 0)
    assert () == surveyed(passing, "USDC", RAW)
    with pytest.raises(NoRoute, match="lets no more than 0 base units through now"):
        passing.quote(passing.leg("USDC", RAW))
    assert OUT == passing.quote(passing.leg("USDC", RAW, far=OTHER)).amount_out


def test_reward_that_the_path_has_no_credit_for_has_no_route(passing: Passing) -> None:
    passing.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    passing.deposit(passing.leg("USDC", RAW))
    passing.deliver()
    passing.deposit(passing.leg("USDC", RAW // 2, near=FAR, far=OTHER))
    there = passing.leg("USDC", 10**6, near=FAR, far=NEAR)
    passing.tell("fee", FAR, "USDC", NEAR, 600, 600)
    assert 10**6 + 600 == passing.quote(there).amount_out
    passing.tell("credit", FAR, "USDC", NEAR, 10**6)
    with pytest.raises(NoRoute, match="lets no more than 1000000 base units through now"):
        passing.quote(there)


@pytest.mark.parametrize("side", [NEAR, FAR])
def test_paused_pool_has_no_route(passing: Passing, side: ChainId) -> None:
    passing.tell("pause", side, "USDC")
    with pytest.raises(NoRoute, match="is paused"):
        passing.quote(passing.leg("USDC", RAW))
    assert (side == NEAR) == (surveyed(passing, "USDC", RAW) == ())


def test_path_that_messages_do_not_go_has_no_edge(passing: Passing) -> None:
    facts = deepcopy(FACTS)
    facts[FAR]["eid"] = 30_999
    bridge = make(passing.options(facts), passing.io)
    leg = passing.leg("USDC", RAW)
    assert () == bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})


def test_silent_node_is_no_edge_and_no_no(passing: Passing) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise Unavailable("nobody answers", fix="wait")

    passing.nodes[NEAR].read = silent  # type: ignore[method-assign]
    assert () == surveyed(passing, "USDC", RAW)
    with pytest.raises(Unavailable, match="nobody answers"):
        passing.quote(passing.leg("USDC", RAW))


@pytest.mark.parametrize("raw", [0, -1])
def test_nothing_is_no_edge_and_no_route(passing: Passing, raw: int) -> None:
    assert () == surveyed(passing, "USDC", raw)
    with pytest.raises(NoRoute, match="does not know this pair"):
        passing.quote(passing.leg("USDC", raw))


def test_pair_that_is_not_one_asset_has_no_route(passing: Passing) -> None:
    leg = passing.leg("USDC", RAW)
    others = [
        passing.token(FAR, "USDT"),
        passing.token(FAR, "ETH"),
        passing.token(NEAR, "USDC"),
        replace(leg.buy, chain=ChainId(424_242)),
    ]
    for buy in others:
        assert () == passing.bridge.survey([(leg.sell.token, buy)], {leg.sell.token: RAW})
        with pytest.raises(NoRoute, match="does not know this pair"):
            passing.quote(replace(leg, buy=buy))
    with pytest.raises(NoRoute, match="does not know this pair"):
        passing.quote(passing.leg("WETH", ETHER))


def test_asset_that_counts_differently_on_the_far_chain_has_no_route(passing: Passing) -> None:
    options = passing.options()
    far = options.chains[FAR]
    token = replace(far.tokens["USDC"], decimals=18)
    chains = {**options.chains, FAR: replace(far, tokens={**far.tokens, "USDC": token})}
    bridge = make(replace(options, chains=chains), passing.io)
    leg = passing.leg("USDC", RAW)
    assert () == bridge.survey([(leg.sell.token, token)], {leg.sell.token: RAW})
    said = meaning(passing.quote(leg).payload, bridge.layouts, account=WALLET)  # type: ignore[arg-type]
    assert isinstance(said, Meaning)
    assert said.buy is None


def test_pool_of_an_asset_that_is_not_known_is_left_out(passing: Passing) -> None:
    options = passing.options()
    near = options.chains[NEAR]
    known = {"USDC": near.tokens["USDC"], "WETH": Token(NEAR, Address("0x1"), 18, "WETH")}
    chains = {**options.chains, NEAR: replace(near, tokens=known)}
    bridge = make(replace(options, chains=chains), passing.io)
    pools = FACTS[NEAR]["pools"]
    assert {pools["USDC"], ENDPOINT} == set(bridge.targets(NEAR))
    assert {*pools.values(), ENDPOINT} == set(passing.bridge.targets(NEAR))
    assert {} == bridge.targets(ChainId(10))


def test_token_of_which_a_part_would_stay_behind_crosses_in_whole_units_only(
    passing: Passing,
) -> None:
    options = passing.options()
    fine: Any = {
        chain: replace(
            known, tokens={**known.tokens, "USDC": replace(known.tokens["USDC"], decimals=18)}
        )
        for chain, known in options.chains.items()
    }
    bridge = make(replace(options, chains=fine), passing.io)
    leg = passing.leg("USDC", 10**12)
    sell, buy = fine[NEAR].tokens["USDC"], fine[FAR].tokens["USDC"]
    assert () == bridge.survey([(sell, buy)], {sell: 10**12})
    leg = replace(leg, sell=replace(leg.sell, token=sell), buy=buy)
    assert 10**12 == bridge.quote(leg, 10**12, WALLET, 1, passing.now()).sell.raw
    passing.tell("fee", NEAR, "USDC", FAR, 0, 0)
    with pytest.raises(NoRoute, match="lets no more than"):
        bridge.quote(leg, 10**12 + 1, WALLET, 1, passing.now())


# Quotes.


def test_quote_is_everything_but_the_fee_to_our_own_wallet(passing: Passing) -> None:
    leg = passing.leg("USDC", RAW)
    quote = passing.quote(leg)
    pool = Address(FACTS[NEAR]["pools"]["USDC"])
    assert (OUT, OUT, leg.sell.token, RAW, leg.buy) == (
        quote.amount_out,
        quote.min_amount_out,
        quote.sell.token,
        quote.sell.raw,
        quote.buy,
    )
    assert (Allowance(pool, quote.sell),) == quote.allowances
    said = meant(passing, quote.payload)
    assert (pool, "send", MESSAGE_FEE, MESSAGE_FEE) == (
        said.target,
        said.name,
        said.value,
        said.fee,
    )
    assert (WALLET, WALLET, FAR, True) == (
        said.recipient,
        said.refund,
        said.to_chain,
        said.lasting,
    )
    assert (leg.sell.token.address, RAW, leg.buy.address, OUT) == (
        said.sell,
        said.amount_in,
        said.buy,
        said.min_out,
    )
    assert (MESSAGE_FEE, passing.now() + 300) == (quote.fee, quote.expires)


def test_gas_coin_goes_along_with_the_message_fee(passing: Passing) -> None:
    leg = passing.leg("ETH", ETHER)
    quote = passing.quote(leg)
    said = meant(passing, quote.payload)
    assert ((), MESSAGE_FEE, ETHER + MESSAGE_FEE) == (quote.allowances, quote.fee, said.value)
    assert (NATIVE, NATIVE, ETHER) == (said.sell, said.buy, said.amount_in)


def test_wei_that_do_not_cross_pay_for_the_message(passing: Passing) -> None:
    raw = ETHER + DUST
    passing.worlds[NEAR].fund(WALLET, {"ETH": 2 * raw})
    leg = passing.leg("ETH", raw)
    (edge,) = surveyed(passing, "ETH", raw)
    quote = passing.quote(leg)
    out = (ETHER // 10**12 * 9_994 // 10_000 - 1) * 10**12
    assert ((raw, out), out) == (edge.ladder[-1], quote.amount_out)
    said = meant(passing, quote.payload)
    fee = MESSAGE_FEE - DUST
    assert (raw, fee, raw + fee) == (said.amount_in, said.fee, said.value)
    call = quote.payload
    assert isinstance(call, Call)
    wanted = passing.token(NEAR, "ETH")
    simulated = passing.nodes[NEAR].simulate(WALLET, [(call, 400_000)], [wanted], [])
    assert simulated.ok
    assert {wanted: -raw - fee} == simulated.deltas


def test_wei_that_do_not_cross_and_are_more_than_the_fee_have_no_route(passing: Passing) -> None:
    leg = passing.leg("ETH", ETHER + 10**12 - 1)
    honest = passing.bridge._offers.ladder
    passing.bridge._offers.ladder = lambda *asked: (honest(*asked)[0], 10)  # type: ignore[method-assign]
    with pytest.raises(NoRoute, match="takes whole multiples of 1000000000000 base units only"):
        passing.quote(leg)


def test_minimum_is_what_the_policy_s_slippage_leaves_in_whole_units(passing: Passing) -> None:
    bridge = make(replace(passing.options(), max_slippage_bps=50), passing.io)
    leg = passing.leg("ETH", ETHER)
    quote = bridge.quote(leg, ETHER, WALLET, 1, passing.now())
    exact = quote.amount_out * 9_950 // 10_000
    assert 0 <= quote.min_amount_out - exact < 10**12
    assert 0 == quote.min_amount_out % 10**12


@pytest.mark.parametrize(("least", "wanted"), [(OUT - 5, OUT - 5), (OUT, OUT), (OUT + 9, OUT)])
def test_minimum_is_not_below_what_independent_prices_want_nor_above_the_offer(
    passing: Passing, least: int, wanted: int
) -> None:
    bridge = make(replace(passing.options(), max_slippage_bps=50), passing.io)
    leg = passing.leg("USDC", RAW)
    assert wanted == bridge.quote(leg, RAW, WALLET, least, passing.now()).min_amount_out


def test_amount_that_the_fee_eats_has_no_route(passing: Passing) -> None:
    with pytest.raises(NoRoute, match="would keep all of it as its fee"):
        passing.quote(passing.leg("USDC", 1))


def test_transfer_that_would_bring_less_than_its_minimum_reverts(passing: Passing) -> None:
    passing.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    leg = passing.leg("USDC", RAW)
    quote = passing.quote(leg)
    passing.tell("fee", NEAR, "USDC", FAR, 601, 0)
    call = quote.payload
    assert isinstance(call, Call)
    pool = passing.puppet(NEAR)
    asked = {"from": WALLET, "to": call.to, "data": call.data, "value": hex(call.value)}
    with pytest.raises(Exception, match="revert"):
        pool.rpc("eth_call", asked, "latest")
    assert RAW == passing.held(NEAR, "USDC")


# Contracts that are not what chains.toml says.


def _other_pool(facts: Any) -> None:
    facts[NEAR]["pools"]["USDC"] = facts[NEAR]["pools"]["USDT"]


def _other_far_pool(facts: Any) -> None:
    facts[FAR]["pools"]["USDC"] = facts[FAR]["pools"]["native"]


def _other_messaging(facts: Any) -> None:
    facts[NEAR]["messaging"] = facts[FAR]["messaging"]


def _other_number(facts: Any) -> None:
    facts[NEAR]["eid"] = 30_102


def _other_far_number(facts: Any) -> None:
    facts[FAR]["eid"], facts[OTHER]["eid"] = facts[OTHER]["eid"], facts[FAR]["eid"]


def _other_endpoint(facts: Any) -> None:
    facts[FAR]["endpoint"] = facts[FAR]["messaging"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_other_pool, "holds 0xdac17f958d2ee523a2206206994597c13d831ec7, not 0xa0b8"),
        (_other_far_pool, "holds 0x0000000000000000000000000000000000000000, not 0x8335"),
        (_other_number, "has 6 shared decimals and the number 30101"),
        (_other_far_number, "has another peer for 8453|the number 30184"),
        (_other_endpoint, "sends by 0x5634c4a5fed09819e3c46d86a965dd9447d86e47 over 0x1a44"),
    ],
)
def test_contract_that_is_not_what_it_should_be_is_a_contradiction(
    passing: Passing, change: Any, why: str
) -> None:
    facts = deepcopy(FACTS)
    change(facts)
    bridge = make(passing.options(facts), passing.io)
    leg = passing.leg("USDC", RAW)
    with pytest.raises(Contradicted, match=why):
        bridge.quote(leg, RAW, WALLET, 1, passing.now())


def _ask_with(passing: Passing, change: Any) -> None:
    honest = passing.bridge._offers._ask
    passing.bridge._offers._ask = lambda *asked: change(*asked, honest(*asked))  # type: ignore[method-assign]


def test_fee_in_another_token_is_a_contradiction(passing: Passing) -> None:
    def other_token(_chain: ChainId, asked: Any, told: list[Any]) -> list[Any]:
        return [
            ((MESSAGE_FEE, 1),) if function.name == "quoteSend" else one
            for (_, function, _), one in zip(asked, told, strict=True)
        ]

    _ask_with(passing, other_token)
    with pytest.raises(Contradicted, match="wants a fee in another token"):
        passing.quote(passing.leg("USDC", RAW))


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("assetIds", (2,), "calls the asset 2, the near one 1"),
        ("stargateImpls", (ENDPOINT,), "is not what pays asset 1 out"),
    ],
)
def test_far_pool_that_would_not_pay_is_a_contradiction(
    passing: Passing, name: str, values: Any, why: str
) -> None:
    def other(chain: ChainId, asked: Any, told: list[Any]) -> list[Any]:
        return [
            values if chain == FAR and function.name == name else one
            for (_, function, _), one in zip(asked, told, strict=True)
        ]

    _ask_with(passing, other)
    with pytest.raises(Contradicted, match=why):
        passing.quote(passing.leg("USDC", RAW))


def test_contract_that_is_not_there_is_a_bad_reply(passing: Passing) -> None:
    facts = deepcopy(FACTS)
    _other_messaging(facts)
    bridge = make(passing.options(facts), passing.io)
    with pytest.raises(BadReply, match="cannot be read"):
        bridge.quote(passing.leg("USDC", RAW), RAW, WALLET, 1, passing.now())
