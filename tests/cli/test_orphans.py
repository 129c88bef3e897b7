"""Transfers over three bridges that no journal knows, found and finished by the same commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.test_canonical_op import command, hasten

from agent.bridges._burn_message import DEPOSIT, STANDARD, word
from agent.bridges._op_stack import bridge_data
from agent.bridges._spoke_pool import Terms, deposit_data
from agent.compose.local import LocalWallet, local_wallet
from agent.core.money import Address, ChainId
from agent.lab.abi import call_bytes
from agent.lab.providers import _op_contracts as there
from agent.lab.providers.cctp import MESSENGER
from agent.lab.puppet import Puppet, Tx, tx

ETHER = 10**18
ETHEREUM, BASE, ARBITRUM = 1, 8453, 42161
BURNT, DEPOSITED = 1_000 * 10**6, 500 * 10**6
LIFE_SECONDS = 20
"""From an Across deposit to its deadline: long enough to be found before it is paid back."""


@pytest.fixture(scope="module")
def wallet(lab_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWallet]:
    """A wallet on three chains that may use three bridges and has done nothing yet."""
    home = tmp_path_factory.mktemp("orphans")
    home.chmod(0o700)
    with local_wallet(lab_cache, home, chains=(ETHEREUM, BASE, ARBITRUM)) as opened:
        text = opened.portfolio.read_text()
        text = text.replace('["across"]', '["across", "cctp", "canonical_op"]')
        # Ethereum is dear here, and a claim reserves much gas, of which it uses a third.
        text = text.replace("[limits]\n", '[limits]\nmax_fee_per_tx = "50"\n')
        opened.portfolio.write_text(text)
        hasten(opened)
        yield opened


def puppet(wallet: LocalWallet, chain: int) -> Puppet:
    return Puppet(wallet.worlds[chain].rpc, wallet.address)


def usdc(wallet: LocalWallet, chain: int) -> str:
    return wallet.worlds[chain].place.tokens["USDC"].address


def held(wallet: LocalWallet, chain: int) -> int:
    call = {"to": usdc(wallet, chain), "data": call_bytes("balanceOf(address)", wallet.address)}
    return int(str(wallet.worlds[chain].rpc.call("eth_call", call, "latest")), 16)


def ether(wallet: LocalWallet, chain: int) -> int:
    rpc = wallet.worlds[chain].rpc
    return int(str(rpc.call("eth_getBalance", wallet.address, "latest")), 16)


def burn(wallet: LocalWallet) -> None:
    """USDC leaves Ethereum for Arbitrum by CCTP."""
    token, account = usdc(wallet, ETHEREUM), wallet.address
    domain = 3
    burning = (BURNT, domain, word(account), token, bytes(32), 0, STANDARD)
    puppet(wallet, ETHEREUM).send(
        tx(token, "approve(address,uint256)", MESSENGER, BURNT),
        tx(MESSENGER, DEPOSIT.signature, *burning),
    )


def deposit(wallet: LocalWallet) -> None:
    """USDC leaves Arbitrum for Ethereum by Across, where nobody delivers it."""
    wallet.worlds.relay("never")
    world = wallet.worlds[ARBITRUM]
    pool, now = world.place.spoke_pool, world.head()[1]
    terms = Terms(
        account=wallet.address,
        input_token=Address(usdc(wallet, ARBITRUM)),
        output_token=Address(usdc(wallet, ETHEREUM)),
        input_amount=DEPOSITED,
        output_amount=DEPOSITED - 10**6,
        to_chain=ChainId(ETHEREUM),
        quote_timestamp=now,
        fill_deadline=now + LIFE_SECONDS,
    )
    puppet(wallet, ARBITRUM).send(
        tx(usdc(wallet, ARBITRUM), "approve(address,uint256)", pool, DEPOSITED),
        Tx(to=pool, input=deposit_data(terms), what="depositing"),
    )


def withdraw(wallet: LocalWallet) -> None:
    """Ether leaves Base for Ethereum by the rollup's own bridge."""
    puppet(wallet, BASE).send(
        Tx(
            to=there.L2_BRIDGE,
            input=bridge_data(wallet.address),
            value=ETHER,
            what="withdrawing",
        )
    )


def test_transfers_of_three_bridges_that_no_journal_knows_are_found_and_finished(
    wallet: LocalWallet, lab_cache: Path
) -> None:
    assert [] == list(wallet.home.glob("*.db"))
    before = {chain: held(wallet, chain) for chain in wallet.worlds}
    burn(wallet)
    withdraw(wallet)
    deposit(wallet)
    coins = ether(wallet, ETHEREUM)
    told = command(wallet, lab_cache, "doctor", "--funds", "-q")
    for found in (
        "Ethereum cctp: 1,000.00 USDC left in 0x",
        "Arbitrum One across: 500.00 USDC left by deposit",
        "Base canonical_op: 1.0000 ETH left by deposit",
    ):
        assert found in told.stdout, told
    ended = command(wallet, lab_cache, "resume", "--wait", "110")
    assert 0 == ended.code, ended
    after = {chain: held(wallet, chain) for chain in wallet.worlds}
    assert {**before, ETHEREUM: before[ETHEREUM] - BURNT, ARBITRUM: before[ARBITRUM] + BURNT} == (
        after
    )
    gained = ether(wallet, ETHEREUM) - coins
    assert ETHER // 100 * 99 < gained < ETHER, "but for the fees of two claims"
    assert "done, everything has arrived or come back" in ended.stdout
    clean = command(wallet, lab_cache, "doctor", "--funds", "-q")
    assert [] == [name for name in ("cctp:", "across:", "canonical_op:") if name in clean.stdout]
