"""`approvals`: what known spenders may move, and a run that takes it back."""

from __future__ import annotations

import io
import json
import sys
import time

import pytest
from cli.commands import Command, plain
from cli_fixtures import CliWallet

from agent.lab.mainnet import SWAP_ROUTER02, USDC, WETH
from agent.lab.puppet import tx
from agent.wire import erc20
from agent.wire.address import checksum

STRANGER = "0x" + "5e" * 20
ROUTER = f"eip155:1:{checksum(SWAP_ROUTER02)}"  # type: ignore[arg-type]


def grant(wallet: CliWallet, token: str, spender: str, raw: int) -> None:
    """Approve as the wallet itself, without its key: the local chain lets us."""
    rpc, call = wallet.world.rpc, tx(token, erc20.APPROVE, spender, raw)
    fields = {"from": wallet.address, "to": call.to, "data": call.input}
    rpc.call("anvil_impersonateAccount", wallet.address)
    sent = rpc.call("eth_sendTransaction", fields)
    while rpc.call("eth_getTransactionReceipt", sent) is None:
        time.sleep(0.01)
    rpc.call("anvil_stopImpersonatingAccount", wallet.address)


def allowance(wallet: CliWallet, token: str, spender: str) -> int:
    read = erc20.allowance(token, wallet.address, spender)  # type: ignore[arg-type]
    answer = wallet.world.rpc.call("eth_call", {"to": read.to, "data": read.data}, "latest")
    return int(str(answer), 16)


def test_nothing_is_granted_at_first(command: Command) -> None:
    told = command("approvals", "list")
    assert (0, "no known spender may move anything of this wallet\n") == (told.code, told.stdout)
    nothing = command("approvals", "revoke", "--json")
    assert (0, "nothing") == (nothing.code, nothing.lines[-1]["outcome"])
    assert "nothing to take back: no such allowance\n" == command("approvals", "revoke").stdout


def test_allowances_of_known_spenders_are_listed(command: Command, wallet: CliWallet) -> None:
    grant(wallet, USDC, SWAP_ROUTER02, 5_000_000)
    grant(wallet, WETH, SWAP_ROUTER02, 2**256 - 1)
    grant(wallet, WETH, STRANGER, 7)
    wanted = f"""\
  Ethereum  5.0000 USDC  {checksum(SWAP_ROUTER02)}  Uniswap SwapRouter02
  Ethereum  all WETH     {checksum(SWAP_ROUTER02)}  Uniswap SwapRouter02  WITHOUT END
take them back with: rebalancer approvals revoke
"""
    assert sorted(wanted.splitlines()) == sorted(command("approvals", "list").stdout.splitlines())
    told = command("approvals", "list", "--json").document
    assert ("approvals", f"eip155:1:{checksum(wallet.address)}", 1) == (
        told["kind"],
        told["wallet"],
        told["requests"],
    )
    rows = {row["symbol"]: row for row in told["allowances"]}
    assert {
        "chain": "eip155:1",
        "token": f"eip155:1/erc20:{checksum(USDC)}",
        "symbol": "USDC",
        "amount": "5000000",
        "decimals": 6,
        "spender": ROUTER,
        "name": "Uniswap SwapRouter02",
        "unlimited": False,
    } == rows["USDC"]
    assert (str(2**256 - 1), True) == (rows["WETH"]["amount"], rows["WETH"]["unlimited"])


def test_allowances_are_taken_back_by_a_run_of_their_own(
    command: Command, wallet: CliWallet
) -> None:
    grant(wallet, USDC, SWAP_ROUTER02, 5_000_000)
    grant(wallet, WETH, SWAP_ROUTER02, 2**256 - 1)
    told = command("approvals", "revoke", "--yes", "--json")
    last = told.lines[-1]
    assert (0, "run.done", "done") == (told.code, last["kind"], last["outcome"])
    assert (0, 0) == (
        allowance(wallet, USDC, SWAP_ROUTER02),
        allowance(wallet, WETH, SWAP_ROUTER02),
    )
    signed = [line["purpose"] for line in told.lines if line["kind"] == "tx.signed"]
    assert ["revoke", "revoke"] == signed
    assert ["revoke", "revoke"] == [
        row["kind"] for row in command("status", "--json").document["legs"]
    ]


def test_one_allowance_can_be_chosen_by_token_and_spender(
    command: Command, wallet: CliWallet
) -> None:
    grant(wallet, USDC, SWAP_ROUTER02, 5)
    grant(wallet, WETH, SWAP_ROUTER02, 6)
    grant(wallet, WETH, STRANGER, 7)
    assert 0 == command("approvals", "revoke", "--yes", "--token", "USDC").code
    assert 0 == command("approvals", "revoke", "--yes", "--spender", STRANGER).code
    assert (0, 6, 0) == (
        allowance(wallet, USDC, SWAP_ROUTER02),
        allowance(wallet, WETH, SWAP_ROUTER02),
        allowance(wallet, WETH, STRANGER),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--token", "NOPE"), "no token of the wallet's chains is called 'NOPE'"),
        (("--spender", "0x12"), "'0x12' is not an address"),
    ],
)
def test_words_that_choose_nothing_are_refused(
    command: Command, words: tuple[str, ...], said: str
) -> None:
    told = command("approvals", "revoke", *words)
    assert (2, True) == (told.code, f"error[C104] {said}" in told.stderr)


def test_a_spender_of_an_earlier_run_is_known(command: Command, wallet: CliWallet) -> None:
    grant(wallet, WETH, STRANGER, 7)
    assert "no known spender" in command("approvals", "list").stdout
    command("approvals", "revoke", "--yes", "--spender", STRANGER)
    grant(wallet, WETH, STRANGER, 9)
    assert "an earlier run" in command("approvals", "list").stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code", "left"), [("yes\n", 0, 0), ("no\n", 5, 5)])
def test_a_person_is_asked_first(
    command: Command,
    wallet: CliWallet,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    left: int,
) -> None:
    grant(wallet, USDC, SWAP_ROUTER02, 5)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    told = command("approvals", "revoke")
    assert (code, left) == (told.code, allowance(wallet, USDC, SWAP_ROUTER02))
    assert "Take these back, for about 0." in plain(told.stderr, wallet)


def test_unattended_it_needs_the_policy_s_permission(command: Command, wallet: CliWallet) -> None:
    grant(wallet, USDC, SWAP_ROUTER02, 5)
    wallet.edit('mode = "never"', 'mode = "always"')
    told = command("approvals", "revoke", "--no-input", "--json")
    assert (5, "D100", True) == (
        told.code,
        told.document["code"],
        json.loads(told.stdout)["nothing_signed"],
    )
    assert 5 == allowance(wallet, USDC, SWAP_ROUTER02)
