"""Proofs of storage: about what was asked, and of a real node."""

from __future__ import annotations

from typing import Any

import pytest
from chain.scripted import Scripted, block_hash, header
from conformance.nodes import OnAnvil, over

from agent.bridges._op_stack import output_root
from agent.chain.proof import proof
from agent.core.money import Address
from agent.errors import BadReply, Unavailable
from agent.lab.compiled import compiled_contracts
from agent.lab.world import World
from agent.ports import Prover
from agent.wire.keccak import keccak256
from agent.wire.rpc import RpcError

PASSER = Address("0x" + "16" * 20)
SLOT = "0x" + "00" * 31 + "05"
STATE = "0x" + "5a" * 32
NODE = bytes.fromhex("f8429a01")
ROOT = "0x" + keccak256(NODE).hex()


class Node(Scripted):
    host = "node.example:443"
    log_span: int | None = None


def entry(**changes: Any) -> dict[str, Any]:
    return {"key": "0x5", "value": "0x1", "proof": ["0x" + NODE.hex()], **changes}


def found(**changes: Any) -> dict[str, Any]:
    return {"address": PASSER, "storageHash": ROOT, "storageProof": [entry()], **changes}


def asked(*, block: Any = None, said: Any = None) -> Any:
    head = header(7, stateRoot=STATE) if block is None else block
    node = Node(eth_getBlockByNumber=head, eth_getProof=found() if said is None else said)
    return proof(node, PASSER, SLOT, 7)


def test_proof_says_what_was_asked_of_which_block() -> None:
    made = asked()
    assert (PASSER, SLOT, 1, 7) == (made.account, made.slot, made.value, made.block)
    assert (bytes.fromhex(block_hash(7)[2:]), bytes.fromhex(STATE[2:])) == (
        made.block_hash,
        made.state_root,
    )
    assert (keccak256(NODE), (NODE,)) == (made.storage_root, made.nodes)
    assert 32 == len(
        output_root(
            state_root=made.state_root,
            storage_root=made.storage_root,
            block_hash=made.block_hash,
        )
    )


def test_empty_storage_has_a_root_and_no_path() -> None:
    assert () == asked(said=found(storageProof=[entry(value="0x0", proof=[])])).nodes


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (header(8, stateRoot=STATE), None),
        (header(7), None),
        (False, None),
        (None, []),
        (None, found(address="0x" + "17" * 20)),
        (None, found(storageProof=None)),
        (None, found(storageProof=[])),
        (None, found(storageProof=[entry(), entry()])),
        (None, found(storageProof=["0x5"])),
        (None, found(storageProof=[entry(key="0x6")])),
        (None, found(storageProof=[entry(proof="0x01")])),
        (None, found(storageProof=[entry(proof=["01"])])),
        (None, found(storageProof=[entry(value="one")])),
        (None, found(storageHash="0x" + "ab" * 32)),
        (None, found(storageHash="0xab")),
    ],
)
def test_proof_of_something_else_is_refused(block: Any, said: Any) -> None:
    with pytest.raises(BadReply):
        asked(block=block, said=said)


def test_block_whose_state_is_gone_is_the_nodes_own_error() -> None:
    gone = RpcError(-32000, "missing trie node")
    with pytest.raises(RpcError, match="missing trie node"):
        asked(said=gone)


def test_real_node_proves_what_a_contract_keeps(chain: World, lab_cache: Any) -> None:
    on = OnAnvil(chain, compiled_contracts(lab_cache))
    node = over(chain)
    assert isinstance(node, Prover)
    number = node.block().number
    made = node.proof(on.token(5).address, SLOT, number)
    assert (number, 0) == (made.block, made.value)
    assert made.storage_root != made.state_root
    with pytest.raises(Unavailable):
        node.proof(PASSER, SLOT, number + 1_000)
    node.close()
    on.node.close()
