"""The guard's rules for what a bridge does on another chain, where nothing can be simulated."""

from __future__ import annotations

from agent.core.proposal import Proposal
from agent.core.verdict import Refusal

MIN_FILL_SECONDS, MAX_FILL_SECONDS = 600, 21_600
"""How long a transfer may wait for its delivery before it is paid back: long enough for a deposit
that is mined late, and no longer than the six hours that Across's contracts allow."""


def destination_matches(p: Proposal) -> tuple[Refusal, ...]:
    """What is bought comes out on the leg's own chain, by the bytes of a bridge."""
    m = p.act
    if isinstance(m, Refusal):
        return ()
    here, there = p.leg.sell.token.chain, p.leg.buy.chain
    found = here if m.to_chain is None else m.to_chain
    if found == there and (m.to_chain is None) == (here == there):
        return ()
    return (Refusal("G113", f"the call delivers on chain {found}, the leg on chain {there}"),)


def refund_is_wallet(p: Proposal) -> tuple[Refusal, ...]:
    """A transfer that is not delivered is paid back to the wallet itself, or stays claimable."""
    m = p.act
    if isinstance(m, Refusal) or p.leg.kind != "bridge" or m.refund == p.account:
        return ()
    if m.lasting and m.refund is None:
        return ()
    return (Refusal("G114", f"an undelivered transfer would go back to {m.refund}"),)


def fill_deadline_sane(p: Proposal) -> tuple[Refusal, ...]:
    """A transfer can be delivered for a while, and is paid back within hours if it is not.

    One that stays claimable for its recipient for ever needs neither.
    """
    m = p.act
    if isinstance(m, Refusal) or p.leg.kind != "bridge" or m.lasting:
        return ()
    if m.fill_deadline is None:
        return (Refusal("G115", "the call does not say when an undelivered transfer ends"),)
    times = (p.chain_time, p.chain_time if p.far is None else p.far.time)
    if all(MIN_FILL_SECONDS <= m.fill_deadline - time <= MAX_FILL_SECONDS for time in times):
        return ()
    ahead = m.fill_deadline - max(times)
    limits = f"{MIN_FILL_SECONDS} to {MAX_FILL_SECONDS} s"
    return (Refusal("G115", f"it may be delivered for {ahead} s, not for {limits}"),)


def far_account_plain(p: Proposal) -> tuple[Refusal, ...]:
    """The same address on the far chain is an account without code, so that its key rules it."""
    if p.leg.sell.token.chain == p.leg.buy.chain:
        return ()
    there = p.leg.buy.chain
    if p.far is None or p.far.chain != there:
        return (Refusal("G405", f"your wallet's account on chain {there} was not looked at"),)
    if not p.far.account_code_hash:
        return ()
    return (Refusal("G405", f"your wallet's account on chain {there} has code"),)


def far_code_pinned(p: Proposal) -> tuple[Refusal, ...]:
    """The bridge's contracts on the far chain have code, and the code they must have."""
    if p.far is None:
        return ()
    refusals = []
    for address, pinned in p.far.targets.items():
        found = p.far.code_hashes.get(address, "")
        if not found:
            refusals.append(Refusal("G104", f"{address} has no code on chain {p.far.chain}"))
        elif pinned and found != pinned:
            why = f"{address} has other code on chain {p.far.chain} ({found[:10]}…)"
            refusals.append(Refusal("G104", why))
    if refusals or p.far.targets:
        return tuple(refusals)
    return (Refusal("G104", f"{p.leg.via} has no contract on chain {p.far.chain}"),)
