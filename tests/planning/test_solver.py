"""The solver's settings."""

from __future__ import annotations

import subprocess
import sys

import highspy
import pytest

from agent.planning.solver import asked, run, solver


def test_a_solver_is_silent_has_one_thread_and_a_fixed_seed() -> None:
    made = solver()
    names = ("output_flag", "threads", "random_seed")
    assert [False, 1, 1] == [made.getOptionValue(name)[1] for name in names]


def test_a_solver_writes_nothing_to_where_others_read() -> None:
    script = (
        "from agent.planning.milp import solve; from agent.planning.network import *;"
        "arc = Arc(tail=0, head=1, ladder=((0.0, 0.0), (90.0, 89.0)), fixed=0.1);"
        "half = Range(nodes=frozenset({1}), low=0.4, high=0.6);"
        "solve(Network(start=(100.0, 0.0), free=(100.0, 0.0), arcs=(arc,), ranges=(half,)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert (b"", b"") == (told.stdout, told.stderr)


class Refusing:
    """A solver that refuses so many times."""

    def __init__(self, times: int) -> None:
        self.left, self.told = times, list[str]()

    def run(self) -> highspy.HighsStatus:
        self.told.append("run")
        self.left -= 1
        return highspy.HighsStatus.kError if self.left >= 0 else highspy.HighsStatus.kOk

    def clearSolver(self) -> None:  # noqa: N802 the solver's own name
        self.told.append("clear")


def test_a_question_that_the_solver_refuses_is_asked_again_from_the_start() -> None:
    once = Refusing(1)
    run(once)
    assert ["run", "clear", "run"] == once.told


def test_a_question_that_the_solver_refuses_twice_has_no_answer() -> None:
    with pytest.raises(RuntimeError, match="refused its question"):
        run(Refusing(2))


def test_a_refused_question_can_be_passed_over() -> None:
    once = Refusing(1)
    assert (False, ["run", "clear"]) == (asked(once), once.told)
    assert asked(solver())
