"""Checks for money between chains: transfers that left and have not arrived, by logs alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.cli import present
from agent.cli.checks import Finding, fine, met, warning
from agent.cli.strays import why
from agent.compose.bridges import all_bridges
from agent.compose.funds import DAY_SECONDS, Searched, search
from agent.core.wording import chain_name, span, whole
from agent.engine.recover import found

if TYPE_CHECKING:
    from agent.compose import Account
    from agent.engine.io import Io
    from agent.ports import Transfer

FOLLOW = "follow it to its end: rebalancer resume; nobody has to be asked for help"
ALLOW = "put {via} under [bridges] allow in portfolio.toml, then: rebalancer resume"


def funds(account: Account, days: int) -> Iterator[Finding]:
    """Unfinished transfers of the last *days* by any bridge, also by one that is not in use now."""
    # Those that are in use may ask their servers what a transfer waits for.
    bridges = {**all_bridges(account.settings, account.io.nodes), **account.io.bridges}
    io = replace(account.io, bridges=bridges)
    for searched in search(account, bridges, days):
        about = f"{account.settings.chains[searched.chain].name} {searched.bridge}"
        yield from _told(searched, about, days, io, allowed=searched.bridge in account.io.bridges)


def _told(searched: Searched, about: str, days: int, io: Io, *, allowed: bool) -> Iterator[Finding]:
    if searched.fault is not None:
        yield met(about, searched.fault)
        return
    fix = FOLLOW if allowed else ALLOW.format(via=searched.bridge)
    for transfer in searched.found:
        yield warning(about, f"{told(transfer)}. {why(found(transfer, io))}", fix)
    if not searched.found:
        when = span(days * DAY_SECONDS)
        yield fine(about, f"every transfer of the last {when} has arrived or come back")


def told(transfer: Transfer) -> str:
    """One transfer in a sentence: what left, by which deposit, and when it comes back."""
    number = f" by deposit {transfer.id}" if transfer.id else ""
    left = f"{whole(transfer.sold)} left{number} in {transfer.deposit}"
    there = f"has not arrived on {chain_name(transfer.buy.chain)}"
    if transfer.due is None:
        return f"{left} and {there}"
    return f"{left} and {there}; delivered or paid back after {present.time_text(transfer.due)}"
