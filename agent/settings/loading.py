"""Puts the settings together: files, variables and flags, each read once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from agent import resources
from agent.core.money import ChainId
from agent.settings import kinds
from agent.settings.chain_facts import ChainFacts
from agent.settings.chains_file import chains_root, read_across_api, read_chains, read_pegs
from agent.settings.choices import Choices
from agent.settings.environment import Environment, Paths, find_paths
from agent.settings.keys import PORTFOLIO, refuse_unknown_keys
from agent.settings.model import Settings, World
from agent.settings.origin import world_origins
from agent.settings.overlay import read_overlay
from agent.settings.portfolio import read_portfolio
from agent.settings.provider_facts import read_apis
from agent.settings.toml_file import TomlFile, parse_toml, read_toml
from agent.settings.value import Value

_NO_PORTFOLIO = (
    "name the portfolio with --config FILE or REBALANCER_CONFIG; "
    "docs/configuration.md has one to start from"
)

_NO_OVERLAY = "name the overlay that the local chains wrote, or none"


def load(
    *,
    config: Path | None = None,
    chains: Path | None = None,
    overlay: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """Everything that is configured, by flags, environment, portfolio, user config, default.

    *config*, *chains* and *overlay* are what the flags of these names say; variables and
    defaults stand in for None. *environ* stands in for the process's environment. *flags*
    are values by key, such as `{"limits.max_run_value": "500"}`.

    Raises:
        ConfigError: of the kind that fits (C1xx), with place, key and what would do.
        KeyFileUnsafe: `.env` beside the portfolio can be read by others.
    """
    process = Environment(environ)
    file = config or _named(process, "REBALANCER_CONFIG") or Path("portfolio.toml")
    portfolio = read_toml(file, fix=_NO_PORTFOLIO)
    world = _world(chains, overlay, process.beside(file), also_read=(file,))
    return _settings(file, portfolio, world, process, flags)


def load_text(
    text: str,
    *,
    shown: Path,
    chains: Path | None = None,
    overlay: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """The same of a portfolio that is in no file: *text* is what would stand in it.

    Messages call it *shown*. Without a file there is no `.env` either. Raises ConfigError.
    """
    process = Environment(environ)
    portfolio = parse_toml(text.encode(), str(shown))
    world = _world(chains, overlay, process, also_read=())
    return _settings(shown, portfolio, world, process, flags)


def _settings(
    file: Path,
    portfolio: TomlFile,
    world: World,
    process: Environment,
    flags: Mapping[str, str],
) -> Settings:
    names = _names(world.chains)
    root = refuse_unknown_keys(portfolio, PORTFOLIO, "portfolio", names)
    user = _user_config(world.paths, names)
    choose = Choices(flags=flags, environment=process, portfolio=root, user=user)
    return read_portfolio(file, root, choose, world)


def load_chains_only(
    *,
    chains: Path | None = None,
    overlay: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> World:
    """What commands that need no portfolio work with; raises ConfigError.

    Without a portfolio there is no `.env` either.
    """
    return _world(chains, overlay, Environment(environ), also_read=())


def _world(
    chains: Path | None, overlay: Path | None, environment: Environment, also_read: tuple[Path, ...]
) -> World:
    environment.refuse_unknown()
    paths = find_paths(environment)
    given = chains or _named(environment, "REBALANCER_CHAINS")
    chains_path = given or resources.path("chains.toml")
    shown = str(given) if given else "chains.toml"
    facts = read_toml(chains_path, shown=shown, fix="name another file with --chains FILE")
    overlay_path = overlay or _named(environment, "REBALANCER_OVERLAY")
    local = None if overlay_path is None else read_toml(overlay_path, fix=_NO_OVERLAY)
    says = None if local is None else read_overlay(local)
    root = chains_root(facts)
    found = read_chains(root, environment, says)
    return World(
        chains=found,
        across_api=read_across_api(root, says),
        apis=read_apis(root, says),
        pegs=read_pegs(root),
        local=says is not None,
        generated=frozenset() if says is None else says.generated,
        paths=paths,
        files=tuple(path for path in (chains_path, overlay_path, *also_read) if path is not None),
        environment=environment,
        origin=world_origins(found, facts, local, environment, paths),
    )


def _user_config(paths: Paths, names: Mapping[str, Collection[str]]) -> Value | None:
    if not paths.user_config.exists():
        return None
    file = read_toml(paths.user_config, fix=f"make {paths.user_config} readable, or remove it")
    keys = [key for key in PORTFOLIO if key.overridable or key.name == "schema"]
    root = refuse_unknown_keys(file, keys, "user config", names)
    kinds.whole(1, 1)(root.need("schema"))
    return root


def _names(chains: Mapping[ChainId, ChainFacts]) -> Mapping[str, Collection[str]]:
    chain_names = [facts.caip2 for facts in chains.values()]
    assets = {listing.asset for facts in chains.values() for listing in facts.listings}
    pairs = {f"{asset}@{name}" for asset in assets for name in chain_names}
    return {"<chain>": chain_names, "<asset>": assets, "<asset>@<chain>": pairs}


def _named(environment: Environment, name: str) -> Path | None:
    path = environment.of_process(name)
    return None if path is None else Path(path).expanduser()
