"""Arbitrum's canonical bridge in the local world: Ethereum's real contracts, our own other side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.reading import balance, read

from agent.errors import SetupFailed
from agent.lab.providers import canonical_arbitrum
from agent.lab.providers._arbitrum_contracts import (
    BRIDGED,
    CHILD_GATEWAY,
    CONFIRM_PERIOD_BLOCKS,
    GATEWAY,
    INBOX,
    OUTBOX,
    RETRYABLES,
    ROLLUP,
    ROUTER,
    SEQUENCER_INBOX,
)
from agent.lab.puppet import Puppet, tx
from agent.lab.rollups import ARB_SYS
from agent.lab.worlds import Worlds, open_worlds
from agent.wire.abi import encode
from agent.wire.keccak import keccak256

ALICE = "0x" + "a11ce" * 8
ETHER = 10**18
NEAR, FAR = 1, 42161
ME = "canonical_arbitrum"


@pytest.fixture(scope="module")
def opened(lab_cache: Path) -> Iterator[Worlds]:
    with open_worlds(lab_cache, chains=(NEAR, FAR), block_seconds=None) as found:
        yield found


@pytest.fixture
def pair(opened: Worlds) -> Iterator[Worlds]:
    snapshot = opened.snapshot()
    opened.fund(ALICE, {NEAR: {"ETH": 10 * ETHER}, FAR: {"ETH": 10 * ETHER}})
    yield opened
    opened.revert(snapshot)
    opened.tell(ME, "sequence", "prompt")
    opened.tell(ME, "confirm", "prompt")
    opened.tell(ME, "redeem", "prompt")


def send(worlds: Worlds, chain: int, to: str, signature: str, *told: Any, value: int = 0) -> None:
    Puppet(worlds[chain].rpc, ALICE).send(tx(to, signature, *told, value=value))


def held(worlds: Worlds, chain: int, account: str = ALICE) -> int:
    return int(str(worlds[chain].rpc.call("eth_getBalance", account, "latest")), 16)


def turn(worlds: Worlds) -> None:
    worlds.turn()
    assert "" == worlds.state()["fault"]


def messages_in(worlds: Worlds) -> int:
    (found,) = read(worlds[NEAR], SEQUENCER_INBOX, "totalDelayedMessagesRead()", "(uint256)")
    return int(found)


def is_spent(worlds: Worlds, position: int) -> bool:
    (found,) = read(worlds[NEAR], OUTBOX, "isSpent(uint256)", "(bool)", position)
    return bool(found)


def test_ether_is_credited_once_and_then_in_a_batch(pair: Worlds) -> None:
    send(pair, NEAR, INBOX, "depositEth()", value=ETHER)
    before = held(pair, FAR)
    turn(pair)
    assert (0, 0) == (held(pair, FAR) - before, messages_in(pair))
    pair.jump(3)
    turn(pair)
    turn(pair)
    assert (ETHER, 1) == (held(pair, FAR) - before, messages_in(pair))


def test_late_sequencer_takes_a_minute_and_one_that_never_works_takes_nothing(pair: Worlds) -> None:
    before = held(pair, FAR)
    pair.tell(ME, "sequence", "never")
    send(pair, NEAR, INBOX, "depositEth()", value=ETHER)
    pair.jump(86_400)
    turn(pair)
    assert (0, 0) == (held(pair, FAR) - before, messages_in(pair))
    pair.tell(ME, "sequence", "late")
    turn(pair)
    send(pair, NEAR, INBOX, "depositEth()", value=ETHER)
    pair.jump(30)
    turn(pair)
    assert (ETHER, 1) == (held(pair, FAR) - before, messages_in(pair))
    pair.jump(31)
    turn(pair)
    assert (2 * ETHER, 2) == (held(pair, FAR) - before, messages_in(pair))


def test_message_of_another_kind_is_taken_in_and_pays_nothing(pair: Worlds) -> None:
    send(pair, NEAR, INBOX, "sendL2Message(bytes)", b"anything")
    pair.jump(3)
    turn(pair)
    assert 1 == messages_in(pair)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 11])
def test_every_send_of_a_confirmed_root_can_be_claimed_once(pair: Worlds, size: int) -> None:
    part = ETHER // 100
    for _ in range(size):
        send(pair, FAR, ARB_SYS, "withdrawEth(address)", ALICE, value=part)
    turn(pair)
    pair[NEAR].mine(CONFIRM_PERIOD_BLOCKS)
    turn(pair)
    before = held(pair, NEAR)
    for position in range(size):
        assert not is_spent(pair, position)
        pair.tell(ME, "execute", position)
        assert is_spent(pair, position)
    assert part * size == held(pair, NEAR) - before
    with pytest.raises(SetupFailed):
        pair.tell(ME, "execute", size - 1)


def test_orders_that_are_none_are_refused(pair: Worlds) -> None:
    for wrong in (("sequence", "soon"), ("confirm", "soon"), ("rest",)):
        with pytest.raises(SetupFailed):
            pair.tell(ME, *wrong)


def test_one_chain_alone_is_left_as_it_is(pair: Worlds) -> None:
    desk = canonical_arbitrum.Desk({})
    desk.turn()
    assert (404, {"message": "there is no /x"}) == desk.answer("GET", "/x", {}, {}, None)
    with pytest.raises(ValueError, match="both chains"):
        desk.order("execute", 0)


def test_root_counts_only_after_the_period(pair: Worlds) -> None:
    send(pair, FAR, ARB_SYS, "sendTxToL1(address,bytes)", ALICE, b"", value=ETHER)
    turn(pair)
    pair[NEAR].mine(CONFIRM_PERIOD_BLOCKS - 2)
    turn(pair)
    assert (0,) == read(pair[NEAR], ROLLUP, "confirmed()", "(uint256)")
    pair.tell(ME, "confirm", "never")
    pair[NEAR].mine(5)
    turn(pair)
    assert (0,) == read(pair[NEAR], ROLLUP, "confirmed()", "(uint256)")
    pair.tell(ME, "confirm", "prompt")
    turn(pair)
    assert (1,) == read(pair[NEAR], ROLLUP, "confirmed()", "(uint256)")


def deposit_token(worlds: Worlds, raw: int) -> None:
    token = worlds[NEAR].place.tokens[BRIDGED].address
    worlds.fund(ALICE, {NEAR: {BRIDGED: raw}})
    send(worlds, NEAR, token, "approve(address,uint256)", GATEWAY, raw)
    most, gas, price = ETHER // 100, 300_000, 10**8
    terms = encode(["uint256", "bytes"], [most, b""])
    call = "outboundTransferCustomRefund(address,address,address,uint256,uint256,uint256,bytes)"
    told = (token, ALICE, ALICE, raw, gas, price, terms)
    send(worlds, NEAR, ROUTER, call, *told, value=most + gas * price)


def copies(worlds: Worlds) -> int:
    return balance(worlds[FAR], BRIDGED, ALICE)


def test_gateway_computes_where_the_copy_stands(pair: Worlds) -> None:
    original, copy = (pair[chain].place.tokens[BRIDGED].address for chain in (NEAR, FAR))
    found = read(pair[NEAR], ROUTER, "calculateL2TokenAddress(address)", "(address)", original)
    assert (copy,) == found
    assert (GATEWAY,) == read(pair[NEAR], ROUTER, "getGateway(address)", "(address)", original)


def test_token_is_redeemed_as_it_comes_in_and_the_rest_of_the_fee_comes_too(pair: Worlds) -> None:
    deposit_token(pair, 7)
    before = held(pair, FAR)
    pair.jump(3)
    turn(pair)
    assert 7 == copies(pair)
    assert 0 < held(pair, FAR) - before < ETHER // 100 + 300_000 * 10**8
    turn(pair)
    assert 7 == copies(pair)


def test_ticket_that_was_not_redeemed_waits_until_somebody_asks_for_it(pair: Worlds) -> None:
    pair.tell(ME, "redeem", "never")
    deposit_token(pair, 7)
    pair.jump(3)
    turn(pair)
    assert 0 == copies(pair)
    (created,) = logs_of(pair, "TicketCreated(bytes32)")
    ticket = bytes.fromhex(created["topics"][1][2:])
    send(pair, FAR, RETRYABLES, "redeem(bytes32)", ticket)
    turn(pair)
    assert 7 == copies(pair)
    with pytest.raises(SetupFailed):
        send(pair, FAR, RETRYABLES, "redeem(bytes32)", ticket)


def test_ticket_that_fails_stays_and_one_that_is_a_week_old_is_gone(pair: Worlds) -> None:
    deposit_token(pair, 7)
    code = pair[FAR].rpc.call("eth_getCode", CHILD_GATEWAY, "latest")
    pair[FAR].rpc.call("anvil_setCode", CHILD_GATEWAY, "0xfe")
    pair.jump(3)
    turn(pair)
    (created,) = logs_of(pair, "TicketCreated(bytes32)")
    ticket = bytes.fromhex(created["topics"][1][2:])
    read(pair[FAR], RETRYABLES, "getTimeout(bytes32)", "(uint256)", ticket)
    pair[FAR].rpc.call("anvil_setCode", CHILD_GATEWAY, code)
    pair.jump(604_801)
    with pytest.raises(SetupFailed):
        send(pair, FAR, RETRYABLES, "redeem(bytes32)", ticket)


def logs_of(worlds: Worlds, event: str) -> list[dict[str, Any]]:
    wanted = {"address": RETRYABLES, "fromBlock": "0x0"}
    topics = ["0x" + keccak256(event.encode()).hex()]
    found: Any = worlds[FAR].rpc.call("eth_getLogs", {**wanted, "topics": topics})
    return list(found)
