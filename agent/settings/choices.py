"""Which of several voices decides a key: flag, environment, portfolio, user config, default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from agent.errors import UnknownKey
from agent.settings.environment import Environment
from agent.settings.key import Key
from agent.settings.keys import PORTFOLIO
from agent.settings.value import Source, Value, did_you_mean, without_paths

_T = TypeVar("_T")

KEYS: Mapping[str, Key] = {key.name: key for key in PORTFOLIO}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one effective value came from, in words for people."""

    key: str
    value: str
    source: Source
    place: str


class Choices:
    """Reads keys from whoever speaks first, and remembers who it was."""

    def __init__(
        self,
        *,
        flags: Mapping[str, str],
        environment: Environment,
        portfolio: Value,
        user: Value | None,
    ) -> None:
        for name in flags:
            if name not in KEYS or not KEYS[name].overridable:
                known = {key.name for key in PORTFOLIO if key.overridable}
                raise UnknownKey(
                    f"flag: {name}: unknown key{did_you_mean(name, known)}",
                    fix="correct the flag; docs/configuration.md lists every key",
                )
        self._flags = flags
        self._environment = environment
        self._files = [file for file in (portfolio, user) if file is not None]
        self._chosen: dict[str, Value] = {}

    def __call__(self, name: str, read: Callable[[Value], _T]) -> _T:
        """The effective value of the key *name*, read strictly.

        Raises ConfigError: it is needed and nobody says it, or what is said cannot be meant.
        """
        found = self._find(name)
        self._chosen[name] = found
        return read(found)

    def note(self, value: Value) -> Value:
        """Remember a value that only the portfolio file can say."""
        self._chosen[value.name] = value
        return value

    def origins(self) -> dict[str, Origin]:
        """What was decided so far, by key."""
        return {
            name: Origin(key=name, value=shown(value.raw), source=value.source, place=_place(value))
            for name, value in self._chosen.items()
        }

    def _find(self, name: str) -> Value:
        key = KEYS[name]
        if name in self._flags:
            return Value(raw=self._flags[name], name=name, source="flag", textual=True)
        said = self._environment.of_process(key.variable)
        if said is not None and key.overridable:
            return Value(raw=said, name=key.variable, source="environment", textual=True)
        for file in self._files:
            found = _below(file, name)
            if found is not None:
                return found
        if key.needed:
            raise self._missing(name)
        default = list(key.default) if isinstance(key.default, tuple) else key.default
        return Value(raw=default, name=name, source="default")

    def _missing(self, name: str) -> Exception:
        table, _, last = name.rpartition(".")
        around = (_below(self._files[0], table) if table else None) or self._files[0]
        return around.wrong(f"needs the key {last if around.name == table else name}")


def shown(raw: object) -> str:
    """A raw value on one line, URLs by their host alone: the rest may be a key.

    >>> shown(["router", "cow"]), shown("remote:https://signer.example/v1/secret")
    ('router, cow', 'remote:signer.example…')
    """
    if raw is None:
        return "not set"
    if isinstance(raw, list):
        return ", ".join(map(shown, raw))
    return without_paths(str(raw))


def _place(value: Value) -> str:
    return value.name if value.source == "environment" else value.place


def _below(root: Value, name: str) -> Value | None:
    found: Value | None = root
    for part in name.split("."):
        if found is None:
            return None
        found = found.get(part)
    return found
