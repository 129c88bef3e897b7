"""Compiled contracts: creation code with its libraries and constructor arguments in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.wire.abi import canonical_type, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract.

    ``bytecode`` is the creation code as hex without prefix, ``links`` the offsets in bytes at
    which the address of each library belongs, ``constructor`` the ABI types of its arguments.
    """

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: str
    links: Mapping[str, Sequence[int]]

    def as_json(self) -> dict[str, Any]:
        """The form that `parse_artifact` reads back."""
        return {"abi": self.abi, "bytecode": self.bytecode, "links": self.links}

    def creation_code(
        self, arguments: Sequence[Any] = (), *, libraries: Mapping[str, str] | None = None
    ) -> str:
        """Hex (prefixed) of what deploys it; raises KeyError when a library is not given."""
        code = self.bytecode
        for library, offsets in self.links.items():
            address = (libraries or {})[library].removeprefix("0x")
            for offset in offsets:
                code = code[: 2 * offset] + address + code[2 * offset + 40 :]
        return "0x" + code + encode(self._constructor_types(), arguments).hex()

    def _constructor_types(self) -> list[str]:
        for entry in self.abi:
            if entry["type"] == "constructor":
                return [canonical_type(argument) for argument in entry["inputs"]]
        return []


def parse_artifact(name: str, found: Mapping[str, Any]) -> Artifact:
    """Read an artifact of Hardhat, Truffle, Waffle or Foundry, or our own slim form.

    Raises KeyError, TypeError or ValueError when it is none of them.
    """
    code = found["bytecode"]
    # Foundry keeps the code in a table, with the places of its libraries.
    nested = code if isinstance(code, dict) else {**found, "object": code}
    bytecode = str(nested["object"]).removeprefix("0x")
    if not bytecode:
        raise ValueError(f"{name} has no code")
    links = found.get("links")
    if links is None:
        links = {
            library: [place["start"] for place in places]
            for libraries in nested.get("linkReferences", {}).values()
            for library, places in libraries.items()
        }
    return Artifact(name=name, abi=found["abi"], bytecode=bytecode, links=links)
