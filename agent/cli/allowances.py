"""What the wallet allows known spenders to move: every token of every chain, in one request each.

Known are the contracts of the venues and bridges in use, the routers in chains.toml, and whoever
an earlier run of this wallet granted something.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.compose import Account
from agent.core.money import Address, ChainId, Token
from agent.core.state import State
from agent.errors import BadReply
from agent.wire import erc20

UNLIMITED = 2**96 - 1
"""From here on an allowance has no end: tokens that keep it in 96 bits store "all" as this
(UNI and COMP: `approve` in Uniswap/governance Uni.sol), the others as 2**256 - 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right to move `raw` base units of `token`; `name` says who the spender is."""

    token: Token
    spender: Address
    name: str
    raw: int

    @property
    def unlimited(self) -> bool:
        """Whether it never runs out."""
        return self.raw >= UNLIMITED


def known_spenders(account: Account, state: State) -> dict[ChainId, dict[Address, str]]:
    """Names of spenders by chain and address."""
    found: dict[ChainId, dict[Address, str]] = {chain: {} for chain in account.settings.chains}
    for run in state.runs.values():
        for known in run.intents.values():
            granted = known.intent.draft.allowance
            if granted is not None and known.intent.chain in found:
                found[known.intent.chain].setdefault(granted.spender, "an earlier run")
    for chain, facts in account.settings.chains.items():
        for venue in account.io.venues.values():
            found[chain] |= dict.fromkeys(venue.targets(chain), venue.name)
        for bridge in account.io.bridges.values():
            found[chain] |= dict.fromkeys(bridge.targets(chain), bridge.name)
        if facts.uniswap is not None:
            found[chain][facts.uniswap.swap_router_02] = "Uniswap SwapRouter02"
    return found


def grants(
    account: Account, spenders: dict[ChainId, dict[Address, str]], tokens: Iterable[Token]
) -> tuple[Grant, ...]:
    """What is granted now, zeros left out; raises Unavailable when it cannot be read."""
    found: list[Grant] = []
    wanted = [token for token in tokens if not token.is_native]
    for chain, names in spenders.items():
        pairs = [
            (token, spender)
            for token in wanted
            for spender in names
            # A wrapper is called, it spends from nobody.
            if token.chain == chain and token.address != spender
        ]
        reads = [erc20.allowance(token.address, account.io.account, who) for token, who in pairs]
        answers = account.nodes[chain].read(reads)
        for (token, spender), answer in zip(pairs, answers, strict=True):
            raw = _amount(answer, token, spender)
            if raw:
                found.append(Grant(token=token, spender=spender, name=names[spender], raw=raw))
    return tuple(found)


def _amount(answer: bytes | None, token: Token, spender: Address) -> int:
    if answer is None or len(answer) != 32:
        raise BadReply(
            f"{token.symbol} does not say what {spender} may move",
            fix="check the token's address in chains.toml",
        )
    return int.from_bytes(answer, "big")
