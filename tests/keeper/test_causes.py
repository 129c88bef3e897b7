"""Why a tick could not do its work, and for how long it is left alone."""

from __future__ import annotations

import pytest

from agent.cli.explain import explanations
from agent.keeper.causes import PAUSES, Cause, Pause, cause_of


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("N101", "node"),
        ("N107", "provider"),
        ("G105", "guard"),
        ("G201", "prices"),
        ("G204", "guard"),
        ("G207", "settings"),
        ("G302", "limit"),
        ("G304", "fees"),
        ("G403", "fees"),
        ("S104", "simulation"),
        ("K102", "key"),
        ("D100", "person"),
        ("C104", "settings"),
        ("H102", "human"),
        ("L101", "busy"),
        ("P101", "busy"),
        ("X101", "machine"),
    ],
)
def test_code_has_the_cause_that_the_same_deed_helps(code: str, cause: Cause) -> None:
    assert cause == cause_of(code)


def test_every_code_that_can_be_explained_has_a_cause() -> None:
    known = {*PAUSES, "human", "busy"}
    assert [] == [code for code in explanations() if cause_of(code) not in known]


def test_pause_doubles_up_to_its_cap() -> None:
    pause = Pause(first=60, cap=500)
    assert [60, 120, 240, 480, 500, 500] == [pause.seconds(n) for n in range(1, 7)]
    assert 500 == pause.seconds(10_000)


def test_every_pause_grows_and_ends_within_a_day() -> None:
    assert all(0 < pause.first <= pause.cap <= 86_400 for pause in PAUSES.values())


def test_what_only_time_mends_never_stops_the_keeper() -> None:
    stops = {cause for cause, pause in PAUSES.items() if pause.stops_after is not None}
    assert {"guard", "simulation", "key"} == stops
