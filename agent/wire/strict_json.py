"""JSON from strangers: parsed strictly, within bounds, or refused; and back, digit by digit."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Never, TypeAlias

JSON: TypeAlias = bool | int | Decimal | str | list["JSON"] | dict[str, "JSON"] | None

MAX_DEPTH = 64
"""Nested containers; the deepest honest reply (a call trace) stays below 40."""

MAX_VALUES = 500_000
"""Commas and containers; an empty object costs 64 bytes, so a hostile reply costs some 40 MB."""

MAX_NUMBER_CHARS = 80
"""Characters of one number; 2**256 has 78 digits."""

MAX_EXPONENT = 100
"""Powers of ten of one number, so that ``int(value)`` can never be a memory bomb."""

# A string, closed or not (so that no text makes the scan start over), or one bracket.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class StrictJsonError(ValueError):
    """Not JSON as RFC 8259 defines it, or beyond a bound; carries no foreign text."""


def loads(raw: bytes) -> JSON:
    """Parse UTF-8 JSON; numbers with a fraction or an exponent become ``Decimal``, never float.

    Refused with ``StrictJsonError``: NaN and infinities, duplicate keys, nesting deeper than
    ``MAX_DEPTH``, more than ``MAX_VALUES`` values, numbers longer than ``MAX_NUMBER_CHARS`` or
    beyond ten to the power of ``MAX_EXPONENT``, and anything that is not JSON at all.

    >>> loads(b'{"a": [1, 0.5]}')
    {'a': [1, Decimal('0.5')]}
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise StrictJsonError("not UTF-8") from None
    _check_bounds(text)
    try:
        value: JSON = _DECODER.decode(text)
    except StrictJsonError:
        raise
    except ValueError:
        raise StrictJsonError("not JSON") from None
    return value


def dumps(value: JSON) -> bytes:
    """The same JSON as UTF-8; numbers keep every digit, so that a reply can be sent back as it was.

    >>> dumps(loads(b'{"a": [1, 0.50]}'))
    b'{"a":[1,0.50]}'
    """
    return _written(value).encode()


def _written(value: JSON) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _check_bounds(text: str) -> None:
    containers = text.count("[") + text.count("{")
    if not (containers + text.count(",") <= MAX_VALUES):
        raise StrictJsonError(f"more than {MAX_VALUES} values")
    if not (containers <= MAX_DEPTH or _depth(text) <= MAX_DEPTH):
        raise StrictJsonError(f"nested deeper than {MAX_DEPTH}")


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _refuse_constant(_name: str) -> Never:
    raise StrictJsonError("NaN or infinity")


def _integer(digits: str) -> int:
    if not (len(digits) <= MAX_NUMBER_CHARS):
        raise StrictJsonError(f"a number of more than {MAX_NUMBER_CHARS} characters")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    if not (len(digits) <= MAX_NUMBER_CHARS):
        raise StrictJsonError(f"a number of more than {MAX_NUMBER_CHARS} characters")
    try:
        number = Decimal(digits)
    except InvalidOperation:
        number = Decimal("Infinity")
    if not (number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT):
        raise StrictJsonError(f"a number beyond ten to the power of {MAX_EXPONENT}")
    return number


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise StrictJsonError("a key appears twice in one object")
    return fields


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_int=_integer,
    parse_float=_decimal,
    object_pairs_hook=_object,
)
