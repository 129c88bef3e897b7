"""The solver, set so that the same question gets the same answer."""

from __future__ import annotations

from typing import Any

_SEED = 1
"""Any number will do, as long as it stays the same."""


def solver() -> Any:
    """A new solver that is silent, has one thread and draws the same numbers every time."""
    from highspy._core import _Highs  # the wrapper around it prints before it can be told not to

    made = _Highs()
    for name, value in (("output_flag", False), ("threads", 1), ("random_seed", _SEED)):
        made.setOptionValue(name, value)
    return made


def run(made: Any) -> None:
    """Let a solver run, again from the start where what it knew before led it into a dead end.

    What it finds nothing out about is no answer: RuntimeError.
    """
    from highspy import HighsStatus

    if made.run() != HighsStatus.kError:
        return
    made.clearSolver()
    if made.run() == HighsStatus.kError:
        raise RuntimeError("the solver refused its question; was one with more threads run before?")


def asked(made: Any) -> bool:
    """Let a solver run that may fail; whether it did not. One that did forgets where it was."""
    from highspy import HighsStatus

    if made.run() != HighsStatus.kError:
        return True
    made.clearSolver()
    return False
