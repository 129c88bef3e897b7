"""The processes that the demo kills: real runs that die at a moment of their own choice.

`deposit PLAN` runs a plan, lets the fee server forge the first answer that it is asked for and,
once another plan stands in, a venue's server its next one, and dies when a deposit's signed bytes
are on disk and not yet sent; `facts N` resumes and dies after N
more facts, if there are so many.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.context import Context

if TYPE_CHECKING:
    from agent.core.fact import Fact


def die() -> None:
    """SIGKILL ourselves: nothing can be tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_deposit(
    forge_fee: Callable[[], None], forge_quote: Callable[[], None]
) -> Callable[[Fact], None]:
    """Forge one answer at the start and one after it was refused; die at a deposit after that.

    The moment is when the deposit's bytes are on disk.
    """
    from agent.core.fact import Refused, Replanned, Reserved, Signed, Started

    deposits: set[str] = set()
    refused: list[Fact] = []

    def observe(fact: Fact) -> None:
        if isinstance(fact, Started):
            forge_fee()
        if isinstance(fact, Replanned):
            forge_quote()
        if isinstance(fact, Refused):
            refused.append(fact)
        if isinstance(fact, Reserved) and fact.intent.draft.purpose == "deposit":
            deposits.add(fact.intent.id)
        if isinstance(fact, Signed) and fact.intent in deposits and refused:
            die()

    return observe


def after(count: int) -> Callable[[Fact], None]:
    """Die when *count* more facts are durable."""
    left = [count]

    def observe(_fact: Fact) -> None:
        left[0] -= 1
        if left[0] <= 0:
            die()

    return observe


def main(arguments: list[str]) -> int:
    """Run or resume until death; returns the exit code when it does not come."""
    from agent.cli.resume import go_on
    from agent.cli.run import Wish, rebalance
    from agent.compose.local import forge_fee, forge_quote

    context = Context(json=True, yes=True)
    what, argument = arguments[:2]
    if what == "deposit":
        wish = Wish(plan=Path(argument), rehearse=False)
        desk = arguments[2]
        dies = at_deposit(lambda: forge_fee(desk), lambda: forge_quote(desk))
        return rebalance(context, wish, dies)
    return go_on(context, observe=after(int(argument)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
