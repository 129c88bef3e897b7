"""The composition root: the only package that knows concrete adapters."""

from agent.compose.account import Account, open_account, open_journal
from agent.compose.kill_switch import KillSwitch
from agent.compose.rehearse import Rehearsal, rehearse

__all__ = [
    "Account",
    "KillSwitch",
    "Rehearsal",
    "open_account",
    "open_journal",
    "rehearse",
]
