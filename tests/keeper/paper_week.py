"""A week of keeper time on paper: prices move, things break at random, people come and go.

The same seed gives the same week. What must hold whatever happens is checked after each tick
(`Week.tick`) and once more when everything has healed (`Week.settle`).
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from crash_rig import Crash, Fuse, Fused
from paper_world import (
    ASSETS,
    BRIDGE,
    ETH_A,
    ETH_B,
    ETHER,
    ME,
    TOKENS,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    address,
    policy,
)

from agent.compose.account import replanner
from agent.core import fact as f
from agent.core.agree import agree
from agent.core.decide import drifts
from agent.core.fees import money
from agent.core.fold import apply
from agent.core.market import Edge
from agent.core.money import Address, Bps, ChainId, Token
from agent.core.notice import Notice
from agent.core.plan import Plan
from agent.core.policy import Policy, Range, Target, Trigger
from agent.core.price import Opinion, Prices
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.core.value import value
from agent.engine.io import Io
from agent.engine.loop import session
from agent.engine.survey import read
from agent.errors import (
    SimulationFailed,
    StaleHead,
    Unreachable,
)
from agent.keeper.memory import Memory
from agent.keeper.notices import Audience
from agent.keeper.tick import Desk, Wallet, advance
from agent.keeper.ticked import Ticked
from agent.ports import Sent
from agent.sim.bridge import PaperBridge

EVERY = 600
BUDGET = 240.0
BLOCK_SECONDS = 12
DAY, MONTH = 86_400, 30 * 86_400
HEARTBEAT = 3_600
LEAVE_ALONE = 3
"""Ticks after which a person looks at what waits for one."""

OUTCOMES = {"done", "nothing", "aborted", "waiting", "needs_human"}
STEPS = {"ETH": 0.006, "WBTC": 0.005, "USDC": 0.0002}
"""Standard deviation of a tick's relative price change: some 7 % a day, as in wild weeks."""

LIMITS: dict[str, Decimal] = {
    "max_run_value": Decimal(20_000),
    "max_day_value": Decimal(45_000),
    "max_month_cost": Decimal(400),
    "max_in_flight": Decimal(15_000),
    "max_fee_per_tx": Decimal(15),
    "min_trade": Decimal(50),
}
LIMITED = {"G301", "G302", "G303", "G304", "G305"}
"""Refusals that say that a limit has done its work."""


class BrokenRuleError(AssertionError):
    """Something that must hold does not; the text names the seed and the tick."""


@dataclass(slots=True)
class Node:
    """A chain's node that can be down, behind, or lose what it is sent."""

    inner: Any
    week: Week

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in _ASKED:
            return found

        def ask(*args: Any, **named: Any) -> Any:
            on = self.week.faults
            where = f"chain {self.inner.chain}"
            if f"down {self.inner.chain}" in on:
                raise Unreachable(f"the node of {where} cannot be reached", fix="wait")
            if f"behind {self.inner.chain}" in on:
                raise StaleHead(f"the newest block of {where} is old", fix="wait")
            return found(*args, **named)

        return ask

    def send(self, raw: str) -> Sent:
        if f"down {self.inner.chain}" in self.week.faults:
            return Sent(accepted=False, said="connection refused")
        lost = self.week.dice.random()
        if lost < 0.03:
            return Sent(accepted=False, said="the request was lost")
        sent: Sent = self.inner.send(raw)
        return Sent(accepted=False, said="the reply was lost") if lost > 0.97 else sent


_ASKED = {
    "snapshot",
    "balances",
    "read",
    "block",
    "code_hashes",
    "fees",
    "sight",
    "pending_nonce",
    "received",
    "simulate",
}


class Remembering:
    """A journal that keeps what it decoded: a week of ticks reads it thousands of times."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._facts: list[f.Fact] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(self, account: Address, seq: int, fact: f.Fact) -> None:
        self._inner.append(account, seq, fact)
        self._facts.append(fact)

    def load(self, _account: Address) -> tuple[f.Fact, ...]:
        return tuple(self._facts)


class Ferry(PaperBridge):
    """Carries USDC and wrapped ether, and offers nothing else."""

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        served = [(a, b) for a, b in routes if {a, b} in ({USDC_A, USDC_B}, {WETH_A, WETH_B})]
        return tuple(
            replace(edge, ladder=tuple(self._point(sizes[edge.sell], part) for part in PARTS))
            for edge in super().survey(served, sizes)
        )

    def _point(self, size: int, part: int) -> tuple[int, int]:
        raw = size * part // PARTS[-1]
        return raw, self._out(raw)


PARTS = (1, 10, 100, 1_000)
"""Points of a ladder: a bridge is not believed below its first one."""


@dataclass(slots=True)
class Person:
    """Hears every notice, sometimes not, and looks at what waits for a person."""

    week: Week
    name: str = "pager"
    heard: list[Notice] = field(default_factory=list)
    signs_of_life: int = 0

    def tell(self, notice: Notice) -> None:
        if "deaf" in self.week.faults:
            raise Unreachable("nobody answers", fix="wait")
        self.heard.append(notice)

    def alive(self) -> None:
        self.signs_of_life += 1


@dataclass(slots=True)
class Week:
    """A world in which time flies, and the keeper that lives in it."""

    seed: int
    dice: random.Random = field(init=False)
    world: World = field(init=False)
    policy: Policy = field(init=False)
    values: dict[str, Decimal] = field(init=False)
    published: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    person: Person = field(init=False)
    ticks: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    longest_outside: int = 0
    unexcused: int = 0
    asked_for_person: int = 0
    given: Counter[Token] = field(default_factory=Counter)
    first: dict[Token, int] = field(init=False)
    _counted: int = 0
    _folded: State = field(default_factory=State)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.values = {"ETH": Decimal(3000), "USDC": Decimal(1), "WBTC": Decimal(60_000)}
        self.world = World("push", automine=False, finality=3)
        self.world.journal = Remembering(self.world.journal)  # type: ignore[assignment]
        self.world.bridge = Ferry(BRIDGE, self.world.chains, "push")
        for node in self.world.chains.values():
            node.contracts[BRIDGE] = self.world.bridge
        self.person = Person(self)
        self._let_blocks_come()
        self._fund()
        limits = {**LIMITS, "max_cost_bps": 80}
        self.policy = replace(
            policy(**limits),
            targets={
                "ETH": Target(Bps(5000), Bps(250)),
                "USDC": Target(Bps(3000), Bps(250)),
                "WBTC": Target(Bps(2000), Bps(200)),
            },
            # Less is there at first: it takes transfers to stay inside.
            by_chain={A: Range(Bps(4000), Bps(6000))},
            trigger=Trigger(mode="threshold", cooldown_seconds=1_800),
            gas_reserve={A: ETHER // 4, B: ETHER // 4},
        )
        self._publish()
        self._offer()
        self.first = {token: self.world.holds(token) for token in TOKENS}

    # The world.

    def _let_blocks_come(self) -> None:
        clock, sleep = self.world.clock, self.world.clock.sleep
        since = 0.0

        def pass_by(seconds: float) -> None:
            nonlocal since
            sleep(seconds)
            since += max(1.0, seconds)
            while since >= BLOCK_SECONDS:
                since -= BLOCK_SECONDS
                self._mine()
                if self.dice.random() < 0.01:
                    self._act()

        clock.sleep = pass_by  # type: ignore[method-assign]
        self._sleep = sleep

    _sleep: Callable[[float], None] = field(init=False)

    def _mine(self) -> None:
        for chain, node in self.world.chains.items():
            if f"halted {chain}" not in self.faults:
                node.mine()

    def _fund(self) -> None:
        ledger_a, ledger_b = (self.world.chains[chain].ledger for chain in (A, B))
        ledger_a.mint(USDC_A.address, ME, 20_000 * 10**6)
        ledger_b.mint(USDC_B.address, ME, 28_000 * 10**6)
        ledger_b.mint(WBTC_B.address, ME, 52_000_000)
        ledger_a.allowances.clear()
        for node in self.world.chains.values():
            node.mine(3)

    def _move_prices(self) -> None:
        for asset, step in STEPS.items():
            change = Decimal(str(round(self.dice.gauss(0, step), 6)))
            if asset == "USDC":
                # A peg pulls back.
                change -= (self.values[asset] - 1) / 10
            elif self.dice.random() < 0.003:
                change += Decimal(str(self.dice.choice((-0.06, 0.06))))
            self.values[asset] *= 1 + change

    def _publish(self) -> None:
        if "price stale" not in self.faults:
            self.published = self.world.clock.now()

    def _offer(self) -> None:
        """Venues follow the prices, at a cost."""
        rates: dict[Any, Fraction] = {}
        for sell, buy in itertools.permutations((WETH_A, USDC_A), 2):
            rates[sell.address, buy.address] = self._rate(sell, buy)
        for sell, buy in itertools.permutations((WETH_B, USDC_B, WBTC_B), 2):
            rates[sell.address, buy.address] = self._rate(sell, buy)
        worse = Fraction(96, 100) if "forged quotes" in self.faults else Fraction(1)
        self.world.venue.rates = {key: rate * worse for key, rate in rates.items()}
        self.world.venue.recipient = address(0xBAD) if "stolen recipient" in self.faults else None

    def _rate(self, sell: Token, buy: Token) -> Fraction:
        fair = Fraction(self._price(sell)) / Fraction(self._price(buy))
        fee = Fraction(10_000 - 15, 10_000)
        return fair * Fraction(10**buy.decimals, 10**sell.decimals) * fee

    def _price(self, token: Token) -> Decimal:
        (asset,) = [name for name, tokens in ASSETS.items() if token in tokens]
        return self.values[asset]

    def prices(self) -> Prices:
        """What two feeds say of the assets."""
        now, heard = self.world.clock.now(), []
        for asset, worth in self.values.items():
            other = worth * Decimal("1.0004")
            if "prices disagree" in self.faults and asset == "ETH":
                other = worth * Decimal("1.03")
            at = self.published
            heard += [
                Opinion("feed", asset, worth, at, at + HEARTBEAT),
                Opinion("pool", asset, other, at, at + HEARTBEAT),
            ]
        return agree(heard, assets=ASSETS, now=now, max_spread_bps=75)

    # What goes wrong.

    def _break(self) -> None:
        self.faults = {name: left - 1 for name, left in self.faults.items() if left > 1}
        if self.dice.random() < 0.10:
            name = self.dice.choice(FAULTS)
            self.faults[name] = self.dice.randint(1, 12)
        if self.dice.random() < 0.03:
            self._act()
        for chain in (A, B):
            node = self.world.chains[chain]
            node.base_fee = 10**9 * (400 if f"dear gas {chain}" in self.faults else 1)
        bridge = self.world.bridge
        bridge.way = (
            "never"
            if "bridge late" in self.faults
            else ("refund" if "bridge refunds" in self.faults else "push")
        )

    def _act(self) -> None:
        """Somebody pays in, or the owner takes something out, whatever the keeper is at."""
        token = self.dice.choice((USDC_A, USDC_B, WBTC_B, WETH_A, WETH_B))
        if self.dice.random() < 0.6:
            self._give(token.chain, token, self._worth(token, self.dice.randint(200, 4_000)))
            return
        most = min(self.world.holds(token), self._worth(token, self.dice.randint(100, 2_000)))
        if most:
            self._give(token.chain, token, -most)

    def _worth(self, token: Token, dollars: int) -> int:
        return int(Decimal(dollars) / self._price(token) * 10**token.decimals)

    def _give(self, chain: ChainId, token: Token, raw: int) -> None:
        """Somebody sends something, or the owner takes something out with a transaction."""
        node = self.world.chains[chain]
        if raw < 0:
            node.use_nonce(ME)
            node.mine()
            node.ledger.move(token.address, ME, address(0x0DD), -raw)
        else:
            node.ledger.mint(token.address, ME, raw)
        node.mine()
        self.given[token] += raw
        self.counts["deposits" if raw > 0 else "withdrawals"] += 1

    # The keeper.

    def io(self, fuse: Fuse) -> Io:
        """The ports of one process, which dies when its fuse has burnt down."""
        nodes = {
            chain: Fused(Node(node, self), fuse, "send")
            for chain, node in self.world.chains.items()
        }
        venues = self.world.io().venues
        io = self.world.io(
            policy=self.policy,
            nodes=nodes,
            venues={name: venue for name, venue in venues.items() if name != "book"},
            prices=self.prices,
            journal=Fused(self.world.journal, fuse, "append"),
            signer=Fused(self.world.io().signer, fuse, "sign"),
        )
        return replace(io, replan=replanner(io))

    def wallet(self, fuse: Fuse) -> Wallet:
        """The wallet as a process of the keeper sees it."""

        def remember(memory: Memory) -> None:
            fuse.tick()
            self.memory = memory

        audience = Audience(
            portfolio="paper",
            events=("started", "late", "refused", "needs_human", "done"),
            notifiers=(self.person,),
            alive=self.person.alive,
        )
        io = self.io(fuse)
        desk = Desk(
            recall=lambda: self.memory, remember=remember, clock=io.clock, audience=audience
        )
        return Wallet(
            io=io, check=lambda: None, rehearse=self._rehearse, permit=lambda _plan: None, desk=desk
        )

    def _rehearse(self, _plan: Plan, _snapshot: Snapshot) -> None:
        if "rehearsal fails" in self.faults:
            raise SimulationFailed("the rehearsal ended otherwise", code="S104", fix="plan again")

    def live(self, ticks: int) -> None:
        """So many ticks, one after another."""
        for _ in range(ticks):
            self.tick()

    def tick(self) -> Ticked | None:
        """Time passes, the world changes, and the keeper looks; None when it was killed."""
        self.ticks += 1
        due = (self.world.clock.now() // EVERY + 1) * EVERY
        self._sleep(due - self.world.clock.now())
        self._mine()
        self._break()
        self._move_prices()
        self._publish()
        self._offer()
        self._mine()
        deadly = self.dice.random() < 0.40
        fuse = Fuse(self.dice.randint(0, 40) if deadly else None)
        try:
            ticked = advance(self.wallet(fuse), worker=f"tick-{self.ticks}", budget_seconds=BUDGET)
        except Crash:
            self.counts["killed"] += 1
            ticked = None
        self._check(ticked)
        return ticked

    # What must hold.

    def _check(self, ticked: Ticked | None) -> None:
        state = self.state()
        if ticked is not None:
            if ticked.error is None:
                self._must(ticked.outcome in OUTCOMES, f"outcome {ticked.outcome}")
                self.counts[str(ticked.outcome)] += 1
            else:
                known = ticked.error.exit in {5, 6, 7, 8, 9, 10, 75}
                self._must(known, f"error [{ticked.error.code}] {ticked.error.message}")
                self.counts[f"{'held ' if ticked.held else ''}{ticked.error.code}"] += 1
        self._check_limits()
        self._check_drift(ticked, state)
        self._look_after(state)

    def _check_limits(self) -> None:
        facts = self.world.journal.load(ME)
        if len(facts) == self._counted:
            return
        self._counted = len(facts)
        now = self.world.clock.now()
        book = Book(facts)
        day, month = book.moved_since(now - DAY), book.cost_since(now - MONTH)
        self._must(day <= LIMITS["max_day_value"], f"{day} moved in a day")
        self._must(month <= LIMITS["max_month_cost"], f"{month} spent in a month")
        flying = book.in_flight()
        self._must(flying <= LIMITS["max_in_flight"], f"{flying} in flight")
        most = max(book.by_run.values(), default=Decimal(0))
        self._must(most <= LIMITS["max_run_value"], f"{most} moved by one run")

    def _check_drift(self, ticked: Ticked | None, state: State) -> None:
        """Outside a band only as long as there is a reason for it."""
        if not self._is_outside():
            self.outside = self.unexcused = 0
            return
        self.outside += 1
        self.longest_outside = max(self.longest_outside, self.outside)
        excused = (
            ticked is None
            or ticked.error is not None
            or ticked.outcome in {"aborted", "waiting", "needs_human"}
            or bool(self.faults)
            or state.open_run is not None
            or "cooldown" in ticked.why
            # A plan cannot go all the way when a limit is used up or nothing sells there.
            or "max_" in ticked.why
            or "no edge" in ticked.why
        )
        self.unexcused = 0 if excused else self.unexcused + 1
        why = "" if ticked is None else f"{ticked.outcome}: {ticked.why}"
        self._must(self.unexcused <= 2, f"outside its bands for no reason: {why}")

    def _is_outside(self) -> bool:
        snapshot = read(self.world.io(policy=self.policy), self.state())
        fair = {
            name: replace(price, value=self.values[name])
            for name, price in self._agreed().by_asset.items()
        }
        prices = replace(self._agreed(), by_asset=fair)
        seen = drifts(value(snapshot, prices, self.policy), self.policy)
        return any(abs(drift.excess) >= self.policy.limits.min_trade for drift in seen)

    def _agreed(self) -> Prices:
        now = self.world.clock.now()
        heard = [
            Opinion(source, asset, worth, now, now + 1)
            for asset, worth in self.values.items()
            for source in ("feed", "pool")
        ]
        return agree(heard, assets=ASSETS, now=now, max_spread_bps=75)

    def _look_after(self, state: State) -> None:
        """A person looks at what waits for one, not at once."""
        needs = state.unreconciled is not None or self.memory.stopped is not None
        self.asked_for_person = self.asked_for_person + 1 if needs else 0
        if self.asked_for_person <= LEAVE_ALONE:
            return
        self.asked_for_person = 0
        if state.unreconciled is not None:
            with session("person", self.world.io(policy=self.policy)) as held:
                held.reconcile(state.unreconciled, "looked at it")
            self.counts["reconciled"] += 1
        else:
            self.memory = Memory()
            self.counts["told again"] += 1

    def settle(self) -> None:
        """Everything heals; then nothing may be open, in flight, allowed or unexplained."""
        self.faults = {}
        for node in self.world.chains.values():
            node.base_fee = 10**9
        self.world.bridge.way = "push"
        for _ in range(60):
            self.world.clock.sleep(EVERY)
            self._publish()
            self._offer()
            ticked = advance(self.wallet(Fuse(None)), worker="settling", budget_seconds=BUDGET)
            state = self.state()
            self._look_after(state)
            quiet = state.open_run is None and state.unreconciled is None
            if quiet and ticked.outcome in {"nothing", "done"}:
                break
        state = self.state()
        self._must(state.open_run is None, f"a run is still open: {state.open_run}")
        self._must(self.world.bridge.find(ME, {A: 0, B: 0}) == (), "money is in flight")
        for chain, node in self.world.chains.items():
            left = {key: raw for key, raw in node.ledger.allowances.items() if raw and key[1] == ME}
            self._must(not left, f"allowances are left on {chain}: {left}")
        self._check_explained()
        self._check_nonces()

    def _check_explained(self) -> None:
        """Balances are what was there, what people gave and took, and what the facts say."""
        book = Book(self.world.journal.load(ME))
        for token in TOKENS:
            wanted = self.first[token] + self.given[token] + book.changes[token]
            have = self.world.holds(token)
            self._must(
                have == wanted,
                f"{token.symbol} on {token.chain}: {have} are there, {wanted} are explained",
            )

    def _check_nonces(self) -> None:
        """Every mined transaction of the wallet is in the journal, and was sent once."""
        book = Book(self.world.journal.load(ME))
        for chain, node in self.world.chains.items():
            mined = [tx for made in node.blocks for tx in made.receipts]
            self._must(len(mined) == len(set(mined)), f"mined twice on {chain}")
            self._must(set(mined) == book.mined[chain], f"unknown transactions on {chain}")

    def report(self) -> dict[str, Any]:
        """What the week was like, for people who want to know whether it was a hard one."""
        facts = self.world.journal.load(ME)
        refused = Counter(
            no.code for fact in facts if isinstance(fact, f.Refused) for no in fact.refusals
        )
        return {
            "seed": self.seed,
            "ticks": self.ticks,
            "ended": dict(sorted(self.counts.items())),
            "runs": sum(isinstance(fact, f.Started) for fact in facts),
            "transactions": sum(isinstance(fact, f.Mined) for fact in facts),
            "transfers": sum(isinstance(fact, f.Arrived | f.Refunded) for fact in facts),
            "refused": dict(sorted(refused.items())),
            "notices": dict(Counter(notice.event for notice in self.person.heard)),
            "signs_of_life": self.person.signs_of_life,
            "longest_outside_ticks": self.longest_outside,
        }

    def state(self) -> State:
        facts = self.world.journal.load(ME)
        for fact in facts[self._folded.seq :]:
            self._folded = apply(self._folded, fact)
        return self._folded

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            raise BrokenRuleError(
                f"seed {self.seed}, tick {self.ticks}, faults {self.faults}: {what}"
            )


@dataclass(slots=True)
class Book:
    """What the facts of a journal come to, counted here and not by the core."""

    facts: tuple[f.Fact, ...]
    intents: dict[str, f.Reserved] = field(default_factory=dict)
    mined_of: dict[str, f.Mined] = field(default_factory=dict)
    settled: dict[tuple[str, str], f.Settled] = field(default_factory=dict)
    landed: set[tuple[str, str]] = field(default_factory=set)
    changes: Counter[Token] = field(default_factory=Counter)
    by_run: Counter[str] = field(default_factory=Counter)
    coins: Mapping[ChainId, Token] = field(default_factory=lambda: {A: ETH_A, B: ETH_B})
    mined: dict[ChainId, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        coins = self.coins
        self.mined = {chain: set() for chain in coins}
        for fact in self.facts:
            match fact:
                case f.Reserved(attempt=0):
                    self.intents[fact.intent.id] = fact
                case f.Mined():
                    self.mined_of[fact.intent] = fact
                case f.Unmined():
                    self.mined_of.pop(fact.intent, None)
                    run, leg, *_ = fact.intent.split("/")
                    self.settled.pop((run, leg), None)
                case f.Settled():
                    self.settled[fact.run, fact.leg] = fact
                case f.Arrived() | f.Refunded():
                    self.landed.add((fact.run, fact.leg))
                    self.changes[fact.amount.token] += fact.amount.raw
        for each in self.settled.values():
            for delta in each.deltas:
                self.changes[delta.token] += delta.raw
        for name, fact in self.mined_of.items():
            intent = self.intents[name].intent
            self.changes[coins[intent.chain]] -= fact.receipt.fee
            self.mined[intent.chain].add(fact.receipt.hash)
            if fact.receipt.ok:
                self.by_run[intent.run] += intent.charges.value

    def moved_since(self, since: int) -> Decimal:
        """Value moved by what was reserved since then and mined."""
        return sum(
            (
                reserved.intent.charges.value
                for name, reserved in self.intents.items()
                if reserved.at >= since and name in self.mined_of and self.mined_of[name].receipt.ok
            ),
            Decimal(0),
        )

    def cost_since(self, since: int) -> Decimal:
        """Network fees of what was reserved since then, and value lost in swaps."""
        fees = sum(
            (
                money(fact.receipt.fee, self.intents[name].intent.native_price)
                for name, fact in self.mined_of.items()
                if self.intents[name].at >= since
            ),
            Decimal(0),
        )
        lost = (max(Decimal(0), -each.value) for each in self.settled.values() if each.at >= since)
        return sum(lost, fees)

    def in_flight(self) -> Decimal:
        """Value of deposits that are mined and have not landed."""
        return sum(
            (
                reserved.intent.charges.value
                for name, reserved in self.intents.items()
                if reserved.intent.draft.purpose == "deposit"
                and name in self.mined_of
                and (reserved.intent.run, reserved.intent.leg) not in self.landed
            ),
            Decimal(0),
        )


FAULTS = (
    *(f"down {chain}" for chain in (A, B)),
    *(f"behind {chain}" for chain in (A, B)),
    *(f"dear gas {chain}" for chain in (A, B)),
    "price stale",
    "prices disagree",
    "forged quotes",
    "stolen recipient",
    "bridge late",
    "bridge refunds",
    "rehearsal fails",
    *(f"halted {chain}" for chain in (A, B)),
    "deaf",
)


def live(seed: int, ticks: int) -> Week:
    """A week of so many ticks, settled at its end; raises BrokenRuleError with the seed."""
    week = Week(seed)
    week.live(ticks)
    week.settle()
    return week
