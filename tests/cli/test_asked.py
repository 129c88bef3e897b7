"""`plan` says which other venues were asked about its swaps, and what they offered."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.commands import Command
from cli.test_venues import variables
from three_chains import ETHER, new_key, write_files

from agent.lab.worlds import Worlds

FUNDS = {1: {"ETH": 12 * ETHER, "WETH": 8 * ETHER, "USDC": 20_000 * 10**6, "WBTC": 15_000_000}}


@pytest.fixture
def home(chains: Worlds, tmp_path: Path) -> Path:
    """Files of a wallet on the first chain that allows two venues beside the router."""
    address = new_key(tmp_path)
    chains.fund(address, FUNDS)
    write_files(chains, tmp_path, address, "watch", max_head_age_seconds=86_400)
    portfolio = tmp_path / "portfolio.toml"
    text = portfolio.read_text().replace('["router"]', '["router", "kyberswap", "lifi"]')
    text = text.replace(
        'chains = ["eip155:1", "eip155:8453", "eip155:42161"]', 'chains = ["eip155:1"]'
    )
    portfolio.write_text(text.replace('"eip155:1" = { max = "0.60" }', ""))
    return tmp_path


ASKED = """\
2 asked for 2.9356 WETH → WBTC on Ethereum; kyberswap offers 0.1466 WBTC, after gas 0.5 bps worse \
than router
2 asked for 2.2351 WETH → USDC on Ethereum; kyberswap offers 6,700.91 USDC, after gas 0.8 bps worse \
than router
"""

WHO = """\
WHO ELSE WAS ASKED
  2.9356 WETH → WBTC on Ethereum, round 1: router brings 0.1466 WBTC
    kyberswap offers 0.1466 WBTC, after gas 0.5 bps worse than router
    lifi offers 0.1463 WBTC, after gas 25.5 bps worse than router
  2.2351 WETH → USDC on Ethereum, round 1: router brings 6,700.91 USDC
    kyberswap offers 6,700.91 USDC, after gas 0.8 bps worse than router
    lifi offers 6,684.16 USDC, after gas 25.9 bps worse than router
IF IT GOES BADLY
"""


def test_a_plan_tells_who_else_was_asked(home: Path, bare: Command) -> None:
    told = bare("plan", environ=variables(home))
    assert 0 == told.code, told.stderr
    assert ASKED in told.stdout
    assert WHO in bare("plan", "--explain", environ=variables(home)).stdout
    portfolio = home / "portfolio.toml"
    portfolio.write_text(portfolio.read_text().replace(', "kyberswap", "lifi"', ""))
    assert told.stdout.replace(ASKED, "")[9:] == bare("plan", environ=variables(home)).stdout[9:]


def test_programs_read_every_answer(home: Path, bare: Command) -> None:
    told = bare("--json", "plan", environ=variables(home)).document
    assert (1, 2) == (told["rounds"], len(told["asked"]))
    for asked, leg in zip(told["asked"], told["legs"], strict=True):
        assert (1, "eip155:1", None, False) == tuple(
            asked[key] for key in ("round", "chain", "measured", "taken")
        )
        assert leg["sell"]["amount"] == asked["sell"]["amount"]
        assert leg["buy"]["token"] == asked["buy"]
        assert ("router", leg["buy"]["amount"]) == (
            asked["known"]["via"],
            asked["known"]["amount"],
        )
        assert ["kyberswap", "lifi"] == [each["via"] for each in asked["answers"]]
        assert all(float(each["better_bps"]) < 0 for each in asked["answers"])
