"""Tells where nodes and folders come from, which no single key says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.core.money import ChainId
from agent.settings.chain_facts import ChainFacts
from agent.settings.chains_file import variables
from agent.settings.choices import Origin
from agent.settings.environment import Environment, Paths
from agent.settings.toml_file import TomlFile
from agent.settings.value import Source, Value


def world_origins(
    found: Mapping[ChainId, ChainFacts],
    chains: TomlFile,
    overlay: TomlFile | None,
    environment: Environment,
    paths: Paths,
) -> Mapping[str, Origin]:
    """Who decided the nodes of each chain (shown as hosts, for URLs hold keys) and the folders."""
    origins = {}
    for facts in found.values():
        source: Source = "chains" if overlay is None else "overlay"
        origin = _of_nodes(facts, overlay or chains, source, environment)
        origins[origin.key] = origin
    home = environment.of_process("REBALANCER_HOME")
    origins["state"] = Origin(
        key="state",
        value=str(paths.state),
        source="default" if home is None else "environment",
        place="default" if home is None else "REBALANCER_HOME",
    )
    return MappingProxyType(origins)


def _of_nodes(
    facts: ChainFacts, file: TomlFile, source: Source, environment: Environment
) -> Origin:
    root = Value(raw=file.root, name="", source=source, file=file)
    rpc = root.need("chains").need(facts.caip2).need("rpc")
    given = [name for name in variables(rpc) if environment.get(name)]
    return Origin(
        key=rpc.name,
        value=", ".join(facts.endpoints),
        source="environment" if given else source,
        place=f"{rpc.place} by {', '.join(given)}" if given else rpc.place,
    )
