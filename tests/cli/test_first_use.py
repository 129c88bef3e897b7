"""The first run of a wallet that asks for a canary, as the processes that people start."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from cli.test_canonical_op import command, hasten

from agent.compose.local import LocalWallet, local_wallet
from agent.core.fact import Reserved
from agent.stores.sqlite import SqliteJournal

CANARY = Decimal(50)


@pytest.fixture(scope="module")
def wallet(lab_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWallet]:
    """A wallet on three chains that has never used anything."""
    home = tmp_path_factory.mktemp("first")
    home.chmod(0o700)
    with local_wallet(lab_cache, home, chains=(1, 8453, 42161)) as opened:
        text = opened.portfolio.read_text() + f'\n[canary]\nvalue = "{CANARY}"\n'
        opened.portfolio.write_text(text)
        hasten(opened)
        yield opened


def moved(wallet: LocalWallet, purpose: str) -> list[Decimal]:
    """What was moved, in the order in which it was signed."""
    journal = SqliteJournal(wallet.home, read_only=True)
    facts = journal.load(wallet.address)
    journal.close()
    first = [fact for fact in facts if isinstance(fact, Reserved) and not fact.attempt]
    return [fact.charges.value for fact in first if fact.intent.draft.purpose == purpose]


def test_first_uses_are_small_in_the_first_run_and_not_in_the_second(
    wallet: LocalWallet, lab_cache: Path
) -> None:
    planned = command(wallet, lab_cache, "plan", "--explain", "-q")
    assert "why: first use of router moves 45.00 first" in planned.stdout
    ran = command(wallet, lab_cache, "run", "-q")
    assert (0, True) == (ran.code, "done, every leg arrived" in ran.stdout), ran
    for purpose in ("swap", "deposit"):
        first, *others = moved(wallet, purpose)
        assert first <= CANARY < max(others)
    swaps = len(moved(wallet, "swap"))
    text = wallet.portfolio.read_text()
    text = text.replace('weight = "0.50"', 'weight = "0.35"')
    wallet.portfolio.write_text(text.replace('weight = "0.30"', 'weight = "0.45"'))
    planned = command(wallet, lab_cache, "plan", "--json", "-q")
    assert [] == [leg["id"] for leg in planned.document["legs"] if leg["id"].endswith("c")]
    assert 0 == command(wallet, lab_cache, "run", "-q").code
    assert moved(wallet, "swap")[swaps] > CANARY
