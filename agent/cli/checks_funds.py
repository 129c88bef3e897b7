"""Checks for money between chains: transfers that left and have not arrived, by logs alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.cli import present
from agent.cli.checks import Finding, fine, met, warning
from agent.compose.bridges import all_bridges
from agent.core.wording import chain_name, span, whole
from agent.errors import Unavailable

if TYPE_CHECKING:
    from agent.compose import Account
    from agent.core.money import ChainId
    from agent.ports import Bridge, Transfer

DAY_SECONDS = 86_400
WAIT = "wait for it: rebalancer resume if a run is open; nobody has to be asked for help"


def funds(account: Account, days: int) -> Iterator[Finding]:
    """Unfinished transfers of the last *days* by any bridge, also by one that is not in use now."""
    for bridge in all_bridges(account.settings, account.io.nodes).values():
        for chain in account.settings.chains:
            if bridge.targets(chain):
                yield from _from_chain(account, bridge, chain, days)


def _from_chain(account: Account, bridge: Bridge, chain: ChainId, days: int) -> Iterator[Finding]:
    facts = account.settings.chains[chain]
    about = f"{facts.name} {bridge.name}"
    back = int(days * DAY_SECONDS / facts.block_seconds)
    try:
        head = account.io.nodes[chain].block().number
        found = bridge.find(account.io.account, {chain: max(0, head - back)})
    except Unavailable as error:
        yield met(about, error)
        return
    for transfer in found:
        yield warning(about, told(transfer), WAIT)
    if not found:
        when = span(days * DAY_SECONDS)
        yield fine(about, f"every transfer of the last {when} has arrived or come back")


def told(transfer: Transfer) -> str:
    """One transfer in a sentence: what left, by which deposit, and when it comes back."""
    left = f"{whole(transfer.sold)} left by deposit {transfer.id} in {transfer.deposit}"
    there = f"has not arrived on {chain_name(transfer.buy.chain)}"
    if transfer.due is None:
        return f"{left} and {there}"
    return f"{left} and {there}; delivered or paid back after {present.time_text(transfer.due)}"
