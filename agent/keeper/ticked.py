"""How a tick ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.fact import Outcome
from agent.errors import AgentError, RefusedByGuard
from agent.keeper.causes import Cause, cause_of
from agent.keeper.refusals import error_of

if TYPE_CHECKING:
    from agent.core.state import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """How a tick ended: in one of the five outcomes, or with an error.

    `run` is the run that it was about, None when it was about none; `began` whether the tick
    began it. `until` is when to look again at a run that waits (unix seconds). A tick that was
    `held` back asked nothing: the error is the one that an earlier tick met. `amiss` tells of
    what went wrong beside the money's work.
    """

    outcome: Outcome | None
    why: str
    run: RunState | None = None
    began: bool = False
    until: float | None = None
    error: AgentError | None = None
    held: bool = False
    amiss: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause | None:
        """Why it could not do its work, None where it did."""
        if self.error is not None:
            return cause_of(self.error.code)
        if self.outcome == "aborted" and self.run is not None:
            return cause_of(refusal_of(self.run).code)
        return None

    @property
    def good(self) -> bool:
        """Whether the keeper looked and could do what was to be done, or wait for it."""
        return self.outcome in {"done", "nothing", "waiting"}


def refusal_of(run: RunState) -> AgentError:
    """An aborted run as the error that its last refusal is, or a guard's where it has none."""
    refused = [leg.refused for leg in run.legs.values() if leg.refused is not None]
    if refused:
        return error_of(*refused[-1].refusals)
    why = "the run was aborted" if run.closed is None else run.closed.why
    return RefusedByGuard(why, fix="see what happened: rebalancer status")
