"""What a chain says of the forks of Uniswap V2 in chains.toml: where their pairs really are."""

from __future__ import annotations

from collections.abc import Iterator

from agent.cli.checks import Finding, fine, warning, wrong
from agent.compose.forks import FORKS, hub_pairs
from agent.core.money import Address
from agent.ports import Node, Read
from agent.settings import ChainFacts
from agent.wire.abi import AbiError, Function
from agent.wire.address import checksum

_FACTORY = Function("factory", (), ("address",))
_PAIR = Function("getPair", ("address", "address"), ("address",))
_NOWHERE = "0x" + "00" * 20

FIX = "correct it in chains.toml from the source that it names"


def forks(facts: ChainFacts, node: Node) -> Iterator[Finding]:
    """The router swaps in the factory's pairs, and these are where the venue looks for them.

    Of each fork one request, about all pairs of hubs. Local chains have a fork only where somebody
    put it.
    """
    for name in sorted(FORKS.keys() & facts.providers.keys()):
        yield from _fork(facts, name, node)


def _fork(facts: ChainFacts, name: str, node: Node) -> Iterator[Finding]:
    provider, about = facts.providers[name], f"{facts.name} {name}"
    router, factory = (Address(str(provider.facts[key])) for key in ("router", "factory"))
    derived = hub_pairs(facts, name)
    calls = [Read(router, _FACTORY.encode())]
    calls += [Read(factory, _PAIR.encode(*tokens)) for tokens in derived]
    its, *pairs = (_address(answer) for answer in node.read(calls))
    if facts.loopback and its is None and not any(node.code_hashes([router, factory]).values()):
        yield fine(about, "not checked: this local chain has none")
        return
    if its != factory:
        what = f"its router swaps in pairs of {_shown(its)}, not of {checksum(factory)}"
        yield wrong(about, what, FIX, "G104", place=provider.place)
        return
    there = [
        (said, ours)
        for said, ours in zip(pairs, derived.values(), strict=True)
        if said not in {None, _NOWHERE}
    ]
    for said, ours in there:
        if said != ours:
            what = f"a pair is at {_shown(said)}, and its facts put it at {checksum(ours)}"
            yield wrong(about, what, FIX, "G104", place=provider.place)
            return
    if not there:
        yield warning(about, "its factory has no pair of hubs", "use another venue here")
    else:
        yield fine(about, f"{len(there)} pairs of hubs are where its facts put them")


def _address(answer: bytes | None) -> Address | None:
    try:
        return None if answer is None else Address(str(_FACTORY.decode(answer)[0]).lower())
    except AbiError:
        return None


def _shown(address: Address | None) -> str:
    return "nobody" if address is None else checksum(address)
