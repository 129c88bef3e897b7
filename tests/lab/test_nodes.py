"""Local nodes, their forks, and the file that tells the agent of them."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from agent.core.money import ChainId
from agent.errors import PortInUse, SetupFailed, Unreachable, WrongChain
from agent.lab import anvil, compiled, homes, mainnet
from agent.lab.anvil import Anvil, start_anvil
from agent.lab.compiled import compiled_contracts
from agent.lab.overlay import write_overlay
from agent.lab.packages import node_binary
from agent.lab.puppet import Puppet, Tx
from agent.lab.sandbox import ForkSandbox, open_fork
from agent.lab.world import World, open_world
from agent.ports import Sandbox
from agent.wire.rpc import Rpc, RpcUnavailable

ALICE = "0x" + "a1" * 20


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "import sys; from pathlib import Path\n" + code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(scope="session")
def binary(lab_cache: Path) -> Path:
    return node_binary(lab_cache)


def test_node_on_a_taken_port_is_an_error_with_a_fix(world: World, binary: Path) -> None:
    with pytest.raises(
        PortInUse, match=f"port {world.node.port} of this machine is taken"
    ) as problem:
        start_anvil(binary, chain_id=1, port=world.node.port)
    assert "choose another port" in problem.value.fix


def test_second_process_on_the_same_port_is_an_error(world: World, lab_cache: Path) -> None:
    code = (
        "from agent.errors import PortInUse\nfrom agent.lab.world import open_world\n"
        "try: open_world(Path(sys.argv[1]), port=int(sys.argv[2]))\n"
        "except PortInUse as fault: print(fault.code)\n"
    )
    with run_python(code, str(lab_cache), str(world.node.port)) as second:
        assert ("X102\n", None) == second.communicate(timeout=60)
    assert world.node.alive


def test_node_takes_the_port_that_it_is_given_again_at_once(binary: Path) -> None:
    first = start_anvil(binary, chain_id=5)
    first.stop()
    again = start_anvil(binary, chain_id=5, port=first.port)
    assert (first.port, "0x5") == (again.port, again.rpc.call("eth_chainId"))
    again.stop()


def test_node_that_is_not_ours_is_refused(
    binary: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if another node had answered on the port that the child reports.
    wait = anvil.listening_port
    monkeypatch.setattr(anvil, "listening_port", lambda *given: wait(*given) and world.node.port)
    with pytest.raises(SetupFailed, match="another node answers on port"):
        start_anvil(binary, chain_id=1)


def test_node_that_stops_answering_is_refused(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = anvil.listening_port
    monkeypatch.setattr(anvil, "listening_port", lambda *given: wait(*given) and 1)
    with pytest.raises(SetupFailed, match="does not answer on port 1: "):
        start_anvil(binary, chain_id=1)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("#!/bin/sh\necho broken; exit 3\n", "the local node did not start: broken"),
        ("#!/bin/sh\nexit 3\n", "the local node did not start: it said nothing"),
        ("#!/bin/sh\nexec sleep 60\n", "the local node did not start: it said nothing"),
        ("no program", "the local node did not start: OSError"),
    ],
)
def test_program_that_is_no_node_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, why: str
) -> None:
    monkeypatch.setattr(homes, "START_TIMEOUT_SECONDS", 0.5)
    (tmp_path / "anvil").write_text(program)
    (tmp_path / "anvil").chmod(0o700)
    with pytest.raises(SetupFailed, match=why):
        start_anvil(tmp_path / "anvil", chain_id=1)


def test_program_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match="cannot be run: No such file"):
        start_anvil(tmp_path / "anvil", chain_id=1, keep=True)


def test_stopped_node_is_gone_with_its_files(binary: Path) -> None:
    node = start_anvil(binary, chain_id=1)
    assert "anvil" in Path(f"/proc/{node.pid}/cmdline").read_text().split("\0")[0]
    assert node.alive
    node.stop()
    node.stop()
    assert not node.alive
    assert not node._home.exists()
    with pytest.raises(RpcUnavailable):
        Rpc(node.url, timeout_seconds=0.5).call("eth_chainId")


def test_node_dies_with_its_process(lab_cache: Path) -> None:
    code = (
        "from agent.lab.packages import node_binary\nfrom agent.lab.anvil import start_anvil\n"
        "node = start_anvil(node_binary(Path(sys.argv[1])), chain_id=1)\n"
        "print(node.pid, node._home, flush=True); sys.stdin.read()\n"
    )
    with run_python(code, str(lab_cache)) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        assert is_running(int(pid))
        owner.kill()
        owner.wait()
    assert wait_until_gone(int(pid))
    assert Path(home).exists()
    homes.sweep()
    assert not Path(home).exists()


def test_kept_node_outlives_its_process(lab_cache: Path) -> None:
    code = (
        "from agent.lab.world import open_world\n"
        "world = open_world(Path(sys.argv[1]), keep=True)\n"
        "print(world.node.pid, world.url, world.node._home)\n"
    )
    with run_python(code, str(lab_cache)) as owner:
        pid, url, home = owner.communicate(timeout=60)[0].split()
    try:
        homes.sweep()
        assert pid == (Path(home) / homes.LIFELINE).read_text()
        assert "0x1" == Rpc(url).call("eth_chainId")
    finally:
        os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(home)


def test_node_outlives_the_thread_that_started_it(binary: Path) -> None:
    started: list[Anvil] = []
    thread = threading.Thread(target=lambda: started.append(start_anvil(binary, chain_id=7)))
    thread.start()
    thread.join()
    time.sleep(0.1)
    (node,) = started
    assert "0x7" == node.rpc.call("eth_chainId")
    node.stop()


def test_forked_process_leaves_the_node_alone(binary: Path) -> None:
    node = start_anvil(binary, chain_id=1)
    child = os.fork()
    if child == 0:  # pragma: no cover - in the other process
        node.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert "0x1" == node.rpc.call("eth_chainId")
    node.stop()


def test_world_with_a_timer_mines_by_itself(lab_cache: Path) -> None:
    with open_world(lab_cache, block_time=1) as ticking:
        first = ticking.head()
        ticking.fund(ALICE, {"USDC": 1, "USDT": 1})
        ticking.publish()
        assert first[0] < ticking.head()[0]


def test_world_that_cannot_publish_leaves_no_node(
    lab_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[World] = []

    def fail(self: World) -> None:
        seen.append(self)
        raise SetupFailed("no", fix="none")

    monkeypatch.setattr(World, "publish", fail)
    with pytest.raises(SetupFailed):
        open_world(lab_cache)
    assert not seen[0].node.alive


def test_fork_leaves_the_original_untouched(chain: World, lab_cache: Path) -> None:
    chain.fund(ALICE, {"ETH": 5})
    before = chain.head()
    sandbox: Sandbox = ForkSandbox(lab_cache)
    with sandbox.fork(ChainId(1), chain.url, before[0]) as url:
        copy = Rpc(url)
        bob = Puppet(copy, "0x" + "b0" * 20)
        bob.send(Tx(to=ALICE, input="0x", value=7, what="paying"))
        assert "0xc" == copy.call("eth_getBalance", ALICE, "latest")
        assert chain.rpc.call("eth_getCode", mainnet.USDC, "latest") == copy.call(
            "eth_getCode", mainnet.USDC, "latest"
        )
    assert before == chain.head()
    assert "0x5" == chain.rpc.call("eth_getBalance", ALICE, "latest")
    with pytest.raises(RpcUnavailable):
        Rpc(url, timeout_seconds=0.5).call("eth_chainId")


def test_fork_shows_the_block_that_was_asked_for(chain: World, lab_cache: Path) -> None:
    block = chain.head()[0]
    chain.fund(ALICE, {"ETH": 5})
    copy = open_fork(chain.url, 1, lab_cache, block=block)
    try:
        assert hex(block) == copy.rpc.call("eth_blockNumber")
        assert "0x0" == copy.rpc.call("eth_getBalance", ALICE, "latest")
        # Any account sends without its key.
        call = {"from": "0x" + "b0" * 20, "to": ALICE, "gasPrice": "0x0"}
        assert copy.rpc.call("eth_estimateGas", call) == "0x5208"
    finally:
        copy.stop()


def test_fork_of_another_chain_is_refused(world: World, lab_cache: Path) -> None:
    with pytest.raises(
        WrongChain, match=f"127.0.0.1:{world.node.port} serves chain '0x1', not 0xa"
    ):
        open_fork(world.url, 10, lab_cache, block=world.head()[0])


def test_fork_of_a_silent_node_names_the_host_and_no_key(lab_cache: Path) -> None:
    with pytest.raises(Unreachable, match=r"made from 127\.0\.0\.1:1 at block 5") as problem:
        open_fork("http://127.0.0.1:1/v2/s3cr3tk3y", 1, lab_cache, block=5)
    assert "s3cr3t" not in f"{problem.value!r} {problem.value.fix} {problem.value.__cause__}"


def test_fork_of_a_block_that_is_not_there_is_an_error(world: World, lab_cache: Path) -> None:
    with pytest.raises(Unreachable, match="at block 1000000000"):
        open_fork(world.url, 1, lab_cache, block=10**9)


def test_fork_that_is_interrupted_leaves_no_node(
    world: World, lab_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Anvil] = []

    def interrupt(node: Anvil, url: str, block: int) -> None:
        seen.append(node)
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.lab.sandbox._follow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        open_fork(world.url, 1, lab_cache, block=1)
    assert not seen[0].alive


def test_overlay_tells_of_the_local_chain_and_its_keys(world: World, tmp_path: Path) -> None:
    path = tmp_path / "overlay.toml"
    write_overlay(world, path, ["0x" + "AB" * 20], confirmations=1, max_head_age_seconds=60)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    found = tomllib.loads(path.read_text())
    hashes = found["chains"]["eip155:1"].pop("code_hashes")
    assert hashes == world.code_hashes
    assert hashes[mainnet.SWAP_ROUTER02].startswith("0x")
    assert {
        "schema": 1,
        "local": True,
        "chains": {
            "eip155:1": {
                "rpc": [world.url],
                "genesis": world.genesis,
                "block_seconds": 1,
                "confirmations": 1,
                "max_head_age_seconds": 60,
                "heartbeats": {feed.address: 60 for feed in mainnet.FEEDS.values()},
            }
        },
        "keys": {"generated": ["0x" + "ab" * 20]},
    } == found


def test_overlay_says_only_what_it_was_told(world: World, tmp_path: Path) -> None:
    write_overlay(world, tmp_path / "overlay.toml", [])
    found = tomllib.loads((tmp_path / "overlay.toml").read_text())["chains"]["eip155:1"]
    assert {"rpc", "genesis", "block_seconds", "code_hashes", "heartbeats"} == set(found)


def test_overlay_that_cannot_be_written_is_an_error_with_a_fix(
    world: World, tmp_path: Path
) -> None:
    with pytest.raises(SetupFailed, match="cannot be written: No such file"):
        write_overlay(world, tmp_path / "missing" / "overlay.toml", [])


def test_contracts_are_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "box.vy").write_text("@external\ndef lid() -> uint256:\n    return 7\n")
    monkeypatch.setattr(compiled, "_SOURCES", sources)
    first = compiled_contracts(tmp_path)
    assert ["lid"] == [entry["name"] for entry in first["box"].abi]
    monkeypatch.setattr(compiled, "_compile", lambda _: pytest.fail("compiled again"))
    assert first == compiled_contracts(tmp_path)


@pytest.mark.parametrize("installed", ["none", "0.1.0"])
def test_contracts_need_the_pinned_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    def version(name: str) -> str:
        if installed == "none":
            raise compiled.PackageNotFoundError
        return installed

    monkeypatch.setattr(compiled, "version", version)
    with pytest.raises(SetupFailed, match=f"need vyper 0.4.3, installed is {installed}") as problem:
        compiled_contracts(tmp_path)
    assert "pip install 'rebalancer[lab]'" in problem.value.fix
