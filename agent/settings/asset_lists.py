"""Which tokens are forms of which asset: chains.toml's grouping, overridden by the portfolio."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from agent.core.money import NATIVE, Token
from agent.core.policy import Asset, Instance, Role
from agent.settings import kinds
from agent.settings.chain_facts import ChainFacts, TokenFacts
from agent.settings.value import Value


def known_assets(chains: Sequence[ChainFacts]) -> dict[str, Asset]:
    """The assets as chains.toml groups them, in its order."""
    instances: dict[str, list[Instance]] = {}
    for facts in chains:
        for listing in facts.listings:
            instance = Instance(listing.token, listing.role)
            instances.setdefault(listing.asset, []).append(instance)
    return {name: Asset(name, tuple(forms)) for name, forms in instances.items()}


def overridden(
    assets: Mapping[str, Asset], tables: Mapping[str, Value], chains: Sequence[ChainFacts]
) -> dict[str, Asset]:
    """The same assets with each one that has a table replaced by what the table lists.

    Raises WrongValue for a token that is unknown, listed twice, or of another asset, and
    for one to be sold whose price is not the asset's.
    """
    result = dict(assets)
    for name, table in tables.items():
        instances: list[Instance] = []
        for role in ("spend", "count"):
            listed = table.get(role)
            for item in () if listed is None else listed.items():
                instances += _instances(item, name, role, chains, instances)
        if not instances:
            raise table.wrong("lists no token")
        result[name] = Asset(name, tuple(instances))
    return result


def _instances(
    item: Value, asset: str, role: Role, chains: Sequence[ChainFacts], earlier: list[Instance]
) -> list[Instance]:
    found = []
    for listing in _listings(item, chains):
        token = listing.token
        if any(instance.token == token for instance in earlier):
            raise item.wrong(f"{token.symbol} is listed twice")
        if listing.asset != asset:
            raise item.wrong(f"{token.symbol} is a form of {listing.asset}, not of {asset}")
        if role == "spend" and listing.role != "spend":
            raise item.wrong(
                f"{token.symbol} can only be counted: its price is not that of {asset}, "
                "so it would be sold at a wrong one"
            )
        found.append(Instance(token, role))
    return found


def _listings(item: Value, chains: Sequence[ChainFacts]) -> list[TokenFacts]:
    """The token that *item* names, on each chain that has it."""
    named = kinds.text(item)
    address = kinds.address(item) if named.startswith("0x") else None
    listings = (listing for facts in chains for listing in facts.listings)
    found = [listing for listing in listings if _is_named(listing.token, named, address)]
    if not found:
        where = " or ".join(facts.caip2 for facts in chains)
        raise item.wrong(f'"{named}" is no known token of {where}{_nearest(named, chains)}')
    return found


def _is_named(token: Token, named: str, address: str | None) -> bool:
    if address is not None:
        return token.address == address
    return token.is_native if named == NATIVE else token.symbol == named and not token.is_native


def _nearest(named: str, chains: Sequence[ChainFacts]) -> str:
    if any(facts.native.symbol == named for facts in chains):
        return f', did you mean "{NATIVE}", the gas coin?'
    symbols = {token.symbol.lower(): token.symbol for facts in chains for token in facts.tokens[1:]}
    near = difflib.get_close_matches(named.lower(), symbols, n=1)
    return f', did you mean "{symbols[near[0]]}"?' if near else ""
