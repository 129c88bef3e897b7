"""Reads what chains.toml knows of venues and bridges that are providers, for their adapters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from agent.provider import FactValue
from agent.settings import kinds
from agent.settings.chain_facts import Checked, Provider
from agent.settings.overlay import Overlay
from agent.settings.value import Value

_CHECKED: Mapping[str, Checked] = {"live": "live", "document": "document"}

_any_number = kinds.whole(0, 10**18)

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_ABOUT_FACTS = ("source", "checked")
"""What a provider's table says of itself; the rest is for its adapter."""


def read_apis(root: Value, overlay: Overlay | None) -> Mapping[str, str]:
    """Where providers' servers are asked, by provider; under an overlay its own stand in for them.

    Raises ConfigError.
    """
    providers = root.get("providers")
    rows = {} if providers is None else providers.table()
    if overlay is not None:
        return MappingProxyType({n: url for n, url in overlay.apis.items() if n in rows})
    found = {}
    for name, row in rows.items():
        kinds.text(row.need("source"))
        kinds.one_of(_CHECKED)(row.need("checked"))
        found[name] = kinds.https(row.need("api"))
    return MappingProxyType(found)


def read_providers(table: Value) -> Mapping[str, Provider]:
    """Providers by name in the *table* of one chain; raises ConfigError."""
    rows = table.get("providers")
    found = {} if rows is None else rows.table()
    return MappingProxyType({name: _provider(row) for name, row in found.items()})


def _provider(row: Value) -> Provider:
    facts = {key: value for key, value in row.table().items() if key not in _ABOUT_FACTS}
    return Provider(
        facts=MappingProxyType({key: _fact(value) for key, value in facts.items()}),
        place=f"{row.place}: {row.name}",
        source=kinds.text(row.need("source")),
        checked=kinds.one_of(_CHECKED)(row.need("checked")),
    )


def _fact(value: Value) -> FactValue:
    """A table of plain facts, or one of these."""
    if isinstance(value.raw, dict):
        return MappingProxyType({key: _plain_fact(item) for key, item in value.table().items()})
    return _plain_fact(value)


def _plain_fact(value: Value) -> int | str:
    """A number, an address with its checksum, which is given in lower case, a hash, or other text.

    Only a fact that is named so is a hash: anywhere else one could be a private key.
    """
    if isinstance(value.raw, int):
        return _any_number(value)
    if value.name.endswith("_hash"):
        return kinds.hash32(value)
    return kinds.checksummed(value) if _ADDRESS.fullmatch(str(value.raw)) else kinds.text(value)
