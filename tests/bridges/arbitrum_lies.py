"""Nodes that lie about Arbitrum's bridge, and what the bridge makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from arbitrum_rigs import (
    NEAR,
    WALLET,
    Rollup,
)

from agent.bridges.canonical_arbitrum import make
from agent.core.log import Log, LogQuery
from agent.core.money import ChainId
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.errors import Unreachable
from agent.lab.accounts import TREASURY
from agent.lab.puppet import Puppet
from agent.ports import BlockTag, Node, Read, Waiting
from agent.wire import calldata
from agent.wire.abi import encode


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


# Where a deposit is.


def waits(found: object) -> str:
    assert isinstance(found, Waiting), found
    return found.why


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
