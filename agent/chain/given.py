"""Balances that an account is to have in a simulation, as overrides of the chain's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.chain.multicall import Asks
from agent.chain.replies import quantity, value
from agent.core.money import Address, Token
from agent.errors import BadReply
from agent.wire.abi import encode, functions
from agent.wire.keccak import keccak256
from agent.wire.rpc import JSON, RpcError

SLOTS = (*range(16), 51, 101)
"""Where tokens keep the mapping of their balances: nearly all among their first variables, behind
OpenZeppelin's upgradeable base contracts at 51 or 101."""


def overrides(rpc: Asks, account: Address, given: Mapping[Token, int]) -> dict[Address, Any]:
    """State overrides by which *account* has *given* base units more, for `eth_simulateV1`.

    Where a token keeps balances is found by trying: with the right slot it says the new one.
    Raises ``BadReply`` for a token that keeps them elsewhere, and ``RpcError``.
    """
    found: dict[Address, Any] = {}
    for token, raw in given.items():
        if token.is_native:
            (held,) = rpc.batch([("eth_getBalance", (account, "latest"))])
            found[account] = {"balance": hex(quantity(value(held)) + raw)}
        else:
            found[token.address] = {"stateDiff": _stored(rpc, account, token, raw)}
    return found


def _stored(rpc: Asks, account: Address, token: Token, raw: int) -> dict[str, str]:
    """The storage word that makes a token say *raw* base units more."""
    ask = {"to": token.address, "data": functions("erc20")["balanceOf(address)"].encode(account)}
    (held,) = rpc.batch([("eth_call", (ask, "latest"))])
    wanted = quantity(_short(value(held))) + raw
    tries = [{key: f"0x{wanted:064x}"} for key in _keys(account)]
    answers = rpc.batch(
        [("eth_call", (ask, "latest", {token.address: {"stateDiff": each}})) for each in tries]
    )
    for each, answer in zip(tries, answers, strict=True):
        if not isinstance(answer, RpcError) and _says(answer, wanted):
            return each
    raise BadReply(
        f"nobody knows where {token.symbol} on chain {token.chain} keeps its balances",
        fix="let local forks simulate: rebalancer doctor says what they need",
    )


def _keys(account: Address) -> Sequence[str]:
    """Storage keys of the account in a mapping: as Solidity hashes them, then as Vyper does."""
    pairs = [("address", account), ("uint256", 0)]
    found = []
    for slot in SLOTS:
        pairs[1] = ("uint256", slot)
        for ordered in (pairs, pairs[::-1]):
            words = encode([kind for kind, _ in ordered], [word for _, word in ordered])
            found.append("0x" + keccak256(words).hex())
    return found


def _says(answer: JSON, wanted: int) -> bool:
    return isinstance(answer, str) and answer not in {"", "0x"} and int(answer, 16) == wanted


def _short(answer: JSON) -> JSON:
    """A word as a quantity, without the zeros in front."""
    return hex(int(answer, 16)) if isinstance(answer, str) and answer not in {"", "0x"} else answer
