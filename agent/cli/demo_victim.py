"""The process that the demo kills: a real run that dies between signing and sending."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from agent.cli.context import Context
from agent.cli.run import Wish, rebalance

if TYPE_CHECKING:
    from agent.core.fact import Fact


def die_when_swap_is_signed(fact: Fact) -> None:
    """SIGKILL ourselves the moment the swap's bytes are on disk: nothing can be tidied up."""
    from agent.core.fact import Reserved, Signed

    if isinstance(fact, Reserved) and fact.intent.draft.purpose == "swap":
        _swaps.add(fact.intent.id)
    if isinstance(fact, Signed) and fact.intent in _swaps:
        os.kill(os.getpid(), signal.SIGKILL)


_swaps: set[str] = set()


if __name__ == "__main__":
    sys.exit(rebalance(Context(json=True, yes=True), Wish(rehearse=False), die_when_swap_is_signed))
