"""Every aggregator's stand-in gives what its server quoted, to the caller alone, or reverts."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from lab.aggregators import ASKED, ROUTERS, Wish, expected_call
from lab.reading import ALICE, BOB, read
from lab.trading import Call, allow, ask, fund, held, trade

from agent.errors import SetupFailed
from agent.lab import providers
from agent.lab.abi import call_bytes
from agent.lab.branch import make_branch
from agent.lab.providers import odos, zerox
from agent.lab.providers._executor import EXECUTOR
from agent.lab.providers._mischief import FAILURES, FORGERIES, ROBBER
from agent.lab.puppet import Puppet, Tx
from agent.lab.worlds import Worlds
from agent.wire.rpc import RpcError

WISHES = [
    Wish(1, "USDC", "WETH", 20_000 * 10**6),
    Wish(1, "USDT", "WBTC", 50_000 * 10**6),
    Wish(1, "ETH", "USDC", 10**18),
    Wish(42161, "USDC", "ETH", 3_000 * 10**6),
    Wish(8453, "DAI", "USDC", 500 * 10**18),
]
NAMES = sorted(ASKED)


def send(worlds: Worlds, chain: int, sender: str, call: Call) -> None:
    puppet = Puppet(worlds[chain].rpc, sender)
    puppet.send(Tx(to=call.to, input=call.data, value=call.value, what="swapping"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: f"{wish.sell}-{wish.buy}")
def test_swap_gives_what_was_quoted_and_takes_what_was_asked(
    chains: Worlds, name: str, wish: Wish
) -> None:
    promised, call = ASKED[name](chains, wish)
    assert expected_call(name, wish) == (call.to.lower(), call.data[2:10])
    expected = (wish.amount, promised)
    assert expected == trade(chains[wish.chain], call, wish.sell, wish.amount, wish.buy)
    kept = [ROUTERS[name], expected_call(name, wish)[0], EXECUTOR]
    for token in ("USDC", "USDT", "WETH", "WBTC", "ETH"):
        assert 0 == sum(held(chains[wish.chain], token, at) for at in kept)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wish", WISHES[:4], ids=lambda wish: f"{wish.sell}-{wish.buy}")
def test_minimum_above_what_the_pools_give_reverts(chains: Worlds, name: str, wish: Wish) -> None:
    wish = replace(wish, slippage_bps=0)
    promised, call = ASKED[name](chains, wish)
    least, more = (f"{amount:064x}" for amount in (promised, promised + 1))
    assert least in call.data
    demanding = replace(call, data=call.data.replace(least, more))
    with pytest.raises(SetupFailed, match="reverted"):
        trade(chains[wish.chain], demanding, wish.sell, wish.amount, wish.buy)
    trade(chains[wish.chain], call, wish.sell, wish.amount, wish.buy)


@pytest.mark.parametrize("name", NAMES)
def test_call_of_another_takes_nothing_from_whoever_allowed_it(chains: Worlds, name: str) -> None:
    wish = WISHES[0]
    _, call = ASKED[name](chains, wish)
    fund(chains[1], wish.sell, wish.amount)
    allow(chains[1], wish.sell, call.spender, wish.amount)
    before = held(chains[1], wish.sell)
    with pytest.raises(SetupFailed, match="reverted"):
        send(chains, 1, BOB, call)
    assert (before, 0) == (held(chains[1], wish.sell), held(chains[1], wish.buy, BOB))


# A Settler and LI.FI's diamond sell whatever ether comes along.
@pytest.mark.parametrize("name", sorted({*NAMES} - {"lifi", "zerox"}))
@pytest.mark.parametrize(("value", "wish"), [(1, WISHES[0]), (-1, WISHES[2]), (1, WISHES[2])])
def test_value_that_does_not_fit_reverts(chains: Worlds, name: str, value: int, wish: Wish) -> None:
    _, call = ASKED[name](chains, wish)
    odd = replace(call, value=call.value + value)
    with pytest.raises(SetupFailed, match="reverted"):
        trade(chains[wish.chain], odd, wish.sell, wish.amount, wish.buy)


@pytest.mark.parametrize("name", NAMES)
def test_forged_recipient_would_get_the_money(chains: Worlds, name: str) -> None:
    wish = WISHES[0]
    chains.tell(name, "forge", "recipient")
    promised, call = ASKED[name](chains, wish)
    assert (wish.amount, 0) == trade(chains[1], call, wish.sell, wish.amount, wish.buy)
    assert promised == held(chains[1], wish.buy, ROBBER)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", sorted(FORGERIES))
def test_forgery_changes_the_next_offers_and_no_more(chains: Worlds, name: str, way: str) -> None:
    wish = WISHES[2]
    honest = ASKED[name](chains, wish)
    chains.tell(name, "forge", way, 2)
    assert (honest != ASKED[name](chains, wish)) == (way not in HARMLESS[name])
    forged = ASKED[name](chains, wish)
    assert (forged != honest) == (way not in HARMLESS[name])
    if way == "inflated":
        assert honest[0] * 11 // 10 == forged[0]
    assert {"forgeries_left": 0, "failures_left": 0} == chains.tell(name, "left")
    assert honest == ASKED[name](chains, wish)


HARMLESS = {
    # Fees are taken of tokens alone.
    "kyberswap": {"chain", "fee"},
    "lifi": {"fee"},
    # Who may spend is nowhere said: it is who is called.
    "odos": {"spender"},
    "oneinch": {"chain", "fee", "spender"},
    "openocean": {"fee", "spender"},
    "velora": set(),
    # It is asked for a sale of the gas coin: nobody may spend anything.
    "zerox": {"chain", "fee", "spender", "sold"},
}
"""Lies about what the answer does not say."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", sorted(set(FAILURES) - {"slow", "bulky"}))
def test_failure_spoils_the_next_answer_and_no_more(chains: Worlds, name: str, how: str) -> None:
    wish = WISHES[0]
    honest = ASKED[name](chains, wish)
    chains.tell(name, "fail", how)
    try:
        spoiled: object = ASKED[name](chains, wish)
    except Exception as fault:  # noqa: BLE001 - whatever the client makes of it
        spoiled = fault
    assert honest != spoiled
    assert honest == ASKED[name](chains, wish)


def test_what_contracts_said_is_kept_until_the_next_block(
    chains: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = chains[1]
    branch = make_branch(1, world.rpc, world.saved.publisher)
    asked: list[str] = []
    honest = branch.puppet.batch

    def batch(calls: Any) -> Any:
        asked.extend(method for method, _ in calls)
        return honest(calls)

    monkeypatch.setattr(branch, "puppet", SimpleNamespace(rpc=branch.puppet.rpc, batch=batch))
    call = (world.place.feeds["ETH"].address, call_bytes("latestAnswer()"))
    assert 2 * branch.told([call]) == branch.told([call, call])
    assert 1 == asked.count("eth_call")
    chains.set_price("WETH", Decimal(1234))
    assert [f"0x{1234 * 10**8:064x}"] == branch.told([call])
    assert 2 == asked.count("eth_call")


def test_odos_keeps_what_exceeds_its_quote(chains: Worlds) -> None:
    wish = replace(WISHES[0], slippage_bps=0)
    promised, call = ASKED["odos"](chains, wish)
    told, less = (f"{amount:064x}" for amount in (promised, promised - 1000))
    modest = replace(call, data=call.data.replace(told, less))
    got = trade(chains[1], modest, wish.sell, wish.amount, wish.buy)
    assert (wish.amount, promised - 1000) == got
    assert 1000 == held(chains[1], wish.buy, ROUTERS["odos"])


def test_odos_path_is_for_who_asked_and_for_a_minute(
    chains: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odos, "PATH_SECONDS", -1)
    with pytest.raises(AssertionError, match="expired"):
        ASKED["odos"](chains, WISHES[0])


def test_settlers_are_told_by_the_registry(chains: Worlds) -> None:
    wish = WISHES[2]
    for owner, settler in [("newest", zerox.SETTLER), ("previous", zerox.PREVIOUS_SETTLER)]:
        chains.tell("zerox", "settle", owner)
        assert settler == ASKED["zerox"](chains, wish)[1].to
    for signature, settler in [
        ("ownerOf(uint256)", zerox.SETTLER),
        ("prev(uint128)", zerox.PREVIOUS_SETTLER),
    ]:
        assert (settler,) == read(chains[1], zerox.REGISTRY, signature, "(address)", 2)
    with pytest.raises(RpcError, match="revert"):
        read(chains[1], zerox.REGISTRY, "ownerOf(uint256)", "(address)", 3)
    chains.tell("zerox", "settle", "newest")


@pytest.mark.parametrize("whom", ["holder", "settler"])
def test_gas_coin_is_sold_through_the_allowance_holder_too(chains: Worlds, whom: str) -> None:
    wish = WISHES[2]
    chains.tell("zerox", "sell_native", whom)
    promised, call = ASKED["zerox"](chains, wish)
    assert (whom == "holder") == (call.to == zerox.ALLOWANCE_HOLDER)
    assert (wish.amount, promised) == trade(chains[1], call, "ETH", wish.amount, "USDC")


def test_allowance_holder_lends_to_the_operator_of_the_call_alone(chains: Worlds) -> None:
    fund(chains[1], "USDC", 10**9)
    allow(chains[1], "USDC", zerox.ALLOWANCE_HOLDER, 10**9)
    usdc = chains[1].addresses["USDC"]
    take = call_bytes("transferFrom(address,address,address,uint256)", usdc, ALICE, BOB, 10**9)
    for sender, data in [
        (BOB, take),
        # A token is never called: its allowances are what is held here.
        (ALICE, call_bytes(zerox.EXEC, BOB, usdc, 10**9, usdc, bytes.fromhex(take[2:]))),
    ]:
        with pytest.raises(SetupFailed, match="reverted"):
            send(chains, 1, sender, Call(zerox.ALLOWANCE_HOLDER, data, 0, ALICE))
    assert 10**9 == held(chains[1], "USDC")


def test_contracts_of_the_plug_ins_stand_everywhere(worlds: Worlds) -> None:
    for world in worlds.values():
        assert {EXECUTOR, *ROUTERS.values()} <= set(world.code_hashes)
    assert set(ASKED) <= set(providers.desk_names())


@pytest.mark.parametrize("told", [("forge", "kindness"), ("fail", "well"), ("forge",), ("sing",)])
def test_order_that_makes_no_sense_is_an_error(worlds: Worlds, told: tuple[str, ...]) -> None:
    with pytest.raises(SetupFailed, match="did not take the order provider"):
        worlds.tell("oneinch", *told)


def test_failure_may_wait_for_its_path_and_its_time(worlds: Worlds) -> None:
    worlds.tell("oneinch", "fail", "slow", 1, "approve", 0.2)
    headers = {"Authorization": "Bearer k"}
    assert 400 == ask(worlds, "oneinch", "/1/quote", headers=headers)[0]
    assert 1 == worlds.tell("oneinch", "left")["failures_left"]
    assert 200 == ask(worlds, "oneinch", "/1/approve/spender", headers=headers)[0]
    assert 0 == worlds.tell("oneinch", "left")["failures_left"]
