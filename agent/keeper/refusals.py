"""Refusals at the border: what was a value inside becomes an error with its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.verdict import Refusal
    from agent.errors import AgentError


FIXES = {
    "C104": "ask for less; what is there: rebalancer balances",
    "G403": "send some of that chain's gas coin to the wallet",
    "G404": "send some of these to the wallet, or correct its address and chains in portfolio.toml",
}
"""What helps where waiting does not."""

WAIT = "wait, or see what is wrong: rebalancer doctor"


def error_of(refusal: Refusal, *more: Refusal) -> AgentError:
    """The error that a refusal is to the caller: the code's letter decides its class.

    *more* refusals of the same moment are told too; the first one's code stands for all.
    """
    from agent.errors import RefusedByGuard, SimulationFailed, Unavailable, WrongValue

    kinds: dict[str, type[AgentError]] = {
        "C": WrongValue,
        "N": Unavailable,
        "S": SimulationFailed,
    }
    kind = kinds.get(refusal.code[:1], RefusedByGuard)
    said = dict.fromkeys(each.why for each in (refusal, *more))
    return kind("; ".join(said), code=refusal.code, fix=FIXES.get(refusal.code, WAIT))
