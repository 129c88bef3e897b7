"""Arbitrary facts and what they are made of, for every suite that wants them."""

from __future__ import annotations

import types
from dataclasses import is_dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from agent.core.fact import Fact
from agent.core.fees import TxKind
from agent.core.intent import UnsignedTx
from agent.core.money import NATIVE, Address, ChainId

KINDS: tuple[type, ...] = get_args(Fact)
"""Every kind of fact."""

UINT256 = st.integers(0, 2**256 - 1)

integers = st.one_of(
    st.integers(-(2**256) + 1, 2**256 - 1),
    st.integers(2**53 - 2, 2**53 + 2),
    st.integers(-(2**53) - 2, -(2**53) + 2),
    st.integers(-3, 3),
)
decimals = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [Decimal("0"), Decimal("-0"), Decimal("1E+30"), Decimal("1.50"), Decimal("1E-30")]
    ),
)
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "\u202e", "\x1b[31m", "ﷺ", "\ud83d", '"\\', "null", "¹", "٣"]),
)
accounts = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
addresses = st.one_of(accounts, st.just(NATIVE))
chain_ids = st.integers(1, 2**63).map(ChainId)
calldata = st.binary(max_size=200).map(lambda raw: "0x" + raw.hex())


@cache
def values(wanted: Any) -> st.SearchStrategy[Any]:
    """Any value of a frozen type, from its annotations."""
    if wanted in _SCALARS:
        return _SCALARS[wanted]
    if is_dataclass(wanted):
        hints = get_type_hints(wanted)
        return st.builds(wanted, **{name: values(kind) for name, kind in hints.items()})
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in {Union, types.UnionType}:
        return st.one_of(*(values(part) for part in parts))
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(part) for part in parts))
    raise TypeError(f"no strategy for {wanted}")


_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: integers,
    str: texts,
    bool: st.booleans(),
    Decimal: decimals,
    types.NoneType: st.none(),
    Address: addresses,
    ChainId: chain_ids,
}


def facts() -> st.SearchStrategy[Fact]:
    """Any fact."""
    return st.one_of(*(values(kind) for kind in KINDS))


@st.composite
def unsigned_transactions(draw: st.DrawFn, sender: Address, kind: TxKind = "eip1559") -> UnsignedTx:
    """Any transaction of that kind that may be signed for *sender*."""
    max_fee_per_gas = draw(UINT256)
    legacy = kind == "legacy"
    return UnsignedTx(
        chain=draw(chain_ids),
        sender=sender,
        nonce=draw(st.integers(0, 2**64 - 2)),
        to=draw(accounts),
        value=draw(UINT256),
        data=draw(calldata),
        gas_limit=draw(st.integers(21_000, 2**63)),
        max_fee_per_gas=max_fee_per_gas,
        max_priority_fee_per_gas=draw(
            st.integers(max_fee_per_gas if legacy else 0, max_fee_per_gas)
        ),
        kind=kind,
    )
