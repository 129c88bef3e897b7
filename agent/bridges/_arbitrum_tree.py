"""The tree of all that a rollup ever sent: its root after each send, and the way up to a leaf.

As OffchainLabs/nitro, arbos/merkleAccumulator: a leaf is hashed once more, a node is the hash of
its two children, and what is not there yet counts as 32 empty bytes at every height.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.wire.keccak import keccak256

EMPTY = bytes(32)


class Tree:
    """Grows leaf by leaf from the one at *position*.

    *path* is the way up from that leaf in the tree that ends with it: what stands on its left is
    all that later roots need of what was sent before.
    """

    def __init__(self, position: int, path: Sequence[bytes]) -> None:
        self.position = position
        self.left = {level: each for level, each in enumerate(path) if position >> level & 1}
        self.leaves: list[bytes] = []
        self._parts: list[bytes | None] = [
            self.left.get(level) for level in range(position.bit_length())
        ]

    @property
    def size(self) -> int:
        """How many leaves the tree has now, with those that were there before."""
        return self.position + len(self.leaves)

    def grow(self, item: bytes) -> bytes:
        """Append what was sent next, by its hash; returns the new root."""
        node = keccak256(item)
        self.leaves.append(node)
        for level, part in enumerate(self._parts):
            if part is None:
                self._parts[level] = node
                break
            node, self._parts[level] = keccak256(part + node), None
        else:
            self._parts.append(node)
        return self._root()

    def _root(self) -> bytes:
        """The complete parts, joined from the smallest; what is missing between them is empty."""
        node, height = EMPTY, -1
        for level, part in enumerate(self._parts):
            if part is None:
                continue
            if height < 0:
                node, height = part, level
                continue
            for _ in range(level - height):
                node = keccak256(node + EMPTY)
            node, height = keccak256(part + node), level + 1
        return node

    def proof(self, size: int) -> tuple[bytes, ...]:
        """The way up from the first leaf in the tree of the first *size* sends."""
        path: list[bytes] = []
        nodes, level = self.leaves[: size - self.position], 0
        while 1 << level < size:
            if self.position >> level & 1:
                nodes = [self.left[level], *nodes]
                path.append(nodes[0])
            else:
                path.append(nodes[1] if len(nodes) > 1 else EMPTY)
            if len(nodes) % 2:
                nodes = [*nodes, EMPTY]
            nodes = [keccak256(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
            level += 1
        return tuple(path)
