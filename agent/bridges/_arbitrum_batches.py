"""What a rollup has taken in, by what stands on its parent chain."""

from __future__ import annotations

from collections.abc import Mapping

from agent.bridges._arbitrum_contracts import MESSAGES_READ, SEQUENCER_INBOX, Pair, ask
from agent.core.money import ChainId
from agent.core.snapshot import Block
from agent.core.wording import span
from agent.ports import Node

USUAL_SECONDS, LATE_SECONDS = 900, 3_600
"""The sequencer takes a message in when its block is safe, after some ten minutes, and batches
follow every few minutes (docs.arbitrum.io, "The Sequencer and censorship resistance"); it is worth
a word when a batch has not come for an hour."""

FORCED_SECONDS = 86_400
"""What the sequencer leaves out for so long anybody can force in (same page): one day."""


class Batches:
    """Reads which messages the posted batches have read; every method raises Unavailable."""

    def __init__(self, pair: Pair, nodes: Mapping[ChainId, Node]) -> None:
        self._pair = pair
        self._parent = nodes[pair.parent.chain]
        self._child = nodes[pair.child.chain]

    def counted(self) -> Block:
        """The newest block of the parent chain that is deep enough to count."""
        head = self._parent.block()
        number = max(0, head.number - self._pair.parent.confirmations + 1)
        return head if number == head.number else self._parent.block(number)

    def read(self, at: Block) -> int:
        """How many messages the batches have read that were posted up to a block."""
        (inbox,) = ask(self._parent, self._pair.bridge, (SEQUENCER_INBOX, ()), at=at.number)
        (read,) = ask(self._parent, inbox, (MESSAGES_READ, ()), at=at.number)
        return int(read)

    def is_past(self, at: Block) -> bool:
        """Whether the rollup's node has come as far as what was posted up to a block."""
        return self._child.block().timestamp >= at.timestamp

    def promise(self, since: int) -> tuple[bool, str]:
        """Whether a message that has waited *since* seconds is late, and what to expect of it."""
        why = (
            f"the sequencer takes it in on chain {self._pair.child.chain}, usually within "
            f"{span(USUAL_SECONDS)}, late after {span(LATE_SECONDS)}; after "
            f"{span(FORCED_SECONDS)} anybody can force it in at the sequencer's inbox"
        )
        return since > LATE_SECONDS, why
