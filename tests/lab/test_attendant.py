"""The attendant's process: steady blocks and fees, fresh feeds, prompt fills, and its own end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from lab.aggregators import ASKED, Wish
from lab.bridging import deposit, status
from lab.reading import ALICE, balance, read
from lab.test_nodes import is_running, run_python, wait_until_gone
from lab.trading import trade

from agent.errors import PortInUse, SetupFailed
from agent.lab import attendance, attendant, homes
from agent.lab.deposits import FILLED
from agent.lab.relayer import Terms
from agent.lab.world import World
from agent.lab.worlds import Worlds, open_worlds
from agent.wire.rpc import Rpc

ROUND = ("latestRoundData()", "(uint80,int256,uint256,uint256,uint80)")


@pytest.fixture(scope="module")
def living(lab_cache: Path) -> Iterator[Worlds]:
    with open_worlds(lab_cache, terms=Terms(prompt_seconds=1)) as opened:
        yield opened


def wait_for(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def base_fees(world: World) -> list[int]:
    found = world.rpc.call("eth_feeHistory", "0x3", "latest", [50])
    assert isinstance(found, dict)
    return [int(each, 16) for each in found["baseFeePerGas"]]


def test_blocks_come_every_second_at_a_steady_base_fee(living: Worlds) -> None:
    first = {chain: world.head()[0] for chain, world in living.items()}
    wait_for(lambda: all(world.head()[0] >= first[chain] + 3 for chain, world in living.items()))
    for world in living.values():
        assert {world.place.base_fee} == set(base_fees(world)[:3])
    times = [world.head()[1] for world in living.values()]
    assert max(times) - min(times) <= 1


def test_deposit_is_filled_by_the_attendant(living: Worlds) -> None:
    made = deposit(living, 8453, 42161, "USDC", 10**9, fee=5 * 10**6)
    wait_for(lambda: status(living[42161], made) == FILLED)
    assert 995 * 10**6 == balance(living[42161], "USDC")


def test_halted_chain_stands_still_and_the_others_do_not(living: Worlds) -> None:
    living.halt(8453)
    time.sleep(0.2)
    stands, goes = living[8453].head(), living[1].head()[0]
    wait_for(lambda: living[1].head()[0] >= goes + 2)
    assert stands == living[8453].head()
    living.go_on(8453)
    wait_for(lambda: living[8453].head()[0] > stands[0])


def test_prices_and_time_move_on_all_chains_together(living: Worlds) -> None:
    before = max(world.head()[1] for world in living.values())
    living.set_price("ETH", Decimal(2900))
    living.jump(3_600)
    assert {Decimal(2900)} == {world.price("WETH") for world in living.values()}
    for world in living.values():
        assert before + 3_600 <= world.head()[1] < before + 3_620
        for feed in world.place.feeds.values():
            assert world.head()[1] - read(world, feed.address, *ROUND)[3] < 20


def test_providers_answer_and_obey_in_the_attendants_process(living: Worlds) -> None:
    wish = Wish(8453, "USDC", "WETH", 10**9)
    promised, call = ASKED["kyberswap"](living, wish)
    living.tell("kyberswap", "forge", "inflated")
    assert promised * 109 // 100 < ASKED["kyberswap"](living, wish)[0]
    assert (10**9, promised) == trade(living[8453], call, "USDC", 10**9, "WETH")


def test_sequencer_goes_down_and_up_on_rollups_alone(living: Worlds) -> None:
    base = living[8453]
    since = read(base, base.addresses["sequencer"], *ROUND)[2]
    for up, answer in [(False, 1), (False, 1), (True, 0)]:
        base.set_sequencer(up=up)
        found = read(base, base.addresses["sequencer"], *ROUND)
        assert answer == found[1]
    assert found[0] == 3, "saying the same again opens no round"
    assert found[2] > since
    with pytest.raises(SetupFailed, match="Ethereum has no sequencer"):
        living[1].set_sequencer(up=False)


def test_attendant_dies_with_its_owner_and_its_files_are_swept(lab_cache: Path) -> None:
    code = (
        "from agent.lab.worlds import open_worlds\n"
        "with open_worlds(Path(sys.argv[1]), chains=(1,)) as worlds:\n"
        "    print(worlds.attendance.pid, worlds.attendance._home, worlds[1].node.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with run_python(code, str(lab_cache)) as owner:
        assert owner.stdout is not None
        pid, home, node = owner.stdout.readline().split()
        assert is_running(int(pid))
        owner.kill()
        owner.wait()
    assert wait_until_gone(int(pid))
    assert wait_until_gone(int(node))
    homes.sweep()
    assert not Path(home).exists()


def test_killed_attendant_leaves_the_chains_and_no_files(lab_cache: Path) -> None:
    with open_worlds(lab_cache, chains=(42161,)) as worlds:
        attended = worlds.attendance
        assert attended is not None
        assert attended.alive
        os.kill(attended.pid, signal.SIGKILL)
        wait_for(lambda: not attended.alive)
        assert "0xa4b1" == worlds[42161].rpc.call("eth_chainId")
        with pytest.raises(SetupFailed, match=r"did not take the order halt: .*refused"):
            worlds.halt(42161)
    assert not attended._home.exists()


def test_kept_attendant_goes_on_until_its_chains_are_gone(lab_cache: Path) -> None:
    code = (
        "from agent.lab.worlds import open_worlds\n"
        "with open_worlds(Path(sys.argv[1]), chains=(1,), keep=True) as worlds: pass\n"
        "print(worlds.attendance.pid, worlds.attendance._home, worlds[1].url, "
        "worlds[1].node.pid, worlds[1].node._home)\n"
    )
    with run_python(code, str(lab_cache)) as owner:
        pid, home, url, node, node_home = owner.communicate(timeout=60)[0].split()
    try:
        head = str(Rpc(url).call("eth_blockNumber"))
        wait_for(lambda: str(Rpc(url).call("eth_blockNumber")) > head)
        homes.sweep()
        assert pid == (Path(home) / homes.LIFELINE).read_text(), "it is not swept while it works"
    finally:
        os.kill(int(node), signal.SIGKILL)
        shutil.rmtree(node_home)
    assert wait_until_gone(int(pid))
    assert not Path(home).exists()


def test_attendant_on_a_taken_port_is_an_error_and_leaves_no_chain(
    lab_cache: Path, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(worlds.desk_url.rpartition(":")[2])
    seen: list[World] = []
    start = attendance.start_child
    monkeypatch.setattr(
        attendance, "start_child", lambda *given, **more: seen.append(1) or start(*given, **more)
    )
    with pytest.raises(PortInUse, match=f"port {taken} of this machine is taken"):
        attendance.start_attendant([worlds[1]], Terms(), block_seconds=1, port=taken)
    assert 1 == len(seen)


def test_attendant_works_in_this_process_too_until_the_chains_are_gone(
    lab_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(attendant, "PUBLISH_SECONDS", 0.0)
    with open_worlds(lab_cache, chains=(1, 8453), block_seconds=None) as worlds:
        told = {
            "chains": [
                {"chain_id": chain, "url": world.url, "publisher": world.saved.publisher}
                for chain, world in worlds.items()
            ],
            "terms": {"mode": "never"},
            "block_seconds": 0.05,
            "port": 0,
        }
        config = tmp_path / "home" / "config.json"
        config.parent.mkdir()
        config.write_text(json.dumps(told))
        thread = threading.Thread(target=attendant.main, args=(config,))
        thread.start()
        first = worlds[8453].head()[0]
        wait_for(lambda: worlds[8453].head()[0] > first + 3)
    thread.join(30)
    assert not thread.is_alive()
    assert not config.parent.exists()
    assert capsys.readouterr().out.startswith("Listening on 127.0.0.1:")


def test_stop_is_a_no_op_in_a_forked_process_and_when_called_twice(living: Worlds) -> None:
    attended = living.attendance
    assert attended is not None
    child = os.fork()
    if child == 0:  # pragma: no cover - in the other process
        attended.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert attended.alive


def test_program_of_the_attendant_needs_a_config() -> None:
    command = [sys.executable, "-m", "agent.lab.attendant"]
    assert 1 == subprocess.run(command, capture_output=True, check=False).returncode


def test_account_is_funded_on_all_chains_at_once(living: Worlds) -> None:
    living.fund(ALICE, {1: {"WBTC": 5}, 42161: {"WBTC": 7}})
    assert [5, 0, 7] == [balance(world, "WBTC") for world in living.values()]
    assert (3, {1, 8453, 42161}) == (len(living), set(living))
