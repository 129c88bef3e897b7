"""`look`: any wallet, without a file and without a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import pytest
from cli.commands import Command, plain
from cli_fixtures import CliWallet, Ended
from error_cases import free_port, serve_from

from agent import resources
from agent.wire.address import checksum

HALVES = "ETH=50,USDC=50"
OTHER = "eip155:99999"


class Look(Protocol):
    def __call__(self, *more: str) -> Ended: ...


@pytest.fixture
def look(bare: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch) -> Look:
    """`look` at the wallet with nothing but the overlay of local chains."""
    monkeypatch.setenv("REBALANCER_OVERLAY", str(wallet.overlay))

    def run(*more: str) -> Ended:
        return bare("look", checksum(wallet.address), *more)

    return run


@pytest.fixture
def silent_chain(
    bare: Command, wallet: CliWallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second chain, a copy of the first one under another id, whose node is not there."""
    table = re.compile(r'^\[chains\."eip155:1"\].*?(?=^\[chains\."eip155:(?!1")|\Z)', re.M | re.S)
    first = table.search(resources.text("chains.toml"))
    assert first is not None
    second = first[0].replace('"eip155:1"', f'"{OTHER}"').replace('"Ethereum"', '"Elsewhere"')
    second = second.replace('"eth"', '"else"')
    (tmp_path / "two.toml").write_text(f"schema = 1\n{first[0]}\n{second}")
    monkeypatch.setenv("REBALANCER_CHAINS", str(tmp_path / "two.toml"))
    node = [
        f'[chains."{OTHER}"]',
        f'rpc = ["http://127.0.0.1:{free_port()}"]',
        f'genesis = "0x{"9" * 64}"',
    ]
    overlay = wallet.overlay.read_text()
    wallet.overlay.write_text(overlay.replace("[keys]", "\n".join([*node, "[keys]"])))


def test_a_look_without_a_target_counts_everything_that_is_known(
    look: Look, wallet: CliWallet
) -> None:
    told = look()
    assert 0 == told.code
    shown = plain(told.stdout, wallet).splitlines()
    assert "WALLET 0xWALLET   79,980.79 USD   Ethereum block N   5 requests" == shown[0]
    assert "  counted 79,980.79 · outside 0.00 · unpriced: none" == shown[-1]
    assert "LOCAL chains: nothing here is on any public chain\n" == told.stderr
    assert (0, ()) == (wallet.nonce(), wallet.facts())


def test_a_look_with_a_target_shows_drift_and_an_indicative_plan(
    look: Look, wallet: CliWallet
) -> None:
    told = look("--target", HALVES)
    shown = plain(told.stdout, wallet)
    assert 0 == told.code
    assert "  counted 67,988.99 · outside 11,991.79 · unpriced: none\n" in shown
    assert "  ETH   70.6 %  50.0 %  45.0 % to 55.0 %  48,000.00  above by 10,606.05\n" in shown
    assert "  1  Ethereum  wrap  0.3333 ETH → 0.3333 WETH" in shown
    assert shown.endswith("indicative: nothing is signed by looking\n")


def test_a_look_is_told_to_programs(look: Look) -> None:
    found = look("--target", HALVES, "--json").document
    assert {"kind": "look", "partial": False, "silent": [], "value": "67988.99", "local": True} == {
        key: found[key] for key in ("kind", "partial", "silent", "value", "local")
    }
    assert "rebalance" == found["drift"]["decision"]
    assert len(found["plan"]["legs"]) >= 2
    bare = look("--json").document
    assert (None, None, None) == (bare["drift"], bare["plan"], bare["why"])


def test_a_wallet_inside_its_bands_needs_no_plan(look: Look) -> None:
    told = look("--target", "ETH=60,WBTC=15,USDC=25")
    assert 0 == told.code
    assert "nothing to do: largest drift 0.0 % (ETH) is inside its 5.0 % band" in told.stdout
    assert "PLAN" not in told.stdout


@pytest.mark.usefixtures("silent_chain")
def test_a_chain_that_does_not_answer_is_said_and_the_rest_is_shown_without_a_plan(
    look: Look, wallet: CliWallet
) -> None:
    told = look("--target", HALVES)
    assert 0 == told.code, told.stderr
    first, *rest = told.stdout.splitlines()
    assert first.startswith("PARTIAL: Elsewhere did not answer ([N101] ")
    assert first.endswith("; it is left out of every figure here")
    assert "67,988.99 USD" in rest[0]
    assert "no drift and no plan: of a wallet that is known in part no share is known" == rest[-1]
    found = look("--target", HALVES, "--json").document
    assert (True, None, None) == (found["partial"], found["drift"], found["plan"])
    assert [(OTHER, "N101")] == [(row["chain"], row["code"]) for row in found["silent"]]
    named = look("--target", HALVES, "--on", "ethereum", "--json").document
    assert not named["partial"]
    assert len(named["plan"]["legs"]) >= 2


def test_a_look_at_nothing_but_silent_chains_is_an_error(look: Look, wallet: CliWallet) -> None:
    serve_from(wallet, f"http://127.0.0.1:{free_port()}")
    told = look()
    assert (8, "", True) == (told.code, told.stdout, "error[N101]" in told.stderr)


def test_a_node_may_be_named_for_a_chain(look: Look, wallet: CliWallet) -> None:
    url = wallet.world.url
    serve_from(wallet, f"http://127.0.0.1:{free_port()}")
    assert 0 == look("--rpc", f"ethereum={url}").code
    assert 0 == look("--rpc", f"eip155:1={url}", "--json").code


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--target", "ETH=50,USDC=40"), "sum to 90 percent, not to exactly 100"),
        (("--target", "ETH=50,USDC=40"), "ETH=60 would do"),
        (("--target", "ETH=100,USDC=40"), "ETH=60 would do"),
        (("--target", "BTC=50,USDC=50"), 'did you mean "WBTC"?'),
        (("--target", "ETH=50,ETH=50"), "ETH is named twice"),
        (("--target", "ETH"), "'ETH' is no target"),
        (("--target", "ETH=much"), "ETH: 'much' is no number"),
        (("--target", "ETH=101"), "ETH: 101 is not between 0 and 100 percent"),
        (("--target", "ETH=0.001,USDC=99.999"), "finer than 0.01 percent"),
        (("--target", ","), "no asset has a target"),
        (("--on", "etherum"), "did you mean"),
        (("--rpc", "https://node.example/secret-canary"), "names a node without its chain"),
        (("--rpc", "ethereum=ftp://node.example/secret-canary"), "must start with https"),
        (("--rpc", "ethereum=https://node.example/secret-canary"), "is not this machine"),
    ],
)
def test_what_cannot_be_meant_is_said_with_what_would_do(
    look: Look, more: tuple[str, ...], says: str
) -> None:
    told = look(*more)
    assert (2, "", True) == (told.code, told.stdout, says in told.stderr), told.stderr
    assert "secret-canary" not in told.stderr


def test_an_address_with_a_wrong_checksum_is_refused(bare: Command, wallet: CliWallet) -> None:
    right = checksum(wallet.address)
    last = right[-1]
    wrong = right[:-1] + (last.swapcase() if last.isalpha() else ("0" if last != "0" else "1"))
    told = bare("look", wrong, environ={"REBALANCER_OVERLAY": str(wallet.overlay)})
    assert (2, True) == (told.code, "error[C104] flag: address: " in told.stderr)


def test_what_else_is_configured_does_not_change_the_wallet(look: Look, wallet: CliWallet) -> None:
    other = "0x" + "11" * 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REBALANCER_WALLET__ADDRESS", other)
        found = look("--json").document
    assert f"eip155:1:{checksum(wallet.address)}" == found["wallet"]
