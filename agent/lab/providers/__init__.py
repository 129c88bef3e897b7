"""The aggregators and bridges of the local world, one file each, found by their names.

A plug-in is a module of this folder without a leading underscore and has any of

- ``put(treasury, place, third, own)``, which puts its contracts at their mainnet addresses when
  a chain is built; *third* party and *own* contracts are by name,
- ``Desk``, made with the running chains by their id, which is its HTTP API below
  ``/providers/NAME``, what others do for it, and what takes orders of tests: `ProviderDesk`.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.puppet import Puppet
from agent.lab.reply import Reply


class ProviderDesk(Protocol):
    """A provider's server on local chains."""

    def answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
    ) -> Reply | tuple[int, Any]:
        """A reply, or its status and JSON, to *path* (with its slash) below the provider's own.

        Names of headers are in lower case; *body* is the request's JSON, None where it has none.
        SetupFailed, and whatever a bad question raises, is answered as the server's own fault.
        """


@runtime_checkable
class Turning(Protocol):
    """A desk that acts on the chains by itself."""

    def turn(self) -> None:
        """Do all that is due now, and wait until it is mined; may raise SetupFailed."""


@runtime_checkable
class Ordered(Protocol):
    """A desk that does what tests say."""

    def order(self, name: str, *arguments: Any) -> Any:
        """Take an order; what it answers is JSON. Raises KeyError, TypeError or ValueError."""


def put_providers(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put the contracts of all plug-ins on one chain, in the order of their names.

    Raises SetupFailed when the chain does not do what it is told.
    """
    for plug_in in _plug_ins().values():
        if hasattr(plug_in, "put"):
            plug_in.put(treasury, place, third, own)


def open_desks(branches: Mapping[int, Branch]) -> dict[str, ProviderDesk]:
    """The desks of all plug-ins that have one, by name."""
    return {name: _plug_ins()[name].Desk(branches) for name in desk_names()}


def desk_names() -> list[str]:
    """The plug-ins that have a desk."""
    return [name for name, plug_in in _plug_ins().items() if hasattr(plug_in, "Desk")]


def sources() -> list[Path]:
    """The files of all plug-ins and of what they share: a chain is made of them too."""
    return [file for folder in __path__ for file in Path(folder).glob("*.py")]


def _plug_ins() -> dict[str, ModuleType]:
    return {name: import_module(f"{__name__}.{name}") for name in sorted(_names())}


def _names() -> Iterator[str]:
    return (found.name for found in pkgutil.iter_modules(__path__) if found.name[0] != "_")
