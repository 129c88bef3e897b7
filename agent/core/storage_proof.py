"""A Merkle proof of what a contract keeps, for contracts of another chain."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.money import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageProof:
    """The value of one slot of a contract at one block (EIP-1186), 32-byte words as bytes.

    `nodes` lead from the contract's `storage_root` to the slot, `state_root` is the block's.
    """

    account: Address
    slot: str
    value: int
    block: int
    block_hash: bytes
    state_root: bytes
    storage_root: bytes
    nodes: tuple[bytes, ...]
