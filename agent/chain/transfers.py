"""Counts what one mined transaction moved of one token, by the token's own logs alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.chain.client import read_by_web3
from agent.chain.replies import bad_reply
from agent.core.money import Address, Token
from agent.wire.abi import interface

if TYPE_CHECKING:
    from web3 import Web3

_WORD = 32
_NOBODY = "0x" + "00" * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """One log: `source` and `target` are lower-case addresses, `raw` base units."""

    source: str
    target: str
    raw: int


def received(web3: Web3, account: Address, token: Token, transaction: str) -> tuple[int, int]:
    """Return (in, out) of *token* for *account* in base units, of one mined transaction.

    Only logs of exactly the token's contract count, so a look-alike's event is nothing. Wrapped
    coins in the manner of WETH9 mint and burn without a Transfer: their Deposit and Withdrawal
    count as moves from and to nobody, unless a Transfer from or to nobody tells the same again.

    Raises ``BadReply`` when the transaction is not mined or when a log of the token has another
    shape than ERC-20 and WETH9 give it: unknown is never zero. Raises ``ValueError`` for the
    native coin, whose moves leave no logs.
    """
    if token.is_native:
        raise ValueError("the native coin has no Transfer logs")
    with read_by_web3():
        receipt: Any = web3.eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
        if receipt["transactionHash"].to_0x_hex() != transaction:
            raise bad_reply("the receipt of another transaction")
        logs = [log for log in receipt["logs"] if log["address"].lower() == token.address]
        moves = _moves(web3, "erc20", "Transfer", logs)
        if not any(_NOBODY in (move.source, move.target) for move in moves):
            moves += _moves(web3, "weth", "Deposit", logs)
            moves += _moves(web3, "weth", "Withdrawal", logs)
    came = sum(move.raw for move in moves if move.target == account)
    went = sum(move.raw for move in moves if move.source == account)
    return came, went


def _moves(web3: Web3, abi: str, name: str, logs: list[Any]) -> list[_Move]:
    event = web3.eth.contract(abi=interface(abi)).events[name]()
    mine = [log for log in logs if log["topics"] and log["topics"][0].to_0x_hex() == event.topic]
    return [_move(event, log) for log in mine]


def _move(event: Any, log: Any) -> _Move:
    if log.get("removed") or len(log["data"]) != _WORD:
        raise bad_reply("a Transfer log that is none")
    told = event.process_log(log)["args"]
    return _Move(
        source=told.get("from", told.get("src", _NOBODY)).lower(),
        target=told.get("to", told.get("dst", _NOBODY)).lower(),
        raw=told.get("value", told.get("wad")),
    )
