"""Tables out of CSV text, checked cell by cell; what is wrong is told by file, line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from agent.errors import WrongValue
from agent.weights.history import History

LEAST_PRICES = 61
"""Sixty returns: a volatility out of n returns is known to one part in √(2n), here 9 %."""

RETURNS_PER_ASSET = 2
"""A covariance of as many assets as returns has no inverse; with twice the returns it has one."""

MOST_JUMP = 10
"""A price so many times that of the line before it, or less than such a part, is a slip of a digit:
one of them outweighs all other days of a covariance. No large coin has moved so far in a day."""

_NUMBER = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class _Line:
    """The cells of one line of *shown*, without surrounding spaces."""

    shown: str
    number: int
    cells: tuple[str, ...]

    def wrong(self, why: str, column: str = "") -> WrongValue:
        """The error that this line cannot be meant."""
        where = f"{self.shown}:{self.number}: {f'column {column}: ' if column else ''}"
        return WrongValue(
            f"{where}{why}", fix=f"correct line {self.number}; docs/weights.md has the format"
        )

    def positive(self, index: int, column: str) -> Decimal:
        """The number above zero in a cell; raises WrongValue."""
        text = self.cells[index]
        if not text:
            raise self.wrong("is empty; a gap cannot be filled here", column)
        if not _NUMBER.fullmatch(text.removeprefix("-")):
            raise self.wrong(f"{_short(text)} is no number such as 1234.56", column)
        found = Decimal(text)
        if not found > 0:
            raise self.wrong(f"{text} is not above 0", column)
        return found


def read_history(text: str, *, shown: str, only: Collection[str] = ()) -> History:
    """Prices out of *text*: a header `date,ETH,WBTC,…`, then one line a day, oldest first.

    *only* these columns are read where some are named. Raises WrongValue for what is not two or
    more assets, a positive price for each on every day, the same number of days between lines,
    no jump by a digit, and enough lines.
    """
    head, *lines = _lines(text, shown)
    if head.cells[0].lower() != "date":
        raise head.wrong(f"the first column is {_short(head.cells[0])}, not date")
    columns = _columns(head, only)
    days = _days(lines)
    wanted = max(LEAST_PRICES, RETURNS_PER_ASSET * len(columns) + 1)
    if not len(lines) >= wanted:
        what = f"{shown} has {len(lines)} prices of each asset; {wanted} are needed"
        why = f" for {len(columns)} assets" if wanted > LEAST_PRICES else ""
        raise WrongValue(what + why, fix="look further back, docs/weights.md says why")
    rows = [tuple(line.positive(index, name) for name, index in columns.items()) for line in lines]
    for (_, before), (line, after) in pairwise(zip(lines, rows, strict=True)):
        for name, old, new in zip(columns, before, after, strict=True):
            if not old / MOST_JUMP <= new <= old * MOST_JUMP:
                why = f"{new} follows {old}, more than {MOST_JUMP} times as much or as little"
                raise line.wrong(why, name)
    return History(assets=tuple(columns), days=days, rows=tuple(rows))


def read_sizes(text: str, *, shown: str, only: Collection[str] = ()) -> dict[str, Fraction]:
    """Market capitalisations out of *text*: a header `asset,cap`, then one line an asset.

    Raises WrongValue for what is not two or more assets, each once, with a positive size.
    """
    head, *lines = _lines(text, shown)
    if tuple(cell.lower() for cell in head.cells) != ("asset", "cap"):
        raise head.wrong(f"the header is {_short(','.join(head.cells))}, not asset,cap")
    found: dict[str, Fraction] = {}
    for line in lines:
        name = line.cells[0]
        if not name:
            raise line.wrong("is empty", "asset")
        if name in found:
            raise line.wrong(f"{name} is there twice")
        if not only or name in only:
            found[name] = Fraction(line.positive(1, "cap"))
    _refuse_missing(shown, only, found)
    _refuse_single(shown, found)
    return found


def _lines(text: str, shown: str) -> list[_Line]:
    """All lines that are not empty, the header first; each has as many cells as the header."""
    found = list(_split(text, shown))
    if not found:
        raise WrongValue(f"{shown} is empty", fix="docs/weights.md has the format")
    head = found[0]
    if len(head.cells) == 1:
        raise head.wrong("has one column; columns are separated by commas")
    for line in found:
        if len(line.cells) != len(head.cells):
            raise line.wrong(f"has {len(line.cells)} columns, the header {len(head.cells)}")
    return found


def _split(text: str, shown: str) -> Iterator[_Line]:
    reader = csv.reader(text.splitlines(), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _Line(shown, reader.line_num, ()).wrong(f"is no CSV: {error}") from None
        if cells is None:
            return
        if cells:
            yield _Line(shown, reader.line_num, tuple(cell.strip() for cell in cells))


def _columns(head: _Line, only: Collection[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for index, name in enumerate(head.cells[1:], start=1):
        if not name:
            raise head.wrong(f"column {index + 1} has no name")
        if name in columns:
            raise head.wrong(f"column {name} is there twice")
        columns[name] = index
    _refuse_missing(head.shown, only, columns)
    chosen = {name: index for name, index in columns.items() if not only or name in only}
    _refuse_single(head.shown, chosen)
    return chosen


def _refuse_missing(shown: str, only: Collection[str], there: Collection[str]) -> None:
    for name in only:
        if name not in there:
            what = f"{shown} has no {name}, which --of names; it has {', '.join(there)}"
            raise WrongValue(what, fix="name what the file has")


def _refuse_single(shown: str, names: Collection[str]) -> None:
    if len(names) < 2:
        what = f"{shown} has {'no asset' if not names else f'{min(names)} alone'}; two are needed"
        raise WrongValue(what, fix="add another asset")


def _days(lines: list[_Line]) -> tuple[date, ...]:
    """The days of *lines*: rising, and all as far apart as the first two."""
    days: list[date] = []
    for line in lines:
        day = _day(line)
        if days and not day > days[-1]:
            same = day == days[-1]
            order = "is there twice" if same else f"follows {days[-1]}; the oldest comes first"
            raise line.wrong(f"{day} {order}", "date")
        if len(days) > 1 and day - days[-1] != days[1] - days[0]:
            apart, usual = (day - days[-1]).days, (days[1] - days[0]).days
            raise line.wrong(
                f"{day} is {apart} days after the line before it, the others are {usual} apart",
                "date",
            )
        days.append(day)
    return tuple(days)


def _day(line: _Line) -> date:
    text = line.cells[0]
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise line.wrong(f"{_short(text)} is no day such as 2026-01-31", "date")


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
