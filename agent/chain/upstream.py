"""One RPC endpoint of a chain: proven to be the right one before its first answer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.chain.replies import hash_text, header, quantity, value
from agent.core.money import ChainId
from agent.core.snapshot import Block
from agent.errors import StaleHead, WrongChain
from agent.ports import Clock
from agent.wire.rpc import JSON, Rpc, RpcError

Question = tuple[str, Sequence[Any]]
"""A JSON-RPC method and its parameters."""

_WHO_ARE_YOU: tuple[Question, ...] = (
    ("eth_chainId", ()),
    ("eth_getBlockByNumber", ("0x0", False)),
    ("eth_getBlockByNumber", ("latest", False)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an endpoint must prove: chain id, hash of block 0 if pinned, age of its head."""

    chain: ChainId
    genesis: str | None
    max_head_age_seconds: int | None


class Upstream:
    """One endpoint; raises ``WrongChain`` and ``StaleHead``.

    ``overrides`` is what was learned of it: whether ``eth_call`` runs code of ours, None before
    the first try. `log_span` is how many blocks of logs it takes at once, None before it refused.
    """

    def __init__(self, rpc: Rpc, identity: Identity, clock: Clock) -> None:
        self._rpc = rpc
        self._identity = identity
        self._clock = clock
        self._proven = False
        self.overrides: bool | None = None
        self.log_span: int | None = None

    @property
    def host(self) -> str:
        """``host:port``, the only part of the URL that may be shown."""
        return self._rpc.host

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return self._rpc.requests

    def batch(self, calls: Sequence[Question]) -> list[JSON | RpcError]:
        """Ask read-only questions in one HTTP request, the first time with the proof among them.

        Raises ``RpcUnavailable``, and ``RpcError`` when the node refuses the batch as a whole.
        """
        if self._proven:
            return self._rpc.batch(calls)
        answers = self._rpc.batch([*_WHO_ARE_YOU, *calls])
        self._prove(answers[: len(_WHO_ARE_YOU)])
        return answers[len(_WHO_ARE_YOU) :]

    def prove(self) -> None:
        """Ask for the proof if it was not given yet; for what must not travel beside it."""
        if not self._proven:
            self._prove(self._rpc.batch(_WHO_ARE_YOU))

    def submit(self, raw: str) -> JSON:
        """Hand over signed bytes, once; raises ``RpcError`` or ``RpcUnavailable``."""
        return self._rpc.call("eth_sendRawTransaction", raw)

    def fresh(self, head: Block) -> Block:
        """Return *head* unless it is older than this chain's head ever is."""
        limit = self._identity.max_head_age_seconds
        age_seconds = self._clock.now() - head.timestamp
        if limit is not None and not (age_seconds <= limit):
            raise StaleHead(
                f"{self.host} is behind: its latest block {head.number} of chain "
                f"{self._identity.chain} is {age_seconds} s old, at most {limit} s is usual",
                fix="wait until the node has caught up, or add a second RPC URL for this chain",
            )
        return head

    def close(self) -> None:
        """Close the idle connections."""
        self._rpc.close()

    def _prove(self, answers: Sequence[JSON | RpcError]) -> None:
        chain, genesis, head = answers
        expected = self._identity
        actual = quantity(value(chain))
        if actual != expected.chain:
            raise WrongChain(
                f"{self.host} serves chain {actual}, not chain {expected.chain}",
                fix=f"put the RPC URL of a node of chain {expected.chain}",
            )
        if expected.genesis is not None:
            self._compare_genesis(expected.genesis, value(genesis))
        # Who it is does not change; how old its head is does, so that is asked of it again.
        self._proven = True
        self.fresh(header(value(head)))

    def _compare_genesis(self, expected: str, answer: JSON) -> None:
        actual = hash_text(answer.get("hash") if isinstance(answer, dict) else None)
        if actual != expected.lower():
            raise WrongChain(
                f"{self.host} serves another network under the id {self._identity.chain}: "
                f"its block 0 is {actual}, not {expected.lower()}",
                fix=f"put the RPC URL of a node of chain {self._identity.chain}",
            )
