"""What Arbitrum's canonical bridge offers, what its bytes mean, and what it believes of nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from arbitrum_rigs import (
    CONFIRMATIONS,
    ETHER,
    FAR,
    ME,
    NEAR,
    PERIOD_SECONDS,
    STRANGER,
    WALLET,
    Rollup,
    native,
)

from agent.bridges import _arbitrum_deposits, _arbitrum_withdrawals
from agent.bridges._arbitrum_contracts import (
    CONTENT,
    DELIVERED,
    EXECUTE,
    EXECUTED,
    SENT,
    Message,
    alias,
)
from agent.bridges._arbitrum_tree import EMPTY, Tree
from agent.bridges.canonical_arbitrum import make
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.errors import BadReply, NoRoute, Unreachable
from agent.lab.accounts import TREASURY
from agent.lab.providers._arbitrum_contracts import BRIDGE, INBOX, OUTBOX, ROLLUP
from agent.lab.puppet import Puppet, tx
from agent.lab.rollups import ARB_SYS
from agent.ports import Act, BlockTag, Delivered, Gone, Node, Read, Waiting
from agent.provider import ProviderOptions
from agent.wire import calldata
from agent.wire.abi import encode
from agent.wire.keccak import keccak256


class Lying:
    """A node whose answers are changed on their way."""

    def __init__(
        self,
        inner: Node,
        *,
        read: Callable[[bytes | None], bytes | None] = lambda said: said,
        logs: Callable[[tuple[Log, ...]], tuple[Log, ...]] = lambda said: said,
    ) -> None:
        self._inner = inner
        self._change_read, self._change_logs = read, logs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        return tuple(self._change_read(said) for said in self._inner.read(calls, at))

    def logs(self, query: LogQuery) -> tuple[Log, ...]:
        return self._change_logs(self._inner.logs(query))

    def logs_of(self, transaction: str) -> tuple[Log, ...]:
        return self._change_logs(self._inner.logs_of(transaction))


def silent(_said: bytes | None) -> bytes | None:
    raise Unreachable("nobody answers", fix="wait")


def between(rollup: Rollup, chain: ChainId, **lies: Any) -> None:
    """From now on the bridge sees a chain through a node that lies."""
    lying: Any = Lying(rollup.nodes[chain], **lies)
    nodes = {**rollup.nodes, chain: lying}
    rollup.bridge = make(rollup.options(), replace(rollup.io, nodes=nodes))


def meant(rollup: Rollup, call: Call) -> Meaning | Refusal:
    return calldata.meaning(call, rollup.bridge.layouts, account=WALLET)


def owner(rollup: Rollup) -> Puppet:
    return Puppet(rollup.worlds[NEAR].rpc, TREASURY)


# What it offers.


def test_terms_are_one_to_one_and_as_long_as_the_contracts_say(rollup: Rollup) -> None:
    near, far = native(NEAR), native(FAR)
    inward, outward = rollup.bridge.survey([(near, far), (far, near)], {near: 9, far: 9})
    assert ((1, 1), (2, 2), (4, 4), (9, 9)) == inward.ladder == outward.ladder
    assert (900, PERIOD_SECONDS + 3_600) == (inward.seconds, outward.seconds)
    owner(rollup).send(tx(ROLLUP, "setConfirmPeriodBlocks(uint64)", 45_818))
    (outward,) = rollup.bridge.survey([(far, near)], {far: 9})
    assert 45_818 * 12 + 3_600 == outward.seconds
    assert 0 < outward.far_gas


def test_silent_parent_chain_leaves_only_what_needs_no_question(rollup: Rollup) -> None:
    near, far = native(NEAR), native(FAR)
    between(rollup, NEAR, read=silent)
    (edge,) = rollup.bridge.survey([(near, far), (far, near)], {near: 9, far: 9})
    assert (near, far) == (edge.sell, edge.buy)


@pytest.mark.parametrize("missing", ["inbox", "allowed", "outbox"])
def test_closed_bridge_is_no_route(rollup: Rollup, missing: str) -> None:
    inbox, outbox = (INBOX, False), (OUTBOX, False)
    closing = {
        "inbox": tx(INBOX, "pause()"),
        "allowed": tx(BRIDGE, "setDelayedInbox(address,bool)", *inbox),
        "outbox": tx(BRIDGE, "setOutbox(address,bool)", *outbox),
    }
    owner(rollup).send(closing[missing])
    with pytest.raises(NoRoute, match="is closed there"):
        rollup.quote(rollup.leg(inward=missing != "outbox"))


def test_account_with_code_is_not_deposited_for(rollup: Rollup) -> None:
    rollup.worlds[NEAR].rpc.call("anvil_setCode", WALLET, "0xef0100" + "11" * 20)
    with pytest.raises(NoRoute, match="credits an account with code elsewhere"):
        rollup.quote(rollup.leg(inward=True))
    assert ETHER == rollup.quote(rollup.leg(inward=False)).amount_out


def test_chains_that_do_not_name_each_other_are_no_pair(rollup: Rollup) -> None:
    known = rollup.options().chains
    for chain, facts in (
        (NEAR, {**known[NEAR].facts, "child": 10}),
        (FAR, {**known[FAR].facts, "parent": 10}),
        (FAR, {}),
    ):
        changed = {**known, chain: replace(known[chain], facts=facts)}
        bridge = make(ProviderOptions(chains=changed), rollup.io)
        assert {} == dict(bridge.targets(NEAR))
        assert () == bridge.survey([(native(NEAR), native(FAR))], {native(NEAR): 9})
        assert () == bridge.find(WALLET, {NEAR: 0, FAR: 0})
        leg = rollup.leg(inward=True)
        receipt = Receipt(hash="0x", block_number=1, block_hash="0x", ok=True, gas_used=1, fee=1)
        why = "canonical_arbitrum has no way from ETH to ETH"
        assert Gone(why) == bridge.track(leg, receipt, ETHER, 0, 1)
        assert bridge.rehearse(leg, receipt, STRANGER) is None


# What its bytes mean.


def test_deposit_credits_whoever_sends_it_on_the_rollup(rollup: Rollup) -> None:
    call = rollup.quote(rollup.leg(inward=True)).payload
    assert isinstance(call, Call)
    said = meant(rollup, call)
    assert isinstance(said, Meaning)
    assert (WALLET, FAR, NATIVE, NATIVE) == (said.recipient, said.to_chain, said.sell, said.buy)
    assert (ETHER, ETHER, True) == (said.value, said.min_out, said.lasting)


def test_withdrawal_names_its_recipient(rollup: Rollup) -> None:
    call = rollup.quote(rollup.leg(inward=False)).payload
    assert isinstance(call, Call)
    said = meant(rollup, call)
    assert isinstance(said, Meaning)
    assert (WALLET, NEAR, NATIVE, NATIVE) == (said.recipient, said.to_chain, said.sell, said.buy)
    assert (ETHER, ETHER, True) == (said.value, said.min_out, said.lasting)
    other = replace(call, data=call.data.replace(WALLET[2:], STRANGER[2:]))
    said = meant(rollup, other)
    assert isinstance(said, Meaning)
    assert STRANGER == said.recipient


def test_call_to_another_contract_leads_nowhere(rollup: Rollup) -> None:
    call = rollup.quote(rollup.leg(inward=True)).payload
    assert isinstance(call, Call)
    said = meant(rollup, replace(call, to=Address(BRIDGE)))
    assert isinstance(said, Meaning)
    assert (None, None) == (said.to_chain, said.buy)


def test_claim_names_whom_it_pays_and_calls_nothing(rollup: Rollup) -> None:
    fields = (WALLET, WALLET, 1, 1, 1, ETHER)
    claim = Call(NEAR, Address(OUTBOX), 0, EXECUTE.encode([], 0, *fields, b""))
    said = meant(rollup, claim)
    assert isinstance(said, Meaning)
    assert (WALLET, Address(OUTBOX)) == (said.recipient, said.target)
    assert Address(OUTBOX) in rollup.bridge.targets(NEAR)
    calling = replace(claim, data=EXECUTE.encode([], 0, *fields, b"\1"))
    assert isinstance(meant(rollup, calling), Refusal)


# Where a deposit is.


def waits(found: object) -> str:
    assert isinstance(found, Waiting), found
    return found.why


def test_deposit_counts_when_its_batch_is_deep_and_the_rollup_is_there(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    assert "is on its way" in waits(rollup.track(leg, deposit))
    assert "is late" in waits(rollup.track(leg, deposit, later=3_700))
    rollup.worlds.jump(3)
    rollup.turn()
    assert "is on its way" in waits(rollup.track(leg, deposit))
    now = rollup.now() + 1_000
    rollup.worlds[NEAR].set_time(now)
    rollup.worlds[NEAR].mine(CONFIRMATIONS)
    why = "message 0 of chain 1 was taken in; the node of chain 42161 is behind it"
    assert why == waits(rollup.track(leg, deposit))
    rollup.worlds[FAR].set_time(now + 60)
    assert isinstance(rollup.track(leg, deposit), Delivered)


def test_deposit_that_was_mined_elsewhere_is_looked_for(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    moved = replace(rollup.deposit(leg), block_hash="0x" + "11" * 32)
    assert "the deposit is not where it was mined" == waits(rollup.track(leg, moved))
    assert rollup.bridge.rehearse(leg, moved, STRANGER) is None


def test_transaction_without_the_deposit_is_gone(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    other = rollup.sent(Call(NEAR, STRANGER, 1, "0x"))
    assert Gone(f"transaction {other.hash} made 0 deposits for this leg") == rollup.track(
        leg, other
    )
    deposit = rollup.deposit(leg)
    found = rollup.bridge.track(leg, deposit, ETHER - 1, 0, rollup.now())
    assert Gone(f"message 0 is of {ETHER} wei, not {ETHER - 1}") == found


def test_message_of_another_kind_is_no_deposit(rollup: Rollup) -> None:
    sender = Puppet(rollup.worlds[NEAR].rpc, WALLET)
    (found,) = sender.send(tx(INBOX, "sendL2Message(bytes)", b"hello"))
    leg = rollup.leg(inward=True)
    other = replace(
        rollup.deposit(leg), hash=found["transactionHash"], block_hash=found["blockHash"]
    )
    why = f"transaction {other.hash} made 0 deposits for this leg"
    assert Gone(why) == rollup.track(leg, other)


def changed(event: Any, **values: Any) -> Callable[[tuple[Log, ...]], tuple[Log, ...]]:
    """The same logs, with other values in those of an event."""

    def change(log: Log) -> Log:
        if not event.is_in(log):
            return log
        said = {**event.decode(log), **values}
        data = encode([kind for _, kind in event.plain], [said[name] for name, _ in event.plain])
        topics = event.topics(**{name: said[name] for name, _ in event.indexed})
        return replace(log, data=data, topics=topics)

    return lambda logs: tuple(change(log) for log in logs)


def test_deposit_for_another_account_is_gone(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, logs=changed(DELIVERED, sender=STRANGER))
    why = f"message 0 credits {WALLET}, which is not its sender"
    assert Gone(why) == rollup.track(leg, deposit)


@pytest.mark.parametrize(
    "lie",
    [
        changed(CONTENT, data=bytes.fromhex(WALLET[2:]) + (2 * ETHER).to_bytes(32, "big")),
        changed(CONTENT, messageNum=7),
        lambda logs: tuple(log for log in logs if not CONTENT.is_in(log)),
        lambda logs: tuple(replace(log, data=log.data[:-1]) for log in logs),
    ],
)
def test_content_that_is_not_the_bridge_s_is_not_believed(rollup: Rollup, lie: Any) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, logs=lie)
    with pytest.raises(BadReply):
        rollup.track(leg, deposit)


@pytest.mark.parametrize("said", [None, b"", b"\1" * 31])
def test_answer_that_is_none_is_not_believed(rollup: Rollup, said: bytes | None) -> None:
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, read=lambda _said: said)
    with pytest.raises(BadReply):
        rollup.track(leg, deposit)


def test_hash_of_the_crediting_transaction_is_what_arbitrum_s_own_sdk_computes() -> None:
    # EthDepositMessage.calculateDepositTxId of @arbitrum/sdk 4.1.0, run with these arguments.
    log: Any = None
    message = Message(
        number=0x63340, to=Address("0xa111" + "00" * 16 + "0a11"), value=ETHER, log=log
    )
    wanted = "0x8a10d91ff8dc5e772285e2ada4924a239153cbb5a0ec95f69247745d16f79001"
    assert "0xb222" + "00" * 16 + "1b22" == alias(message.to)
    assert wanted == message.credited_by(FAR)


@pytest.mark.parametrize(
    ("ok", "depth", "there"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_deposit_that_the_rollup_shows_is_there_at_its_block(
    rollup: Rollup, ok: bool, depth: int, there: bool
) -> None:
    rollup.worlds.tell(ME, "sequence", "never")
    leg = rollup.leg(inward=True)
    deposit = rollup.deposit(leg)
    node: Any = rollup.nodes[FAR]

    class Showing(Lying):
        def sight(self, account: Address, hashes: Sequence[str]) -> Any:
            seen = node.sight(account, hashes)
            shown = replace(
                deposit, hash=hashes[0], ok=ok, block_number=seen.head.number - depth + 1
            )
            return replace(seen, receipts=(shown,))

    showing: Any = Showing(node)
    nodes = {**rollup.nodes, FAR: showing}
    bridge = make(rollup.options(), replace(rollup.io, nodes=nodes))
    found = bridge.track(leg, deposit, ETHER, 0, rollup.now())
    assert there == isinstance(found, Delivered)
    assert int(not there) == len(bridge.find(WALLET, {NEAR: 0}))
    if isinstance(found, Delivered):
        assert node.block().number - depth + 1 == found.block


def test_unread_deposits_are_found_however_far_back(
    rollup: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_arbitrum_deposits, "FIRST_WINDOW", 2)
    rollup.deposit(rollup.leg(inward=True, raw=7))
    rollup.take_in()
    made = []
    rollup.worlds.tell(ME, "sequence", "never")
    for raw in (8, 9):
        made.append(rollup.deposit(rollup.leg(inward=True, raw=raw)))
        rollup.worlds[NEAR].mine(9)
    sender = Puppet(rollup.worlds[NEAR].rpc, WALLET)
    sender.send(tx(INBOX, "sendL2Message(bytes)", b"hello"))
    found = rollup.bridge.find(WALLET, {NEAR: 0})
    assert [(8, "1"), (9, "2")] == [(each.sold.raw, each.id) for each in found]
    assert [each.hash for each in made] == [each.deposit for each in found]
    assert [9] == [x.sold.raw for x in rollup.bridge.find(WALLET, {NEAR: made[1].block_number})]


def test_rehearsal_of_a_deposit_pays_the_same(rollup: Rollup) -> None:
    leg = rollup.leg(inward=True)
    plan = rollup.bridge.rehearse(leg, rollup.deposit(leg), STRANGER)
    assert plan is not None
    assert (Call(FAR, WALLET, ETHER, "0x"),) == plan.calls
    assert plan.needs == plan.brings


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
