"""Field maps: where a function's bytes say what it does, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from agent.core.frozen import empty

Path = tuple[int, ...]
"""Indices into the decoded arguments, outermost first: (0, 3) is the fourth field of the
first argument, a struct."""

Stand = Literal["sender", "target"]
"""What a router's pseudo address stands for: who calls, or the router itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to read one function.

    `signature` is canonical, without names. `hops` points to a route whose first token is
    sold and whose last is bought: either packed as Uniswap V3 does (20 bytes of token, 3 of
    fee, and so on) or an array of addresses. `inner` points to an array of nested calls to
    the same contract. `stands` maps pseudo addresses (lower-case hex) to what they mean.
    `target_is` says that the contract called is itself the token sold or bought and the gas coin
    the other one (a wrapper); `wallet_only` marks functions that pay whoever calls them.
    `zeros` point to arguments that must be empty (0, the zero address, no bytes), since nobody
    reads what else they would do. A bridge's bytes also say the destination chain (`to_chain`),
    whom an undelivered transfer is paid back to (`refund`) and until when it may be delivered
    there (`fill_deadline`, unix seconds); with `wraps` they name the wrapped coin where the gas
    coin is meant: it is taken as value where value goes along, and always paid out unwrapped.
    """

    signature: str
    recipient: Path | None = None
    sell: Path | None = None
    amount_in: Path | None = None
    buy: Path | None = None
    min_out: Path | None = None
    deadline: Path | None = None
    spender: Path | None = None
    hops: Path | None = None
    hops_form: Literal["packed", "addresses"] = "addresses"
    inner: Path | None = None
    stands: Mapping[str, Stand] = field(default_factory=empty)
    target_is: Literal["", "sell", "buy"] = ""
    wallet_only: bool = False
    zeros: tuple[Path, ...] = ()
    to_chain: Path | None = None
    refund: Path | None = None
    fill_deadline: Path | None = None
    wraps: bool = False

    @property
    def name(self) -> str:
        """The function's name without its arguments."""
        return self.signature.partition("(")[0]

    @property
    def types(self) -> tuple[str, ...]:
        """The canonical types of its arguments, split at the outermost commas.

        >>> Layout(signature="f((address,uint24),bytes[])").types
        ('(address,uint24)', 'bytes[]')
        """
        return _arguments(self.signature)


@cache
def _arguments(signature: str) -> tuple[str, ...]:
    inside = signature.partition("(")[2].removesuffix(")")
    types, depth, start = [], 0, 0
    for index, letter in enumerate(inside + ","):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0 and inside:
            types.append(inside[start:index])
            start = index + 1
    return tuple(types)
