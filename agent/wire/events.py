"""Contract events by name: the topics to look for, and a log's values, strictly."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from agent.core.log import Log
from agent.wire.abi import canonical_type, decode, encode, interface
from agent.wire.keccak import keccak256
from agent.wire.words import AbiError

Field = tuple[str, str]
"""Name and canonical type of one parameter."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a contract's interface; `indexed` parameters stand in the topics."""

    name: str
    topic: str
    indexed: tuple[Field, ...]
    plain: tuple[Field, ...]

    def topics(self, **wanted: Any) -> tuple[str | None, ...]:
        """The topics of its logs with these indexed values, any value where none is given."""
        unknown = set(wanted) - {name for name, _ in self.indexed}
        if unknown:
            raise ValueError(f"{self.name} has no indexed {sorted(unknown)[0]}")
        words = (
            "0x" + encode([kind], [wanted[name]]).hex() if name in wanted else None
            for name, kind in self.indexed
        )
        return (self.topic, *words)

    def is_in(self, log: Log) -> bool:
        """Whether a log is one of this event."""
        return log.topics[:1] == (self.topic,) and len(log.topics) == 1 + len(self.indexed)

    def decode(self, log: Log) -> Mapping[str, Any]:
        """The values by name; raises ``AbiError`` unless they are all that the log says."""
        if not self.is_in(log):
            raise AbiError(f"a log that is no {self.name}")
        found: dict[str, Any] = {}
        for (name, kind), topic in zip(self.indexed, log.topics[1:], strict=True):
            (found[name],) = decode([kind], bytes.fromhex(topic[2:]))
        kinds = [kind for _, kind in self.plain]
        values = decode(kinds, log.data)
        if encode(kinds, values) != log.data:
            raise AbiError(f"a {self.name} with bytes that no field explains")
        return found | dict(zip((name for name, _ in self.plain), values, strict=True))


@functools.cache
def events(abi: str) -> Mapping[str, Event]:
    """The events of ``abis/<abi>.json`` by name.

    >>> events("erc20")["Transfer"].topic[:10]
    '0xddf252ad'
    """
    found = {}
    for entry in interface(abi):
        if entry["type"] == "event":
            fields = [(item["name"], canonical_type(item)) for item in entry["inputs"]]
            signature = f"{entry['name']}({','.join(kind for _, kind in fields)})"
            marks = [bool(item["indexed"]) for item in entry["inputs"]]
            found[entry["name"]] = Event(
                entry["name"],
                "0x" + keccak256(signature.encode()).hex(),
                tuple(field for field, mark in zip(fields, marks, strict=True) if mark),
                tuple(field for field, mark in zip(fields, marks, strict=True) if not mark),
            )
    return MappingProxyType(found)
