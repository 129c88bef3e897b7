"""A withdrawal of the OP stack that nobody remembers, as the processes that people start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_fixtures import TIMEOUT_SECONDS, Ended, passed_on

from agent.bridges._op_stack import bridge_data
from agent.compose.local import LocalWallet, local_wallet
from agent.lab.overlay import write_overlay
from agent.lab.providers import _op_contracts as there

ETHER = 10**18
BASE = 8453


@pytest.fixture(scope="module")
def wallet(lab_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWallet]:
    """A wallet on Ethereum and Base that may use the OP stack's bridge and no other."""
    home = tmp_path_factory.mktemp("op")
    home.chmod(0o700)
    with local_wallet(lab_cache, home, chains=(1, BASE)) as opened:
        text = opened.portfolio.read_text().replace('["across"]', '["canonical_op"]')
        # Ethereum is dear here, and a claim reserves much gas, of which it uses a third.
        limits = '[limits]\nmax_fee_per_tx = "50"\n'
        opened.portfolio.write_text(text.replace("[limits]\n", limits))
        hasten(opened)
        yield opened


def hasten(wallet: LocalWallet) -> None:
    """One confirmation is enough, where a test is not of how many there are."""
    write_overlay(wallet.worlds, wallet.overlay, [wallet.address], confirmations=1)


def command(wallet: LocalWallet, cache: Path, *words: str) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "agent", *words],
        env={**passed_on(wallet.home, cache), **wallet.variables},
        cwd=wallet.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def ether(wallet: LocalWallet, chain: int) -> int:
    rpc = wallet.worlds[chain].rpc
    return int(str(rpc.call("eth_getBalance", wallet.address, "latest")), 16)


def test_withdrawal_that_no_journal_knows_is_found_and_finished(
    wallet: LocalWallet, lab_cache: Path
) -> None:
    rpc = wallet.worlds[BASE].rpc
    rpc.call("anvil_impersonateAccount", wallet.address)
    request: dict[str, Any] = {
        "from": wallet.address,
        "to": there.L2_BRIDGE,
        "input": bridge_data(wallet.address),
        "value": hex(ETHER),
        "gas": hex(500_000),
    }
    sent = rpc.call("eth_sendTransaction", request)
    while rpc.call("eth_getTransactionReceipt", sent) is None:
        time.sleep(0.05)
    before = ether(wallet, 1)
    told = command(wallet, lab_cache, "doctor", "--funds", "-q")
    assert "Base canonical_op: 1.0000 ETH left by deposit" in told.stdout, told
    ended = command(wallet, lab_cache, "resume", "--wait", "110")
    assert 0 == ended.code, ended
    assert "done, every leg arrived" in ended.stdout
    assert ETHER // 100 * 99 < ether(wallet, 1) - before < ETHER, "but for the fees of two claims"
    clean = command(wallet, lab_cache, "doctor", "--funds", "-q")
    assert "canonical_op" not in clean.stdout
