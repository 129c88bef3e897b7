"""The overlay of local chains: what it may replace, and what makes it refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from agent.core.money import Address, ChainId
from agent.settings import kinds
from agent.settings.keys import OVERLAY, refuse_unknown_keys
from agent.settings.toml_file import TomlFile
from agent.settings.value import Value
from agent.wire.endpoint import is_loopback, parse_endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChain:
    """What an overlay says of one chain; None and empty leave chains.toml as it is.

    `code_hashes` replace all that chains.toml has: the bytes on a local chain are others.
    """

    place: Value
    rpc: tuple[str, ...] = field(repr=False)
    genesis: Value
    block_seconds: Decimal | None
    confirmations: int | None
    max_head_age_seconds: int | None
    code_hashes: Mapping[Address, str]
    heartbeats: Mapping[Address, Value]
    sequencer_grace: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Local chains by chain, and the only accounts that may sign on them.

    `across_api` is the local stand-in of Across's fee API, empty where there is none, and `apis`
    those of other providers' servers by name.
    """

    chains: Mapping[ChainId, LocalChain]
    generated: frozenset[Address]
    across_api: str
    apis: Mapping[str, str]

    def refuse_beyond(self, known: Collection[ChainId]) -> None:
        """Raises WrongValue for a chain that chains.toml does not have."""
        for chain, local in self.chains.items():
            if chain not in known:
                raise local.place.wrong("chains.toml has no such chain")


def read_overlay(file: TomlFile) -> Overlay:
    """The overlay in *file*.

    Raises:
        OverlayRefused: it does not call itself local, or names a node beyond this machine.
        ConfigError: of another kind, with file, line and key.
    """
    root = refuse_unknown_keys(file, OVERLAY, "overlay", {})
    kinds.whole(1, 1)(root.need("schema"))
    local = root.get("local")
    if local is None or not kinds.yes_or_no(local):
        raise (local or root).refused("an overlay says local = true")
    chains = {
        kinds.chain(replace(table, raw=name)): _local_chain(table)
        for name, table in root.need("chains").table().items()
    }
    generated = root.need("keys").need("generated").items()
    return Overlay(
        chains=chains,
        generated=frozenset(kinds.address(item) for item in generated),
        across_api=_across_api(root),
        apis=_apis(root),
    )


def _across_api(root: Value) -> str:
    bridges = root.get("bridges")
    across = None if bridges is None else bridges.get("across")
    return "" if across is None else _loopback_url(across.need("api"))


def _apis(root: Value) -> dict[str, str]:
    providers = root.get("providers")
    rows = {} if providers is None else providers.table()
    return {name: _loopback_url(row.need("api")) for name, row in rows.items()}


def _local_chain(table: Value) -> LocalChain:
    genesis = table.need("genesis")
    kinds.hash32(genesis)
    block_seconds = table.get("block_seconds")
    confirmations = table.get("confirmations")
    head_age = table.get("max_head_age_seconds")
    return LocalChain(
        place=table,
        rpc=_loopback_urls(table.need("rpc")),
        genesis=genesis,
        block_seconds=None if block_seconds is None else kinds.seconds(block_seconds),
        confirmations=None if confirmations is None else kinds.whole(1, 10_000)(confirmations),
        max_head_age_seconds=None if head_age is None else kinds.whole(1, 86_400)(head_age),
        code_hashes={
            address: kinds.hash32(value) for address, value in _by_address(table, "code_hashes")
        },
        heartbeats=dict(_by_address(table, "heartbeats")),
        sequencer_grace=table.get("sequencer_grace_seconds"),
    )


def _by_address(table: Value, key: str) -> list[tuple[Address, Value]]:
    below = table.get(key)
    rows = {} if below is None else below.table()
    return [(kinds.address(replace(value, raw=name)), value) for name, value in rows.items()]


def _loopback_urls(value: Value) -> tuple[str, ...]:
    urls = tuple(_loopback_url(item) for item in value.items())
    if not urls:
        raise value.refused("names no node")
    return urls


def _loopback_url(item: Value) -> str:
    url = kinds.text(item)
    try:
        host = parse_endpoint(url).host
    except ValueError as error:
        raise item.refused(str(error)) from None
    if not is_loopback(host):
        raise item.refused(f"{host} is not this machine (127.0.0.1, ::1 or localhost)")
    return url
