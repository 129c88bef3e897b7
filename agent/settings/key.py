"""One key of a configuration file: what it takes and what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it takes, what stands for it when absent, what it means.

    A part in angle brackets stands for any name of that kind. `default` is in TOML's own
    types; None means that there is none: `needed` then tells whether it may be absent.
    """

    name: str
    takes: str
    meaning: str
    default: str | int | tuple[str, ...] | None = None
    needed: bool = False

    @property
    def overridable(self) -> bool:
        """Whether flags, variables and the user's own file may say it too."""
        return "<" not in self.name and self.name != "schema"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it.

        >>> Key("limits.min_trade", "money", "").variable
        'REBALANCER_LIMITS__MIN_TRADE'
        """
        return "REBALANCER_" + self.name.upper().replace(".", "__")
