"""`weights`: proposals for [targets], from files, without a chain and without a portfolio."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from cli.commands import Command
from price_histories import csv_of, walk
from settings.example import EXAMPLE

from agent.cli.weights import weights
from agent.settings import load_text
from agent.weights import METHODS

PRICES = csv_of(walk(7, 3))
CAPS = "asset,cap\nETH,400e9\nWBTC,15e9\nUSDC,70e9\n"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tables in the folder, and no way to any other machine."""
    (tmp_path / "p.csv").write_text(PRICES)
    (tmp_path / "c.csv").write_text(CAPS)

    def refuse(*_arguments: object) -> None:
        raise AssertionError("weights went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def block(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_proposal_from_market_capitalisations_is_told_to_people(bare: Command) -> None:
    told = bare("weights", "market-cap", "--caps", "c.csv", "--at-most", "50", "--at-least", "10%")
    wanted = """
        WEIGHTS by market-cap
          ETH   50.00 %
          WBTC  10.00 %
          USDC  40.00 %
        presumes: the market as a whole prices risk and return rightly

        [targets]   # market-cap
        ETH  = { weight = "0.50", band = "0.05" }
        WBTC = { weight = "0.10", band = "0.05" }
        USDC = { weight = "0.40", band = "0.05" }
        """
    assert (0, block(wanted), "") == (told.code, told.stdout, told.stderr)


def test_proposal_from_prices_is_told_to_people_with_what_it_would_have_meant(
    bare: Command,
) -> None:
    told = bare("weights", "risk-parity", "--prices", "p.csv", "--band", "2")
    wanted = """
        WEIGHTS by risk-parity of 91 prices a day apart, 2026-01-01 to 2026-04-01
                 weight  volatility a year  part of the risk
          ETH   33.27 %             1.74 %           33.30 %
          WBTC  65.52 %             1.07 %           33.29 %
          BNB    1.21 %            55.83 %           33.41 %
        presumes: volatilities and correlations stay as they were; each asset adds the same risk

        [targets]   # risk-parity of 91 prices a day apart, 2026-01-01 to 2026-04-01
        ETH  = { weight = "0.3327", band = "0.02" }
        WBTC = { weight = "0.6552", band = "0.02" }
        BNB  = { weight = "0.0121", band = "0.006" }
        """
    assert (0, block(wanted), "") == (told.code, told.stdout, told.stderr)


def test_proposal_is_told_to_programs(bare: Command) -> None:
    told = bare("weights", "hrp", "--prices", "p.csv", "--of", "WBTC,ETH", "--json")
    table = (
        'ETH  = { weight = "0.2728", band = "0.05" }\nWBTC = { weight = "0.7272", band = "0.05" }'
    )
    assert {
        "schema": 1,
        "kind": "weights",
        "method": "hrp",
        "presumes": METHODS["hrp"].presumes,
        "prices": {"rows": 91, "step_days": 1, "from": "2026-01-01", "to": "2026-04-01"},
        "weights": [
            {
                "asset": "ETH",
                "weight": "0.2728",
                "band": "0.05",
                "volatility": "0.0174",
                "risk": "0.3257",
            },
            {
                "asset": "WBTC",
                "weight": "0.7272",
                "band": "0.05",
                "volatility": "0.0107",
                "risk": "0.6743",
            },
        ],
        "targets": f"[targets]\n{table}\n",
    } == told.document


def test_equal_weights_need_nothing_but_names(bare: Command) -> None:
    told = bare("weights", "equal", "--of", "USDC, ETH,WBTC", "--json")
    rows = told.document["weights"]
    assert [("USDC", "0.3333"), ("ETH", "0.3334"), ("WBTC", "0.3333")] == [
        (row["asset"], row["weight"]) for row in rows
    ]
    assert (None, None) == (told.document["prices"], rows[0]["risk"])


@pytest.mark.parametrize("method", METHODS)
def test_proposal_is_what_a_portfolio_takes(bare: Command, method: str, tmp_path: Path) -> None:
    given = {"names": ("--of", "ETH,WBTC,USDC"), "caps": ("--caps", "c.csv")}
    (tmp_path / "p.csv").write_text(PRICES.replace("BNB", "USDC"))
    arguments = given.get(METHODS[method].takes, ("--prices", "p.csv"))
    told = bare("weights", method, *arguments)
    before, _, rest = EXAMPLE.partition("[targets]")
    after = rest[rest.index("[targets_by_chain]") :]
    pasted = told.stdout[told.stdout.index("[targets]") :]
    found = load_text(before + pasted + after, shown=Path("portfolio.toml"))
    wanted = tomllib.loads(bare("weights", method, *arguments, "--json").document["targets"])
    assert 10_000 == sum(target.weight for target in found.policy.targets.values())
    assert list(wanted["targets"]) == list(found.policy.targets)


def test_nothing_is_written(bare: Command, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    bare("weights", "hrp", "--prices", "p.csv")
    bare("weights", "hrp", "--prices", "c.csv")
    assert before == sorted(tmp_path.rglob("*"))


def test_same_input_gives_the_same_bytes_in_another_process(bare: Command, tmp_path: Path) -> None:
    line = ("weights", "risk-parity", "--prices", "p.csv")
    done = subprocess.run(
        [sys.executable, "-m", "agent", *line],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "4"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert (bare(*line).stdout, "") == (done.stdout, done.stderr)


def test_bounds_are_for_all_or_for_one(bare: Command) -> None:
    limits = ("--at-most", "40,USDC=60", "--at-least", "ETH=1.25%")
    rows = bare("weights", "market-cap", "--caps", "c.csv", *limits, "--json").document["weights"]
    assert ["0.40", "0.1059", "0.4941"] == [row["weight"] for row in rows]


def test_missing_extra_says_what_to_install(bare: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skfolio", None)
    told = bare("weights", "hrp", "--prices", "p.csv")
    assert (1, "") == (told.code, told.stdout)
    assert "error[X104] hrp needs skfolio, which cannot be imported: " in told.stderr
    assert "install it: pip install 'rebalancer[weights]'; equal and market-cap need" in told.stderr
    assert 0 == bare("weights", "equal", "--of", "ETH,USDC").code


BAD = [
    ("hpr --prices p.csv", 'no method \'hpr\', did you mean "hrp"?'),
    ("hrp", "hrp needs --prices FILE"),
    ("market-cap", "market-cap needs --caps FILE"),
    ("equal", "equal needs --of"),
    ("equal --of ETH", "--of names ETH alone"),
    ("equal --of ETH,ETH", "--of names ETH twice"),
    ("equal --of ETH,DOGE", "no asset 'DOGE' in chains.toml; known here: "),
    ("equal --of ETH,WBTX", 'no asset \'WBTX\' in chains.toml, did you mean "WBTC"?'),
    ("equal --of ETH,USDC --prices p.csv", "equal does not look at --prices"),
    ("hrp --prices p.csv --caps c.csv", "hrp does not look at --caps"),
    ("hrp --prices p.csv --of ETH,DAI", "p.csv has no DAI, which --of names; it has ETH, WBTC, BNB"),
    ("hrp --prices c.csv", "c.csv:1: the first column is 'asset', not date"),
    ("market-cap --caps p.csv", "p.csv:1: the header is 'date,ETH,WBTC,BNB', not asset,cap"),
    ("market-cap --caps c.csv --at-most 30", "all weights at their most sum to 90 percent, below 100"),
    ("market-cap --caps c.csv --at-least 34", "all weights at their least sum to 102 percent, above 100"),
    ("market-cap --caps c.csv --at-most x", "--at-most: 'x' is no number"),
    ("market-cap --caps c.csv --at-most 101", "--at-most: 101 is not between 0 and 100 percent"),
    ("market-cap --caps c.csv --at-most ETH=0", "ETH may be at most 0"),
    ("market-cap --caps c.csv --at-most DAI=9", "--at-most names DAI, which has no weight here"),
    ("market-cap --caps c.csv --at-most 50,40", "--at-most says a limit for all twice"),
    ("market-cap --caps c.csv --at-most =9", "--at-most names nothing, which has no weight here"),
    ("market-cap --caps c.csv --at-least 1.005", "--at-least: 1.005 is finer than 0.01 percent"),
    ("market-cap --caps c.csv --band 200", "band: 200 is not between 0 and 100 percent"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), BAD)
def test_wrong_wish_is_told(bare: Command, line: str, said: str) -> None:
    told = bare("weights", *line.split(), "--json")
    assert (2, "C104") == (told.code, told.document["code"])
    assert told.document["message"].startswith(said)


def test_file_that_is_not_there_is_told(bare: Command) -> None:
    told = bare("weights", "hrp", "--prices", "q.csv", "--json")
    assert (2, "C101") == (told.code, told.document["code"])
    assert "q.csv cannot be read: No such file or directory" == told.document["message"]


def test_file_that_is_no_text_is_told_with_its_line(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(PRICES.encode().replace(b"2026-01-02", b"2026-01-02\xff"))
    told = bare("weights", "hrp", "--prices", "p.csv", "--json")
    assert "p.csv:3: is no UTF-8 text" == told.document["message"]


def test_file_without_end_is_not_read_to_the_end(bare: Command) -> None:
    told = bare("weights", "hrp", "--prices", "/dev/zero", "--json")
    assert "/dev/zero is larger than 16 MB" == told.document["message"]


def test_mark_of_a_spreadsheet_at_the_start_does_not_matter(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(PRICES, encoding="utf-8-sig")
    assert 0 == bare("weights", "inverse-volatility", "--prices", "p.csv").code


def test_help_names_every_method() -> None:
    (argument, *_rest) = weights.__defaults__ or ()
    assert [] == [name for name in METHODS if name not in argument.help]
