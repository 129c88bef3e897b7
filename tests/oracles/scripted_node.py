"""A node that answers contract calls from a script, and remembers how often it was asked."""

from __future__ import annotations

from agent.core.money import ChainId
from agent.errors import Unreachable
from agent.ports import AdapterIo
from agent.wire.abi import encode


class ScriptedNode:
    """Answers by (address, calldata); whatever is not in the script reverts."""

    def __init__(self, chain=1):
        self.chain = ChainId(chain)
        self.requests = 0
        self.script = {}
        self.silent = False

    def answers(self, address, function, values, *arguments):
        """Let *function* (of an interface) answer with *values*."""
        self.script[address, function.encode(*arguments)] = encode(function.outputs, values)

    def says(self, address, function, raw, *arguments):
        """Let *function* answer with exactly these bytes, None for a revert."""
        self.script[address, function.encode(*arguments)] = raw

    def read(self, calls, at="latest"):
        self.requests += 1
        if self.silent:
            raise Unreachable("127.0.0.1 does not answer", fix="use another node")
        return tuple(self.script.get((call.to, call.data)) for call in calls)


def io(*nodes):
    return AdapterIo(nodes={node.chain: node for node in nodes}, clock=None)
