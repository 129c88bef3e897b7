"""Questions side by side under one deadline."""

from __future__ import annotations

import threading
import time

from agent.wire.together import alone, together


def boom() -> int:
    raise ValueError("boom")


def test_answers_come_in_the_order_of_the_questions() -> None:
    def slow() -> int:
        time.sleep(0.05)
        return 1

    told = together({"slow": slow, "fast": lambda: 2, "bad": boom}, seconds=5)
    assert ["slow", "fast", "bad"] == list(told)
    assert [1, 2, None] == [each.answer for each in told.values()]
    assert told["slow"].ms >= 50
    assert isinstance(told["bad"].fault, ValueError)


def test_all_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=5)
    told = together({"a": both.wait, "b": both.wait}, seconds=5)
    assert {0, 1} == {each.answer for each in told.values()}


def test_who_is_late_has_neither_answer_nor_fault() -> None:
    gate = threading.Event()
    told = together({"late": gate.wait, "now": lambda: True}, seconds=0.05)
    gate.set()
    assert (None, None) == (told["late"].answer, told["late"].fault)
    assert told["late"].ms >= 50
    assert told["now"].answer is True


def test_nobody_is_asked_nothing() -> None:
    assert {} == together({}, seconds=1)


def test_question_alone_is_asked_here_and_now() -> None:
    me = threading.get_ident()
    assert me == alone(threading.get_ident).answer
    assert isinstance(alone(boom).fault, ValueError)
