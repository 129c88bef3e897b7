"""What `doctor` checks on chain: nodes, contracts, tokens, feeds, gas, account, allowances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from agent.cli.checks import Finding, Level, fine, met, warning, wrong
from agent.compose import Account
from agent.compose.adapters import make_node
from agent.core.guard import MAX_CLOCK_SKEW_SECONDS
from agent.core.money import Address, Amount, Token
from agent.core.state import State
from agent.core.wording import figure, whole
from agent.errors import AgentError, Unavailable, Unreachable
from agent.ports import Node, Read
from agent.settings import ChainFacts
from agent.wire.abi import AbiError, functions
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
        found = list(_nodes(account, facts))
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


def _nodes(account: Account, facts: ChainFacts) -> Iterator[Finding]:
    """Each endpoint by itself: chain id, genesis, age of its head, its clock against ours."""
    answering = []
    silent = []
    for url, name in zip(facts.rpc, facts.endpoints, strict=True):
        about = f"{facts.name} node {name}"
        node = make_node(replace(facts, rpc=(url,)), account.io.clock)
        try:
            head = node.block()
        except Unreachable as error:
            silent.append((about, error))
            continue
        except AgentError as error:
            yield met(about, error)
            continue
        finally:
            node.close()
        ahead = head.timestamp - account.io.clock.now()
        if ahead > MAX_CLOCK_SKEW_SECONDS:
            yield wrong(
                about,
                f"its newest block is {ahead} s ahead of this machine's clock",
                "set this machine's clock, for example by NTP",
                "G402",
            )
            continue
        answering.append(name)
        age = f"{-ahead} s old" if ahead < 0 else "new"
        yield fine(about, f"chain {facts.chain}, genesis as pinned, head {head.number} is {age}")
    level: Level = "warning" if answering else "error"
    for about, silence in silent:
        yield met(about, silence, level=level)


def _chain(account: Account, facts: ChainFacts, node: Node) -> Iterator[Finding]:
    yield from _contracts(facts, node)
    yield from _decimals(facts, node)
    yield from _wallet(account, facts, node)


def _contracts(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Code stands at every address of chains.toml, and the pinned code where it is pinned."""
    named = _addresses(facts)
    hashes = node.code_hashes(list(named))
    about, bad = f"{facts.name} contracts", False
    for address, found in hashes.items():
        pinned = facts.code_hashes.get(address, "")
        place = f"{named[address]} at {checksum(address)}"
        fix = "correct chains.toml from the source that it names"
        if not found:
            bad = True
            yield wrong(about, f"{place} has no code", fix, "G104")
        elif pinned and pinned != found:
            bad = True
            what = f"{place} has other code ({found[:10]}…) than is pinned ({pinned[:10]}…)"
            yield wrong(about, what, f"find out why before anything else; {fix}", "G104")
    if not bad:
        pins = sum(address in facts.code_hashes for address in named)
        yield fine(about, f"{len(named)} have code, {pins} of them the code that is pinned")


def _addresses(facts: ChainFacts) -> dict[Address, str]:
    """What each address of a chain's facts is."""
    found: dict[Address, str] = dict.fromkeys(facts.code_hashes, "a contract")
    found |= {token.address: token.symbol for token in facts.tokens if not token.is_native}
    found |= {feed.address: f"feed {feed.description}" for feed in facts.feeds.values()}
    found[facts.multicall3] = "Multicall3"
    if facts.uniswap is not None:
        found[facts.uniswap.v2_factory] = "Uniswap V2 factory"
        found[facts.uniswap.v3_factory] = "Uniswap V3 factory"
        found[facts.uniswap.swap_router_02] = "SwapRouter02"
        found[facts.uniswap.quoter_v2] = "QuoterV2"
    return found


def _decimals(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Every token says the decimals that chains.toml has."""
    ask = functions("erc20")["decimals()"]
    tokens = [token for token in facts.tokens if not token.is_native]
    answers = node.read([Read(token.address, ask.encode()) for token in tokens])
    about, bad = f"{facts.name} tokens", False
    for token, answer in zip(tokens, answers, strict=True):
        try:
            said = None if answer is None else ask.decode(answer)[0]
        except AbiError:
            said = None
        if said != token.decimals:
            bad = True
            tells = "does not say its decimals" if said is None else f"says {said} decimals"
            what = f"{token.symbol} {tells}, chains.toml has {token.decimals}"
            fix = f"correct {facts.caip2} tokens.{token.symbol} in chains.toml from its source"
            yield wrong(about, what, fix, "C105")
    if not bad:
        yield fine(about, f"{len(tokens)} say the decimals that chains.toml has")


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
