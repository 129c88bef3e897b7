"""Refusals at the border: what was a value inside becomes an error with its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.verdict import Refusal
    from agent.errors import AgentError


def error_of(refusal: Refusal) -> AgentError:
    """The error that a refusal is to the caller: the code's letter decides its class."""
    from agent.errors import RefusedByGuard, SimulationFailed, Unavailable

    kinds: dict[str, type[AgentError]] = {"N": Unavailable, "S": SimulationFailed}
    kind = kinds.get(refusal.code[:1], RefusedByGuard)
    return kind(refusal.why, code=refusal.code, fix="wait, or see what is wrong: rebalancer doctor")
