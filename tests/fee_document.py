"""docs/fees.md: made of what wallets really paid on the local chains, one row a leg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from fee_rig import Moved

DOCUMENT = Path(__file__).parents[1] / "docs" / "fees.md"

BEGIN = "<!-- measured: written by scripts/fees_doc.py -->\n"

_HEAD = (
    "| chain | leg | gas | paid, gwei | reserved for ÷ paid | planned ÷ paid |\n"
    "|---|---|---|---|---|---|\n"
)
_ROW = re.compile(
    r"\| (?P<chain>[\w ]+) \| (?P<leg>[\w ,]+) \| (?P<gas>[\d ,+]+) \| (?P<paid>[\d,]+) "
    r"\| (?P<reserved>[\d.]+) \| (?P<planned>[\d.]+) \|"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One leg of one chain, or all of them; the ratios are to what was paid."""

    chain: str
    leg: str
    gas: str
    paid: str
    reserved: Decimal
    planned: Decimal


def rows(chain: str, moved: Sequence[Moved]) -> list[Row]:
    """The rows of one chain, the last one over all of its legs."""
    found = [_row(chain, each.name, _gas(each), [each]) for each in moved]
    gas = sum(sent.gas for each in moved for sent in each.sent)
    return [*found, _row(chain, "all of these", f"{gas:,}", moved)]


def _row(chain: str, name: str, gas: str, moved: Sequence[Moved]) -> Row:
    paid = sum(each.charged for each in moved)
    return Row(
        chain=chain,
        leg=name,
        gas=gas,
        paid=f"{paid // 10**9:,}",
        reserved=_ratio(sum(each.reserved for each in moved), paid),
        planned=_ratio(sum(each.planned for each in moved), paid),
    )


def _gas(moved: Moved) -> str:
    return " + ".join(f"{sent.gas:,}" for sent in moved.sent)


def _ratio(part: int, whole: int) -> Decimal:
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.001"))


def table(found: Sequence[Row]) -> str:
    """The rows as they stand in the document."""
    lines = [
        f"| {row.chain} | {row.leg} | {row.gas} | {row.paid} | {row.reserved} | {row.planned} |"
        for row in found
    ]
    return _HEAD + "\n".join(lines) + "\n"


def written() -> list[Row]:
    """The rows that the document has now."""
    _, text = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    matches = [_ROW.fullmatch(line) for line in lines]
    assert None not in matches, lines
    return [
        Row(
            chain=match["chain"],
            leg=match["leg"],
            gas=match["gas"],
            paid=match["paid"],
            reserved=Decimal(match["reserved"]),
            planned=Decimal(match["planned"]),
        )
        for match in matches
        if match
    ]


def put(found: Sequence[Row]) -> None:
    """Write the table anew; the text above it is kept."""
    above, _ = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(above + BEGIN + table(found), encoding="utf-8")
