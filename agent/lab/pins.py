"""Which third-party packages the local chains are made of, and the hashes they must have."""

import functools
import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SetupFailed

_FILE = Path(__file__).with_name("packages.toml")

NODE_BINARY = "anvil"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package of the npm registry.

    ``integrity`` is the tarball's sha512 as in Subresource Integrity; ``members`` maps the name
    under which a file is kept to its path inside the package.
    """

    name: str
    version: str
    license: str
    integrity: str
    members: Mapping[str, str]

    @property
    def spec(self) -> str:
        """``name@version``, as npm takes it."""
        return f"{self.name}@{self.version}"

    @property
    def folder(self) -> str:
        """A file name for its extracted parts; other parts of it are another folder."""
        parts = hashlib.sha256(json.dumps(sorted(self.members.items())).encode()).hexdigest()[:8]
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}-{parts}"


def contract_pins() -> tuple[Pin, ...]:
    """All packages that the compiled contracts of the saved chains are taken from."""
    return _contracts("contracts")


def uniswap_v4_pins() -> tuple[Pin, ...]:
    """The packages of Uniswap v4, which are fetched only where somebody asks for it."""
    return _contracts("uniswap_v4")


def sushiswap_v2_pins() -> tuple[Pin, ...]:
    """The package of SushiSwap V2, which is fetched only where somebody asks for it."""
    return _contracts("sushiswap_v2")


def node_pin() -> Pin:
    """The package of the local node for this machine; raises SetupFailed where there is none."""
    here = (platform.system(), platform.machine())
    for table in _pins()["node"]:
        if (table["system"], table["machine"]) == here:
            return _pin(table, {NODE_BINARY: f"bin/{NODE_BINARY}"})
    offered = ", ".join(f"{table['system']} {table['machine']}" for table in _pins()["node"])
    raise SetupFailed(
        f"there is no local node for {here[0]} {here[1]}",
        fix=f"local chains run on {offered}: use one of these machines",
    )


def vyper_version() -> str:
    """The compiler that our own test contracts are written for."""
    return str(_pins()["vyper"])


@functools.cache
def _pins() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def _contracts(group: str) -> tuple[Pin, ...]:
    return tuple(_pin(table, table["artifacts"]) for table in _pins()[group])


def _pin(table: dict[str, Any], members: Mapping[str, str]) -> Pin:
    return Pin(
        name=table["name"],
        version=table["version"],
        license=table["license"],
        integrity=table["integrity"],
        members=members,
    )
