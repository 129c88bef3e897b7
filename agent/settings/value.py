"""One configured value together with the place that it was read from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from agent.errors import ConfigError, OverlayRefused, WrongType, WrongValue
from agent.settings.locate import KeyPath
from agent.settings.toml_file import Bare, TomlFile

Source = Literal["flag", "environment", "portfolio", "user config", "chains", "overlay", "default"]
"""Who said a value, the strongest voice first among flag … user config, default."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_SHORTEST_SECRET = 64
_URL = re.compile(r"[a-z]+://(?:[^/?#@\s]*@)?([^/?#@\s]*)\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A raw value, what messages call it, and who said it.

    `textual` values come from flags and variables, where a number is text too.
    """

    raw: object
    name: str
    source: Source
    file: TomlFile | None = None
    path: KeyPath = ()
    textual: bool = False

    @property
    def place(self) -> str:
        """Where a person finds it: `portfolio.toml:12`, or the kind of source."""
        return self.source if self.file is None else self.file.place(self.path)

    def wrong_type(self, wanted: str) -> WrongType:
        """The error that this is not *wanted*, such as `a list`."""
        hint = ""
        if wanted == "a number in quotes" and type(self.raw) in (Bare, int):
            hint = f'; quote it: "{self.raw}"'
        message = f"{wanted} is wanted, not {_kind(self.raw)}{hint}"
        return WrongType(self._said(message), fix=self._fix)

    def wrong(self, why: str) -> WrongValue:
        """The error that this cannot be meant, because of *why*."""
        return WrongValue(self._said(why), fix=self._fix)

    def refused(self, why: str) -> OverlayRefused:
        """The error that an overlay may not say this, because of *why*."""
        fix = "use only the overlay that the local chains wrote; for another node set its RPC URL"
        return OverlayRefused(self._said(why), fix=fix)

    def error(self, kind: type[ConfigError], why: str) -> ConfigError:
        """An error of another *kind* at this place."""
        return kind(self._said(why), fix=self._fix)

    def table(self) -> dict[str, Value]:
        """The values below a table, by key; raises WrongType."""
        return {key: self._below(key, raw) for key, raw in self._rows().items()}

    def names(self) -> tuple[str, ...]:
        """The keys of a table, without their values; raises WrongType."""
        return tuple(self._rows())

    def get(self, key: str) -> Value | None:
        """The value below *key* of a table, None when it is absent; raises WrongType."""
        rows = self._rows()
        return self._below(key, rows[key]) if key in rows else None

    def _rows(self) -> dict[str, object]:
        if not isinstance(self.raw, dict):
            raise self.wrong_type("a table")
        return self.raw

    def need(self, key: str) -> Value:
        """The value below *key* of a table; raises WrongValue when it is absent."""
        found = self.get(key)
        if found is None:
            raise self.wrong(f"needs the key {quoted_key(key)}")
        return found

    def items(self) -> tuple[Value, ...]:
        """The elements of a list; a variable or flag separates them by commas."""
        if self.textual and isinstance(self.raw, str):
            texts = [text.strip() for text in self.raw.split(",") if text.strip()]
            return tuple(replace(self, raw=text) for text in texts)
        if not isinstance(self.raw, list):
            raise self.wrong_type("a list")
        return tuple(
            replace(self, raw=raw, path=(*self.path, index)) for index, raw in enumerate(self.raw)
        )

    def _below(self, key: str, raw: object) -> Value:
        name = f"{self.name}.{quoted_key(key)}" if self.name else quoted_key(key)
        path = (*self.path, key)  # `replace` takes three times as long, and there are thousands
        return Value(
            raw=raw,
            name=name,
            source=self.source,
            file=self.file,
            path=path,
            textual=self.textual,
        )

    def _said(self, why: str) -> str:
        return ": ".join(filter(None, (self.place, self.name, why)))

    @property
    def _fix(self) -> str:
        if self.file is None:
            return f"change or drop {self.name}; docs/configuration.md explains every key"
        where = f"{self.file.shown}, line {self.file.line(self.path)}"
        return f"correct {where}; docs/configuration.md explains every key"


def quoted_key(key: str) -> str:
    """A key as it is written in TOML, bare when it can be; what may be a secret is cut.

    >>> quoted_key("eip155:1"), quoted_key("https://node.example/v3/secret")
    ('"eip155:1"', '"node.example…"')
    """
    if len(key) < _SHORTEST_SECRET and _BARE_KEY.fullmatch(key):
        return key
    key = without_paths(_PRIVATE_KEY.sub(lambda match: f"{match[0][:6]}…", key))
    return key if _BARE_KEY.fullmatch(key) else f'"{key}"'


def without_paths(text: str) -> str:
    """*text* with each URL in it by its host alone: the rest may be a key."""
    return _URL.sub(lambda match: f"{match[1]}…", text)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """What to add to `unknown …`: the nearest of *known*, else all of them when few."""
    names = sorted(known)
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given.lower(), by_lower, n=1)
    if near:
        return f', did you mean "{by_lower[near[0]]}"?'
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 24 else ""


def _kind(raw: object) -> str:
    if isinstance(raw, bool):
        return "true or false"
    names: dict[type, str] = {
        Bare: "a number with a point",
        str: "text",
        int: "a whole number",
        dict: "a table",
        list: "a list",
    }
    return names.get(type(raw), "a date or time")
