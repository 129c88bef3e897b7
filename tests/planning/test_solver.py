"""The solver's settings."""

from __future__ import annotations

import highspy
import pytest

from agent.planning.solver import asked, run, solver


class Refusing:
    """A solver that refuses every question."""

    forgot = False

    def run(self) -> highspy.HighsStatus:
        return highspy.HighsStatus.kError

    def clearSolver(self) -> None:  # noqa: N802
        self.forgot = True


def test_a_solver_is_silent_has_one_thread_and_a_fixed_seed() -> None:
    made = solver()
    names = ("output_flag", "threads", "random_seed")
    assert [False, 1, 1] == [made.getOptionValue(name)[1] for name in names]


def test_a_question_that_the_solver_refuses_has_no_answer() -> None:
    with pytest.raises(RuntimeError, match="refused its question"):
        run(Refusing())


def test_a_refused_question_can_be_passed_over() -> None:
    made = Refusing()
    assert (False, True) == (asked(made), made.forgot)
    assert asked(solver())
