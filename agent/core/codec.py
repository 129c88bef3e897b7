"""Frozen values to JSON and back, strictly: one spelling per value, any surprise refuses."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NewType,
    Self,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from agent.core import fact as facts
from agent.core.fact import VERSION, Fact
from agent.core.frozen import LEFT_OUT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_TAG = "type"
"""Carries a dataclass's name; no frozen type has a field of that name (several have `kind`)."""

_SAFE_INT = 2**53
"""Integers from here on are written as strings: other JSON readers keep only 53 bits."""

_END_INT = 10**78
"""No integer has more digits than this: 2**256, where words of the EVM end, has 78."""

_BIG_INT = re.compile(r"-?[1-9][0-9]{15,77}", re.ASCII)
"""Sixteen digits, the length of 2**53, to the seventy-eight that come before `_END_INT`."""

_MAX_DEPTH = 32
"""Nested objects and lists in a line; facts stay below 16."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""One string of a line, closed or not."""

_SHOWN = 80
"""Characters of a foreign value that a message repeats."""


class Undecodable(ValueError):  # noqa: N818  it is what it says, and errors.py translates it
    """Bytes that are no value of the wanted type; the message says where and why."""


class _Misfit(Exception):  # noqa: N818  never leaves this file: `decode` makes it Undecodable
    """What is wrong, and the way to it, found only when it is needed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.way = ""

    def under(self, step: str) -> Self:
        self.way = step + self.way
        return self


def encode(value: object) -> Any:
    """The JSON form of a frozen value; dataclasses carry their class name as `type`.

    Raises TypeError for what has no exact form: floats, lists, numbers without end.

    >>> encode((True, Decimal("1.50"), 2**53))
    [True, '1.50', '9007199254740992']
    """
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, int) and -_END_INT < value < _END_INT:
        return value if -_SAFE_INT < value < _SAFE_INT else str(value)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        fresh = _left_out(type(value))
        body = {
            name: encode(getattr(value, name))
            for name in _names(type(value))
            if not (name in fresh and getattr(value, name) == fresh[name])
        }
        return {_TAG: type(value).__name__, **body}
    raise TypeError(f"{type(value).__name__} has no exact JSON form")


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _left_out(kind: type[DataclassInstance]) -> Mapping[str, Any]:
    """Defaults of the fields that are not written while they have them."""
    marked = [field for field in fields(kind) if field.metadata == LEFT_OUT]
    return {field.name: field.default for field in marked}


def decode(raw: Any, wanted: Any, where: str = "$") -> Any:
    """The value of type *wanted* from its JSON form; raises Undecodable.

    >>> decode("1.50", Decimal)
    Decimal('1.50')
    """
    try:
        return _reader(wanted)(raw)
    except _Misfit as misfit:
        raise Undecodable(f"{where}{misfit.way}: {misfit}") from None


_Reader = Callable[[Any], Any]


@cache
def _reader(wanted: Any) -> _Reader:
    """What reads values of one type; made once per type, because journals are long."""
    while isinstance(wanted, NewType):
        wanted = wanted.__supertype__
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin in {Union, types.UnionType}:
        return _union_reader(parts)
    if origin is Literal:
        return _literal_reader(parts)
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        return _list_reader(parts[0])
    if origin is tuple:
        return _row_reader(parts)
    if is_dataclass(wanted) and isinstance(wanted, type):
        return _dataclass_reader(wanted)
    return _scalar_reader(wanted)


def _shown(raw: Any) -> str:
    return _cut(repr(raw))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _union_reader(options: tuple[Any, ...]) -> _Reader:
    """One of several dataclasses by its tag, or the one scalar of an optional value."""
    tagged = {
        kind.__name__: _reader(kind)
        for kind in options
        if isinstance(kind, type) and is_dataclass(kind)
    }
    plain = [kind for kind in options if not is_dataclass(kind) and kind is not types.NoneType]
    optional = types.NoneType in options

    def read(raw: Any) -> Any:
        if raw is None and optional:
            return None
        tag = raw.get(_TAG) if isinstance(raw, dict) else None
        if isinstance(tag, str) and tag in tagged:
            return tagged[tag](raw)
        if tag is None and plain:
            return _reader(plain[0])(raw)
        raise _Misfit(f"{_shown(tag or raw)} is not known here")

    return read


def _literal_reader(words: tuple[str, ...]) -> _Reader:
    def read(raw: Any) -> Any:
        if raw not in words:
            raise _Misfit(f"{_shown(raw)} is none of {words}")
        return raw

    return read


def _list_reader(kind: Any) -> _Reader:
    def read(raw: Any) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise _Misfit("a list is wanted")
        # Looked up late: a type may hold a list of itself.
        item_reader = _reader(kind)
        return tuple(_item(item_reader, i, item) for i, item in enumerate(raw))

    return read


def _row_reader(kinds: tuple[Any, ...]) -> _Reader:
    readers = [_reader(kind) for kind in kinds]

    def read(raw: Any) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise _Misfit("a list is wanted")
        if len(raw) != len(readers):
            raise _Misfit(f"{len(readers)} items are wanted, {len(raw)} are there")
        return tuple(_item(readers[i], i, item) for i, item in enumerate(raw))

    return read


def _item(reader: _Reader, index: int, raw: Any) -> Any:
    try:
        return reader(raw)
    except _Misfit as misfit:
        raise misfit.under(f"[{index}]") from None


def _dataclass_reader(kind: type) -> _Reader:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
    wanted, fresh = {_TAG, *readers}, _left_out(kind)

    def read(raw: Any) -> Any:
        if not isinstance(raw, dict) or raw.get(_TAG) != kind.__name__:
            raise _Misfit(f"a {kind.__name__} is wanted")
        strange = (raw.keys() ^ wanted) - fresh.keys()
        if strange:
            told = _cut(", ".join(sorted(strange)))
            raise _Misfit(f"{kind.__name__} does not match in {told}")
        values = {}
        for name, reader in readers.items():
            if name not in raw:
                continue
            try:
                values[name] = reader(raw[name])
            except _Misfit as misfit:
                raise misfit.under(f".{name}") from None
            if name in fresh and values[name] == fresh[name]:
                raise _Misfit(f"{kind.__name__}.{name} is left out when it is {fresh[name]}")
        return kind(**values)

    return read


def _scalar_reader(kind: Any) -> _Reader:
    exact = _SCALARS.get(kind)
    if exact is None:
        raise TypeError(f"{kind} has no exact JSON form")

    def read(raw: Any) -> Any:
        value = exact(raw)
        if value is None:
            raise _Misfit(f"{_shown(raw)} is no {kind.__name__}")
        return value

    return read


def _integer(raw: Any) -> int | None:
    """The integer that `encode` would write as *raw*, None for any other spelling."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw if -_SAFE_INT < raw < _SAFE_INT else None
    if not isinstance(raw, str) or not _BIG_INT.fullmatch(raw):
        return None
    number = int(raw)
    return None if -_SAFE_INT < number < _SAFE_INT else number


def _decimal(raw: Any) -> Decimal | None:
    """The finite number that `encode` would write as *raw*, None for any other spelling."""
    if not isinstance(raw, str):
        return None
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return None
    return number if number.is_finite() and str(number) == raw else None


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    str: lambda raw: raw if isinstance(raw, str) else None,
    bool: lambda raw: raw if isinstance(raw, bool) else None,
    int: _integer,
    Decimal: _decimal,
}

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(facts.Fact)}


def _line(fact: Fact) -> str:
    return json.dumps({"v": VERSION, "fact": encode(fact)}, separators=(",", ":"), sort_keys=True)


def _depth(line: str) -> int:
    """How deep a line nests, before the parser sees it.

    Libraries raise the interpreter's recursion limit as far as the parser overruns its stack.
    """
    if line.count("[") + line.count("{") <= _MAX_DEPTH:
        return 0
    depth = deepest = 0
    for mark in re.findall(r"[\[{}\]]", _STRING.sub("", line)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def to_json(fact: Fact) -> str:
    """The line that a journal keeps: canonical JSON with its version, ASCII only.

    Raises TypeError for a fact whose fields are not of their types: it is read back
    before it is handed out, so that no journal ever holds a line that stops its account.
    """
    line = _line(fact)
    try:
        from_json(line)
    except Undecodable as error:
        raise TypeError(f"{type(fact).__name__} could not be read back: {error}") from None
    return line


def from_json(line: str) -> Fact:
    """The fact of a journal's line; raises Undecodable for another version or any surprise."""
    if _depth(line) > _MAX_DEPTH:
        raise Undecodable(f"no JSON: nested deeper than {_MAX_DEPTH}")
    try:
        raw = json.loads(line)
    except ValueError as error:
        raise Undecodable(f"no JSON: {_shown(error)}") from None
    if not isinstance(raw, dict) or set(raw) != {"v", "fact"}:
        raise Undecodable("$: not a journal line")
    if raw["v"] != VERSION:
        raise Undecodable(f"$.v: version {_shown(raw['v'])}, this program reads {VERSION}")
    body = raw["fact"]
    kind = _KINDS.get(str(body.get(_TAG))) if isinstance(body, dict) else None
    if kind is None:
        raise Undecodable("$.fact: no fact that this program knows")
    decoded: Fact = decode(body, kind, "$.fact")
    if _line(decoded) != line:
        raise Undecodable("$: not the one spelling of this fact (order, spaces or doubled keys)")
    return decoded
