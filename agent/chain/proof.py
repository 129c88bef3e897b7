"""Asks a node for the Merkle proof of a storage slot, with the block that it belongs to."""

from __future__ import annotations

from agent.chain.logs import Asks
from agent.chain.replies import bad_reply, hash_text, header, payload, quantity, value
from agent.core.money import Address
from agent.core.storage_proof import StorageProof
from agent.wire.keccak import keccak256


def proof(rpc: Asks, account: Address, slot: str, at: int) -> StorageProof:
    """The proof of one slot (32 bytes of hex) at block number *at*, in one request.

    Raises ``BadReply`` for one that is not about what was asked, ``RpcError`` when the node keeps
    no state of so old a block.
    """
    number = hex(at)
    block, found = map(
        value,
        rpc.batch(
            [
                ("eth_getBlockByNumber", (number, False)),
                ("eth_getProof", (account, [slot], number)),
            ]
        ),
    )
    head = header(block)
    if not (isinstance(block, dict) and isinstance(found, dict)) or head.number != at:
        raise bad_reply("no proof of a block that was asked for")
    entries = found.get("storageProof")
    if str(found.get("address")).lower() != account or not isinstance(entries, list):
        raise bad_reply("the proof of another contract")
    entry = entries[0] if len(entries) == 1 else None
    if not isinstance(entry, dict) or quantity(entry.get("key")) != int(slot, 16):
        raise bad_reply("the proof of another slot")
    nodes = entry.get("proof")
    if not isinstance(nodes, list):
        raise bad_reply("a proof without nodes")
    root, path = _word(found.get("storageHash")), tuple(payload(node) for node in nodes)
    if path and keccak256(path[0]) != root:
        raise bad_reply("a proof that does not begin at its root")
    return StorageProof(
        account=account,
        slot=slot,
        value=quantity(entry.get("value")),
        block=head.number,
        block_hash=bytes.fromhex(head.hash[2:]),
        state_root=_word(block.get("stateRoot")),
        storage_root=root,
        nodes=path,
    )


def _word(answer: object) -> bytes:
    return bytes.fromhex(hash_text(answer)[2:])  # type: ignore[arg-type]
