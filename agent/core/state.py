"""The state of an account: what its journal says, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.core import fact as f
from agent.core.fact import Outcome
from agent.core.fees import money
from agent.core.frozen import empty
from agent.core.intent import Charges, Intent, SignedTx
from agent.core.money import ChainId, Token
from agent.core.plan import Leg, Plan


class Contradiction(ValueError):  # noqa: N818  the journal contradicts itself
    """A fact that cannot follow the ones before it; nothing may be signed on such a journal."""


@dataclass(frozen=True, slots=True)
class AttemptState:
    """One attempt: reserved, perhaps signed, perhaps handed to a node, or given up unsigned."""

    reserved: f.Reserved
    signed: f.Signed | None = None
    submitted: f.Submitted | None = None
    voided: bool = False


@dataclass(frozen=True, slots=True)
class IntentState:
    """One intent and everything that happened to it."""

    intent: Intent
    attempts: tuple[AttemptState, ...]
    mined: f.Mined | None = None
    confirmed: bool = False
    final: bool = False
    displaced: bool = False
    expired: bool = False
    fills: tuple[f.Filled, ...] = ()

    @property
    def live(self) -> tuple[AttemptState, ...]:
        """The attempts that were not given up."""
        return tuple(attempt for attempt in self.attempts if not attempt.voided)

    @property
    def voided(self) -> bool:
        """Whether nothing of it was or will be signed: its nonce is free."""
        return not self.live

    @property
    def quiet(self) -> bool:
        """Whether nothing more can happen to it, reorganisations aside."""
        return self.voided or self.displaced or self.expired or self.mined is not None

    @property
    def can_be_filled(self) -> bool:
        """Whether it is a signed order that others may still execute."""
        return self.intent.nonce is None and not self.quiet and self.live[-1].signed is not None

    @property
    def holds_nonce(self) -> bool:
        """Whether its nonce is spoken for: something is signed on it, or may yet be."""
        return bool(self.hashes) or not (self.voided or self.displaced)

    @property
    def succeeded(self) -> bool:
        """Whether what it was for has happened on chain."""
        mined = self.mined
        if mined is None:
            return bool(self.expired and self.fills)
        return mined.receipt.ok and self.attempts[mined.attempt].reserved.kind != "cancel"

    @property
    def hashes(self) -> tuple[tuple[int, str], ...]:
        """(attempt, transaction hash) of everything that was ever signed for it."""
        return tuple(
            (attempt.reserved.attempt, attempt.signed.payload.hash)
            for attempt in self.attempts
            if attempt.signed is not None and isinstance(attempt.signed.payload, SignedTx)
        )

    @property
    def names(self) -> tuple[tuple[int, str], ...]:
        """(attempt, name) of everything that was ever signed for it, orders too."""
        return tuple(
            (attempt.reserved.attempt, attempt.signed.payload.name)
            for attempt in self.attempts
            if attempt.signed is not None
        )

    @property
    def charged(self) -> Charges:
        """What it takes out of the limits now: reservations, or the proven cost."""
        if self.voided or self.displaced:
            return Charges(Decimal(0), Decimal(0))
        fee = sum((attempt.reserved.charges.fee for attempt in self.live), Decimal(0))
        value = self.intent.charges.value
        if self.mined is not None:
            fee = money(self.mined.receipt.fee, self.intent.native_price)
        if self.quiet and not self.succeeded:
            value = Decimal(0)
        return Charges(value, fee)


@dataclass(frozen=True, slots=True)
class LegState:
    """One leg and everything that happened to it, its intents aside.

    `given_up` says that another plan stands in for it since it was refused; `heir` is the run
    and the leg that follow its transfer now, after this run had ended without it. `undone` says
    that what it followed went away with its block: the run that sent it sends it again.
    """

    leg: Leg
    quoted: f.Quoted | None = None
    refused: f.Refused | None = None
    given_up: bool = False
    dues: tuple[f.Due, ...] = ()
    deferred: f.Deferred | None = None
    heir: tuple[str, str] | None = None
    undone: bool = False
    settled: f.Settled | None = None
    arrived: f.Arrived | None = None
    refunded: f.Refunded | None = None
    lost: f.Lost | None = None

    @property
    def landed(self) -> bool:
        """Whether a transfer is over: its money is there, came back, or is lost."""
        return not (self.arrived is None and self.refunded is None and self.lost is None)

    @property
    def rounds(self) -> int:
        """How many firm quotes it has had."""
        return 0 if self.quoted is None else self.quoted.round


@dataclass(frozen=True, slots=True)
class RunState:
    """One run: its plan, its legs, its intents, and how it ended.

    `base` is what the other runs had changed (base units) when this one began: what they
    change later, because blocks go away, is no loss and no gain of this run. `shunned` are the
    venues and bridges that were refused for what they offered: another way is better.
    """

    started: f.Started
    plan: Plan
    legs: Mapping[str, LegState]
    intents: Mapping[str, IntentState] = field(default_factory=empty)
    cancel: f.CancelRequested | None = None
    inflows: tuple[f.ForeignInflow, ...] = ()
    closed: f.Closed | None = None
    replans: int = 0
    reopened: int = 0
    base: Mapping[Token, int] = field(default_factory=empty)
    shunned: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.started.run

    @property
    def settled_for_good(self) -> bool:
        """Whether it is closed and no reorganisation can reopen it."""
        return self.closed is not None and all(
            intent.final or intent.mined is None for intent in self.intents.values()
        )

    def of_leg(self, leg: str) -> tuple[IntentState, ...]:
        """The intents of one leg, in the order in which they were reserved."""
        return tuple(intent for intent in self.intents.values() if intent.intent.leg == leg)


@dataclass(frozen=True, slots=True)
class Spent:
    """What an archived intent or leg took out of the limits, in the unit of account."""

    at: int
    charges: Charges
    lost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the last closed run ended."""

    run: str
    outcome: Outcome
    at: int


@dataclass(frozen=True, slots=True)
class State:
    """All that an account's journal says; `seq` is the position of the next fact.

    `ended` is how the last run ended, `acted` the same of the last that was more than claims.
    `floors` are the lowest free nonces by chain as archived runs left them; `vias` the
    venues and bridges that have worked once; `stuck` the runs that wait for a person.
    """

    seq: int = 0
    worker: str = ""
    runs: Mapping[str, RunState] = field(default_factory=empty)
    spent: tuple[Spent, ...] = ()
    ended: Ended | None = None
    acted: Ended | None = None
    stuck: tuple[str, ...] = ()
    floors: Mapping[ChainId, int] = field(default_factory=empty)
    vias: frozenset[str] = frozenset()

    @property
    def open_run(self) -> RunState | None:
        """The oldest run that is not closed."""
        return next((run for run in self.runs.values() if run.closed is None), None)

    @property
    def unreconciled(self) -> str | None:
        """The first run that ended with something unexplained and that nobody has accepted."""
        return self.stuck[0] if self.stuck else None

    def next_nonce(self, chain: ChainId) -> int:
        """The lowest nonce that no attempt which could be mined holds."""
        used = (
            known.intent.nonce + 1
            for run in self.runs.values()
            for known in run.intents.values()
            if known.intent.chain == chain and known.intent.nonce is not None and known.holds_nonce
        )
        return max((self.floors.get(chain, 0), *used))

    def intent(self, intent_id: str) -> IntentState:
        """The intent of that id; raises Contradiction when there is none."""
        run = self.runs.get(intent_id.partition("/")[0])
        if run is None or intent_id not in run.intents:
            raise Contradiction(f"no intent {intent_id}")
        return run.intents[intent_id]


def intent_id(run: str, leg: str, quote_round: int, index: int) -> str:
    """The id of an intent: unique in the account's journal, and it names its run."""
    return f"{run}/{leg}/{quote_round}/{index}"
