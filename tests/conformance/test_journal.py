"""What every store promises: order, fencing, durability, and a lock that dies with its process."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_rigs import ACCOUNT, DURABLE, OPEN, OTHER, step, store_names
from strategies import KINDS, accounts, facts, values

from agent.core.codec import to_json
from agent.core.fact import Confirmed
from agent.core.money import Address
from agent.errors import Fenced, Locked
from agent.ports import Journal

ROOT = Path(__file__).parents[2]
Open = Callable[[], Journal]
slow = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=sorted(OPEN))
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_one(store: str, tmp_path: Path) -> Iterator[Open]:
    opened: list[Journal] = []

    def open_one_more() -> Journal:
        opened.append(OPEN[store](tmp_path))
        return opened[-1]

    yield open_one_more
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_one: Open) -> Journal:
    return open_one()


class Process:
    """A journal in another process."""

    def __init__(self, store: str, place: Path, name: str = "w") -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "journal_process", store, str(place), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        )
        self.pid = self._popen.pid

    def hear(self) -> str:
        assert self._popen.stdout
        return self._popen.stdout.readline().strip()

    def tell(self, *words: object) -> None:
        assert self._popen.stdin
        self._popen.stdin.write(" ".join(map(str, words)) + "\n")
        self._popen.stdin.flush()

    def kill(self) -> str:
        """Kill it as a power switch would; what it had still said."""
        assert self._popen.stdout
        self._popen.send_signal(signal.SIGKILL)
        # Not `communicate`: it would skip what was read ahead of the last line that was heard.
        rest = self._popen.stdout.read()
        assert -signal.SIGKILL == self._popen.wait()
        return rest


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    with contextlib.ExitStack() as stack:

        def start(store: str, name: str = "w") -> Process:
            started = Process(store, tmp_path, name)
            stack.callback(started._popen.wait)
            stack.callback(started._popen.kill)
            assert "open" == started.hear()
            return started

        yield start


def test_every_store_is_in_this_suite() -> None:
    assert store_names() == sorted(OPEN)
    assert set(DURABLE) <= set(OPEN)


def test_journal_without_facts_is_empty_and_has_a_head_of_its_own(journal: Journal) -> None:
    assert () == journal.load(ACCOUNT)
    assert () == journal.accounts()
    assert journal.head(ACCOUNT) == journal.head(ACCOUNT)
    assert journal.head(ACCOUNT) != journal.head(OTHER)


def test_facts_come_back_in_order_from_every_handle(open_one: Open) -> None:
    first, second = open_one(), open_one()
    wanted = tuple(step(number) for number in range(5))
    for seq, fact in enumerate(wanted):
        (first, second)[seq % 2].append(ACCOUNT, seq, fact)
    assert wanted == first.load(ACCOUNT) == second.load(ACCOUNT) == open_one().load(ACCOUNT)


@pytest.mark.parametrize("seq", [-1, 0, 2, 4, 5, 2**63])
def test_position_that_is_taken_or_not_the_next_is_fenced(journal: Journal, seq: int) -> None:
    for number in range(3):
        journal.append(ACCOUNT, number, step(number))
    before = journal.load(ACCOUNT), journal.head(ACCOUNT)
    with pytest.raises(Fenced, match=f"position {seq} is not the next one, 3 is"):
        journal.append(ACCOUNT, seq, step(9))
    assert before == (journal.load(ACCOUNT), journal.head(ACCOUNT))
    journal.append(ACCOUNT, 3, step(3))
    assert step(3) == journal.load(ACCOUNT)[-1]


def test_slow_worker_that_comes_back_is_fenced_and_can_read_on(open_one: Open) -> None:
    slow_one, successor = open_one(), open_one()
    slow_one.append(ACCOUNT, 0, step(0, "slow"))
    successor.append(ACCOUNT, 1, step(1, "successor"))
    with pytest.raises(Fenced):
        slow_one.append(ACCOUNT, 1, step(1, "slow"))
    assert (step(0, "slow"), step(1, "successor")) == slow_one.load(ACCOUNT)
    slow_one.append(ACCOUNT, 2, step(2, "slow"))
    assert 3 == len(successor.load(ACCOUNT))


def test_accounts_are_streams_of_their_own(journal: Journal) -> None:
    journal.append(OTHER, 0, step(7))
    journal.append(ACCOUNT, 0, step(1))
    journal.append(ACCOUNT, 1, step(2))
    assert (ACCOUNT, OTHER) == journal.accounts()
    assert (step(1), step(2)) == journal.load(ACCOUNT)
    assert (step(7),) == journal.load(OTHER)


@pytest.mark.parametrize(
    "account", ["0x" + "AB" * 20, "ab" * 20, "0x12", "", "../" + "ab" * 20, "0x" + "ab" * 20 + "\n"]
)
def test_second_spelling_of_an_account_is_no_second_stream(journal: Journal, account: str) -> None:
    for act in (
        lambda: journal.append(Address(account), 0, step(0)),
        lambda: journal.load(Address(account)),
        lambda: journal.head(Address(account)),
        lambda: journal.hold(Address(account)).__enter__(),
    ):
        with pytest.raises(ValueError, match="no address in lower-case hex"):
            act()
    assert () == journal.accounts()


@pytest.mark.parametrize("kind", KINDS)
@settings(slow, max_examples=3)
@given(data=st.data())
def test_fact_of_every_kind_is_the_same_after_reload(
    open_one: Open, kind: type, data: st.DataObject
) -> None:
    fact = data.draw(values(kind))
    writer = open_one()
    seq = len(writer.load(ACCOUNT))
    writer.append(ACCOUNT, seq, fact)
    assert fact == open_one().load(ACCOUNT)[seq]


@slow
@given(stream=st.lists(facts(), min_size=1, max_size=4), account=accounts)
def test_head_depends_on_facts_and_account_and_on_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, stream: list[object], account: Address
) -> None:
    heads = []
    for name in sorted(OPEN):
        with contextlib.closing(OPEN[name](tmp_path_factory.mktemp(name))) as journal:
            heads.append([journal.head(account)])
            for seq, fact in enumerate(stream):
                journal.append(account, seq, fact)  # type: ignore[arg-type]
                heads[-1].append(journal.head(account))
            assert [to_json(fact) for fact in stream] == [  # type: ignore[arg-type]
                to_json(fact) for fact in journal.load(account)
            ]
    assert len(stream) + 1 == len(set(heads[0]))
    assert all(heads[0] == other for other in heads)


def test_heads_are_those_that_journals_already_have(journal: Journal) -> None:
    heads = [journal.head(ACCOUNT)]
    for number in range(2):
        journal.append(ACCOUNT, number, step(number))
        heads.append(journal.head(ACCOUNT))
    assert [
        "83ae84b453d2d2907de139f2c875f3e9ed0a12aebedf7619b91befd8c265229c",
        "7e03d987c575105422b48bb8775fed84a0fef0d5388e5afa6005a008df888698",
        "c2a3f05729afb595bb3a3de96768a0c3ce8694ee76b3310e234ea0ea06352bc1",
    ] == heads


def test_fact_that_has_no_json_form_leaves_no_trace(journal: Journal) -> None:
    with pytest.raises(TypeError):
        journal.append(ACCOUNT, 0, Confirmed("i", 1.5))  # type: ignore[arg-type]
    assert () == journal.load(ACCOUNT)
    journal.append(ACCOUNT, 0, step(0))


def test_journal_can_be_closed_twice(journal: Journal) -> None:
    journal.append(ACCOUNT, 0, step(0))
    journal.close()
    journal.close()


@pytest.mark.parametrize("handles", [1, 2])
def test_threads_that_race_win_each_position_once(open_one: Open, handles: int) -> None:
    opened = [open_one() for _ in range(handles)]
    barrier = threading.Barrier(4, timeout=60)
    won: list[tuple[int, str]] = []

    def go(worker: int) -> None:
        journal = opened[worker % handles]
        for seq in range(25):
            barrier.wait()
            with contextlib.suppress(Fenced):
                journal.append(ACCOUNT, seq, step(seq, str(worker)))
                won.append((seq, str(worker)))

    threads = [threading.Thread(target=go, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [(fact.at, fact.worker) for fact in opened[0].load(ACCOUNT)]  # type: ignore[union-attr]
    assert list(range(25)) == [seq for seq, _ in sorted(won)]


def test_load_and_append_go_on_side_by_side(journal: Journal) -> None:
    lengths: list[int] = []

    def read() -> None:
        while not lengths or lengths[-1] < 60:
            lengths.append(len(journal.load(ACCOUNT)))

    reader = threading.Thread(target=read)
    reader.start()
    for seq in range(60):
        journal.append(ACCOUNT, seq, step(seq))
    reader.join()
    assert sorted(lengths) == lengths


@pytest.mark.parametrize("store", DURABLE)
@pytest.mark.parametrize("racers", [2, 8])
def test_processes_that_race_win_each_position_once(
    open_one: Open, store: str, process: Callable[..., Process], racers: int
) -> None:
    length, rounds = 6, 25
    started = [process(store, str(number)) for number in range(racers)]
    journal = open_one()
    for number in range(rounds):
        account = Address(f"0x{number:040x}")
        for one in started:
            one.tell("race", account, length)
        won = {
            (int(seq), str(racer))
            for racer, one in enumerate(started)
            for seq in one.hear().split()
        }
        held = [(fact.at, fact.worker) for fact in journal.load(account)]  # type: ignore[union-attr]
        assert sorted(won) == held
        assert list(range(length)) == [seq for seq, _ in held]
    assert rounds == len(journal.accounts())


@pytest.mark.parametrize("store", DURABLE)
def test_process_that_is_killed_loses_nothing_acknowledged(
    open_one: Open, store: str, process: Callable[..., Process]
) -> None:
    chance = random.Random(7)
    acknowledged = 0
    for number in range(6):
        writer = process(store, str(number))
        writer.tell("append", ACCOUNT)
        for _ in range(chance.randrange(1, 40)):
            acknowledged = int(writer.hear()) + 1
        said = writer.kill().split()
        acknowledged = max([acknowledged, *(int(seq) + 1 for seq in said)])
        there = open_one().load(ACCOUNT)
        # One more may be durable than was said: the kill came between the two.
        assert len(there) - acknowledged in {0, 1}
        assert list(range(len(there))) == [fact.at for fact in there]  # type: ignore[union-attr]


def test_lock_is_held_once_and_given_back(open_one: Open) -> None:
    first, second = open_one(), open_one()
    for _ in range(2):
        with first.hold(ACCOUNT):
            for journal in (first, second):
                with pytest.raises(Locked) as caught, journal.hold(ACCOUNT):
                    pass
                assert ACCOUNT in caught.value.message
                assert "L101" == caught.value.code
            with second.hold(OTHER):
                pass
    with second.hold(ACCOUNT):
        pass


def test_lock_is_given_back_when_the_run_fails(journal: Journal) -> None:
    with pytest.raises(ZeroDivisionError), journal.hold(ACCOUNT):
        raise ZeroDivisionError
    with journal.hold(ACCOUNT):
        pass


def test_lock_keeps_nobody_from_reading_or_appending(open_one: Open) -> None:
    first, second = open_one(), open_one()
    with first.hold(ACCOUNT):
        second.append(ACCOUNT, 0, step(0))
        assert (step(0),) == second.load(ACCOUNT)


@pytest.mark.parametrize("store", DURABLE)
@pytest.mark.parametrize("child", ["none", "forked", "started"])
def test_lock_dies_with_its_process_whatever_its_children_do(
    journal: Journal, store: str, process: Callable[..., Process], child: str
) -> None:
    holder = process(store)
    holder.tell("hold", ACCOUNT, child)
    said, child_pid = holder.hear().split()
    try:
        assert "held" == said
        with pytest.raises(Locked, match=f"held by process {holder.pid} since 20"):
            journal.hold(ACCOUNT).__enter__()
        holder._popen.kill()
        holder._popen.wait()
        with journal.hold(ACCOUNT):
            assert ACCOUNT in _locked_out(process(store))
    finally:
        if int(child_pid):
            os.kill(int(child_pid), signal.SIGKILL)


def _locked_out(other: Process) -> str:
    other.tell("hold", ACCOUNT, "none")
    said = other.hear()
    assert said.startswith("locked")
    assert f"process {os.getpid()}" in said
    return said
