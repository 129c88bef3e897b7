"""Frozen values to JSON and back, strictly: one spelling per value, any surprise refuses."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from agent.core import fact as facts
from agent.core.fact import VERSION, Fact

_TAG = "type"
"""Carries a dataclass's name; no frozen type has a field of that name (several have `kind`)."""

_SAFE_INT = 2**53
"""Integers from here on are written as strings: other JSON readers keep only 53 bits."""

_END_INT = 10**78
"""No integer has more digits than this: 2**256, where words of the EVM end, has 78."""

_BIG_INT = re.compile(r"-?[1-9][0-9]{15,77}", re.ASCII)
"""Sixteen digits, the length of 2**53, to the seventy-eight that come before `_END_INT`."""

_SHOWN = 80
"""Characters of a foreign value that a message repeats."""


class Undecodable(ValueError):  # noqa: N818  it is what it says, and errors.py translates it
    """Bytes that are no value of the wanted type; the message says where and why."""


def encode(value: object) -> Any:
    """The JSON form of a frozen value; dataclasses carry their class name as `type`.

    Raises TypeError for what has no exact form: floats, lists, numbers without end.

    >>> encode((True, Decimal("1.50"), 2**53))
    [True, '1.50', '9007199254740992']
    """
    if is_dataclass(value) and not isinstance(value, type):
        body = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
        return {_TAG: type(value).__name__, **body}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and -_END_INT < value < _END_INT:
        return value if -_SAFE_INT < value < _SAFE_INT else str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no exact JSON form")


def decode(raw: Any, wanted: Any, where: str = "$") -> Any:
    """The value of type *wanted* from its JSON form; raises Undecodable.

    >>> decode("1.50", Decimal)
    Decimal('1.50')
    """
    wanted = _plain(wanted)
    origin = get_origin(wanted)
    if origin in {Union, types.UnionType}:
        return _decode_union(raw, get_args(wanted), where)
    if origin is Literal:
        if raw not in get_args(wanted):
            raise Undecodable(f"{where}: {_shown(raw)} is none of {get_args(wanted)}")
        return raw
    if origin is tuple:
        return _decode_tuple(raw, get_args(wanted), where)
    if is_dataclass(wanted) and isinstance(wanted, type):
        return _decode_dataclass(raw, wanted, where)
    return _decode_scalar(raw, wanted, where)


def _shown(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _plain(wanted: Any) -> Any:
    while isinstance(wanted, NewType):
        wanted = wanted.__supertype__
    return wanted


def _decode_union(raw: Any, options: tuple[Any, ...], where: str) -> Any:
    """One of several dataclasses by its tag, or the one scalar of an optional value."""
    if raw is None and types.NoneType in options:
        return None
    tag = raw.get(_TAG) if isinstance(raw, dict) else None
    for option in options:
        if is_dataclass(option) and isinstance(option, type):
            if option.__name__ == tag:
                return decode(raw, option, where)
        elif tag is None and option is not types.NoneType:
            return decode(raw, option, where)
    raise Undecodable(f"{where}: {_shown(tag or raw)} is not known here")


def _decode_tuple(raw: Any, items: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise Undecodable(f"{where}: a list is wanted")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(decode(item, items[0], f"{where}[{i}]") for i, item in enumerate(raw))
    if len(raw) != len(items):
        raise Undecodable(f"{where}: {len(items)} items are wanted, {len(raw)} are there")
    pairs = zip(raw, items, strict=True)
    return tuple(decode(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(pairs))


@cache
def _hints(wanted: type) -> Mapping[str, Any]:
    return get_type_hints(wanted)


def _decode_dataclass(raw: Any, wanted: type, where: str) -> Any:
    if not isinstance(raw, dict) or raw.get(_TAG) != wanted.__name__:
        raise Undecodable(f"{where}: a {wanted.__name__} is wanted")
    hints = _hints(wanted)
    given = set(raw) - {_TAG}
    if given != set(hints):
        strange = _shown(", ".join(sorted(given ^ set(hints))))
        raise Undecodable(f"{where}: {wanted.__name__} does not match in {strange}")
    return wanted(**{name: decode(raw[name], hints[name], f"{where}.{name}") for name in hints})


def _decode_scalar(raw: Any, wanted: Any, where: str) -> Any:
    if wanted is bool or wanted is str:
        if isinstance(raw, wanted):
            return raw
    elif wanted is int:
        number = _whole(raw)
        if number is not None:
            return number
    elif wanted is Decimal:
        exact = _exact(raw)
        if exact is not None:
            return exact
    raise Undecodable(f"{where}: {_shown(raw)} is no {getattr(wanted, '__name__', wanted)}")


def _whole(raw: Any) -> int | None:
    """The integer that `encode` would write as *raw*, None for any other spelling."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw if -_SAFE_INT < raw < _SAFE_INT else None
    if not isinstance(raw, str) or not _BIG_INT.fullmatch(raw):
        return None
    number = int(raw)
    return None if -_SAFE_INT < number < _SAFE_INT else number


def _exact(raw: Any) -> Decimal | None:
    """The finite number that `encode` would write as *raw*, None for any other spelling."""
    if not isinstance(raw, str):
        return None
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return None
    return number if number.is_finite() and str(number) == raw else None


_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(facts.Fact)}


def _line(fact: Fact) -> str:
    return json.dumps({"v": VERSION, "fact": encode(fact)}, separators=(",", ":"), sort_keys=True)


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
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
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
