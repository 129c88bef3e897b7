"""What chains.toml says of tokens against what the tokens say of themselves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from agent.compose.account import Account
from agent.errors import StaleHead, TokenMismatch
from agent.ports import Node, Read
from agent.settings import ChainFacts
from agent.wire.abi import AbiError, functions


def check_decimals(account: Account) -> None:
    """Ask every known token of the wallet's chains for its decimals, one request per chain.

    One digit more or less is ten times as much money, so nothing is planned before. Raises
    TokenMismatch when one says something else than chains.toml or nothing, Unavailable when a
    chain does not answer.
    """
    chains = account.settings.chains
    pairs = [(facts, account.nodes[chain]) for chain, facts in chains.items()]
    with ThreadPoolExecutor(max(1, len(pairs)), "decimals") as pool:
        for wrong in pool.map(lambda pair: _wrong(*pair), pairs):
            if wrong is not None:
                raise wrong


def _wrong(facts: ChainFacts, node: Node) -> TokenMismatch | None:
    """The first token of a chain whose decimals are others, None when all are as configured."""
    ask = functions("erc20")["decimals()"]
    listings = [listing for listing in facts.listings if not listing.token.is_native]
    calls = [Read(listing.token.address, ask.encode()) for listing in listings]
    try:
        answers = node.read(calls)
    except StaleHead:
        # Decimals are as old as their token: a chain that stands still tells them, too.
        answers = node.read(calls)
    for listing, answer in zip(listings, answers, strict=True):
        token = listing.token
        said = _decoded(answer)
        if said != token.decimals:
            tells = "does not tell its decimals" if said is None else f"has {said} decimals"
            return TokenMismatch(
                f"{listing.place}: {token.symbol} on {facts.name} {tells}, "
                f"{token.decimals} are configured",
                fix="correct the address or the decimals from the source that stands beside them",
            )
    return None


def _decoded(answer: bytes | None) -> int | None:
    """A token's own word, None when it is none."""
    if answer is None:
        return None
    try:
        return int(functions("erc20")["decimals()"].decode(answer)[0])
    except AbiError:
        return None
