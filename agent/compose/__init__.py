"""The composition root: the only package that knows concrete adapters.

Names are found when they are used: a command that only reads the journal pays for no adapter.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.compose.account import Account, open_account
    from agent.compose.glance import Glance, glance_at
    from agent.compose.journal import open_journal
    from agent.compose.kill_switch import KillSwitch
    from agent.compose.rehearsal import Rehearsal, rehearse
    from agent.compose.tokens import check_decimals

__all__ = [
    "Account",
    "Glance",
    "KillSwitch",
    "Rehearsal",
    "check_decimals",
    "glance_at",
    "open_account",
    "open_journal",
    "rehearse",
]

_HOMES = {
    "Account": "agent.compose.account",
    "Glance": "agent.compose.glance",
    "KillSwitch": "agent.compose.kill_switch",
    "Rehearsal": "agent.compose.rehearsal",
    "check_decimals": "agent.compose.tokens",
    "glance_at": "agent.compose.glance",
    "open_account": "agent.compose.account",
    "open_journal": "agent.compose.journal",
    "rehearse": "agent.compose.rehearsal",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
