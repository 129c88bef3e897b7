"""The demo's proof: what the chains say now, against what the journal claims."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli.demo_show import Show
    from agent.compose import Account
    from agent.core.money import Token
    from agent.core.state import RunState
    from agent.engine.survey import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was recomputed.

    `outside` are parts outside their bands, `unexplained` tokens whose balance changed otherwise
    than the journal's facts say, `strangers` transactions of the wallet that the journal does
    not know or the other way round, `allowances` rights that are left over, `undelivered` legs
    that brought nothing.
    """

    outside: int
    unexplained: int
    strangers: int
    allowances: int
    undelivered: int

    @property
    def holds(self) -> bool:
        """Whether everything is as it was claimed."""
        found = (self.outside, self.unexplained, self.strangers, self.allowances, self.undelivered)
        return not any(found)


def prove(show: Show, account: Account, before: Look) -> Proof:
    """Read the chains once more at pinned blocks and compare with the journal; tells the result.

    Raises JournalCorrupt when the journal's hash chain is broken.
    """
    from agent.core.movement import delivered
    from agent.engine.survey import look

    state = account.state()
    after = look(account.io, state, asked=True)
    run = next(reversed(list(state.runs.values())))
    mined = sum(known.mined is not None for known in run.intents.values())
    sent = sum(node.sight(account.io.account, ()).nonce for node in account.nodes.values())
    proof = Proof(
        outside=sum(bool(drift.excess) for drift in after.decision.drifts),
        unexplained=len(unexplained(account, run)),
        strangers=abs(sent - mined),
        allowances=open_allowances(account, run),
        undelivered=sum(
            delivered(run, leg) is None for leg in run.legs.values() if not leg.given_up
        ),
    )
    show.tell(
        "PROOF   block-pinned, recomputed from the chains alone",
        inside_bands=not proof.outside,
        unexplained=proof.unexplained,
        transactions=mined,
        nonces=sent,
        allowances=proof.allowances,
        undelivered=proof.undelivered,
    )
    show.more(_table(before, after))
    show.more(
        f"  unexplained {proof.unexplained} · transactions in the journal {mined}, of the wallet on"
        f" the chains {sent} · allowances {proof.allowances} · journal's hash chain ✓"
    )
    return proof


def unexplained(account: Account, run: RunState) -> tuple[Token, ...]:
    """Tokens whose balances, read again at the blocks of the run's start and end, do not add up.

    Everything that the wallet has is looked at, also what the run did not touch.
    """
    from agent.core.closing import explained
    from agent.core.money import ChainId

    io, facts = account.io, explained(run)
    if run.closed is None:
        return tuple(holding.token for holding in run.started.before)
    ends = {at.chain: at.number for at in run.closed.blocks}
    wrong: list[Token] = []
    for at in run.started.blocks:
        chain = ChainId(at.chain)
        tokens = [h.token for h in run.started.before if h.token.chain == chain]
        end = ends.get(chain, at.number)
        was = io.nodes[chain].balances(io.account, tokens, at.number)
        now = io.nodes[chain].balances(io.account, tokens, end)
        wrong += [t for t in tokens if now[t] - was[t] != facts.get(t, 0)]
    return tuple(wrong)


def open_allowances(account: Account, run: RunState) -> int:
    """How many allowances that the run granted are not zero on chain."""
    from agent.engine.ask import allowances

    granted = [
        (known.intent.chain, known.intent.draft.allowance)
        for known in run.intents.values()
        if known.intent.draft.purpose == "approve" and known.intent.draft.allowance is not None
    ]
    return sum(
        allowances(account.io.nodes[chain], account.io.account, (item,))[0] != 0
        for chain, item in granted
    )


def _table(before: Look, after: Look) -> str:
    from agent.cli.output import table
    from agent.core.wording import money, percent

    was = {drift.name: drift.value for drift in before.decision.drifts}
    rows = [
        (
            f"  {drift.name}",
            money(was[drift.name]),
            money(drift.value),
            percent(drift.weight),
            f"{percent(drift.low)} to {percent(drift.high)}",
            "✗" if drift.excess else "✓",
        )
        for drift in after.decision.drifts
    ]
    total = [
        money(seen.valuation.value or Decimal(0)) if seen.valuation.value is not None else "unknown"
        for seen in (before, after)
    ]
    head = ("", "before", "after", "share", "band", "")
    return table([head, *rows, ("  total", *total, "", "", "")], right=frozenset({1, 2, 3}))
