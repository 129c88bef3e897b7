"""Where a withdrawal over Arbitrum's canonical bridge is, and what is believed of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from arbitrum_rigs import (
    ETHER,
    FAR,
    ME,
    NEAR,
    STRANGER,
    WALLET,
    Rollup,
    native,
)
from bridges.arbitrum_lies import between, changed, waits

from agent.bridges import _arbitrum_withdrawals
from agent.bridges._arbitrum_contracts import (
    EXECUTED,
    SENT,
)
from agent.bridges._arbitrum_tree import EMPTY, Tree
from agent.core.intent import Receipt
from agent.core.log import Log
from agent.core.money import Token
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.errors import BadReply
from agent.lab.puppet import Puppet, tx
from agent.lab.rollups import ARB_SYS
from agent.ports import Act, Delivered, Gone
from agent.wire.abi import encode
from agent.wire.keccak import keccak256

# Where a withdrawal is.


def proven(rollup: Rollup) -> tuple[Leg, Receipt]:
    leg = rollup.leg(inward=False)
    deposit = rollup.deposit(leg)
    rollup.confirm()
    return leg, deposit


def test_withdrawal_is_claimed_once_its_root_is_confirmed_and_then_counts(rollup: Rollup) -> None:
    leg, deposit = proven(rollup)
    found = rollup.track(leg, deposit)
    assert isinstance(found, Act)
    assert isinstance(found.draft.payload, Call)
    assert ("claim", NEAR, 0) == (found.draft.purpose, found.draft.chain, found.draft.payload.value)
    claimed = rollup.sent(found.draft.payload)
    assert claimed.ok
    assert claimed.gas_used < found.draft.gas_limit // 2
    assert "was claimed and waits for 2 confirmations" in waits(rollup.track(leg, deposit))
    rollup.worlds[NEAR].mine(600)
    told = rollup.track(leg, deposit)
    assert isinstance(told, Delivered)
    assert claimed.block_number == told.block
    assert rollup.bridge.rehearse(leg, deposit, STRANGER) is None
    between(rollup, NEAR, logs=lambda logs: tuple(x for x in logs if not EXECUTED.is_in(x)))
    with pytest.raises(BadReply, match="shows who claimed send 0"):
        rollup.track(leg, deposit)


def test_root_of_later_sends_proves_earlier_ones_over_several_windows(
    rollup: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_arbitrum_withdrawals, "WINDOW", 3)
    for _ in range(3):
        rollup.deposit(rollup.leg(inward=False, raw=1))
    leg = rollup.leg(inward=False)
    deposit = rollup.deposit(leg)
    for _ in range(5):
        rollup.worlds[FAR].mine(4)
        rollup.deposit(rollup.leg(inward=False, raw=1))
    rollup.confirm()
    found = rollup.track(leg, deposit)
    assert isinstance(found, Act)
    assert isinstance(found.draft.payload, Call)
    assert rollup.sent(found.draft.payload).ok


def test_due_withdrawal_waits_while_only_older_roots_are_confirmed(
    rollup: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollup.deposit(rollup.leg(inward=False, raw=1))
    rollup.confirm()
    leg = rollup.leg(inward=False)
    rollup.worlds.tell(ME, "confirm", "never")
    deposit = rollup.deposit(leg)
    rollup.confirm()
    assert "is to be confirmed within 1 h" in waits(rollup.track(leg, deposit))
    monkeypatch.setattr(_arbitrum_withdrawals, "WINDOW", 1)
    rollup.worlds.mine(3)
    assert "is to be confirmed within 1 h" in waits(rollup.track(leg, deposit))


def test_transaction_that_sent_nothing_or_something_else_is_gone(rollup: Rollup) -> None:
    leg = rollup.leg(inward=False)
    other = rollup.sent(Call(FAR, STRANGER, 1, "0x"))
    why = f"transaction {other.hash} made 0 withdrawals for this leg"
    assert Gone(why) == rollup.track(leg, other)
    assert rollup.bridge.rehearse(leg, other, STRANGER) is None
    deposit = rollup.deposit(leg)
    found = rollup.bridge.track(leg, deposit, ETHER - 1, 0, rollup.now())
    assert Gone(f"send 0 is of {ETHER} wei, not {ETHER - 1}") == found
    moved = replace(deposit, block_hash="0x" + "11" * 32)
    assert "the withdrawal is not where it was mined" == waits(rollup.track(leg, moved))


@pytest.mark.parametrize(
    "lie",
    [
        changed(SENT, callvalue=2 * ETHER),
        changed(SENT, destination=STRANGER),
        changed(SENT, hash=1),
        lambda logs: tuple(replace(log, data=log.data[:-1]) for log in logs),
    ],
)
def test_send_that_is_not_what_its_hash_says_is_not_believed(rollup: Rollup, lie: Any) -> None:
    leg = rollup.leg(inward=False)
    deposit = rollup.deposit(leg)
    between(rollup, FAR, logs=lie)
    with pytest.raises(BadReply):
        rollup.track(leg, deposit)


@pytest.mark.parametrize(
    "said",
    [
        None,
        b"",
        encode(["bytes32", "bytes32", "bytes32[]"], [EMPTY, EMPTY, []]),
    ],
)
def test_node_that_proves_nothing_is_not_believed(rollup: Rollup, said: bytes | None) -> None:
    leg, deposit = proven(rollup)
    between(rollup, FAR, read=lambda _said: said)
    with pytest.raises(BadReply):
        rollup.track(leg, deposit)


def test_node_that_leaves_a_send_out_is_not_believed(rollup: Rollup) -> None:
    leg = rollup.leg(inward=False)
    deposit = rollup.deposit(leg)
    for _ in range(2):
        rollup.deposit(rollup.leg(inward=False, raw=1))
    rollup.confirm()

    def leaves_out(logs: tuple[Log, ...]) -> tuple[Log, ...]:
        return tuple(log for log in logs if int(log.topics[3], 16) != 1)

    between(rollup, FAR, logs=leaves_out)
    with pytest.raises(BadReply, match="leaves out what was sent"):
        rollup.track(leg, deposit)


def test_only_ether_of_the_account_itself_is_found(rollup: Rollup) -> None:
    stranger = Puppet(rollup.worlds[FAR].rpc, STRANGER)
    stranger.send(tx(ARB_SYS, "withdrawEth(address)", WALLET, value=5))
    mine = Puppet(rollup.worlds[FAR].rpc, WALLET)
    mine.send(tx(ARB_SYS, "sendTxToL1(address,bytes)", WALLET, b"\1", value=6))
    mine.send(tx(ARB_SYS, "withdrawEth(address)", WALLET))
    assert () == rollup.bridge.find(WALLET, {FAR: 0})
    mine.send(tx(ARB_SYS, "withdrawEth(address)", WALLET, value=7))
    (found,) = rollup.bridge.find(WALLET, {FAR: 0})
    assert ("3", 7, 7, native(NEAR)) == (found.id, found.sold.raw, found.least, found.buy)


def test_rehearsal_of_a_withdrawal_pays_the_same(rollup: Rollup) -> None:
    leg = rollup.leg(inward=False)
    plan = rollup.bridge.rehearse(leg, rollup.deposit(leg), STRANGER)
    assert plan is not None
    assert (Call(NEAR, WALLET, ETHER, "0x"),) == plan.calls
    assert plan.needs == plan.brings


def full(items: Sequence[bytes]) -> list[list[bytes]]:
    """The whole tree, level by level, as the definition says it."""
    levels = [[keccak256(item) for item in items]]
    while len(levels[-1]) > 1:
        nodes = levels[-1] + [EMPTY] * (len(levels[-1]) % 2)
        levels.append([keccak256(a + b) for a, b in zip(nodes[::2], nodes[1::2], strict=True)])
    return levels


def way_up(levels: Sequence[Sequence[bytes]], position: int) -> list[bytes]:
    found = []
    for nodes in levels[:-1]:
        sibling = position ^ 1
        found.append(nodes[sibling] if sibling < len(nodes) else EMPTY)
        position >>= 1
    return found


def test_tree_has_the_roots_and_ways_of_its_definition() -> None:
    items = [keccak256(bytes([number])) for number in range(40)]
    trees = {size: full(items[:size]) for size in range(1, 41)}
    for position in range(24):
        tree = Tree(position, way_up(trees[position + 1], position))
        for size in range(position + 1, 41):
            assert trees[size][-1][0] == tree.grow(items[size - 1])
            assert size == tree.size
            assert way_up(trees[size], position) == list(tree.proof(size))


def test_wrapped_coin_is_another_pair(rollup: Rollup) -> None:
    weth: Token = rollup.token(NEAR, "WETH")
    assert () == rollup.bridge.survey([(weth, native(FAR))], {weth: 9})
