"""The OP stack's bridge of the local world: real contracts, and those who work for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from lab.reading import ALICE, read

from agent.errors import SetupFailed
from agent.lab.providers import _op_contracts as there
from agent.lab.providers._op_deposits import DEPOSITED, derived
from agent.lab.puppet import Puppet, tx
from agent.lab.worlds import Worlds
from agent.wire.abi import decode
from agent.wire.keccak import keccak256

ETHER = 10**18
GAS = 200_000
NAME = "canonical_op"
PASSED = (
    "0x" + keccak256(b"MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)").hex()
)
TUPLE = "(uint256,address,address,uint256,uint256,bytes)"
PROVE = f"proveWithdrawalTransaction({TUPLE},uint256,(bytes32,bytes32,bytes32,bytes32),bytes[])"
FINALIZE = f"finalizeWithdrawalTransaction({TUPLE})"


@pytest.fixture
def stack(chains: Worlds) -> Iterator[Worlds]:
    chains.fund(ALICE, {1: {"ETH": 10 * ETHER}, 8453: {"ETH": 10 * ETHER}})
    yield chains
    chains.tell(NAME, "deposits", "prompt")
    chains.tell(NAME, "outputs", "prompt")


def ether(worlds: Worlds, chain: int) -> int:
    return int(str(worlds[chain].rpc.call("eth_getBalance", ALICE, "latest")), 16)


def bridge(worlds: Worlds, chain: int, raw: int) -> dict[str, Any]:
    to = there.L1_BRIDGE if chain == 1 else there.L2_BRIDGE
    call = tx(to, "bridgeETHTo(address,uint32,bytes)", ALICE, GAS, b"", value=raw)
    (receipt,) = Puppet(worlds[chain].rpc, ALICE).send(call)
    return receipt


def passed(receipt: dict[str, Any]) -> tuple[tuple[Any, ...], bytes]:
    """The withdrawal as the portal takes it, and its hash."""
    (log,) = [log for log in receipt["logs"] if log["topics"][0] == PASSED]
    nonce, sender, target = (int(topic, 16) for topic in log["topics"][1:])
    kinds = ("uint256", "uint256", "bytes", "bytes32")
    value, gas, data, its_hash = decode(kinds, bytes.fromhex(log["data"][2:]))
    return (nonce, f"0x{sender:040x}", f"0x{target:040x}", value, gas, data), its_hash


def games(worlds: Worlds) -> int:
    (count,) = read(worlds[1], there.GAME_FACTORY, "gameCount()", "(uint256)")
    return int(count)


def prove(worlds: Worlds, made: tuple[tuple[Any, ...], bytes], game: int) -> None:
    """Prove a withdrawal by the output that a game states."""
    withdrawal, its_hash = made
    asked = ("gameAtIndex(uint256)", "(uint32,uint64,address)", game)
    (_, _, address) = read(worlds[1], there.GAME_FACTORY, *asked)
    (number,) = read(worlds[1], address, "l2BlockNumber()", "(uint256)")
    slot = "0x" + keccak256(its_hash + bytes(32)).hex()
    rpc = worlds[8453].rpc
    block: Any = rpc.call("eth_getBlockByNumber", hex(number), False)
    proof: Any = rpc.call("eth_getProof", there.MESSAGE_PASSER, [slot], hex(number))
    root = [bytes(32), *map(raw, (block["stateRoot"], proof["storageHash"], block["hash"]))]
    nodes = [raw(node) for node in proof["storageProof"][0]["proof"]]
    call = tx(there.PORTAL, PROVE, withdrawal, game, tuple(root), nodes)
    Puppet(worlds[1].rpc, ALICE).send(call)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def finalize(worlds: Worlds, made: tuple[tuple[Any, ...], bytes]) -> int:
    """Finalise, and return what it brings."""
    alice = Puppet(worlds[1].rpc, ALICE)
    before = ether(worlds, 1)
    (receipt,) = alice.send(tx(there.PORTAL, FINALIZE, made[0]))
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    return ether(worlds, 1) - before + fee


def test_deposits_arrive_each_once_as_the_specs_derive_them(stack: Worlds) -> None:
    before = ether(stack, 8453)
    receipts = [bridge(stack, 1, ETHER), bridge(stack, 1, 2 * ETHER)]
    stack.turn()
    stack.turn()
    assert before + 3 * ETHER == ether(stack, 8453)
    for receipt in receipts:
        (log,) = [log for log in receipt["logs"] if log["topics"][0] == DEPOSITED]
        made: Any = stack[8453].rpc.call("eth_getTransactionReceipt", derived(log).hash)
        assert ("0x1", "0x7e") == (made["status"], made["type"].lower())


def test_deposits_are_late_or_never_made_when_told(stack: Worlds) -> None:
    before = ether(stack, 8453)
    stack.tell(NAME, "deposits", "never")
    bridge(stack, 1, ETHER)
    stack.jump(100)
    stack.turn()
    assert before == ether(stack, 8453)
    stack.tell(NAME, "deposits", "late")
    stack.turn()
    assert before + ETHER == ether(stack, 8453)


def test_withdrawal_is_proven_and_paid_by_the_real_contracts(stack: Worlds) -> None:
    made = passed(bridge(stack, 8453, ETHER))
    stack.turn()
    stack.turn()
    assert 1 == games(stack), "one output is enough"
    stack.jump(1)
    prove(stack, made, 0)
    with pytest.raises(SetupFailed, match="reverted"):
        finalize(stack, made)
    stack.jump(there.CLOCK_SECONDS)
    stack.turn()
    stack.jump(there.PROOF_MATURITY_SECONDS + there.AIR_GAP_SECONDS)
    assert ETHER == finalize(stack, made)


def test_outputs_are_late_when_told(stack: Worlds) -> None:
    stack.tell(NAME, "outputs", "late")
    bridge(stack, 8453, ETHER)
    stack.turn()
    assert 0 == games(stack)
    stack.jump(60)
    stack.turn()
    assert 1 == games(stack)


@pytest.mark.parametrize("order", ["challenge", "blacklist"])
def test_output_that_falls_pays_nothing_and_is_stated_anew(stack: Worlds, order: str) -> None:
    made = passed(bridge(stack, 8453, ETHER))
    stack.turn()
    stack.jump(1)
    prove(stack, made, 0)
    stack.tell(NAME, order)
    stack.jump(2 * there.CLOCK_SECONDS)
    stack.turn()
    stack.turn()
    assert 2 == games(stack)
    stack.jump(there.PROOF_MATURITY_SECONDS + there.AIR_GAP_SECONDS)
    with pytest.raises(SetupFailed, match="reverted"):
        finalize(stack, made)
    prove(stack, made, 1)
    stack.turn()
    stack.jump(there.PROOF_MATURITY_SECONDS + there.AIR_GAP_SECONDS)
    assert ETHER == finalize(stack, made)


def test_false_output_satisfies_nobody(stack: Worlds) -> None:
    stack.tell(NAME, "forge", 10**6)
    bridge(stack, 8453, ETHER)
    stack.turn()
    assert 2 == games(stack)


def test_guardian_pauses_and_goes_on(stack: Worlds) -> None:
    stack.tell(NAME, "pause")
    assert (True,) == read(stack[1], there.PORTAL, "paused()", "(bool)")
    stack.tell(NAME, "unpause")
    assert (False,) == read(stack[1], there.PORTAL, "paused()", "(bool)")


@pytest.mark.parametrize("told", [("deposits", "sometimes"), ("dance",)])
def test_order_that_nobody_knows_is_an_error(stack: Worlds, told: tuple[str, ...]) -> None:
    with pytest.raises(SetupFailed, match="did not take the order"):
        stack.tell(NAME, *told)


def test_rollup_that_stands_still_makes_no_deposit(stack: Worlds) -> None:
    before = ether(stack, 8453)
    bridge(stack, 1, ETHER)
    stack.halt(8453)
    stack.turn()
    assert before == ether(stack, 8453)
    stack.go_on(8453)
    stack.turn()
    assert before + ETHER == ether(stack, 8453)
