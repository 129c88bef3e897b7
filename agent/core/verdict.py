"""Refusals as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why something must not be signed; `code` is listed by `rebalancer explain`."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All refusals of all rules; none means that the rules have nothing against it."""

    refusals: tuple[Refusal, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was refused."""
        return not self.refusals

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(self.refusals + other.refusals)
