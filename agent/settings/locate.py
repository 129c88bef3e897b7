"""Finds the line on which a key stands, which `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

KeyPath = tuple[str | int, ...]
"""Keys from the root; an integer is a place in a list."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


@lru_cache(maxsize=4)
def lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of every key, table and list element of *text*.

    *text* must be TOML that `tomllib` has read, with plain line feeds: nothing is checked
    again here. A table that only dotted keys or longer headers imply stands where it is
    first implied; an explicit header wins.

    >>> lines('[limits]\\nmin_trade = "50"')
    {('limits',): 1, ('limits', 'min_trade'): 2}
    """
    return MappingProxyType(_Scanner(text).scan())


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._found: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._sees("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._found

    def _header(self) -> KeyPath:
        line = self._line()
        brackets = 2 if self._sees("[[") else 1
        self._at += brackets
        *parents, name = self._key()
        self._at += brackets
        path: KeyPath = ()
        for parent in parents:
            path = (*path, parent)
            self._found.setdefault(path, line)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        path = (*path, name)
        if brackets == 1:
            self._found[path] = line
            return path
        self._found.setdefault(path, line)
        element = self._lengths.get(path, 0)
        self._lengths[path] = element + 1
        path = (*path, element)
        self._found[path] = line
        return path

    def _pair(self, path: KeyPath) -> None:
        line = self._line()
        for name in self._key():
            path = (*path, name)
            self._found.setdefault(path, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip(_SPACE)
            if self._sees('"', "'"):
                names.append(_unquoted(self._take(_STRING)))
            else:
                names.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if not self._sees("."):
                return names
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        if self._sees("["):
            self._list(path)
        elif self._sees("{"):
            self._inline_table(path)
        elif self._sees('"', "'"):
            self._take(_STRING)
        else:
            self._take(_BARE_VALUE)

    def _list(self, path: KeyPath) -> None:
        self._step()
        element = 0
        while not self._sees("]"):
            self._found[(*path, element)] = self._line()
            self._value((*path, element))
            element += 1
            self._skip(_BLANK)
            if self._sees(","):
                self._step()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._step()
        while not self._sees("}"):
            self._pair(path)
            self._skip(_BLANK)
            if self._sees(","):
                self._step()
        self._at += 1

    def _step(self) -> None:
        self._at += 1
        self._skip(_BLANK)

    def _sees(self, *starts: str) -> bool:
        return self._text.startswith(starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"line {self._line()} is not TOML")
        self._at = match.end()
        return match.group()

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1


def _unquoted(key: str) -> str:
    if "\\" not in key:
        return key[1:-1]
    name: str = tomllib.loads(f"key = {key}")["key"]
    return name
