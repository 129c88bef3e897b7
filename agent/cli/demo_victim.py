"""The processes that the demo kills: real runs that die at a moment of their own choice.

`deposit PLAN` runs a plan, lets the fee server forge the first answer that it is asked for, and
dies when a deposit's signed bytes are on disk and not yet sent; `facts N` resumes and dies after N
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


def at_deposit(forge: Callable[[], None]) -> Callable[[Fact], None]:
    """*forge* when the run starts; die the moment a deposit's bytes are on disk after a refusal."""
    from agent.core.fact import Refused, Reserved, Signed, Started

    deposits: set[str] = set()
    refused: list[Fact] = []

    def observe(fact: Fact) -> None:
        if isinstance(fact, Started):
            forge()
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
    from agent.compose.local import forge_next

    context = Context(json=True, yes=True)
    what, argument = arguments[:2]
    if what == "deposit":
        wish = Wish(plan=Path(argument), rehearse=False)
        return rebalance(context, wish, at_deposit(lambda: forge_next(arguments[2])))
    return go_on(context, observe=after(int(argument)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
