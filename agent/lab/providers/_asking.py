"""Reads the parameters of a question, and refuses in the words of the provider that is asked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_WHOLE: Final = re.compile(r"[0-9]{1,78}")


class RefusedError(Exception):
    """The question gets an error for an answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Question:
    """Parameters by name; ``refuse`` makes the provider's error of a name and what is wrong."""

    given: Mapping[str, Any]
    refuse: Callable[[str, str], RefusedError]

    def text(self, name: str, default: str | None = None) -> str:
        """A text that must be there, unless there is a default."""
        found = self.given.get(name, default)
        if not isinstance(found, str) or not found:
            raise self.refuse(name, "is required")
        return found

    def whole(self, name: str) -> int:
        """A positive integer, as decimal text."""
        found = self.text(name)
        if not _WHOLE.fullmatch(found) or int(found) == 0:
            raise self.refuse(name, "must be a positive integer")
        return int(found)

    def address(self, name: str, default: str | None = None) -> str:
        """An address, in lower case."""
        found = self.text(name, default)
        if not _ADDRESS.fullmatch(found):
            raise self.refuse(name, "must be an address")
        return found.lower()

    def number(self, name: str, default: str, *, most: int) -> Decimal:
        """A number from nought to *most*, as text or as JSON has it."""
        try:
            found = Decimal(str(self.given.get(name, default)))
        except InvalidOperation:
            raise self.refuse(name, "must be a number") from None
        if not 0 <= found <= most:
            raise self.refuse(name, f"must be between 0 and {most}")
        return found

    def flag(self, name: str) -> bool:
        """A truth value in lower case, false where it is not given."""
        found = self.text(name, "false")
        if found not in {"true", "false"}:
            raise self.refuse(name, "must be a boolean value")
        return found == "true"
