"""A provider's answer, read field by field: what cannot be meant is as good as none."""

from __future__ import annotations

import re

from agent.core.money import Address
from agent.errors import BadReply, ProviderSilent
from agent.provider import JSON
from agent.wire.address import parse_address

_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}")
"""Base units as servers write them: JSON's own numbers could not hold them; 2^256 has 78 digits."""

_HEX_NUMBER = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})")

_BYTES = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

_REPORT = "plan again later; if it stays, tell the provider"


class Answer:
    """One answer of the server of *who*; a reader raises ProviderSilent for what is not there."""

    def __init__(self, who: str, answer: JSON) -> None:
        self._who = who
        if not isinstance(answer, dict):
            raise self.unreadable("it is no object")
        self.fields = answer

    def at(self, *path: str | int) -> JSON:
        """The field at a path of names and places, None where there is none."""
        found: JSON = self.fields
        for step in path:
            if isinstance(found, dict) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found

    def whole(self, *path: str | int) -> int:
        """A number of base units: digits in text, a JSON number, or hex with its prefix."""
        found = self.at(*path)
        if isinstance(found, str) and _WHOLE.fullmatch(found):
            return int(found)
        if isinstance(found, str) and _HEX_NUMBER.fullmatch(found):
            return int(found, 16)
        if type(found) is int and found >= 0:
            return found
        raise self.unreadable(f"{_name(path)} is no whole number")

    def text(self, *path: str | int) -> str:
        """Text that is not empty."""
        found = self.at(*path)
        if isinstance(found, str) and found:
            return found
        raise self.unreadable(f"{_name(path)} is no text")

    def address(self, *path: str | int) -> Address:
        """An address, in whatever letters."""
        try:
            return parse_address(self.text(*path).lower())
        except ValueError:
            raise self.unreadable(f"{_name(path)} is no address") from None

    def calldata(self, *path: str | int) -> str:
        """Bytes as lower-case hex with prefix."""
        found = self.text(*path)
        if not _BYTES.fullmatch(found):
            raise self.unreadable(f"{_name(path)} is not hex")
        return found.lower()

    def unreadable(self, what: str) -> ProviderSilent:
        """The error that says what is wrong with the answer."""
        return ProviderSilent(
            f"{self._who} gave an answer that cannot be meant: {what}",
            fix=_REPORT,
            code=BadReply.code,
        )


def _name(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
