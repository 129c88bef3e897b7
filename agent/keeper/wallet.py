"""One wallet as the keeper works with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.compose import check_decimals
from agent.compose.funds import DAYS, strays
from agent.compose.funds import search as search_logs
from agent.compose.notifiers import make_dead_man, make_notifiers
from agent.errors import Declined
from agent.keeper.begin import rehearsed
from agent.keeper.memory_file import memory_path, recall, remember
from agent.keeper.notices import Audience
from agent.keeper.tick import Desk, Wallet
from agent.wire.address import account_name

if TYPE_CHECKING:
    from agent.compose import Account
    from agent.core.plan import Plan
    from agent.core.snapshot import Snapshot
    from agent.core.state import State
    from agent.engine.recover import Stray
    from agent.ports import Clock
    from agent.settings import Settings


def wallet_of(
    account: Account, *, agreed: bool = False, rehearse: bool = True, search: bool = False
) -> Wallet:
    """The wallet of an open *account*; *agreed* says that confirmations were given beforehand.

    With *search* an empty journal is not believed: what the chains' logs tell is looked at.
    """

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

    def look_back(state: State) -> tuple[Stray, ...]:
        if not search or state.seq:
            return ()
        return strays(account, search_logs(account, account.io.bridges, DAYS), state)

    return Wallet(
        io=account.io,
        check=lambda: check_decimals(account),
        rehearse=rehearsal,
        permit=permit,
        desk=desk_of(account.settings, account.io.clock),
        search=look_back,
    )


def desk_of(settings: Settings, clock: Clock) -> Desk:
    """The keeper's memory in the state folder, and those whom the settings name."""
    path = memory_path(settings.paths.state, settings.account)
    return Desk(
        recall=lambda: recall(path),
        remember=lambda memory: remember(path, memory),
        clock=clock,
        audience=audience_of(settings),
    )


def audience_of(settings: Settings) -> Audience:
    """Who is told of this wallet, by the settings."""
    return Audience(
        portfolio=settings.name,
        wallet=account_name(settings.policy.chains[0], settings.account),
        local=settings.local,
        events=settings.notify.events,
        notifiers=make_notifiers(settings),
        alive=make_dead_man(settings),
    )
