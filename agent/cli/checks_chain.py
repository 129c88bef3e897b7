"""What `doctor` checks on chain: nodes, contracts, tokens, feeds, gas, account, allowances."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.cli import checks_facts
from agent.cli.checks import Finding, fine, met, warning, wrong
from agent.compose import Account
from agent.core.money import Amount, Token
from agent.core.state import State
from agent.core.wording import figure, whole
from agent.errors import AgentError, Unavailable
from agent.ports import Node
from agent.settings import ChainFacts
from agent.wire.address import checksum

GAS_OF_A_SWAP = 400_000
"""An approval and a swap over two hops (measured on the local chain: under 350 000)."""

BYTES_OF_A_SWAP = 800
"""Both transactions, signed: 774 (measured on the local chain)."""

A_FEW = 5
"""Swaps that the gas coin should pay for, so that a run does not stop in the middle."""


def chains(account: Account) -> Iterator[Finding]:
    """All findings of all chains of the wallet."""
    usable = []
    for chain, facts in account.settings.chains.items():
        found = list(checks_facts.nodes(facts, account.io.clock))
        yield from found
        if any(finding.level == "ok" for finding in found):
            usable.append((facts, account.nodes[chain]))
    for facts, node in usable:
        try:
            yield from _chain(account, facts, node)
        except Unavailable as error:
            yield met(facts.name, error)
    yield from _prices(account)
    if usable:
        yield from _allowances(account)


def _chain(account: Account, facts: ChainFacts, node: Node) -> Iterator[Finding]:
    named = {**checks_facts.addresses(facts)}
    if "across" in account.settings.bridges:
        named |= checks_facts.across_addresses(facts)
    yield from checks_facts.contracts(facts, node, named)
    yield from checks_facts.uniswap_v4(facts, node)
    yield from checks_facts.decimals(facts, node)
    yield from _wallet(account, facts, node)


def _wallet(account: Account, facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Balances can be read, the account is a plain one, and there is gas."""
    seen = node.snapshot(account.io.account, facts.tokens)
    about = f"{facts.name} wallet"
    for token in seen.unreadable:
        fix = f"correct {facts.caip2} tokens.{token.symbol} in chains.toml from its source"
        yield wrong(about, f"the balance of {token.symbol} cannot be read", fix, "N104")
    if seen.code_hash:
        yield wrong(
            about,
            "the wallet's account has code (EIP-7702 delegation)",
            "take the delegation back with the wallet that made it",
            "G401",
        )
    yield _gas(about, node, facts.native, seen.balances.get(facts.native, 0))


def _gas(about: str, node: Node, native: Token, held: int) -> Finding:
    one = node.fees().expected(GAS_OF_A_SWAP, BYTES_OF_A_SWAP)
    have = whole(Amount(native, held))
    if held >= A_FEW * one:
        return fine(about, f"{have} pay for {A_FEW} swaps and more")
    need = figure(Decimal(A_FEW * one).scaleb(-native.decimals))
    fix = f"send at least {need} {native.symbol} to the wallet"
    if held >= one:
        return warning(about, f"{have} pay for {held // one} swaps only", fix)
    return wrong(about, f"{have} do not pay for one swap's gas", fix)


def _prices(account: Account) -> Iterator[Finding]:
    """Every asset with a target has a price that two sources agree on now."""
    settings = account.settings
    found = account.io.prices()
    for name in sorted(asset.name for asset in settings.assets):
        refused = found.refused.get(name)
        if refused is None:
            price = found.by_asset[name]
            what = f"{figure(price.value)} {settings.base} by {' and '.join(price.sources)}"
            yield fine(f"price of {name}", what)
        elif name in settings.policy.targets:
            fix = "wait until the sources are fresh and agree; see them: rebalancer prices"
            yield wrong(f"price of {name}", refused.why, fix, refused.code)
        else:
            fix = "nothing, while the asset has no target"
            yield warning(f"price of {name}", refused.why, fix, refused.code)


def _journalled(account: Account) -> State:
    """What the journal says; nothing when it cannot be read, which is a finding of its own."""
    try:
        return account.state()
    except AgentError:
        return State()


def _allowances(account: Account) -> Iterator[Finding]:
    """No known spender has a right left over."""
    from agent.cli.allowances import grants, known_spenders

    tokens = [token for facts in account.settings.chains.values() for token in facts.tokens]
    try:
        found = grants(account, known_spenders(account, _journalled(account)), tokens)
    except Unavailable as error:
        yield met("allowances", error)
        return
    for grant in found:
        amount = whole(Amount(grant.token, grant.raw))
        if grant.unlimited:
            amount = f"all {grant.token.symbol}"
        what = f"{grant.name} ({checksum(grant.spender)}) may move {amount}"
        yield warning("allowances", what, "rebalancer approvals revoke")
    if not found:
        yield fine("allowances", "none is left to a known spender")
