"""A local node: a child process on a loopback port that is proven to be ours."""

import atexit
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import SetupFailed
from agent.lab.child import start_child
from agent.lab.homes import LIFELINE, LOG, listening_port, new_home, not_started
from agent.wire.rpc import Rpc, RpcError, RpcUnavailable

BLOCK_GAS_LIMIT = 60_000_000
"""Gas; what Ethereum blocks have had since November 2025."""

STATES_KEPT = 128
"""Blocks whose state can be read, as many as full nodes keep; more would fill memory and disk."""


@dataclass(slots=True, kw_only=True)
class Anvil:
    """A running local node; `stop` ends it and removes what it wrote."""

    url: str
    port: int
    chain_id: int
    pid: int
    kept: bool
    rpc: Rpc
    _process: subprocess.Popen[bytes] = field(repr=False)
    _home: Path = field(repr=False)
    _owner: int = field(repr=False)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process, by its id; safe to call twice, and a no-op in a forked process."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.stop)
        self.rpc.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


def start_anvil(
    binary: Path,
    *,
    chain_id: int,
    port: int | None = None,
    op_stack: bool = False,
    block_seconds: int | None = None,
    mines: bool = True,
    state: Path | None = None,
    genesis_time: int | None = None,
    keep: bool = False,
) -> Anvil:
    """Start a node and return it once it answers.

    Without *port* the kernel gives a free one. *op_stack* charges for Ethereum's part of the fee
    as soon as L1Block stands there. *block_seconds* mines on a timer instead of after each
    transaction; without *mines* it waits to be told. *state* is a saved chain, *genesis_time* unix
    seconds of a new one. With *keep* it goes on after this process. Raises PortInUse and
    SetupFailed.
    """
    home = new_home()
    options = _options(chain_id, port, home)
    if op_stack:
        options += ["--network", "optimism"]
    if not mines:
        options += ["--no-mining"]
    elif block_seconds is not None:
        options += ["--block-time", str(block_seconds)]
    if state is not None:
        options += ["--load-state", str(state)]
    if genesis_time is not None:
        options += ["--timestamp", str(genesis_time)]
    try:
        process = start_child([str(binary), *options], home=home, log=home / LOG, outlives_us=keep)
        (home / LIFELINE).write_text(str(process.pid if keep else os.getpid()))
    except OSError as fault:
        shutil.rmtree(home, ignore_errors=True)
        raise SetupFailed(
            f"the local node {binary} cannot be run: {fault.strerror}",
            fix=f"delete {binary.parent}; the next command fetches it again",
        ) from None
    try:
        return _answering(process, home, port=port, chain_id=chain_id, keep=keep)
    except BaseException:
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)
        raise


def _options(chain_id: int, port: int | None, home: Path) -> list[str]:
    return [
        *("--host", "127.0.0.1", "--port", str(port or 0)),
        # Loaded states do not carry the chain id, so it is always given.
        *("--chain-id", str(chain_id), "--gas-limit", str(BLOCK_GAS_LIMIT)),
        # With one slot in an epoch `finalized` is two blocks behind; with 32 it would stay at 0.
        *("--slots-in-an-epoch", "1", "--prune-history", str(STATES_KEPT)),
        # One account without money that nobody can guess: it tells our node from any other.
        *("--accounts", "1", "--balance", "0", "--mnemonic-random", "12"),
        *("--config-out", str(home / "config.json"), "--no-cors", "--color", "never"),
    ]


def _answering(
    process: subprocess.Popen[bytes], home: Path, *, port: int | None, chain_id: int, keep: bool
) -> Anvil:
    found = listening_port(process, home / LOG, port)
    url = f"http://127.0.0.1:{found}"
    rpc = Rpc(url)
    config = home / "config.json"
    try:
        # Only our child knows the account that it drew; another node on the port does not.
        expected = json.loads(config.read_bytes())["available_accounts"]
        ours = rpc.call("eth_accounts") == expected
        same_chain = rpc.call("eth_chainId") == hex(chain_id)
        # Every request would be a line of the log.
        rpc.call("anvil_setLoggingEnabled", False)  # noqa: FBT003 - the RPC's own parameter
    except (OSError, ValueError, KeyError, RpcError, RpcUnavailable) as fault:
        raise not_started(f"it does not answer on port {found}: {fault}") from None
    if not (ours and same_chain):
        raise not_started(f"another node answers on port {found}")
    config.unlink()
    node = Anvil(
        url=url,
        port=found,
        chain_id=chain_id,
        pid=process.pid,
        kept=keep,
        rpc=rpc,
        _process=process,
        _home=home,
        _owner=os.getpid(),
    )
    if not keep:
        atexit.register(node.stop)
    return node
