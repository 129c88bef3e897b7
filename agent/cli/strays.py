"""Transfers that no run follows, as they are told, and the run that `resume` begins for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.cli import output, present
from agent.core.wording import chain_name, whole
from agent.engine.recover import Stray
from agent.ports import Act, Delivered, Returned, Waiting

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Account
    from agent.engine.loop import Session


def recover(context: Context, account: Account, held: Session, days: int) -> str | None:
    """Look for transfers that no run follows, say what there is, and follow what can be.

    Returns the id of the run that was begun, None where there is nothing to follow now.
    """
    from agent.keeper.begin import follow_strays

    strays = _strays(context, account, held, days)
    for stray in strays:
        _tell(context, "transfer.found", body(stray), sentence(stray))
    now = account.io.clock.now()
    followed = [stray for stray in strays if stray.followed(now)]
    return follow_strays(held, account.io, followed) if followed else None


def _strays(context: Context, account: Account, held: Session, days: int) -> list[Stray]:
    """What ended runs left under way, and what the logs tell of that the journal does not know."""
    from agent.compose.funds import search, strays
    from agent.engine.recover import known, left

    io, state = account.io, held.state
    searched = search(account, io.bridges, days)
    for each in searched:
        if each.fault is not None:
            told = {"via": each.bridge, "chain": chain_name(each.chain), "why": each.fault.message}
            said = f"  … {told['chain']} {each.bridge}: not searched, {each.fault.message}"
            _tell(context, "transfer.unsearched", told, said)
    return [*(known(each, io) for each in left(state)), *strays(account, searched, state)]


def _tell(context: Context, kind: str, told: dict[str, Any], said: str) -> None:
    if context.json:
        output.line(kind, told)
    elif not context.quiet:
        output.say(said)


def body(stray: Stray) -> dict[str, Any]:
    """A stray for programs."""
    from agent.core.money import Amount

    claim, told = stray.claim, stray.told
    waits = told if isinstance(told, Waiting) else None
    return {
        "via": claim.via,
        "id": stray.id,
        "deposit": claim.detail,
        "known": stray.ours,
        "sold": present.amount(claim.planned_sell),
        "least": present.amount(Amount(claim.buy, claim.min_buy)),
        "chain": chain_name(claim.sell.token.chain),
        "to_chain": chain_name(claim.buy.chain),
        "state": state_of(stray),
        "why": why(stray),
        "until": None if waits is None else present.time_text(int(waits.until)),
        "refund": None if waits is None or waits.due is None else present.time_text(waits.due),
    }


def state_of(stray: Stray) -> str:
    """One word for what a transfer needs."""
    if stray.barred:
        return "barred"
    words = {Act: "claimable", Waiting: "waiting", Delivered: "arrived", Returned: "returned"}
    return words.get(type(stray.told), "unknown")


def why(stray: Stray) -> str:
    """What a transfer waits for, or how it ended."""
    told = stray.told
    if isinstance(told, Delivered):
        return f"{whole(told.amount)} arrived"
    if isinstance(told, Returned):
        return f"{whole(told.amount)} came back"
    return told.why


def sentence(stray: Stray) -> str:
    """A stray for people, in one line."""
    marks = {"claimable": "can be claimed", "unknown": "cannot be followed", "barred": "is left"}
    word = marks.get(state_of(stray), "")
    name = stray.id or f"{stray.claim.detail[:10]}…"
    sold = whole(stray.claim.planned_sell)
    head = f"found {sold} at {stray.claim.via} (deposit {name})"
    return f"{head}: {word + ': ' if word else ''}{why(stray)}"
