"""The guard: one small function per rule, all of them asked, every no kept."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.fees import money, most, offer
from agent.core.guard_bridge import (
    destination_matches,
    far_account_plain,
    far_code_pinned,
    fill_deadline_sane,
    refund_is_wallet,
)
from agent.core.money import Amount, Token
from agent.core.proposal import Proposal
from agent.core.quote import Call, Meaning
from agent.core.rounding import mul_div_down
from agent.core.verdict import Refusal, Verdict

__all__ = ["RULES", "Proposal", "Rule", "check"]

MAX_DEADLINE_SECONDS = 300
"""A swap that could be mined later than this after the quote is a free option for others."""

MAX_ORDER_SECONDS = 86_400
"""A signed order waits for a solver, and for other signers where a wallet has several."""

MAX_CLOCK_SKEW_SECONDS = 60
"""Chain time and our clock may differ by this much; the expiry of quotes rests on both."""

MAX_GAS_LIMIT = 15_000_000
"""Below the most that a transaction may have (2²⁴, EIP-7825) with room for what a rollup counts as
gas beside it: no call of ours is that large, a gas burner is."""

Rule = Callable[[Proposal], tuple[Refusal, ...]]


def understood(p: Proposal) -> tuple[Refusal, ...]:
    """Every call must decode, by layouts that we know."""
    return tuple(m for m in (*p.meanings[:-1], p.act) if isinstance(m, Refusal))


def target_allowed(p: Proposal) -> tuple[Refusal, ...]:
    """The act goes to addresses of the venue's list and to no other."""
    m = p.act
    if isinstance(m, Refusal):
        return ()
    return tuple(
        Refusal("G102", f"{target} is not a contract of {p.leg.via}")
        for target in dict.fromkeys((m.target, *(part.target for part in m.inner)))
        if target not in p.targets
    )


def allowance_exact(p: Proposal) -> tuple[Refusal, ...]:
    """Approvals grant a listed spender exactly what the leg sells, of the token it sells.

    Of Permit2, which must be listed itself, it is the call that names the token, and an end.
    """
    refusals = []
    for draft, m in p.approvals:
        if isinstance(m, Refusal):
            continue
        wanted = 0 if draft.purpose == "approve_zero" else p.sell_raw
        token, is_listed = (m.target, True) if m.sell is None else (m.sell, m.target in p.targets)
        if m.spender not in p.targets or not is_listed or token != p.leg.sell.token.address:
            refusals.append(Refusal("G103", f"{m.spender} must not spend {token}"))
        elif m.amount_in != wanted or m.value:
            why = f"an allowance of {m.amount_in} base units, {wanted} are needed"
            refusals.append(Refusal("G103", why))
        elif m.sell is not None and not _is_near(m.deadline, p.chain_time):
            refusals.append(Refusal("G103", f"a permit until {m.deadline} lasts too long or ended"))
    return tuple(refusals)


def _is_near(end: int | None, now: int) -> bool:
    return end is not None and 0 < end - now <= MAX_DEADLINE_SECONDS


def code_pinned(p: Proposal) -> tuple[Refusal, ...]:
    """Every contract that is called or may spend has code, and the code it must have."""
    refusals = []
    for address, found in p.code_hashes.items():
        pinned = p.targets.get(address, "")
        if not found:
            refusals.append(Refusal("G104", f"{address} has no code"))
        elif pinned and found != pinned:
            why = f"{address} has other code than it must have ({found[:10]}…)"
            refusals.append(Refusal("G104", why))
    needed = {draft.payload.to for draft in p.drafts if isinstance(draft.payload, Call)}
    needed |= {m.spender for _, m in p.approvals if isinstance(m, Meaning) and m.spender}
    if isinstance(p.act, Meaning):
        needed |= {p.act.target, *(part.target for part in p.act.inner)}
    unseen = sorted(needed - set(p.code_hashes))
    return (*refusals, *(Refusal("G104", f"the code of {each} was not read") for each in unseen))


def chain_matches(p: Proposal) -> tuple[Refusal, ...]:
    """Everything happens on the chain of what the leg sells."""
    wanted = p.leg.sell.token.chain
    found = {chain for draft in p.drafts for chain in (draft.chain, draft.payload.chain)}
    return tuple(
        Refusal("G106", f"a call is for chain {chain}, the leg for chain {wanted}")
        for chain in sorted(found - {wanted})
    )


def recipient_is_wallet(p: Proposal) -> tuple[Refusal, ...]:
    """What is bought goes to the wallet itself."""
    m = p.act
    if isinstance(m, Refusal) or m.recipient == p.account:
        return ()
    return (Refusal("G105", f"the recipient {m.recipient} is not your wallet"),)


def tokens_match(p: Proposal) -> tuple[Refusal, ...]:
    """The call sells and buys what the leg says; bytes that do not name a token say nothing."""
    m = p.act
    if isinstance(m, Refusal):
        return ()
    sold, bought = p.traded(m)
    wanted = (p.leg.sell.token.address, p.leg.buy.address)
    if (sold, bought) == wanted and p.quote.buy == p.leg.buy:
        return ()
    return (Refusal("G106", f"the call swaps {sold} for {bought}, the leg says otherwise"),)


def amount_matches(p: Proposal) -> tuple[Refusal, ...]:
    """The call sells exactly the leg's amount, in tokens or as value."""
    m = p.act
    if isinstance(m, Refusal):
        return ()
    sold = p.leg.sell.token
    paid = m.value - m.fee
    said = {paid, m.amount_in} - {None} if sold.is_native else {m.amount_in}
    if said == {p.sell_raw} and p.quote.sell == Amount(sold, p.sell_raw) and p.sell_raw > 0:
        return ()
    sent = paid if sold.is_native else m.amount_in
    return (Refusal("G107", f"the call sells {sent} base units, the leg {p.sell_raw}"),)


def value_matches(p: Proposal) -> tuple[Refusal, ...]:
    """Native coin goes along only when the leg sells it, or as the message fee of the quote."""
    m = p.act
    wanted = p.quote.fee + (p.sell_raw if p.leg.sell.token.is_native else 0)
    if isinstance(m, Refusal) or (m.value == wanted and m.fee == p.quote.fee >= 0):
        return ()
    sent = Amount(p.native, m.value).whole
    why = f"the call sends {sent} {p.native.symbol} along, {wanted} base units belong to the leg"
    return (Refusal("G108", why),)


def minimum_enforced(p: Proposal) -> tuple[Refusal, ...]:
    """The bytes themselves guarantee the least output; a wrap is one to one by its contract."""
    m = p.act
    if isinstance(m, Refusal) or p.is_wrap:
        return ()
    least = p.guaranteed
    if m.min_out is not None and m.min_out > 0 and m.min_out >= least:
        return ()
    return (Refusal("G109", f"the call guarantees {m.min_out} base units, at least {least} must"),)


def deadline_short(p: Proposal) -> tuple[Refusal, ...]:
    """A swap carries a deadline that is near, and the quote does not outlive it.

    A function that knows none is bound by its quote's end instead: what is not mined by then is
    cancelled.
    """
    m = p.act
    if isinstance(m, Refusal) or p.leg.kind != "swap":
        return ()
    deadline = p.quote.expires if m.undated else m.deadline
    if deadline is None:
        return (Refusal("G110", "the call has no deadline"),)
    longest = MAX_ORDER_SECONDS if p.is_order else MAX_DEADLINE_SECONDS
    ahead = deadline - p.chain_time
    if not (0 < ahead <= longest):
        return (Refusal("G110", f"the deadline is {ahead} s away, not 1 to {longest} s"),)
    if not (p.quote.expires <= deadline):
        late = p.quote.expires - deadline
        return (Refusal("G110", f"the quote outlives the deadline of its call by {late} s"),)
    return ()


def impact_bounded(p: Proposal) -> tuple[Refusal, ...]:
    """The quote itself is not worse than independent prices and the plan allow."""
    if p.quote.amount_out >= p.acceptable > 0:
        return ()
    buy = p.leg.buy
    offered, wanted = (Amount(buy, raw).whole for raw in (p.quote.amount_out, p.acceptable))
    why = f"independent prices and the plan want at least {wanted}"
    return (Refusal("G204", f"{p.leg.via} offers {offered} {buy.symbol}, {why}"),)


def slippage_bounded(p: Proposal) -> tuple[Refusal, ...]:
    """The quote's minimum is not further below its output than the policy's slippage."""
    kept = 10_000 - p.limits.max_slippage_bps
    if p.quote.min_amount_out >= mul_div_down(p.quote.amount_out, kept, 10_000):
        return ()
    why = f"the minimum {p.quote.min_amount_out} is too far below the quote {p.quote.amount_out}"
    return (Refusal("G205", f"{why} (limit {p.limits.max_slippage_bps} bps)"),)


def priced_twice(p: Proposal) -> tuple[Refusal, ...]:
    """Money moves only on prices that two independent sources agree on."""
    if p.is_wrap:
        return ()
    return tuple(
        Refusal("G206", f"{token.symbol} has no price from two sources")
        for token in (p.leg.sell.token, p.leg.buy)
        if not _is_priced_twice(p, token)
    )


def _is_priced_twice(p: Proposal, token: Token) -> bool:
    price = p.prices.of(token)
    return price is not None and price.independent


def account_plain(p: Proposal) -> tuple[Refusal, ...]:
    """The wallet is an account without code: delegated code could spend for others."""
    if not p.account_code_hash:
        return ()
    return (Refusal("G401", "your wallet's account has code (EIP-7702 delegation)"),)


def clocks_agree(p: Proposal) -> tuple[Refusal, ...]:
    """The chain's time and ours are close, or expiries mean nothing."""
    skew = abs(p.chain_time - p.clock_time)
    if skew <= MAX_CLOCK_SKEW_SECONDS:
        return ()
    why = f"the chain's newest block and this machine's clock differ by {skew} s"
    return (Refusal("G402", f"{why} (limit {MAX_CLOCK_SKEW_SECONDS})"),)


def simulation_passed(p: Proposal) -> tuple[Refusal, ...]:
    """All calls in a row go through on a copy of the chain."""
    if p.simulated.ok:
        return ()
    index, why = p.simulated.reverted or (0, "no reason")
    return (Refusal("S101", f"call {index + 1} of {len(p.drafts)} reverts: {why}"),)


def simulation_matches(p: Proposal) -> tuple[Refusal, ...]:
    """Exactly the leg's amount leaves, at least the minimum comes, nothing else goes.

    An order is executed by others, and a bridge delivers elsewhere: what they bring cannot
    be simulated here, their bytes must guarantee it. Up to a message fee of the gas coin may go
    as well: some of it comes back at once where less is needed.
    """
    if not p.simulated.ok or p.is_order:
        return ()
    refusals = []
    sell, buy = p.leg.sell.token, p.leg.buy
    sold = -p.simulated.deltas.get(sell, 0)
    got = p.simulated.deltas.get(buy, 0)
    spare = p.quote.fee if sell.is_native else 0
    if not (p.sell_raw <= sold <= p.sell_raw + spare):
        why = f"{sold} base units of {sell.symbol} leave instead of {p.sell_raw}"
        refusals.append(Refusal("S102", why))
    if p.leg.kind != "bridge" and not (got >= p.guaranteed):
        why = f"only {got} base units of {buy.symbol} arrive in the simulation"
        refusals.append(Refusal("S102", why))
    for token, raw in p.simulated.deltas.items():
        allowed = p.quote.fee if token.is_native else 0
        if token not in {sell, buy} and not (raw >= -allowed):
            refusals.append(Refusal("S102", f"{-raw} base units of {token.symbol} leave too"))
    return tuple(refusals)


def allowance_used_up(p: Proposal) -> tuple[Refusal, ...]:
    """Nothing of an allowance is left after the act, and each was looked at."""
    if not p.simulated.ok or p.is_order:
        return ()
    asked = sum(draft.allowance is not None for draft in p.drafts)
    if len(p.simulated.allowances) != asked:
        return (Refusal("S103", "what is left of an allowance was not read"),)
    if not any(p.simulated.allowances):
        return ()
    return (Refusal("S103", f"an allowance of {max(p.simulated.allowances)} base units is left"),)


def gas_sane(p: Proposal) -> tuple[Refusal, ...]:
    """Gas limits cover what the simulation used and are not those of a gas burner."""
    limits = [draft.gas_limit for draft in p.drafts if isinstance(draft.payload, Call)]
    used = p.simulated.gas_used
    if not all(limit <= MAX_GAS_LIMIT for limit in limits):
        return (Refusal("G306", f"a gas limit of {max(limits)} (limit {MAX_GAS_LIMIT})"),)
    if not p.simulated.ok:
        return ()
    if len(used) == len(limits) and all(u < limit for u, limit in zip(used, limits, strict=True)):
        return ()
    return (Refusal("G306", f"gas limits {limits} do not fit the gas used {list(used)}"),)


def fee_capped(p: Proposal) -> tuple[Refusal, ...]:
    """No transaction may cost more than the policy says, data and messages included."""
    limits = [draft.gas_limit for draft in p.drafts if isinstance(draft.payload, Call)]
    coin, cap = p.prices.of(p.native), p.limits.max_fee_per_tx
    if len(p.l1_fees) != len(limits):
        return (Refusal("G307", "what the transactions pay for data was not read"),)
    if coin is None:
        return (Refusal("G307", f"{p.native.symbol} has no price, so no fee can be limited"),)
    if not p.simulated.ok:
        return ()
    wei = [most(offer(p.fees), limit, data) for limit, data in zip(limits, p.l1_fees, strict=True)]
    # The act comes last, and it alone carries a message fee.
    fees = [
        money(each, coin.high) for each in (*wei[:-1], *(last + p.quote.fee for last in wei[-1:]))
    ]
    return tuple(
        Refusal("G304", f"the network fee could reach {fee:,.2f} (limit max_fee_per_tx {cap:,.2f})")
        for fee in fees
        if not (fee <= cap)
    )


def unread_protected(p: Proposal) -> tuple[Refusal, ...]:
    """Bytes that nobody read are there only where the call as a whole was seen to do its work.

    Then the contract itself enforces the minimum, and the simulation shows all that leaves.
    """
    m = p.act
    if isinstance(m, Refusal) or not m.unread:
        return ()
    if p.leg.kind == "swap" and not p.is_order and p.simulated.ok and m.min_out:
        return ()
    why = f"{m.name} carries bytes that nobody can read, and nothing else binds them"
    return (Refusal("G116", why),)


def canary_first(p: Proposal) -> tuple[Refusal, ...]:
    """The first use of a venue or bridge moves at most a little."""
    if p.canary is None or p.is_wrap:
        return ()
    if p.value is not None and p.value <= p.canary:
        return ()
    worth = "an unknown value" if p.value is None else f"{p.value:,.2f}"
    return (Refusal("G501", f"first use of {p.leg.via} with {worth} (canary {p.canary:,.2f})"),)


RULES: tuple[Rule, ...] = (
    understood,
    target_allowed,
    allowance_exact,
    code_pinned,
    chain_matches,
    destination_matches,
    refund_is_wallet,
    fill_deadline_sane,
    recipient_is_wallet,
    tokens_match,
    amount_matches,
    value_matches,
    minimum_enforced,
    deadline_short,
    impact_bounded,
    slippage_bounded,
    priced_twice,
    account_plain,
    far_account_plain,
    far_code_pinned,
    clocks_agree,
    simulation_passed,
    simulation_matches,
    allowance_used_up,
    gas_sane,
    fee_capped,
    unread_protected,
    canary_first,
)


def check(proposal: Proposal, rules: tuple[Rule, ...] = RULES) -> Verdict:
    """Ask every rule and keep every refusal."""
    return Verdict(tuple(refusal for rule in rules for refusal in rule(proposal)))
