"""What a node promises whose chain finalizes, takes blocks back, has a pool, and simulates."""

from __future__ import annotations

import pytest
from conformance.nodes import (
    MAX_FEE,
    STRANGER,
    TIP,
    OnAnvil,
    OnEthTester,
    Whole,
    call,
    mined,
    native,
    pay,
    transfer,
)

from agent.core.money import Address, Amount
from agent.core.quote import Allowance, Call
from agent.errors import NoSimulator

PLENTY = 200_000


@pytest.fixture(params=["anvil", "paper"])
def whole(request: pytest.FixtureRequest) -> Whole:
    """Each chain in turn that can do everything."""
    found: Whole = request.getfixturevalue(request.param)
    return found


# Chains that finalize, take blocks back, or hold transactions in a pool


def test_finality_follows_the_head(whole: Whole) -> None:
    hashed = mined(whole, pay(whole.chain, STRANGER, 1), 0)
    fresh = whole.node.sight(whole.account, [hashed])
    whole.mine(5)
    old = whole.node.sight(whole.account, [hashed])
    (receipt,) = old.receipts
    assert receipt is not None
    assert fresh.finalized < receipt.block_number <= old.finalized <= old.head.number
    assert (0, 1, 1) == (fresh.nonce_final, old.nonce_final, old.nonce)


def test_reorganised_receipt_is_gone(whole: Whole) -> None:
    hashed = mined(whole, pay(whole.chain, STRANGER, 1), 0)
    whole.mine(2)
    seen = whole.node.sight(whole.account, [hashed])
    assert seen.receipts[0] is not None
    whole.reorg(seen.head.number - seen.receipts[0].block_number + 1)
    seen = whole.node.sight(whole.account, [hashed])
    assert ((None,), 0) == (seen.receipts, seen.nonce)


def test_transaction_in_the_pool_is_known_and_not_mined(whole: Whole) -> None:
    whole.hold()
    signed = whole.sign(pay(whole.chain, STRANGER, 1), 0)
    assert whole.node.send(signed.raw).accepted
    seen = whole.node.sight(whole.account, [signed.hash])
    assert ((None,), (True,), 0) == (seen.receipts, seen.known, seen.nonce)
    assert 1 == whole.node.pending_nonce(whole.account)


def test_replaced_transaction_is_found_by_the_hash_that_was_mined(whole: Whole) -> None:
    whole.hold()
    first = whole.sign(pay(whole.chain, STRANGER, 1), 0)
    second = whole.sign(pay(whole.chain, STRANGER, 1), 0, tip=2 * TIP, max_fee=2 * MAX_FEE)
    assert [True, True] == [whole.node.send(each.raw).accepted for each in (first, second)]
    whole.mine()
    seen = whole.node.sight(whole.account, [first.hash, second.hash])
    assert [True, False] == [receipt is None for receipt in seen.receipts]


def test_replacement_that_offers_no_more_is_not_taken(whole: Whole) -> None:
    whole.hold()
    first = whole.sign(pay(whole.chain, STRANGER, 1), 0)
    same = whole.sign(pay(whole.chain, STRANGER, 2), 0)
    assert [True, False] == [whole.node.send(each.raw).accepted for each in (first, same)]
    whole.mine()
    seen = whole.node.sight(whole.account, [first.hash, same.hash])
    assert [False, True] == [receipt is None for receipt in seen.receipts]


def test_wrapping_counts_as_receiving(whole: Whole) -> None:
    weth = whole.wrapped
    wrap = Call(whole.chain, weth.address, 70, "0xd0e30db0")
    assert (70, 0) == whole.node.received(whole.account, weth, mined(whole, wrap, 0))
    unwrap = call(weth, "withdraw(uint256)", 30)
    assert (0, 30) == whole.node.received(whole.account, weth, mined(whole, unwrap, 1))


# Simulation


def test_simulation_shows_deltas_allowances_and_gas_and_changes_nothing(whole: Whole) -> None:
    coin, token = native(whole.chain), whole.token(100)
    calls = [
        (transfer(token, STRANGER, 30), PLENTY),
        (call(token, "approve(address,uint256)", STRANGER, 9), PLENTY),
        (pay(whole.chain, STRANGER, 12_345), 21_000),
    ]
    spender = Allowance(STRANGER, Amount(token, 9))
    done = whole.node.simulate(whole.account, calls, [coin, token], [spender])
    assert (True, {coin: -12_345, token: -30}, (9,), None) == (
        done.ok,
        dict(done.deltas),
        done.allowances,
        done.reverted,
    )
    assert 21_000 == done.gas_used[2]
    assert all(21_000 < gas < PLENTY for gas in done.gas_used[:2])
    assert {coin: 10**18, token: 100} == dict(
        whole.node.snapshot(whole.account, [coin, token]).balances
    )


def test_simulated_gas_is_what_the_transaction_uses(whole: Whole) -> None:
    token = whole.token(100)
    done = whole.node.simulate(
        whole.account, [(transfer(token, STRANGER, 30), PLENTY)], [token], []
    )
    hashed = mined(whole, transfer(token, STRANGER, 30), 0)
    (receipt,) = whole.node.sight(whole.account, [hashed]).receipts
    assert receipt is not None
    assert (receipt.gas_used,) == done.gas_used


def test_simulation_names_the_first_call_that_fails_and_why(whole: Whole) -> None:
    token = whole.token(100)
    panics = transfer(token, STRANGER, 101)
    says = call(token, "mint(address,uint256)", whole.account, 1)
    fine = transfer(token, STRANGER, 1)
    first = whole.node.simulate(
        whole.account, [(fine, PLENTY), (says, PLENTY), (panics, PLENTY)], [token], []
    )
    assert (False, (1, "only the owner mints"), {token: -1}) == (
        first.ok,
        first.reverted,
        dict(first.deltas),
    )


def test_simulation_goes_on_after_a_call_that_fails(whole: Whole) -> None:
    token = whole.token(100)
    calls = [(transfer(token, STRANGER, raw), PLENTY) for raw in (101, 7)]
    done = whole.node.simulate(whole.account, calls, [token], [])
    assert (False, {token: -7}, 2) == (done.ok, dict(done.deltas), len(done.gas_used))


def test_simulation_holds_a_call_to_its_gas_limit(whole: Whole) -> None:
    token = whole.token(100)
    done = whole.node.simulate(whole.account, [(transfer(token, STRANGER, 7), 25_000)], [token], [])
    assert (False, 0, {token: 0}, (25_000,)) == (
        done.ok,
        done.reverted and done.reverted[0],
        dict(done.deltas),
        done.gas_used,
    )


def test_simulation_without_a_reason_says_so(whole: Whole) -> None:
    mute = whole.unreadable()[1]
    done = whole.node.simulate(whole.account, [(call(mute, "x(uint256)", 1), PLENTY)], [], [])
    assert (False, 0) == (done.ok, done.reverted and done.reverted[0])
    assert done.reverted is not None
    assert done.reverted[1]


def test_simulation_of_an_account_that_cannot_pay_is_a_refusal(whole: Whole) -> None:
    poor = Address("0x" + "99" * 20)
    done = whole.node.simulate(poor, [(pay(whole.chain, STRANGER, 1), 21_000)], [], [])
    assert not done.ok
    assert done.reverted is not None
    assert "nsufficient funds" in done.reverted[1]


def test_simulation_cannot_be_told_by_its_prices(anvil: OnAnvil) -> None:
    # BASEFEE GASPRICE MUL ISZERO, jump over STOP: only then send the caller one wei.
    trap = anvil.contract("0x483a0215600857005b5f5f5f5f6001335af100")
    anvil.world.fund(trap.address, {"ETH": 10})
    lure = call(trap, "x(uint256)", 1)
    ours = anvil.node.simulate(anvil.account, [(lure, PLENTY)], [native(anvil.chain)], [])
    assert (True, {native(anvil.chain): 0}) == (ours.ok, dict(ours.deltas))
    # The trap works: a rehearsal without prices is promised the wei.
    fields = {"from": anvil.account, "to": trap.address, "data": lure.data}
    naive = {"blockStateCalls": [{"calls": [fields]}], "traceTransfers": True}
    (block,) = anvil.world.rpc.call("eth_simulateV1", naive, "latest")  # type: ignore[misc]
    assert 1 == len(block["calls"][0]["logs"])  # type: ignore[call-overload,index]


def test_simulation_runs_at_the_time_of_the_next_block(anvil: OnAnvil) -> None:
    # Sends its caller as many wei as TIMESTAMP has seconds.
    clock = anvil.contract("0x5f5f5f5f42335af100")
    anvil.world.fund(clock.address, {"ETH": 10**18})
    later = anvil.world.head()[1] + 3600
    anvil.world.rpc.call("evm_setNextBlockTimestamp", later)
    ask = [(call(clock, "x(uint256)", 1), PLENTY)]
    done = anvil.node.simulate(anvil.account, ask, [native(anvil.chain)], [])
    assert {native(anvil.chain): later} == dict(done.deltas)


def test_node_without_simulation_says_so(in_process: OnEthTester) -> None:
    call_ = pay(in_process.chain, STRANGER, 1)
    with pytest.raises(NoSimulator, match="eth_simulateV1"):
        in_process.node.simulate(in_process.account, [(call_, 21_000)], [], [])
