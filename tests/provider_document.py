"""docs/providers.md: what every venue and bridge did on the local chains, one run a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import platformdirs
from fork_rig import put_sushi
from provider_runs import ProviderRun, leg, provider_run

from agent.compose.providers import provider_names
from agent.core.money import Amount
from agent.core.wording import figure
from agent.engine.loop import Finished
from agent.lab.worlds import Worlds

DOCUMENT = Path(__file__).parents[1] / "docs" / "providers.md"

BEGIN = "<!-- measured: written by scripts/providers_doc.py -->\n"

NAMES = {1: "Ethereum", 8453: "Base", 42161: "Arbitrum One"}

_HEAD = (
    "| by | leg | sold | least | got | gas | seconds | unexplained |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
_ROW = re.compile(
    r"\| (?P<by>\w+) \| (?P<leg>[^|]+) \| (?P<sold>[^|]+) \| (?P<least>[^|]+) \| (?P<got>[^|]+) "
    r"\| (?P<gas>[\d,]+) \| (?P<seconds>\d+) \| (?P<unexplained>\d+) \|"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One leg: so many whole tokens of a symbol on a chain for another on the same or another."""

    via: str
    kind: str
    chain: int
    sell: str
    amount: str
    to_chain: int
    buy: str
    detail: str = ""

    @property
    def name(self) -> str:
        """The leg as the document calls it."""
        here, there = NAMES[self.chain], NAMES[self.to_chain]
        if self.kind == "swap":
            return f"{self.sell} for {self.buy} on {here}"
        how = f", {self.detail}" if self.detail else ""
        return f"{self.sell} from {here} to {there}{how}"


@dataclass(frozen=True, slots=True)
class Row:
    """One leg that was done; amounts in whole tokens, gas of all transactions of the wallet."""

    by: str
    leg: str
    sold: str
    least: str
    got: str
    gas: int
    seconds: int
    unexplained: int


def _swaps(name: str) -> list[Case]:
    found = [Case(name, "swap", 1, "WETH", "1", 1, "USDC")]
    # Pools exchange wrapped coins only, and orders sell none that is not a token.
    if name not in {"router", "cow", "sushiswap_v2"}:
        found.append(Case(name, "swap", 8453, "ETH", "1", 8453, "USDC"))
    return found


BY_POOLS = ("router", "sushiswap_v2")
"""Venues without servers whose contracts can stand on local chains."""

CASES = [
    *(case for name in (*BY_POOLS, *provider_names("venues")) for case in _swaps(name)),
    Case("across", "bridge", 1, "USDC", "1000", 8453, "USDC"),
    Case("across", "bridge", 1, "ETH", "1", 42161, "ETH"),
    Case("lifi", "bridge", 1, "USDC", "1000", 8453, "USDC"),
    Case("cctp", "bridge", 1, "USDC", "1000", 8453, "USDC", "standard"),
    Case("cctp", "bridge", 8453, "USDC", "1000", 42161, "USDC", "fast"),
    Case("stargate", "bridge", 1, "USDC", "1000", 42161, "USDC"),
    Case("stargate", "bridge", 1, "ETH", "1", 8453, "ETH"),
    Case("canonical_op", "bridge", 1, "ETH", "1", 8453, "ETH"),
    Case("canonical_op", "bridge", 8453, "ETH", "1", 1, "ETH"),
    Case("canonical_arbitrum", "bridge", 1, "ETH", "1", 42161, "ETH"),
    Case("canonical_arbitrum", "bridge", 1, "WBTC", "0.1", 42161, "WBTC"),
    Case("canonical_arbitrum", "bridge", 42161, "ETH", "1", 1, "ETH"),
]


def measured(case: Case, worlds: Worlds) -> tuple[Row, ProviderRun]:
    """The row of one leg, run to its end; raises AssertionError when it does not end well."""
    if case.via == "sushiswap_v2":
        put_sushi(worlds[case.chain], platformdirs.user_cache_path("rebalancer"))
    with provider_run(worlds, case.via, case.kind) as run:
        sell, buy = run.token(case.chain, case.sell), run.token(case.to_chain, case.buy)
        raw = int(Decimal(case.amount) * sell.unit)
        ended = run.go(leg(case.via, case.kind, sell, raw, buy, case.detail))
        assert isinstance(ended, Finished), ended
        assert "done" == ended.outcome, ended.why
        quote = run.quoted.quote
        row = Row(
            by=case.via,
            leg=case.name,
            sold=figure(quote.sell.whole),
            least=figure(Amount(buy, quote.min_amount_out).whole),
            got=figure(Amount(buy, run.got).whole),
            gas=run.gas,
            seconds=run.seconds,
            unexplained=len(run.closed.unexplained),
        )
        return row, run


def table(found: Sequence[Row]) -> str:
    """The rows as they stand in the document."""
    lines = [
        f"| {row.by} | {row.leg} | {row.sold} | {row.least} | {row.got} | {row.gas:,} "
        f"| {row.seconds} | {row.unexplained} |"
        for row in found
    ]
    return _HEAD + "\n".join(lines) + "\n"


def written() -> list[Row]:
    """The rows that the document has now."""
    return list(_written())


def _written() -> Iterator[Row]:
    _, text = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    for line in [line for line in text.splitlines() if line.startswith("| ")][1:]:
        match = _ROW.fullmatch(line)
        assert match is not None, line
        yield Row(
            by=match["by"],
            leg=match["leg"],
            sold=match["sold"],
            least=match["least"],
            got=match["got"],
            gas=int(match["gas"].replace(",", "")),
            seconds=int(match["seconds"]),
            unexplained=int(match["unexplained"]),
        )


def put(found: Sequence[Row]) -> None:
    """Write the table anew; the text above it is kept."""
    above, _ = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(above + BEGIN + table(found), encoding="utf-8")
