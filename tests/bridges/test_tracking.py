"""Where the money of a real deposit is, from the first block to the last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bridge_rigs import FAR, NEAR, STRANGER, WALLET, Crossing, native, paid
from fee_server import honest_output

from agent.bridges import _evidence
from agent.bridges._spoke_pool import Deposit, fill_data, word
from agent.bridges.across import OwnFee, make
from agent.core.intent import Receipt
from agent.core.money import Address, Bps, ChainId, Token
from agent.core.plan import Leg
from agent.errors import BadReply, Unavailable
from agent.lab.accounts import ATTENDANT
from agent.lab.puppet import Tx, tx
from agent.ports import Delivered, Gone, Returned, Track, Transfer, Waiting

RAW = 4_150 * 10**6
ETHER = 10**18
NOWHERE = "0x" + "77" * 32


def tracked(crossing: Crossing, leg: Leg, deposit: Receipt, later: int = 0) -> Track:
    now = crossing.nodes[NEAR].block().timestamp + later
    return crossing.bridge.track(leg, deposit, leg.sell.fixed_raw, 0, now)


def waits(crossing: Crossing, leg: Leg, deposit: Receipt, later: int = 0) -> str:
    found = tracked(crossing, leg, deposit, later)
    assert isinstance(found, Waiting), found
    assert found.until > crossing.nodes[NEAR].block().timestamp + later
    return found.why


def delivered(crossing: Crossing, leg: Leg, deposit: Receipt) -> tuple[Token, int]:
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Delivered), found
    return paid(found.amount)


def sent(crossing: Crossing, symbol: str = "USDC", raw: int = RAW) -> tuple[Leg, Receipt, Deposit]:
    """The wallet has money on the near chain and deposits it."""
    crossing.worlds[NEAR].fund(WALLET, {symbol: raw})
    leg = crossing.leg(symbol, "ETH" if symbol == "WETH" else symbol, raw)
    deposit = crossing.deposit(leg)
    return leg, deposit, crossing.made(deposit)


# Delivered.


def test_deposit_is_delivered_to_the_base_unit(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    assert 0 == crossing.held(NEAR, "USDC")
    assert "is on its way" in waits(crossing, leg, deposit)
    crossing.fill(made)
    why = "deposit 1 of chain 1 was delivered on chain 8453 and waits for 2 confirmations (1 now)"
    assert why == waits(crossing, leg, deposit)
    crossing.mine()
    assert (leg.buy, honest_output(RAW)) == delivered(crossing, leg, deposit)
    assert honest_output(RAW) == crossing.held(FAR, "USDC")


@pytest.mark.parametrize("sold", ["ETH", "WETH"])
def test_coin_arrives_as_the_gas_coin(crossing: Crossing, sold: str) -> None:
    leg, deposit, made = sent(crossing, sold, ETHER)
    crossing.fill(made)
    crossing.mine()
    assert (native(FAR), honest_output(ETHER)) == delivered(crossing, leg, deposit)
    assert honest_output(ETHER) == crossing.held(FAR, "ETH")


def test_coin_that_arrives_wrapped_is_told_as_what_came(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing, "WETH", ETHER)
    crossing.worlds[FAR].rpc.call("anvil_setCode", WALLET, "0x00")
    crossing.fill(made)
    crossing.mine()
    weth = crossing.token(FAR, "WETH")
    assert (weth, honest_output(ETHER)) == delivered(crossing, leg, deposit)


def test_delivery_from_long_ago_is_found(
    crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_evidence, "FIRST_WINDOW", 2)
    leg, deposit, made = sent(crossing)
    crossing.fill(made)
    crossing.mine(blocks=60)
    assert (leg.buy, honest_output(RAW)) == delivered(crossing, leg, deposit)


def test_state_and_logs_are_of_one_block(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    honest, old = crossing.nodes[FAR].block, crossing.nodes[FAR].block()
    crossing.fill(made)
    crossing.mine()
    crossing.nodes[FAR].block = lambda *_: old  # type: ignore[method-assign]
    try:
        assert "is on its way" in waits(crossing, leg, deposit)
    finally:
        crossing.nodes[FAR].block = honest  # type: ignore[method-assign]
    assert (leg.buy, honest_output(RAW)) == delivered(crossing, leg, deposit)


def test_delivery_whose_log_nobody_shows_is_waited_for(
    crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit, made = sent(crossing)
    crossing.fill(made)
    monkeypatch.setattr(crossing.nodes[FAR], "logs", lambda _query: ())
    assert "no node has shown its log yet" in waits(crossing, leg, deposit)
    monkeypatch.setattr(_evidence, "DAY_SECONDS", -(10**6))
    assert "no node has shown its log yet" in waits(crossing, leg, deposit)


def test_delivery_that_is_reorganised_away_is_under_way_again(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    before = crossing.worlds[FAR].snapshot()
    crossing.fill(made)
    crossing.mine()
    assert (leg.buy, honest_output(RAW)) == delivered(crossing, leg, deposit)
    crossing.worlds[FAR].revert(before)
    crossing.mine(blocks=3)
    assert "is on its way" in waits(crossing, leg, deposit)
    crossing.fill(made)
    crossing.mine()
    assert (leg.buy, honest_output(RAW)) == delivered(crossing, leg, deposit)


def test_two_deliveries_in_one_transaction_are_told_apart(crossing: Crossing) -> None:
    both = [sent(crossing, raw=raw) for raw in (RAW, 2 * RAW)]
    other = replace(both[0][2], id=99, recipient=word(STRANGER), depositor=word(STRANGER))
    deposits = [*(made for _, _, made in both), other]
    fills = [bytes.fromhex(fill_data(made, Address(ATTENDANT))[2:]) for made in deposits]
    pool = crossing.worlds[FAR].place.spoke_pool
    crossing.puppet(FAR, ATTENDANT).send(tx(pool, "multicall(bytes[])", fills))
    crossing.mine()
    for leg, deposit, _ in both:
        raw = honest_output(leg.sell.fixed_raw)
        assert (leg.buy, raw) == delivered(crossing, leg, deposit)


def test_two_deliveries_of_the_coin_in_one_transaction_are_told_apart(crossing: Crossing) -> None:
    both = [sent(crossing, "ETH", raw) for raw in (ETHER, 2 * ETHER)]
    fills = [bytes.fromhex(fill_data(made, Address(ATTENDANT))[2:]) for _, _, made in both]
    pool = crossing.worlds[FAR].place.spoke_pool
    crossing.puppet(FAR, ATTENDANT).send(tx(pool, "multicall(bytes[])", fills))
    crossing.mine()
    for leg, deposit, _ in both:
        assert honest_output(leg.sell.fixed_raw) == delivered(crossing, leg, deposit)[1]


# What only looks like a delivery.


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": ChainId(42161)},
        {"origin": ChainId(42161), "depositor": word(STRANGER)},
        {"output_amount": 1},
        {"output_amount": 10 * RAW, "depositor": word(STRANGER)},
        {"id": 7},
        {"recipient": word(STRANGER)},
    ],
    ids=["origin", "stranger", "short", "generous", "id", "recipient"],
)
def test_delivery_of_another_deposit_is_not_ours(crossing: Crossing, changes: Any) -> None:
    leg, deposit, made = sent(crossing)
    crossing.fill(replace(made, **changes))
    crossing.mine()
    assert "is on its way" in waits(crossing, leg, deposit)
    crossing.fill(made)
    crossing.mine()
    assert (leg.buy, honest_output(RAW)) == delivered(crossing, leg, deposit)


def test_delivery_after_which_nothing_came_is_gone(
    crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit, made = sent(crossing)
    crossing.fill(made)
    crossing.mine()
    monkeypatch.setattr(crossing.nodes[FAR], "received", lambda *_: (0, 0))
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Gone)
    assert "nothing came to your wallet" in found.why


@pytest.mark.parametrize("came", [0, 5])
def test_coin_that_the_wrapper_does_not_tell_of_is_measured_by_balance(
    crossing: Crossing, monkeypatch: pytest.MonkeyPatch, came: int
) -> None:
    leg, deposit, made = sent(crossing, "ETH", ETHER)
    number = crossing.fill(made).block_number
    crossing.mine()
    held = {number - 1: 100, number: 100 + came}
    monkeypatch.setattr(crossing.nodes[FAR], "received", lambda *_: (0, 0))
    monkeypatch.setattr(
        crossing.nodes[FAR], "balances", lambda _account, tokens, at: {tokens[0]: held[at]}
    )
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Delivered if came else Gone)
    if isinstance(found, Delivered):
        assert (native(FAR), came) == paid(found.amount)


def test_delivery_of_a_token_that_is_not_known_here_is_gone(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    crossing.fill(made)
    crossing.mine()
    chains = dict(crossing.options().chains)
    chains[FAR] = replace(chains[FAR], tokens={})
    crossing.bridge = make(crossing.options(chains=chains), crossing.io)
    assert isinstance(tracked(crossing, leg, deposit), Gone)


# Under way, late, and back.


def test_late_deposit_says_so(crossing: Crossing) -> None:
    leg, deposit, _ = sent(crossing)
    assert waits(crossing, leg, deposit, 599).startswith("4,150.00 USDC is on its way: ")
    assert waits(crossing, leg, deposit, 701).startswith("4,150.00 USDC is late: ")


def test_deposit_that_nobody_delivers_comes_back(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    crossing.expire(made)
    assert waits(crossing, leg, deposit).startswith("nobody delivered deposit 1 of chain 1 by ")
    crossing.pay_back(RAW)
    waits(crossing, leg, deposit)
    crossing.mine(NEAR)
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Returned)
    assert (leg.sell.token, RAW) == paid(found.amount)


def test_coin_comes_back_wrapped(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing, "ETH", ETHER)
    crossing.expire(made)
    crossing.pay_back(ETHER, symbol="WETH")
    crossing.mine(NEAR)
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Returned)
    assert (crossing.token(NEAR, "WETH"), ETHER) == paid(found.amount)


def test_refund_pays_the_older_deposit_first(crossing: Crossing) -> None:
    first, second = sent(crossing), sent(crossing)
    crossing.expire(second[2])
    crossing.pay_back(RAW)
    crossing.mine(NEAR)
    assert isinstance(tracked(crossing, *first[:2]), Returned)
    waits(crossing, *second[:2])
    crossing.pay_back(RAW)
    crossing.mine(NEAR)
    assert isinstance(tracked(crossing, *second[:2]), Returned)


def test_refund_in_one_sum_pays_both(crossing: Crossing) -> None:
    both = [sent(crossing, raw=raw) for raw in (RAW, 2 * RAW)]
    crossing.expire(both[1][2])
    crossing.pay_back(RAW, 2 * RAW)
    crossing.mine(NEAR)
    for leg, deposit, _ in both:
        found = tracked(crossing, leg, deposit)
        assert isinstance(found, Returned)
        assert leg.sell.fixed_raw == found.amount.raw


def test_money_from_the_pool_that_is_no_refund_does_not_count(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    crossing.expire(made)
    pool = crossing.worlds[NEAR].place.spoke_pool
    crossing.worlds[NEAR].fund(pool, {"USDC": RAW})
    usdc = crossing.token(NEAR, "USDC").address
    crossing.puppet(NEAR, pool).send(tx(usdc, "transfer(address,uint256)", WALLET, RAW))
    crossing.pay_back(RAW, account=STRANGER)
    crossing.mine(NEAR)
    waits(crossing, leg, deposit)


def test_refund_of_too_little_is_waited_for(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    crossing.expire(made)
    crossing.pay_back(RAW - 1)
    crossing.mine(NEAR)
    waits(crossing, leg, deposit)


def test_refund_of_a_token_that_is_not_known_here_is_gone(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    crossing.expire(made)
    chains = dict(crossing.options().chains)
    chains[NEAR] = replace(chains[NEAR], tokens={})
    crossing.bridge = make(crossing.options(chains=chains), crossing.io)
    assert isinstance(tracked(crossing, leg, deposit), Gone)


# Deposits that are not where they should be.


def test_deposit_in_another_block_is_waited_for(crossing: Crossing) -> None:
    leg, deposit, _ = sent(crossing)
    moved = replace(deposit, block_hash=NOWHERE)
    assert "the deposit is not where it was mined" == waits(crossing, leg, moved)


def test_deposit_that_the_node_does_not_have_is_no_loss(crossing: Crossing) -> None:
    leg, deposit, _ = sent(crossing)
    with pytest.raises(Unavailable):
        tracked(crossing, leg, replace(deposit, hash=NOWHERE))


def test_transaction_without_this_deposit_is_gone(crossing: Crossing) -> None:
    leg, deposit, _ = sent(crossing)
    (receipt,) = crossing.puppet(NEAR, WALLET).send(Tx(to=STRANGER, input="0x", what="nothing"))
    other = replace(deposit, hash=receipt["transactionHash"], block_hash=receipt["blockHash"])
    found = tracked(crossing, leg, other)
    assert isinstance(found, Gone)
    assert "made 0 deposits for this leg" in found.why
    elsewhere = replace(leg, buy=replace(leg.buy, chain=ChainId(10)))
    assert isinstance(tracked(crossing, elsewhere, deposit), Gone)


def test_deposit_of_another_amount_is_gone(crossing: Crossing) -> None:
    leg, deposit, _ = sent(crossing)
    found = crossing.bridge.track(leg, deposit, RAW + 1, 0, 0)
    assert isinstance(found, Gone)
    assert f"is of {RAW} base units, not {RAW + 1}" in found.why


@pytest.mark.parametrize("answer", [None, b"", b"\1" * 31])
def test_pool_that_does_not_tell_its_state_is_a_bad_reply(
    crossing: Crossing, monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    leg, deposit, _ = sent(crossing)
    monkeypatch.setattr(crossing.nodes[FAR], "read", lambda *_: (answer,))
    with pytest.raises(BadReply, match=r"chains\.toml|cannot be read|does not tell"):
        tracked(crossing, leg, deposit)


# From logs alone.


def found(crossing: Crossing, since: int = 0, account: Address = WALLET) -> tuple[Transfer, ...]:
    return crossing.bridge.find(account, {NEAR: since, FAR: 0, ChainId(10): 0})


def test_unfinished_transfer_is_found_by_logs_alone(crossing: Crossing) -> None:
    leg, deposit, made = sent(crossing)
    wanted = Transfer(
        via="across",
        id="1",
        sold=leg.planned_sell,
        buy=leg.buy,
        least=honest_output(RAW),
        deposit=deposit.hash,
        block=deposit.block_number,
        due=made.fill_deadline,
    )
    assert (wanted,) == found(crossing)
    assert () == found(crossing, account=STRANGER)
    assert () == found(crossing, since=deposit.block_number + 1)


def test_finished_transfers_are_not_found(crossing: Crossing) -> None:
    delivered_, back, open_ = (sent(crossing, raw=raw) for raw in (RAW, 2 * RAW, 3 * RAW))
    crossing.fill(delivered_[2])
    assert ["2", "3"] == [each.id for each in found(crossing)]
    crossing.expire(open_[2])
    crossing.pay_back(2 * RAW)
    crossing.mine(NEAR)
    assert back[2].id == 2
    assert ["3"] == [each.id for each in found(crossing)]


def test_transfer_of_the_coin_is_found_as_what_comes(crossing: Crossing) -> None:
    sent(crossing, "ETH", ETHER)
    (each,) = found(crossing)
    assert (crossing.token(NEAR, "WETH"), native(FAR)) == (each.sold.token, each.buy)


def test_transfer_to_an_unknown_chain_or_of_an_unknown_token_is_found(crossing: Crossing) -> None:
    sent(crossing)
    chains = dict(crossing.options().chains)
    bare = {NEAR: replace(chains[NEAR], tokens={}), FAR: replace(chains[FAR], tokens={})}
    for known in (bare, {NEAR: bare[NEAR]}):
        crossing.bridge = make(crossing.options(chains=known), crossing.io)
        (each,) = crossing.bridge.find(WALLET, {NEAR: 0})
        assert (RAW, 0, RAW) == (each.sold.raw, each.sold.token.decimals, each.sold.whole)
        assert "base units of an unknown token" == each.buy.symbol


# Rehearsed.


@pytest.mark.parametrize("symbol", ["USDC", "ETH"])
def test_rehearsal_is_what_a_relayer_sends(crossing: Crossing, symbol: str) -> None:
    leg, deposit, _ = sent(crossing, symbol, RAW if symbol == "USDC" else ETHER)
    plan = crossing.bridge.rehearse(leg, deposit, STRANGER)
    assert plan is not None
    assert (leg.buy, honest_output(leg.sell.fixed_raw)) == paid(plan.needs)
    crossing.worlds[FAR].fund(STRANGER, {symbol: plan.needs.raw})
    sender = crossing.puppet(FAR, STRANGER)
    for call in plan.calls:
        assert FAR == call.chain
        sender.send(Tx(to=call.to, input=call.data, value=call.value, what="rehearsing"))
    crossing.mine()
    assert paid(plan.needs) == delivered(crossing, leg, deposit)
    assert crossing.bridge.rehearse(leg, deposit, STRANGER) is None


def test_nothing_is_rehearsed_where_nothing_is_known(crossing: Crossing) -> None:
    leg, deposit, _ = sent(crossing)
    moved = replace(deposit, block_hash=NOWHERE)
    assert crossing.bridge.rehearse(leg, moved, STRANGER) is None
    chains = dict(crossing.options().chains)
    chains[FAR] = replace(chains[FAR], tokens={})
    crossing.bridge = make(crossing.options(chains=chains), crossing.io)
    assert crossing.bridge.rehearse(leg, deposit, STRANGER) is None


def test_deposit_with_own_fee_is_followed_all_the_same(crossing: Crossing) -> None:
    own = OwnFee(bps=Bps(8), fixed=lambda _token: 500_000)
    crossing.bridge = make(crossing.options(api=None, fee=own), crossing.io)
    leg, deposit, made = sent(crossing)
    crossing.fill(made)
    crossing.mine()
    assert RAW - 500_000 - RAW * 8 // 10_000 == delivered(crossing, leg, deposit)[1]
