"""A local fork as a node: takes transactions that nobody signed, and nothing that somebody did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.chain.node import RpcNode
from agent.chain.reasons import plain
from agent.chain.replies import hash_text
from agent.core.fees import FeeQuote, L1Fee
from agent.core.log import Log, LogQuery
from agent.core.money import Address, ChainId, Token
from agent.core.quote import Allowance, Call
from agent.core.sighting import Sighting
from agent.core.simulated import NOTHING, Simulated
from agent.core.snapshot import Block, ChainSnapshot
from agent.core.storage_proof import StorageProof
from agent.errors import KeyNotAllowed, NoSimulator
from agent.ports import BlockTag, Read, Sent
from agent.wire.endpoint import is_loopback, parse_endpoint
from agent.wire.rpc import Rpc, RpcError, RpcUnavailable

IMPERSONATED = "impersonate:"
"""How the bytes of a transaction begin that is not signed; its JSON fields follow."""

_CALL_FIELDS = frozenset(["from", "to", "value", "data", "gas", "nonce"])
_PRICE_FIELDS = (frozenset(["maxFeePerGas", "maxPriorityFeePerGas"]), frozenset(["gasPrice"]))
"""Of EIP-1559, and of a legacy transaction."""

_NO_SUCH_METHOD = -32601
"""JSON-RPC 2.0, section 5.1."""


def impersonated_hash(raw: str) -> str:
    """Return the hash that stands for an unsigned transaction: the SHA-256 of its text.

    The real one is not known before the fork has taken it. No transaction of a chain has this
    hash: it would be a collision of Keccak with SHA-256.
    """
    return "0x" + hashlib.sha256(raw.encode()).hexdigest()


class ForkNode:
    """The port `Node` over a fork on this machine, for runs that are only rehearsed.

    Reading is the inner node's. `send` impersonates the sender, because the wallet's key must not
    sign for a copy of a chain: the signature would be valid on the original. Transactions are
    known by their stand-in hashes until they are asked for.
    """

    def __init__(self, inner: RpcNode, url: str) -> None:
        """Take the node that reads and the fork's URL; raises ``KeyNotAllowed``."""
        host = parse_endpoint(url).host
        if not is_loopback(host):
            raise KeyNotAllowed(
                f"{host} is not this machine: transactions are impersonated on local forks only",
                fix="let the program start the fork itself",
            )
        self._inner = inner
        self._rpc = Rpc(url)
        self._hashes: dict[str, str] = {}

    @property
    def chain(self) -> ChainId:
        """The chain that the fork is a copy of."""
        return self._inner.chain

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return self._inner.requests + self._rpc.requests

    def send(self, raw: str) -> Sent:
        """Execute an unsigned transaction as its sender; raises ``KeyNotAllowed`` for any other.

        The same text twice is one transaction.
        """
        if not raw.startswith(IMPERSONATED):
            raise KeyNotAllowed(
                "a fork takes impersonated transactions only: signed ones are valid on the "
                f"original of chain {self.chain}, too",
                fix="simulate with the impersonating signer",
            )
        stand_in = impersonated_hash(raw)
        if stand_in in self._hashes:
            return Sent(accepted=True)
        fields = _fields(raw.removeprefix(IMPERSONATED))
        try:
            self._rpc.call("anvil_impersonateAccount", fields["from"])
            taken = self._rpc.call("eth_sendTransaction", fields)
        except RpcError as fault:
            if fault.code == _NO_SUCH_METHOD:
                raise NoSimulator(
                    f"{self._rpc.host} is no fork: it cannot impersonate",
                    fix="let the program start the fork itself",
                ) from None
            return Sent(accepted=False, said=plain(fault.message))
        except RpcUnavailable as fault:
            return Sent(accepted=False, said=plain(fault.reason))
        self._hashes[stand_in] = hash_text(taken)
        return Sent(accepted=True)

    def sight(self, account: Address, hashes: Sequence[str]) -> Sighting:
        """Heads, nonces and receipts, these by the stand-in hashes."""
        seen = self._inner.sight(account, [self._real(each) for each in hashes])
        receipts = tuple(
            None if receipt is None else replace(receipt, hash=stand_in)
            for receipt, stand_in in zip(seen.receipts, hashes, strict=True)
        )
        return replace(seen, receipts=receipts)

    def received(self, account: Address, token: Token, transaction: str) -> tuple[int, int]:
        """(in, out) of *token* by the logs of one mined transaction, base units."""
        return self._inner.received(account, token, self._real(transaction))

    def logs(self, query: LogQuery) -> tuple[Log, ...]:
        """All logs that match, in order, under the real hashes of their transactions."""
        return self._inner.logs(query)

    def logs_of(self, transaction: str) -> tuple[Log, ...]:
        """All logs of one mined transaction, by its stand-in hash or its real one."""
        return self._inner.logs_of(self._real(transaction))

    def proof(self, account: Address, slot: str, at: int) -> StorageProof:
        """The Merkle proof of one storage slot at block number *at*."""
        return self._inner.proof(account, slot, at)

    def snapshot(
        self, account: Address, tokens: Sequence[Token], *, old: bool = False
    ) -> ChainSnapshot:
        """All balances, the block and the account's code, atomically."""
        return self._inner.snapshot(account, tokens, old=old)

    def balances(self, account: Address, tokens: Sequence[Token], at: int) -> Mapping[Token, int]:
        """Base units at block number *at*."""
        return self._inner.balances(account, tokens, at)

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        """Answers in order, None for a call that failed."""
        return self._inner.read(calls, at)

    def block(self, at: BlockTag = "latest") -> Block:
        """A block by number or tag."""
        return self._inner.block(at)

    def code_hashes(self, addresses: Sequence[Address]) -> Mapping[Address, str]:
        """Keccak of the runtime code, empty for an account without code."""
        return self._inner.code_hashes(addresses)

    def fees(self) -> FeeQuote:
        """Base fee of the next block, a usual priority fee, and what a byte of data costs."""
        return self._inner.fees()

    def l1_fees(self, calls: Sequence[tuple[Call, int]]) -> tuple[L1Fee, ...]:
        """What the place of each call (with its gas limit) on the parent chain costs now."""
        return self._inner.l1_fees(calls)

    def pending_nonce(self, account: Address) -> int:
        """The account's next nonce with the fork's pool counted in."""
        return self._inner.pending_nonce(account)

    def simulate(
        self,
        account: Address,
        calls: Sequence[tuple[Call, int]],
        watch: Sequence[Token],
        allowances: Sequence[Allowance],
        given: Mapping[Token, int] = NOTHING,
    ) -> Simulated:
        """Run *calls* in a row as the account would, on the fork's head."""
        return self._inner.simulate(account, calls, watch, allowances, given)

    def close(self) -> None:
        """Close the idle connections."""
        self._inner.close()
        self._rpc.close()

    def _real(self, transaction: str) -> str:
        return self._hashes.get(transaction, transaction)


def _fields(text: str) -> dict[str, str]:
    """Read the fields of an unsigned transaction; raises ``ValueError`` for anything else."""
    fields = json.loads(text)
    if not isinstance(fields, dict) or set(fields) - _CALL_FIELDS not in _PRICE_FIELDS:
        raise ValueError("an impersonated transaction has no other price than its type's")
    if not set(fields) >= _CALL_FIELDS:
        raise ValueError(f"an impersonated transaction has the fields {sorted(_CALL_FIELDS)}")
    if not all(isinstance(field, str) and field.startswith("0x") for field in fields.values()):
        raise ValueError("the fields of an impersonated transaction are hex")
    return fields
