"""The guard: one small function per rule, all of them asked, every no kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent.core.intent import Draft
from agent.core.money import NATIVE, Address, Amount, Token
from agent.core.plan import Leg
from agent.core.policy import Limits
from agent.core.price import Prices
from agent.core.quote import Call, Meaning, Quote
from agent.core.simulated import Simulated
from agent.core.verdict import Refusal, Verdict

MAX_DEADLINE_SECONDS = 300
"""A swap that could be mined later than this after the quote is a free option for others."""

MAX_CLOCK_SKEW_SECONDS = 60
"""Chain time and our clock may differ by this much; the expiry of quotes rests on both."""

MAX_GAS_LIMIT = 15_000_000
"""Half of a usual mainnet block: no call of ours is that large, a gas burner is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is about to be done for one leg, and all that the rules may look at.

    `drafts` are the approvals and, last, the act; `meanings` belong to them in order, each
    decoded from the draft's own bytes; `simulated` ran them in a row. `min_out` is the least
    that independent prices and the plan allow, in base units. `targets` are the addresses
    that may be called or may spend, with the code hash they must have ('' where none is
    pinned); `code_hashes` what is found on chain. Times are unix seconds. `canary` limits
    the value of a first use, None when there is no limit.
    """

    account: Address
    leg: Leg
    sell_raw: int
    quote: Quote
    drafts: tuple[Draft, ...]
    meanings: tuple[Meaning | Refusal, ...]
    simulated: Simulated
    prices: Prices
    limits: Limits
    min_out: int
    targets: Mapping[Address, str]
    code_hashes: Mapping[Address, str]
    account_code_hash: str
    chain_time: int
    clock_time: int
    native: Token
    canary: Decimal | None = None
    value: Decimal | None = None

    @property
    def act(self) -> Meaning | Refusal:
        """What the act means as a whole: nested calls in a row read as one."""
        last = self.meanings[-1]
        return last if isinstance(last, Refusal) else whole(last)

    @property
    def is_order(self) -> bool:
        """Whether the act is a signed message that others execute."""
        return not isinstance(self.quote.payload, Call)

    @property
    def approvals(self) -> tuple[tuple[Draft, Meaning | Refusal], ...]:
        """The drafts before the act with their meanings."""
        return tuple(zip(self.drafts[:-1], self.meanings[:-1], strict=True))


Rule = Callable[[Proposal], tuple[Refusal, ...]]


def whole(meaning: Meaning) -> Meaning | Refusal:
    """One meaning for a row of nested calls that hand their output on to each other.

    Each call but the last must keep its output in the router, and the next must sell just
    that, all of it (amount 0 means the router's own balance); otherwise G111.
    """
    if not meaning.inner:
        return meaning
    parts = [whole(part) for part in meaning.inner]
    done: list[Meaning] = []
    for part in parts:
        if isinstance(part, Refusal):
            return part
        if done and not _continues(done[-1], part, meaning.target):
            return Refusal("G111", f"{part.name} does not continue {done[-1].name}")
        done.append(part)
    first, last = done[0], done[-1]
    return Meaning(
        target=meaning.target,
        selector=meaning.selector,
        name=" + ".join(part.name for part in done),
        recipient=last.recipient,
        sell=first.sell,
        amount_in=first.amount_in,
        buy=last.buy,
        min_out=last.min_out,
        value=meaning.value,
        spender=next((part.spender for part in done if part.spender is not None), None),
        deadline=meaning.deadline,
    )


def _continues(before: Meaning, after: Meaning, router: Address) -> bool:
    handed_on = before.buy is not None and before.recipient == router
    return handed_on and after.sell == before.buy and after.amount_in == 0


def understood(p: Proposal) -> tuple[Refusal, ...]:
    """Every call must decode, by layouts that we know."""
    return tuple(m for m in (*p.meanings[:-1], p.act) if isinstance(m, Refusal))


def target_allowed(p: Proposal) -> tuple[Refusal, ...]:
    """The act goes to an address of the venue's list and to no other."""
    return tuple(
        Refusal("G102", f"{m.target} is not a contract of {p.leg.via}")
        for m in (p.act,)
        if isinstance(m, Meaning) and m.target not in p.targets
    )


def allowance_exact(p: Proposal) -> tuple[Refusal, ...]:
    """Approvals grant a listed spender exactly what the leg sells, of the token it sells."""
    refusals = []
    for draft, m in p.approvals:
        if isinstance(m, Refusal):
            continue
        wanted = 0 if draft.purpose == "approve_zero" else p.sell_raw
        if m.spender not in p.targets or m.target != p.leg.sell.token.address:
            refusals.append(Refusal("G103", f"{m.spender} must not spend {m.target}"))
        elif m.amount_in != wanted or m.value:
            why = f"an allowance of {m.amount_in} base units, {wanted} are needed"
            refusals.append(Refusal("G103", why))
    return tuple(refusals)


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
    called = {draft.payload.to for draft in p.drafts if isinstance(draft.payload, Call)}
    unseen = called - set(p.code_hashes)
    return (*refusals, *(Refusal("G104", f"the code of {a} was not read") for a in unseen))


def recipient_is_wallet(p: Proposal) -> tuple[Refusal, ...]:
    """What is bought goes to the wallet itself."""
    m = p.act
    if isinstance(m, Refusal) or m.recipient == p.account:
        return ()
    return (Refusal("G105", f"the recipient {m.recipient} is not your wallet"),)


def tokens_match(p: Proposal) -> tuple[Refusal, ...]:
    """The call sells and buys what the leg says."""
    m = p.act
    if isinstance(m, Refusal):
        return ()
    wanted = (_contract(p.leg.sell.token), _contract(p.leg.buy))
    if (m.sell, m.buy) == wanted:
        return ()
    return (Refusal("G106", f"the call swaps {m.sell} for {m.buy}, the leg says otherwise"),)


def _contract(token: Token) -> Address | None:
    return None if token.address == NATIVE else token.address


def amount_matches(p: Proposal) -> tuple[Refusal, ...]:
    """The call sells exactly the leg's amount, in tokens or as value."""
    m = p.act
    if isinstance(m, Refusal):
        return ()
    sent = m.value if p.leg.sell.token.is_native else m.amount_in
    if sent == p.sell_raw and p.quote.sell == Amount(p.leg.sell.token, p.sell_raw):
        return ()
    return (Refusal("G107", f"the call sells {sent} base units, the leg {p.sell_raw}"),)


def value_matches(p: Proposal) -> tuple[Refusal, ...]:
    """Native coin goes along only when the leg sells it."""
    m = p.act
    wanted = p.sell_raw if p.leg.sell.token.is_native else 0
    if isinstance(m, Refusal) or m.value == wanted:
        return ()
    return (Refusal("G108", f"the call sends {m.value} wei along, {wanted} belong to the leg"),)


def minimum_enforced(p: Proposal) -> tuple[Refusal, ...]:
    """The bytes themselves guarantee the least output; a wrap is one to one by its contract."""
    m = p.act
    if isinstance(m, Refusal) or p.leg.kind in {"wrap", "unwrap"}:
        return ()
    least = max(p.min_out, p.quote.min_amount_out)
    if m.min_out is not None and m.min_out > 0 and m.min_out >= least:
        return ()
    return (Refusal("G109", f"the call guarantees {m.min_out} base units, at least {least} must"),)


def deadline_short(p: Proposal) -> tuple[Refusal, ...]:
    """A swap carries a deadline that is near."""
    m = p.act
    if isinstance(m, Refusal) or p.leg.kind != "swap" or p.is_order:
        return ()
    if m.deadline is None:
        return (Refusal("G110", "the call has no deadline"),)
    ahead = m.deadline - p.chain_time
    if 0 < ahead <= MAX_DEADLINE_SECONDS and p.quote.expires <= m.deadline:
        return ()
    return (Refusal("G110", f"the deadline is {ahead} s away, at most {MAX_DEADLINE_SECONDS}"),)


def impact_bounded(p: Proposal) -> tuple[Refusal, ...]:
    """The quote itself is not worse than independent prices and the plan allow."""
    if p.quote.amount_out >= p.min_out and p.min_out > 0:
        return ()
    symbol = p.leg.buy.symbol
    return (
        Refusal(
            "G204",
            f"{p.leg.via} offers {Amount(p.leg.buy, p.quote.amount_out).whole} {symbol}, "
            f"independent prices and the plan want at least "
            f"{Amount(p.leg.buy, p.min_out).whole}",
        ),
    )


def slippage_bounded(p: Proposal) -> tuple[Refusal, ...]:
    """The quote's minimum is not further below its output than the policy's slippage."""
    least = p.quote.amount_out * (10_000 - p.limits.max_slippage_bps) // 10_000
    if p.quote.min_amount_out >= least:
        return ()
    return (
        Refusal(
            "G205",
            f"the minimum {p.quote.min_amount_out} is more than "
            f"{p.limits.max_slippage_bps} bps below the quote",
        ),
    )


def priced_twice(p: Proposal) -> tuple[Refusal, ...]:
    """Money moves only on prices that two independent sources agree on."""
    if p.leg.kind in {"wrap", "unwrap"}:
        return ()
    refusals = []
    for token in (p.leg.sell.token, p.leg.buy):
        price = p.prices.of(token)
        if price is None or not price.independent:
            refusals.append(Refusal("G206", f"{token.symbol} has no price from two sources"))
    return tuple(refusals)


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
    be simulated here, their bytes must guarantee it.
    """
    if not p.simulated.ok or p.is_order:
        return ()
    refusals = []
    sold = -p.simulated.deltas.get(p.leg.sell.token, 0)
    got = p.simulated.deltas.get(p.leg.buy, 0)
    if sold != p.sell_raw:
        why = f"{sold} base units of {p.leg.sell.token.symbol} leave instead of {p.sell_raw}"
        refusals.append(Refusal("S102", why))
    least = max(p.min_out, p.quote.min_amount_out)
    if p.leg.kind != "bridge" and not (got >= least):
        why = f"only {got} base units of {p.leg.buy.symbol} arrive in the simulation"
        refusals.append(Refusal("S102", why))
    others = {p.leg.sell.token, p.leg.buy}
    for token, raw in p.simulated.deltas.items():
        if token not in others and not (raw >= 0):
            refusals.append(Refusal("S102", f"{-raw} base units of {token.symbol} leave too"))
    return tuple(refusals)


def allowance_used_up(p: Proposal) -> tuple[Refusal, ...]:
    """Nothing of an allowance is left after the act."""
    if not p.simulated.ok or p.is_order or not any(p.simulated.allowances):
        return ()
    return (Refusal("S103", f"an allowance of {max(p.simulated.allowances)} base units is left"),)


def gas_sane(p: Proposal) -> tuple[Refusal, ...]:
    """Gas limits cover what the simulation used and are not those of a gas burner."""
    limits = [draft.gas_limit for draft in p.drafts if isinstance(draft.payload, Call)]
    pairs = zip(limits, p.simulated.gas_used, strict=False)
    if all(used < limit for limit, used in pairs) and all(x <= MAX_GAS_LIMIT for x in limits):
        return ()
    return (Refusal("G306", f"gas limits {limits} do not fit used {p.simulated.gas_used}"),)


def canary_first(p: Proposal) -> tuple[Refusal, ...]:
    """The first use of a venue or bridge moves at most a little."""
    if p.canary is None or p.leg.kind in {"wrap", "unwrap"}:
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
    clocks_agree,
    simulation_passed,
    simulation_matches,
    allowance_used_up,
    gas_sane,
    canary_first,
)


def check(proposal: Proposal, rules: tuple[Rule, ...] = RULES) -> Verdict:
    """Ask every rule and keep every refusal."""
    return Verdict(tuple(refusal for rule in rules for refusal in rule(proposal)))
