"""What a chain itself says of chains.toml: its nodes, contracts, tokens, feeds and bridges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from agent.cli.checks import Finding, Level, fine, met, warning, wrong
from agent.cli.checks_forks import forks
from agent.compose.adapters import FEED_LATE_SECONDS, make_node
from agent.compose.forks import FORKS
from agent.core.guard import MAX_CLOCK_SKEW_SECONDS
from agent.core.money import Address
from agent.core.wording import figure, listed, span
from agent.errors import AgentError, Unreachable
from agent.ports import Clock, Node, Read
from agent.provider import FactValue
from agent.settings import ChainFacts, Feed, TokenFacts
from agent.wire.abi import AbiError, Function, functions, selector
from agent.wire.address import chain_text, checksum

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")

FIX = "correct it in chains.toml from the source that it names"

_SPOKE_POOL = (
    Function("wrappedNativeToken", (), ("address",)),
    Function("chainId", (), ("uint256",)),
)
_RATE = Function("rate", (), ("uint256",))
_OLD_SYMBOL = Function("symbol", (), ("bytes32",))
"""As some old tokens have it."""


def nodes(facts: ChainFacts, clock: Clock) -> Iterator[Finding]:
    """Each endpoint by itself: chain id, genesis, age of its head, its clock against ours."""
    answering = []
    silent = []
    for url, name in zip(facts.rpc, facts.endpoints, strict=True):
        about = f"{facts.name} node {name}"
        node = make_node(replace(facts, rpc=(url,)), clock)
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
        ahead = head.timestamp - clock.now()
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
        yield fine(about, f"chain id {facts.chain}, genesis as pinned, head {head.number} is {age}")
    level: Level = "warning" if answering else "error"
    for about, silence in silent:
        yield met(about, silence, level=level)


Named = Mapping[Address, tuple[str, str]]
"""What stands at an address, and the place in the file that says so."""


def addresses(facts: ChainFacts) -> Named:
    """The contracts that every wallet on the chain depends on."""
    found = dict.fromkeys(facts.code_hashes, ("a contract", facts.place))
    found |= {row.token.address: (row.token.symbol, row.place) for row in facts.listings[1:]}
    found |= {
        feed.address: (f"feed {feed.description}", feed.place)
        for feed in facts.feeds.values()
        if not feed.rate
    }
    found[facts.multicall3] = ("Multicall3", facts.place)
    if facts.uniswap is not None:
        place = facts.uniswap.place
        found[facts.uniswap.v2_factory] = ("Uniswap V2 factory", place)
        found[facts.uniswap.v3_factory] = ("Uniswap V3 factory", place)
        found[facts.uniswap.swap_router_02] = ("SwapRouter02", place)
        found[facts.uniswap.quoter_v2] = ("QuoterV2", place)
    if facts.sequencer is not None:
        found[facts.sequencer.feed] = ("sequencer feed", facts.sequencer.place)
    return found


def counted_addresses(facts: ChainFacts) -> Named:
    """The feeds of tokens that only count: for whoever holds them."""
    return {
        feed.address: (f"feed {feed.description}", feed.place)
        for feed in facts.feeds.values()
        if feed.rate
    }


def across_addresses(facts: ChainFacts) -> Named:
    """The contract of Across."""
    if facts.across is None:
        return {}
    return {facts.across.spoke_pool: ("SpokePool of Across", facts.across.place)}


def provider_addresses(facts: ChainFacts) -> Named:
    """The contracts that the tables of venues and bridges name; of a local chain not the forks'."""
    return {
        Address(fact): (f"{key} of {name}", provider.place)
        for name, provider in facts.providers.items()
        if not (facts.loopback and name in FORKS)
        for key, fact in _plain(provider.facts)
        if isinstance(fact, str) and _ADDRESS.fullmatch(fact)
    }


def _plain(facts: Mapping[str, FactValue]) -> Iterator[tuple[str, int | str]]:
    """Facts by name, those in a table by its name and theirs."""
    for key, fact in facts.items():
        if isinstance(fact, Mapping):
            yield from ((f"{name} among the {key}", inner) for name, inner in fact.items())
        else:
            yield key, fact


def contracts(facts: ChainFacts, node: Node, named: Named) -> Iterator[Finding]:
    """Code stands at every address of *named*, and the pinned code where it is pinned."""
    about = f"{facts.name} contracts"
    bad = list(_bad_code(facts, about, named, node.code_hashes(list(named))))
    yield from bad
    if not bad:
        pins = sum(address in facts.code_hashes for address in named)
        yield fine(about, f"{len(named)} have code, {pins} of them the code that is pinned")


def uniswap_v4(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Code stands where pools of V4 are read and traded; which of it no hash is known of.

    Local chains have V4 only where somebody put it.
    """
    if facts.uniswap_v4 is None:
        return
    place = facts.uniswap_v4.place
    named = {
        facts.uniswap_v4.state_view: ("StateView", place),
        facts.uniswap_v4.universal_router: ("UniversalRouter", place),
        facts.uniswap_v4.permit2: ("Permit2", place),
    }
    about, hashes = f"{facts.name} Uniswap V4", node.code_hashes(list(named))
    if facts.loopback and not any(hashes.values()):
        yield fine(about, "not checked: this local chain has none")
        return
    bad = list(_bad_code(facts, about, named, hashes))
    yield from bad
    if not bad:
        free = [name for address, (name, _) in named.items() if address not in facts.code_hashes]
        more = f"; no hash is pinned of {listed(free)}" if free else ", the code that is pinned"
        yield fine(about, f"{len(named)} have code{more}")


def _bad_code(
    facts: ChainFacts, about: str, named: Named, hashes: Mapping[Address, str]
) -> Iterator[Finding]:
    for address, found in hashes.items():
        pinned = facts.code_hashes.get(address, "")
        contract, place = named[address]
        what = f"{contract} at {checksum(address)}"
        if not found:
            yield wrong(about, f"{what} has no code", FIX, "G104", place=place)
        elif pinned and pinned != found:
            what += f" has other code ({found[:10]}…) than is pinned ({pinned[:10]}…)"
            fix = f"find out why before anything else; {FIX}"
            yield wrong(about, what, fix, "G104", place=place)


def decimals(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Every token says the decimals that chains.toml has."""
    ask = functions("erc20")["decimals()"]
    listed = facts.listings[1:]
    answers = node.read([Read(row.token.address, ask.encode()) for row in listed])
    about, bad = f"{facts.name} tokens", False
    for row, answer in zip(listed, answers, strict=True):
        token, said = row.token, _said(ask, answer)
        if said != token.decimals:
            bad = True
            tells = "does not say its decimals" if said is None else f"says {said} decimals"
            what = f"{token.symbol} {tells}, chains.toml has {token.decimals}"
            yield wrong(about, what, FIX, "C105", place=row.place)
    if not bad:
        yield fine(about, f"{len(listed)} say the decimals that chains.toml has")


def symbols(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Every token says the symbol that chains.toml has for it."""
    ask = functions("erc20")["symbol()"]
    listed = facts.listings[1:]
    answers = node.read([Read(row.token.address, ask.encode()) for row in listed])
    found = [
        _other_symbol(facts, row, _symbol(ask, answer))
        for row, answer in zip(listed, answers, strict=True)
    ]
    bad = [finding for finding in found if finding is not None]
    yield from bad
    if not bad:
        yield fine(f"{facts.name} symbols", f"{len(listed)} say the symbol that chains.toml has")


def _symbol(ask: Function, answer: bytes | None) -> str | None:
    said: str | None = _said(ask, answer)
    if said is None:
        raw = _said(_OLD_SYMBOL, answer)
        said = None if raw is None else bytes(raw).rstrip(b"\0").decode("utf-8", "replace")
    return said


def _other_symbol(facts: ChainFacts, row: TokenFacts, said: str | None) -> Finding | None:
    if said == row.says:
        return None
    tells = "does not say its symbol" if said is None else f"calls itself {chain_text(said)}"
    fix = f'{FIX}; where only the name is another one, add says = "…"'
    what = f"{row.token.symbol} {tells}, chains.toml has {row.says}"
    return wrong(f"{facts.name} symbols", what, fix, place=row.place)


def feeds(facts: ChainFacts, node: Node, now: int) -> Iterator[Finding]:
    """Every feed is the one that chains.toml describes, and has spoken within its heartbeat."""
    interface = functions("chainlink_feed")
    asked = [interface[name] for name in ("description()", "decimals()", "latestRoundData()")]
    calls = [Read(feed.address, ask.encode()) for feed in facts.feeds.values() for ask in asked]
    answers = iter(node.read(calls) if calls else ())
    for asset, feed in facts.feeds.items():
        about = f"{facts.name} feed of {asset}"
        said = [_values(ask, next(answers)) for ask in asked]
        why = _feed_fault(feed, said, now)
        if why:
            yield wrong(about, why, FIX, place=feed.place)
        else:
            yield fine(about, f"{feed.description}, {feed.decimals} decimals, fresh")


def rates(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Every token that only counts says what it stands for."""
    for name, feed in facts.feeds.items():
        token = facts.named(name)
        if not feed.rate or token is None:
            continue
        (answer,) = node.read([Read(token.address, selector(feed.rate))])
        rate, about = _said(_RATE, answer), f"{facts.name} rate of {name}"
        if rate:
            yield fine(about, f"it stands for {figure(Decimal(rate).scaleb(-18))}")
        else:
            yield wrong(about, f"its contract does not answer {feed.rate}", FIX, place=feed.place)


def _feed_fault(feed: Feed, said: Sequence[tuple[Any, ...] | None], now: int) -> str:
    """What is wrong with a feed, empty when nothing is; *said* are its three answers."""
    description, decimals, spoken = said
    if description != (feed.description,):
        told = "nothing" if description is None else f'"{_printable(description[0])}"'
        return f'it describes itself as {told}, chains.toml has "{feed.description}"'
    if decimals != (feed.decimals,):
        told = "no" if decimals is None else decimals[0]
        return f"its answers have {told} decimals, chains.toml has {feed.decimals}"
    if spoken is None:
        return "it has no answer"
    age = now - spoken[3]
    if not age <= feed.heartbeat_seconds + FEED_LATE_SECONDS:
        beat = span(feed.heartbeat_seconds)
        return f"it has not spoken for {span(age)}, its heartbeat is {beat}"
    return ""


def sequencer(facts: ChainFacts, node: Node, now: int) -> Iterator[Finding]:
    """The feed about the sequencer answers; what it says of today is no fault of the file."""
    if facts.sequencer is None:
        return
    ask = functions("chainlink_feed")["latestRoundData()"]
    (answer,) = node.read([Read(facts.sequencer.feed, ask.encode())])
    said, about = _values(ask, answer), f"{facts.name} sequencer"
    if said is None:
        yield wrong(about, "its feed does not answer", FIX, place=facts.sequencer.place)
    elif said[1] != 0:
        fix = "wait: no price counts here until it is up again"
        yield warning(about, f"it is down for {span(max(0, now - said[2]))}", fix)
    else:
        yield fine(about, f"up for {span(max(0, now - said[2]))}")


def tiers(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """Uniswap's V3 factory has every fee of chains.toml with its tick spacing."""
    if facts.uniswap is None:
        return
    ask = functions("uniswap_v3_factory")["feeAmountTickSpacing(uint24)"]
    known = facts.uniswap.v3_fee_tiers
    factory, place = facts.uniswap.v3_factory, facts.uniswap.place
    answers = node.read([Read(factory, ask.encode(fee)) for fee, _ in known])
    about, bad = f"{facts.name} fee tiers", False
    for (fee, spacing), answer in zip(known, answers, strict=True):
        said = _said(ask, answer)
        if said != spacing:
            bad = True
            what = f"the factory has tick spacing {said} for fee {fee}, chains.toml has {spacing}"
            yield wrong(about, what, FIX, place=place)
    if not bad:
        yield fine(about, f"{len(known)} are the factory's")


def spoke_pool(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """The contract of Across knows the chain and its wrapped coin as chains.toml does."""
    if facts.across is None:
        return
    pool, place = facts.across.spoke_pool, facts.across.place
    answers = node.read([Read(pool, ask.encode()) for ask in _SPOKE_POOL])
    wrapped, chain = (_said(ask, raw) for ask, raw in zip(_SPOKE_POOL, answers, strict=True))
    about = f"{facts.name} Across"
    if wrapped != facts.wrapped.address:
        told = "none" if wrapped is None else checksum(Address(wrapped))
        what = f"its wrapped coin is {told}, chains.toml has {checksum(facts.wrapped.address)}"
        yield wrong(about, what, FIX, place=place)
    elif chain is not None and chain != facts.chain:
        yield wrong(about, f"it says that it is on chain {chain}", FIX, place=place)
    else:
        yield fine(about, f"its wrapped coin is {facts.wrapped.symbol}")


def finality(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """The node knows final blocks by the tag that chains.toml names."""
    final, head = node.block("finalized"), node.block()
    about = f"{facts.name} finality"
    if not 0 < final.number <= head.number:
        what = f"the newest final block is {final.number}, the newest one {head.number}"
        yield warning(about, what, "use another node: nothing becomes final by this one")
    else:
        age = span(max(0, head.timestamp - final.timestamp))
        yield fine(about, f"the newest final block is {age} behind")


def everything(facts: ChainFacts, node: Node, now: int) -> Iterator[Finding]:
    """All that chains.toml says of the chain, compared with it."""
    named = {**addresses(facts), **counted_addresses(facts)}
    named |= {**across_addresses(facts), **provider_addresses(facts)}
    yield from contracts(facts, node, named)
    yield from uniswap_v4(facts, node)
    yield from forks(facts, node)
    yield from decimals(facts, node)
    yield from symbols(facts, node)
    yield from feeds(facts, node, now)
    yield from rates(facts, node)
    yield from sequencer(facts, node, now)
    yield from tiers(facts, node)
    yield from spoke_pool(facts, node)
    yield from finality(facts, node)


def _said(ask: Function, answer: bytes | None) -> Any:
    """The first value of an answer, None when it means nothing."""
    values = _values(ask, answer)
    return None if values is None else values[0]


def _values(ask: Function, answer: bytes | None) -> tuple[Any, ...] | None:
    if answer is None:
        return None
    try:
        return ask.decode(answer)
    except AbiError:
        return None


def _printable(untrusted: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "_" for c in untrusted[:40])
