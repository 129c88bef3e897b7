"""One wallet as the keeper works with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.compose import check_decimals
from agent.errors import Declined
from agent.keeper.begin import rehearsed
from agent.keeper.memory_file import memory_path, recall, remember
from agent.keeper.tick import Wallet

if TYPE_CHECKING:
    from agent.compose import Account
    from agent.core.plan import Plan
    from agent.core.snapshot import Snapshot


def wallet_of(account: Account, *, agreed: bool = False, rehearse: bool = True) -> Wallet:
    """The wallet of an open *account*; *agreed* says that confirmations were given beforehand."""
    path = memory_path(account.settings.paths.state, account.settings.account)

    def permit(plan: Plan) -> None:
        if not agreed and account.settings.confirm.needed(plan.turnover):
            raise Declined(
                f"plan {plan.id[:4]} moves {plan.turnover:,.2f} and nobody is there to confirm it",
                fix="run it on a terminal, where a person can read and confirm it",
            )
        account.permit(plan.turnover)

    def rehearsal(plan: Plan, snapshot: Snapshot) -> None:
        if rehearse:
            rehearsed(account, plan, snapshot)

    return Wallet(
        io=account.io,
        check=lambda: check_decimals(account),
        rehearse=rehearsal,
        permit=permit,
        recall=lambda: recall(path),
        remember=lambda memory: remember(path, memory),
    )
