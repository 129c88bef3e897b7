"""Field maps: where a function's bytes say what it does, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from agent.core.frozen import empty
from agent.core.money import Address, ChainId

Path = tuple[int, ...]
"""Indices into the decoded arguments, outermost first: (0, 3) is the fourth field of the
first argument, a struct, and (0, -1) the last item of it, an array."""

Stand = Literal["sender", "target"]
"""What a router's pseudo address stands for: who calls, or the router itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a called contract itself implies, where the bytes of the call do not say it.

    `sell` is the token of a pool and `to_chain` the far chain of a canonical bridge. `buys` is what
    comes out on which chain for what is sold here, by (far chain, token sold).
    """

    sell: Address | None = None
    to_chain: ChainId | None = None
    buys: Mapping[tuple[ChainId, Address], Address] = field(default_factory=empty)


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

    `coins` are pseudo addresses (lower-case hex) that mean the gas coin as a token. Pairs of fields
    in `equal` must be the same, an address in 32 bytes too, in `ordered` the first must not be
    above the second, and of each in `masks` (path, mask, wanted) the bits must be as wanted.
    `unread` points to bytes for contracts of others, which nobody decodes. `undated` says that the
    function has no deadline at all, `paid` that what is sold is the value sent along. With
    `passes`, `inner` is the one call that goes on to the address at that path, which does what the
    outer call pays for.

    Of bridges: `numbers` translates their own numbers of chains, `places` says by (chain, target)
    what the contract implies. The minimum is the amount less the field `fee_in`, or all of it with
    `one_to_one`. `lasting` says that what is not delivered stays claimable for its recipient for
    ever, so that neither refund nor deadline exist. `fee` is a message fee in the gas coin that
    goes along on top; with `value_is_fee` all value is that. `packed` names bytes that are fields
    one after the other, by their types: paths lead on into them, the last field being the rest.

    `sweeps` says that the function sells nothing and pays out all that the contract itself holds
    of what is bought: the last call of several that share one minimum. `takes` says that it only
    fetches what is sold from the wallet into the contract, for the calls behind it.

    Of a program of commands, `commands` points to bytes that name by `by_command`, one by one, what
    the items of `inner` are; an item has no selector, the signature of its layout has a name of
    ours. `encoded` names bytes that are fields of these types, encoded as arguments are: paths lead
    on into them. `own` is the amount that means all that the contract itself holds, `whole` says
    that nothing else is sold; with a `sell` in `places`, `target_is` means that token and not the
    contract called.
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
    coins: frozenset[str] = frozenset()
    equal: tuple[tuple[Path, Path], ...] = ()
    ordered: tuple[tuple[Path, Path], ...] = ()
    masks: tuple[tuple[Path, int, int], ...] = ()
    unread: tuple[Path, ...] = ()
    undated: bool = False
    paid: bool = False
    passes: Path | None = None
    numbers: Mapping[int, ChainId] = field(default_factory=empty)
    places: Mapping[tuple[ChainId, Address], Place] = field(default_factory=empty)
    fee_in: Path | None = None
    one_to_one: bool = False
    lasting: bool = False
    fee: Path | None = None
    value_is_fee: bool = False
    tag: int = 0
    packed: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    sweeps: bool = False
    takes: bool = False
    commands: Path | None = None
    by_command: Mapping[int, Layout] = field(default_factory=empty)
    encoded: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    own: int = 0
    whole: bool = False

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

    def type_at(self, path: Path) -> str:
        """The canonical type at *path*, which leads through structs, arrays and inner fields.

        >>> Layout(signature="f((address,uint24),bytes[])").type_at((0, 1))
        'uint24'
        >>> Layout(signature="f(bytes)", packed=(((0,), ("uint32",)),)).type_at((0, 1))
        'bytes'
        >>> Layout(signature="f((address,uint24)[])").type_at((0, -1, 0))
        'address'
        >>> Layout(signature="f(bytes[])", encoded=(((0, 1), ("bool",)),)).type_at((0, 1, 0))
        'bool'
        """
        kind, inside = self.signature, {at: (*kinds, "bytes") for at, kinds in self.packed}
        inside |= dict(self.encoded)
        for depth, index in enumerate(path):
            fields = inside.get(path[:depth])
            if kind.endswith("[]"):
                kind = kind[:-2]
            else:
                kind = _arguments(kind)[index] if fields is None else fields[index]
        return kind


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
