"""What a value may be: one strict reader for each kind, with its own message."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from agent.core.money import WHOLE_BPS, Address, Bps, ChainId
from agent.settings.toml_file import Bare
from agent.settings.value import Value, did_you_mean
from agent.wire.address import checksum, parse_address, parse_chain

_T = TypeVar("_T")

_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DURATION = re.compile(r"([0-9]{1,6})([wdhms])")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_SECONDS: Mapping[str, int] = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}

_LONGEST_TEXT = 512
"""Characters of a name, a description or a source."""


def text(value: Value) -> str:
    """Non-empty printable text."""
    written = _quoted(value, "text in quotes")
    if _PRIVATE_KEY.fullmatch(written):
        raise value.wrong("looks like a private key, which must never stand here")
    if not written.strip() or not written.isprintable() or len(written) > _LONGEST_TEXT:
        raise value.wrong(f"must be 1 to {_LONGEST_TEXT} printable characters")
    return written


def whole(low: int, high: int) -> Callable[[Value], int]:
    """A reader of whole numbers from *low* to *high*."""

    def read(value: Value) -> int:
        raw = value.raw
        if value.textual and isinstance(raw, str) and _WHOLE.fullmatch(raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise value.wrong_type("a whole number")
        if not low <= raw <= high:
            raise value.wrong(f"{raw} is not between {low} and {high}")
        return raw

    return read


def bps(value: Value) -> Bps:
    """Hundredths of a percent as a whole number."""
    return Bps(whole(0, WHOLE_BPS)(value))


def decimal(value: Value) -> Decimal:
    """An exact number in quotes, not below 0."""
    written = _quoted(value, "a number in quotes")
    if not _DECIMAL.fullmatch(written):
        raise value.wrong(f'{_shown(written)} is no plain number such as "1250.50"')
    number = Decimal(written)
    if not number >= 0:
        raise value.wrong(f'"{written}" is below 0')
    return number


def share(value: Value) -> Bps:
    """A part of the whole, from "0" to "1" in steps of 0.0001."""
    part = decimal(value)
    if not part <= 1:
        percent = part / 100
        hint = f'; for {part} % write "{plain(percent)}"' if percent <= 1 else ""
        raise value.wrong(f'"{value.raw}" is more than the whole, "1"{hint}')
    in_bps = Fraction(part) * WHOLE_BPS
    if in_bps.denominator != 1:
        near = plain(Decimal(round(in_bps)) / WHOLE_BPS)
        raise value.wrong(f'"{value.raw}" is finer than 1 bp (0.0001); the nearest is "{near}"')
    return Bps(in_bps.numerator)


def duration_seconds(value: Value) -> int:
    """A whole number and a unit: w, d, h, m or s."""
    written = _quoted(value, 'a duration in quotes such as "6h"')
    match = _DURATION.fullmatch(written)
    if match is None:
        raise value.wrong(f'{_shown(written)} is no duration such as "7d", "6h", "10m" or "30s"')
    return int(match[1]) * _SECONDS[match[2]]


def flag_seconds(name: str, text: str) -> int:
    """The duration that a command's option *name* was given, in seconds; raises WrongValue.

    >>> flag_seconds("--every", "10m")
    600
    """
    return duration_seconds(Value(raw=text, name=name, source="flag", textual=True))


def flag_address(name: str, text: str) -> Address:
    """The address that a command was given as *name*; raises ConfigError."""
    return address(Value(raw=text, name=name, source="flag", textual=True))


def seconds(value: Value) -> Decimal:
    """A count of seconds: a whole number, or a decimal number in quotes."""
    if isinstance(value.raw, int):
        return Decimal(whole(1, 86_400)(value))
    length = decimal(value)
    if not 0 < length <= 86_400:
        raise value.wrong(f'"{value.raw}" is not between 0 and 86400 seconds')
    return length


def yes_or_no(value: Value) -> bool:
    """A truth value."""
    if not isinstance(value.raw, bool):
        raise value.wrong_type("true or false")
    return value.raw


def one_of(options: Mapping[str, _T]) -> Callable[[Value], _T]:
    """A reader of one word of *options*, giving what the word stands for."""

    def read(value: Value) -> _T:
        word = text(value)
        if word not in options:
            raise value.wrong(f"{_shown(word)} is not possible{did_you_mean(word, options)}")
        return options[word]

    return read


def unless_absent(read: Callable[[Value], _T]) -> Callable[[Value], _T | None]:
    """A reader that leaves out what nobody says."""
    return lambda value: None if value.raw is None else read(value)


def names(known: Collection[str], what: str) -> Callable[[Value], tuple[str, ...]]:
    """A reader of lists of distinct names out of *known*; *what* is the word for one."""

    def read(value: Value) -> tuple[str, ...]:
        found: list[str] = []
        for item in value.items():
            name = text(item)
            if name not in known:
                raise item.wrong(f"{_shown(name)} is no {what}{did_you_mean(name, known)}")
            if name in found:
                raise item.wrong(f'"{name}" is named twice')
            found.append(name)
        return tuple(found)

    return read


def chain(value: Value) -> ChainId:
    """A CAIP-2 chain such as `eip155:1`."""
    try:
        return parse_chain(text(value))
    except ValueError as error:
        raise value.wrong(str(error)) from None


def address(value: Value) -> Address:
    """An address; any capital letter makes it a checksum that must be right."""
    given = text(value)
    try:
        return parse_address(given)
    except ValueError as error:
        lower = Address(given.lower())
        if not re.fullmatch(r"0x[0-9a-f]{40}", lower):
            raise value.wrong(str(error)) from None
        raise value.wrong(
            f"{given} has a wrong checksum, so a character may be wrong: copy it again from "
            f"its source (as it stands it would be {checksum(lower)})"
        ) from None


def checksummed(value: Value) -> Address:
    """An address that carries its checksum."""
    found = address(value)
    if value.raw != checksum(found):
        raise value.wrong(f"write it with its checksum: {checksum(found)}")
    return found


def https(value: Value) -> str:
    """The URL of a public server."""
    url = text(value)
    if not url.startswith("https://") or url.endswith("/"):
        raise value.wrong("must start with https:// and not end with /")
    return url


def hash32(value: Value) -> str:
    """A hash of 32 bytes."""
    written = _quoted(value, "a hash in quotes")
    if not _HASH.fullmatch(written):
        raise value.wrong("must be 0x and 64 lower-case hex digits")
    return written


def _quoted(value: Value, wanted: str) -> str:
    if not isinstance(value.raw, str) or isinstance(value.raw, Bare):
        raise value.wrong_type(wanted)
    return value.raw


def _shown(written: str) -> str:
    """Text of unknown origin, short enough that no key is shown whole."""
    return f'"{written}"' if len(written) <= 40 else f'"{written[:12]}…"'


def plain(number: Decimal) -> str:
    """A number without exponent and trailing zeros.

    >>> plain(Decimal("10.50")), plain(Decimal("1E+2"))
    ('10.5', '100')
    """
    # Not normalize(): it rounds to the precision of the context.
    digits = format(number, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
