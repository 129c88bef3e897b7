"""Several endpoints of one chain: reads move on to the next one, broadcasts go to all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from agent.chain.faults import is_limit, joined, refused, unavailable
from agent.chain.reasons import plain
from agent.chain.upstream import Upstream
from agent.core.money import ChainId
from agent.errors import BadReply, StaleHead, Unavailable
from agent.ports import Sent
from agent.wire.keccak import keccak256
from agent.wire.rpc import RpcError, RpcUnavailable

Answer = TypeVar("Answer")

MAX_SAID_CHARS = 200
"""Characters of the nodes' own words about a broadcast that are kept."""


class Upstreams:
    """The endpoints of one chain in the order of preference."""

    def __init__(self, chain: ChainId, members: Sequence[Upstream]) -> None:
        self._chain = chain
        self._members = tuple(members)
        self._preferred = self._members[0]

    @property
    def host(self) -> str:
        """The endpoint that answered last."""
        return self._preferred.host

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return sum(member.requests for member in self._members)

    def ask(self, question: Callable[[Upstream], Answer]) -> Answer:
        """Put a read-only question to one endpoint after the other until one answers.

        Only silence moves on: an error is an answer (raised as ``RpcError``), and so is being the
        wrong chain, which a person must see. Raises ``Unavailable`` when all are silent.
        """
        faults: list[Unavailable] = []
        for member in sorted(self._members, key=lambda each: each is not self._preferred):
            try:
                answer = question(member)
            except RpcUnavailable as fault:
                faults.append(unavailable(self._chain, fault))
            except RpcError as fault:
                if not is_limit(fault):
                    self._preferred = member
                    raise
                faults.append(refused(self._chain, member.host, fault))
            except BadReply as fault:
                what = f"chain {self._chain}: {member.host}: {fault.message}"
                raise BadReply(what, fix=fault.fix) from fault
            except StaleHead as fault:
                faults.append(fault)
            else:
                self._preferred = member
                return answer
        raise joined(faults)

    def broadcast(self, raw: str) -> Sent:
        """Hand signed bytes to every endpoint once; accepted if one of them says so.

        No text is trusted: whatever is not our own hash is unknown, and is looked up. Raises
        ``WrongChain`` before anything is handed over.
        """
        expected = "0x" + keccak256(bytes.fromhex(raw.removeprefix("0x"))).hex()
        said: list[str] = []
        accepted = False
        for member in self._proven(said):
            try:
                answer = member.submit(raw)
            except RpcUnavailable as fault:
                said.append(fault.reason)
            except RpcError as fault:
                said.append(f"{member.host}: {fault.message}")
            else:
                same = isinstance(answer, str) and answer.lower() == expected
                accepted = accepted or same
                said += [] if same else [f"{member.host}: answered with another hash"]
        return Sent(accepted=accepted, said=plain("; ".join(said), at_most=MAX_SAID_CHARS))

    def close(self) -> None:
        """Close the idle connections."""
        for member in self._members:
            member.close()

    def _proven(self, said: list[str]) -> list[Upstream]:
        found = []
        for member in self._members:
            try:
                member.prove()
            except RpcUnavailable as fault:
                said.append(fault.reason)
            except RpcError as fault:
                said.append(f"{member.host}: {fault.message}")
            except StaleHead:
                found.append(member)  # a node that lags still passes transactions on
            else:
                found.append(member)
        return found
