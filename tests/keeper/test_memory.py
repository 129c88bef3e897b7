"""What the keeper remembers between ticks: pauses, stops, and a file that is whole or refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.notice import Notice
from agent.core.state import Ended, State
from agent.errors import Broken, DiskFull, KeyMissing, Locked, RefusedByGuard, Unreachable
from agent.keeper.causes import PAUSES
from agent.keeper.memory import (
    FORGETS_SECONDS,
    Memory,
    Told,
    Unsent,
    failed,
    held_back,
    lifted,
    passed,
    stamp,
)
from agent.keeper.memory_file import memory_path, recall, remember

NOW = 1_800_000_000
MARK = "policy:run"


def node_down() -> Unreachable:
    return Unreachable("eth.example cannot be reached", fix="wait")


def forged() -> RefusedByGuard:
    return RefusedByGuard("recipient is not your wallet", fix="do not", code="G105")


def after(memory: Memory, error, times: int, *, every: int = 60) -> Memory:
    for number in range(times):
        memory = failed(memory, error, NOW + number * every, MARK)
    return memory


def test_failure_is_waited_out_with_the_error_that_was_met() -> None:
    memory = after(Memory(), node_down(), 1)
    first = PAUSES["node"].first
    held = held_back(memory, NOW, MARK)
    assert held is not None
    assert ("N101", 8, "wait") == (held.code, held.exit, held.fix)
    assert held.message.endswith(f"(met 1 times, left alone for {first} s more)")
    assert held_back(memory, NOW + first - 1, MARK) is not None
    assert held_back(memory, NOW + first, MARK) is None


def test_causes_are_waited_out_each_for_itself_and_the_longest_is_told() -> None:
    memory = failed(after(Memory(), node_down(), 3, every=0), forged(), NOW, MARK)
    assert [("node", 3), ("guard", 1)] == [(t.cause, t.failures) for t in memory.troubles]
    held = held_back(memory, NOW, MARK)
    assert held is not None
    assert "G105" == held.code


def test_failures_far_apart_are_not_in_a_row() -> None:
    memory = after(Memory(), forged(), 3)
    later = memory.troubles[0].last + FORGETS_SECONDS + 1
    assert 1 == failed(memory, forged(), later, MARK).troubles[0].failures


def test_another_process_at_work_is_no_failure() -> None:
    assert Memory() == after(Memory(), Locked("held", fix="wait"), 3)


def test_same_refusal_again_and_again_stops_the_keeper_whatever_time_passes() -> None:
    limit = PAUSES["guard"].stops_after
    assert limit is not None
    assert after(Memory(), forged(), limit - 1).stopped is None
    memory = after(Memory(), forged(), limit)
    held = held_back(memory, NOW + 10 * 365 * 86_400, MARK)
    assert held is not None
    assert ("H103", 10) == (held.code, held.exit)
    assert f"{limit} times in a row: [G105] recipient is not your wallet" in held.message


def test_stop_is_over_once_somebody_ran_it_or_changed_the_policy() -> None:
    memory = after(after(Memory(), node_down(), 1), forged(), 5)
    assert memory == lifted(memory, MARK)
    free = lifted(memory, "policy:another run")
    assert (None, ["node"]) == (free.stopped, [trouble.cause for trouble in free.troubles])
    assert Memory() == lifted(Memory(), MARK)


def test_stamp_changes_with_the_policy_and_with_the_run_that_ended_last() -> None:
    ended = State(acted=Ended("r1", "done", NOW))
    stamps = {stamp("p1", State()), stamp("p2", State()), stamp("p1", ended)}
    assert 3 == len(stamps)


def test_look_that_succeeds_forgets_nodes_and_prices_and_a_run_that_is_done_everything() -> None:
    memory = after(after(Memory(), node_down(), 2), forged(), 5)
    looked = passed(memory, run_done=False)
    assert (["guard"], True) == ([t.cause for t in looked.troubles], looked.stopped is not None)
    assert Memory() == passed(memory, run_done=True)


NOTICE = Notice(event="done", portfolio="core", wallet="w", why="it is", at=NOW)
FULL = replace(
    after(after(Memory(), KeyMissing("no key", fix="give it"), 3), node_down(), 1),
    told=(Told("done:run 1", NOW),),
    unsent=(Unsent(("HOOK",), NOTICE),),
)


def test_file_gives_back_what_was_remembered_and_is_private(tmp_path: Path) -> None:
    path = memory_path(tmp_path / "state", "0xabc")
    assert Memory() == recall(path)
    for memory in (FULL, Memory()):
        remember(path, memory)
        assert memory == recall(path)
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 2, "memory": {}}',
        '{"version": 1}',
        '{"version": 1, "memory": 1}',
    ],
)
def test_file_that_cannot_be_meant_is_refused_and_not_taken_for_empty(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(Broken) as met:
        recall(path)
    assert f"{path} cannot be read" in met.value.message


def test_file_that_cannot_be_written_is_an_error_and_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "kept.json"
    remember(path, FULL)
    os.replace(path.parent, tmp_path / "moved")
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(DiskFull):
        remember(path, Memory())
    assert FULL == recall(tmp_path / "moved" / "kept.json")
