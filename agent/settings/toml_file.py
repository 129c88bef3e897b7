"""One TOML file: read with a limit, and able to say on which line a key stands."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

from agent.errors import ConfigError, ConfigFileMissing
from agent.settings.locate import KeyPath, lines

MAX_BYTES = 1_048_576
"""A hundred times the longest honest file; a larger one is a mistake or an attack."""

MAX_DEPTH = 24
"""Levels of nesting; the deepest key of ours stands five levels down."""

_WHERE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = re.compile(r" \(at end of document\)$")


class Bare(str):
    """A float as it is written: kept as text, because it is wanted in quotes."""

    __slots__ = ()


class TomlFile:
    """A file's tables; `shown` is what messages call it."""

    def __init__(self, shown: str, text: str, root: dict[str, object]) -> None:
        self.shown = shown
        self.root = root
        self._text = text

    def line(self, path: KeyPath) -> int:
        """The line of the key at *path*, or of the nearest table around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def place(self, path: KeyPath) -> str:
        """Where the key stands, as editors understand it: `portfolio.toml:12`."""
        return f"{self.shown}:{self.line(path)}"

    @cached_property
    def _lines(self) -> Mapping[KeyPath, int]:
        return lines(self._text)


def read_toml(path: Path, *, shown: str | None = None, fix: str) -> TomlFile:
    """Read a TOML file; *fix* is the advice when it is not there.

    Raises:
        ConfigFileMissing: no such regular file, or it cannot be read.
        ConfigError: too large, not UTF-8, not TOML; the message has the line.
    """
    name = str(path) if shown is None else shown
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigFileMissing(f"{name} is not a file", fix=fix)
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigFileMissing(f"{name} is not there", fix=fix) from None
    except OSError as error:
        raise ConfigFileMissing(f"{name} cannot be read: {error.strerror}", fix=fix) from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name} is larger than {MAX_BYTES} bytes", fix="name another file")
    return parse_toml(content, name)


def parse_toml(content: bytes, shown: str) -> TomlFile:
    """Parse the bytes of a file that messages call *shown*; raises ConfigError."""
    try:
        # The same line feeds as tomllib sees, so that lines are counted alike.
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _not_toml(shown, line, "a byte that is not UTF-8") from None
    try:
        root = _loaded(text)
    except RecursionError:
        raise _not_toml(shown, 1, "nested too deeply") from None
    except ValueError as error:
        raise _syntax_error(shown, text, str(error)) from None
    return TomlFile(shown, text, root)


@lru_cache(maxsize=4)
def _loaded(text: str) -> dict[str, object]:
    # Nobody writes into it; remembered as lines are, see locate.py.
    root = tomllib.loads(text, parse_float=Bare)
    if _deeper(root, MAX_DEPTH):
        raise RecursionError
    return root


def _syntax_error(shown: str, text: str, said: str) -> ConfigError:
    where = _WHERE.search(said)
    if where:
        line, what = int(where[1]), f"{said[: where.start()]}, column {where[2]}"
    else:
        # The end of the file, or a number that Python refuses to read.
        line, what = text.rstrip().count("\n") + 1, _AT_END.sub(" at the end of the file", said)
    return _not_toml(shown, line, what)


def _not_toml(shown: str, line: int, what: str) -> ConfigError:
    return ConfigError(f"{shown}:{line}: not TOML: {what}", fix=f"correct {shown}, line {line}")


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_deeper(inner, levels - 1) for inner in value)
