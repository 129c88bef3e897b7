"""How to open each kind of journal in a test; a new store joins the conformance suite here."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from pathlib import Path

import agent.stores
from agent.core.fact import TookOver
from agent.core.money import Address
from agent.ports import Journal
from agent.stores import memory, sqlite

ACCOUNT = Address("0x" + "ab" * 20)
OTHER = Address("0x" + "cd" * 20)


def _memory(where: Path) -> Journal:
    """One object per place: another handle on memory is the same object."""
    return _shelf.setdefault(where, memory.make(memory.Options(), None))


_shelf: dict[Path, Journal] = {}


def _sqlite(where: Path) -> Journal:
    return sqlite.make(sqlite.Options(folder=where / "state"), None)


OPEN: dict[str, Callable[[Path], Journal]] = {"memory": _memory, "sqlite": _sqlite}
"""One more handle on the journal at a place, by the name of its module."""

DURABLE = ("sqlite",)
"""Those that other processes see and that outlive their own."""


def store_names() -> list[str]:
    """All stores of the program; a shared part begins with an underscore."""
    found = pkgutil.iter_modules(agent.stores.__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))


def step(number: int, worker: str = "w") -> TookOver:
    """A small fact that can be told from others."""
    return TookOver(worker, number)
