"""The tail of an account's journal: the one place that appends."""

from __future__ import annotations

from decimal import Decimal
from functools import reduce

from agent.core.budget import charge, fee_verdict, first_use
from agent.core.fact import Fact, Reserved
from agent.core.fold import apply
from agent.core.intent import PROTECTIVE
from agent.core.money import Address
from agent.core.policy import Limits
from agent.core.state import Contradiction, State
from agent.core.verdict import Verdict
from agent.errors import JournalCorrupt
from agent.ports import Journal, Observer


def load(journal: Journal, account: Address) -> State:
    """The state that the journal of *account* says; raises JournalCorrupt."""
    try:
        return reduce(apply, journal.load(account), State())
    except Contradiction as error:
        raise contradiction(account, error) from None


def contradiction(account: Address, error: Contradiction) -> JournalCorrupt:
    """The error for a journal whose facts cannot follow each other."""
    return JournalCorrupt(
        f"the journal of {account} contradicts itself: {error}",
        fix="do not sign with this wallet by hand; keep the journal file and look at it "
        "with `rebalancer explain H101`",
    )


class Tail:
    """Appends facts at the end of one account's journal and keeps the folded state.

    Used by one thread; other threads get the state as a frozen value.
    """

    def __init__(self, journal: Journal, account: Address, observe: Observer) -> None:
        self._journal = journal
        self._observe = observe
        self.account = account
        self.state = load(journal, account)

    def append(self, fact: Fact) -> None:
        """Make *fact* durable, then fold it in.

        Raises Fenced when another process was first, JournalCorrupt when the fact cannot
        follow, DiskFull when it cannot be written; in all three nothing has changed.
        """
        try:
            after = apply(self.state, fact)
        except Contradiction as error:
            raise contradiction(self.account, error) from None
        self._journal.append(self.account, self.state.seq, fact)
        self.state = after
        self._observe(fact)

    def verdict(
        self, fact: Reserved, limits: Limits, now: int, canary: Decimal | None = None
    ) -> Verdict:
        """Whether the limits allow a reservation; asked serially, right before it is appended.

        Attempts that take risk away (revocations, claims, cancels) answer only to the fee cap:
        a spent budget must not keep an allowance open.
        """
        purpose, run = fact.intent.draft.purpose, fact.intent.run
        if purpose in PROTECTIVE or fact.kind == "cancel":
            return fee_verdict(fact.charges.fee, limits)
        via = self.state.runs[run].legs[fact.intent.leg].leg.via
        charged = charge(self.state, run, fact.charges, limits, now, deposit=purpose == "deposit")
        return charged + first_use(self.state, via, fact.charges.value, canary)
