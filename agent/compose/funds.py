"""Looks for transfers of a wallet in the logs of its chains, without any journal."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from agent.compose.account import Account
from agent.core.money import ChainId
from agent.core.state import State
from agent.engine.recover import Stray, found, unknown
from agent.errors import Unavailable
from agent.ports import Bridge, Transfer

DAY_SECONDS = 86_400

DAYS = 7
"""How far back is looked unless somebody says otherwise: the slowest bridges take a week."""

SEARCHES = 8
"""Searches side by side at most: each asks one chain for one bridge's logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What one bridge's logs on one chain tell: transfers, or why nobody could be asked."""

    bridge: str
    chain: ChainId
    found: tuple[Transfer, ...] = ()
    fault: Unavailable | None = None


def search(account: Account, bridges: Mapping[str, Bridge], days: int) -> tuple[Searched, ...]:
    """Transfers of the last *days* that have not arrived, by bridge and chain where it starts."""
    places = [
        (bridge, chain)
        for bridge in bridges.values()
        for chain in account.settings.chains
        if bridge.targets(chain)
    ]

    def one(place: tuple[Bridge, ChainId]) -> Searched:
        bridge, chain = place
        back = int(days * DAY_SECONDS / account.settings.chains[chain].block_seconds)
        try:
            head = account.io.nodes[chain].block().number
            found = bridge.find(account.io.account, {chain: max(0, head - back)})
        except Unavailable as error:
            return Searched(bridge=bridge.name, chain=chain, fault=error)
        return Searched(bridge=bridge.name, chain=chain, found=found)

    with ThreadPoolExecutor(SEARCHES, "search") as pool:
        return tuple(pool.map(one, places))


def strays(account: Account, searched: tuple[Searched, ...], state: State) -> tuple[Stray, ...]:
    """What was found and the journal does not know, with what the bridges say of it now."""
    transfers = [transfer for each in searched for transfer in each.found]
    return tuple(found(each, account.io) for each in unknown(transfers, state))
