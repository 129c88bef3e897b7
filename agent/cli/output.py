"""Data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCHEMA = 1
"""Version of every JSON object that this program prints."""

_CHAIN = re.compile(r"(?<![\"@.\w])(?:eip155:(?!\d+[:/\"]\S)|chain )(\d+)\b(?!\")")
"""A chain in a sentence; not a key of a file, nor a part of a longer name (CAIP-10, CAIP-19)."""

_names: dict[str, str] = {}


def learn_names(names: Mapping[int, str]) -> None:
    """Call chains by these names from now on, in what people read; JSON keeps their ids."""
    _names.update({str(chain): name for chain, name in names.items()})


def for_people(text: str) -> str:
    """*text* with the chains in it by their names.

    >>> learn_names({8453: "Base"})
    >>> for_people("eip155:8453: it is down")
    'Base: it is down'
    >>> for_people("eip155:8453 is down; see eip155:8453:0xab and eip155:7")
    'Base is down; see eip155:8453:0xab and eip155:7'
    >>> for_people("chain 8453: no answer")
    'Base: no answer'
    """
    return _CHAIN.sub(lambda match: _names.get(match[1], match[0]), text)


def document(kind: str, body: Mapping[str, Any]) -> None:
    """One JSON document of that kind on stdout."""
    print(json.dumps({"schema": SCHEMA, "kind": kind, **body}, indent=2))


def line(kind: str, body: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own, at once: others read while we run."""
    # In one piece: several threads may tell at once.
    print(json.dumps({"schema": SCHEMA, "kind": kind, **body}) + "\n", end="", flush=True)


def show(text: str = "", *, literal: bool = False) -> None:
    """Data for people, on stdout; *literal* keeps ids of chains, for a person to type them."""
    print(text if literal else for_people(text))


def say(text: str) -> None:
    """Progress, warnings and prompts, on stderr."""
    print(f"{for_people(text)}\n", end="", file=sys.stderr, flush=True)


def table(
    rows: Iterable[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    literal: frozenset[int] = frozenset(),
) -> str:
    """Rows in aligned columns, two spaces apart; *right* are columns aligned to the right.

    Columns in *literal* keep ids of chains.

    >>> print(table([("ETH", "1.00"), ("USDC", "12.00")], right=frozenset({1})))
    ETH    1.00
    USDC  12.00
    """
    lines = [
        [cell if i in literal else for_people(cell) for i, cell in enumerate(row)] for row in rows
    ]
    if not lines:
        return ""
    widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in lines
    )


def colour(text: str, code: str) -> str:
    """*text* in an ANSI colour on a terminal that wants one, plain elsewhere."""
    from agent.settings import variable

    if not sys.stdout.isatty() or variable("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"
