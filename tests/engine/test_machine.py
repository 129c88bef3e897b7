"""Whatever the world does, in whatever order: the invariants hold after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from crash_rig import Crash, Fuse, Fused
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from paper_world import (
    BRIDGE,
    ETH_A,
    ETHER,
    ME,
    RICH_RATE,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    address,
    leg,
    plan,
)

from agent.core import fact as f
from agent.core.closing import elsewhere, explained, touched
from agent.core.fold import apply
from agent.core.intent import SignedTx
from agent.core.plan import Plan, Sell
from agent.core.progress import ACTS
from agent.core.state import State
from agent.core.transit import awaited
from agent.engine import recover
from agent.engine.loop import Finished, Session, Wait, session
from agent.errors import Fenced, RunOpen, WrongValue
from agent.ports import Sent
from agent.sim.transaction import PaperTx

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

SMALL = ETHER // 20
LEAST = 145 * 10**6
"""Three percent below what a twentieth of an ether is worth."""

BLOCK_SECONDS = 12
LONG = 4_000
"""More than a run waits for what a bridge says when it comes."""
FINALITY = 6
MOST_FACTS = 400
"""Facts of one step: a loop without end writes more."""


def swap(id_: str, sell=WETH_A, buy=USDC_A, after: tuple[str, ...] = ()):
    return leg(id_, "swap", "venue", Sell(sell, SMALL), buy, LEAST, after)


def bridge(id_: str, sell: Sell, after: tuple[str, ...] = ()):
    return leg(id_, "bridge", "paper-bridge", sell, USDC_B, LEAST // 2, after)


WRAP = leg("1", "wrap", "wrap", Sell(ETH_A, SMALL), WETH_A, SMALL)
PLANS = {
    "swap": plan(swap("1")),
    "two chains": plan(swap("1"), swap("2", WETH_B, USDC_B)),
    "one after the other": plan(swap("1"), swap("2", after=("1",))),
    "transfer": plan(bridge("1", Sell(USDC_A, LEAST))),
    "all": plan(
        WRAP,
        leg("2", "swap", "venue", Sell(WETH_A, 0, ("1",), SMALL), USDC_A, LEAST, ("1",)),
        bridge("3", Sell(USDC_A, 0, ("2",), 2 * LEAST), ("2",)),
        leg("4", "swap", "venue", Sell(USDC_B, 0, ("3",), 2 * LEAST), WBTC_B, 200_000, ("3",)),
        swap("5", WETH_B, USDC_B),
    ),
}


@dataclass
class Outside:
    """Something that others did on a chain, and do again when its block goes away."""

    chain: int
    block: int
    act: Callable[[Any], None]


class Fate:
    """The world, what others do to it, and the rules that no process may break."""

    def __init__(self, way: str, *, automine: bool) -> None:
        self.world = World(way, automine=automine, finality=FINALITY)
        self.outside: list[Outside] = []
        self.sent: dict[str, PaperTx] = {}
        self.strangers: set[str] = set()
        self.lost: dict[int, str] = {}
        self.alarming = way == "gone"
        self.journaled: set[str] = set()
        self.reserved: list[f.Reserved] = []
        self.facts = 0
        self._since = 0.0
        self._sleep = self.world.clock.sleep
        self.world.clock.sleep = self.sleep
        self._give = self.world.bridge._give
        self.world.bridge._give = self.give
        ledger = self.world.chains[A].ledger
        ledger.mint(USDC_A.address, ME, 2000 * 10**6)
        for node in self.world.chains.values():
            node.mine()
        self.first = len(self.world.chains[A].blocks)

    def sleep(self, seconds: float) -> None:
        """Time passes and blocks come with it."""
        self._sleep(seconds)
        self._since += max(1.0, seconds)
        while self._since >= BLOCK_SECONDS:
            self._since -= BLOCK_SECONDS
            for node in self.world.chains.values():
                node.mine()

    def give(self, chain, deposit, amount, account) -> None:
        """The relayer pays, and pays again if the block goes away and the deposit does not."""
        origin = self.world.chains[A]

        def again(_node) -> None:
            if origin._receipt(deposit.hash) is not None:
                self._give(chain, deposit, amount, account)

        self._give(chain, deposit, amount, account)
        if not any(each.act.__name__ == f"pay {deposit.hash}" for each in self.outside):
            again.__name__ = f"pay {deposit.hash}"
            self.outside.append(Outside(chain.chain, len(chain.blocks) - 1, again))

    def does(self, chain: int, act: Callable[[Any], None]) -> None:
        node = self.world.chains[chain]
        act(node)
        self.outside.append(Outside(chain, len(node.blocks) - 1, act))

    def reorg(self, chain: int, depth: int, *, put_back: bool) -> None:
        node = self.world.chains[chain]
        cut = max(self.first, len(node.blocks) - depth)
        gone = node.blocks[cut:]
        del node.blocks[cut:]
        node._salt += 1
        for item in (item for made in gone for item in made.receipts):
            # A wallet sends what fell out again by itself; nodes keep our bytes or do not.
            if put_back or item in self.strangers:
                tx = self.sent[item]
                node.pool.setdefault((tx.sender, tx.nonce), tx)
        node.mine()
        for each in self.outside:
            if each.chain == chain and each.block >= cut:
                each.act(node)
                each.block = len(node.blocks) - 1
        node.mine(max(0, len(gone) - 1))

    def send(self, node, raw: str) -> Sent:
        """What a process sends must be journalled; it may get lost on the way."""
        assert raw in self.journaled, "sent before it was written down"
        self.sent[PaperTx_hash(raw)] = PaperTx_of(raw)
        lost = self.lost.pop(node.chain, None)
        if lost != "request":
            answer = node.send(raw)
        return answer if lost is None else Sent(accepted=False, said="timed out")

    def stranger(self, chain: int, *, pending: bool) -> None:
        """The owner uses the wallet by hand: the next nonce, or one that we have in the pool."""
        node = self.world.chains[chain]
        nonce = node.pending_nonce(ME) if pending else node.ledger.nonces.get(ME, 0)
        made = PaperTx(
            hash=f"0xstranger{len(self.strangers)}@{chain}",
            sender=ME,
            nonce=nonce,
            to=address(0xFEED),
            value=0,
            data="0x",
            gas_limit=21_000,
            max_fee_per_gas=10**12,
            max_priority_fee_per_gas=10**9,
        )
        self.strangers.add(made.hash)
        self.sent[made.hash] = made
        node.pool[ME, nonce] = made
        self.alarming = True

    def observe(self, fact: f.Fact) -> None:
        self.facts += 1
        assert self.facts <= MOST_FACTS, "the journal grows without end"

    def written(self, fact: f.Fact) -> None:
        if isinstance(fact, f.Reserved):
            self.reserved.append(fact)
        if isinstance(fact, f.Signed) and isinstance(fact.payload, SignedTx):
            self.journaled.add(fact.payload.raw)

    def sign(self, signer, reserved: f.Reserved):
        assert reserved in self.reserved, "signed before it was reserved"
        return signer.sign(reserved)


def PaperTx_of(raw: str) -> PaperTx:  # noqa: N802
    from agent.sim.transaction import parse

    return parse(raw)[1]


def PaperTx_hash(raw: str) -> str:  # noqa: N802
    return PaperTx_of(raw).hash


class Watched:
    """A port of which one method is watched by fate."""

    def __init__(self, inner: Any, method: str, act: Callable[..., Any]) -> None:
        self._inner, self._method, self._act = inner, method, act

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return lambda *args: self._act(self._inner, *args)
        return getattr(self._inner, name)


class Facts:
    """A journal that keeps facts as they are: what JSON makes of them is tested elsewhere."""

    def __init__(self, fate: Fate) -> None:
        self.kept: list[f.Fact] = []
        self._fate = fate

    def append(self, _account, seq: int, fact: f.Fact) -> None:
        if seq != len(self.kept):
            raise Fenced
        self.kept.append(fact)
        self._fate.written(fact)

    def load(self, _account) -> tuple[f.Fact, ...]:
        return tuple(self.kept)

    def hold(self, _account):
        from contextlib import nullcontext

        return nullcontext()


class Machine(RuleBasedStateMachine):
    """Processes, the owner, strangers and the chains, in any order."""

    @initialize(
        way=st.sampled_from(["push", "claim", "claim", "refund", "never", "gone"]),
        automine=st.booleans(),
        name=st.sampled_from(sorted(PLANS)),
        seconds=st.sampled_from([10, 10, LONG]),
    )
    def begin(self, way: str, automine: bool, name: str, seconds: int) -> None:
        self.fate = Fate(way, automine=automine)
        self.fate.world.bridge.seconds = seconds
        self.journal = Facts(self.fate)
        self.folded, self.position = State(), 0
        self.runs = 0
        self.held = self.process()
        self.start(name)

    def process(self, fuse: Fuse | None = None) -> Session:
        """A new process on the same journal."""
        fate, world = self.fate, self.fate.world
        burns = fuse or Fuse()
        nodes = {
            chain: Fused(Watched(node, "send", fate.send), burns, "send")
            for chain, node in world.chains.items()
        }
        io = world.io(
            journal=Fused(self.journal, burns, "append"),
            signer=Fused(Watched(world.io().signer, "sign", fate.sign), burns, "sign"),
            nodes=nodes,
            observe=self.observed,
        )
        quiet = {chain: replace(rules, poll_seconds=6) for chain, rules in io.chains.items()}
        manager = session(f"worker-{self.position}", replace(io, chains=quiet))
        self.manager = manager
        return manager.__enter__()

    def observed(self, fact: f.Fact) -> None:
        self.fate.observe(fact)
        if isinstance(fact, f.Closed):
            self.check_end(fact)

    @precondition(lambda self: self.held.state.open_run is None and not self.held.state.stuck)
    @rule(name=st.sampled_from(sorted(PLANS)))
    def start(self, name: str) -> None:
        world = self.fate.world
        self.runs += 1
        now = world.clock.now()
        wanted: Plan = replace(PLANS[name], made=now, expires=now + 600)
        # A reorganisation that nobody has noticed yet is noticed here, and refused.
        with suppress(RunOpen, WrongValue):
            self.held.start(f"r{self.runs}", wanted, world.snapshot())
        self.held.advance(5)

    @rule(seconds=st.sampled_from([0, 5, 30]))
    def go_on(self, seconds: int) -> None:
        self.held.advance(seconds)

    @rule()
    def go_on_for_a_block(self) -> None:
        self.fate.sleep(BLOCK_SECONDS)
        self.held.advance(0)

    @rule()
    def go_on_for_long(self) -> None:
        self.held.advance(90)

    @rule(effects=st.integers(0, 30), seconds=st.sampled_from([0, 30]))
    def die_and_resume(self, effects: int, seconds: int) -> None:
        self.held = self.process(Fuse(effects))
        with suppress(Crash):
            self.held.advance(30)
        self.held = self.process()
        self.held.advance(seconds)

    @rule(reason=st.sampled_from(["a look", "another look"]))
    def pause_for_a_while(self, reason: str) -> None:
        self.fate.world.paused = reason
        self.held.advance(30)
        self.fate.world.paused = None

    @rule(chain=st.sampled_from([A, B]), depth=st.integers(1, FINALITY - 1), put_back=st.booleans())
    def reorganise(self, chain: int, depth: int, put_back: bool) -> None:
        self.fate.reorg(chain, depth, put_back=put_back)

    @rule(chain=st.sampled_from([A, B]), what=st.sampled_from(["request", "reply"]))
    def lose(self, chain: int, what: str) -> None:
        self.fate.lost[chain] = what

    @rule(chain=st.sampled_from([A, B]), how=st.sampled_from(["next", "same", "not", "not", "not"]))
    def use_the_wallet_by_hand(self, chain: int, how: str) -> None:
        if how != "not":
            self.fate.stranger(chain, pending=how == "next")
        self.held.advance(0)

    @rule(token=st.sampled_from([ETH_A, WETH_A, USDC_A, USDC_B]), raw=st.integers(1, 10**6))
    def deposit(self, token, raw: int) -> None:
        self.fate.does(token.chain, lambda node: node.ledger.mint(token.address, ME, raw))

    @rule(seconds=st.sampled_from([1, 40, 40, LONG]))
    def bridges_are_slow_or_quick(self, seconds: int) -> None:
        self.fate.world.bridge.seconds = seconds

    @precondition(lambda self: self.held.state.open_run is None and not self.held.state.stuck)
    @rule(asked=st.booleans())
    def what_no_run_follows_is_followed(self, asked: bool) -> None:
        """By a schedule once something can be done for it, or as soon as a person asks."""
        self.follow_strays(asked=asked)
        self.held.advance(5)

    def follow_strays(self, *, asked: bool) -> None:
        io, state = self.held._io, self.held.state
        strays = recover.due(state, io)
        if asked:
            strays = tuple(recover.known(each, io) for each in recover.left(state))
        if strays:
            self.runs += 1
            with suppress(RunOpen, WrongValue):
                recover.begin(self.held, io, f"r{self.runs}", strays)

    @rule()
    def hours_pass(self) -> None:
        self.fate.sleep(LONG)

    @precondition(lambda self: self.fate.world.bridge.way == "never")
    @rule(way=st.sampled_from(["push", "refund"]))
    def what_was_stuck_moves(self, way: str) -> None:
        self.fate.world.bridge.way = way

    @rule(meant=st.sampled_from([True, False, False]))
    def cancel(self, meant: bool) -> None:
        if meant:
            self.held.cancel("the owner said so")
        self.held.advance(0)

    @rule(percent=st.integers(-3, 1))
    def the_market_moves(self, percent: int) -> None:
        rate = RICH_RATE * (100 + percent) / 100
        for sell, buy in ((WETH_A, USDC_A), (WETH_B, USDC_B)):
            self.fate.world.venue.rates[sell.address, buy.address] = Fraction(rate)

    @rule(gwei=st.sampled_from([1, 4]))
    def blocks_get_dear_or_cheap(self, gwei: int) -> None:
        for node in self.fate.world.chains.values():
            node.base_fee = gwei * 10**9

    @rule(seconds=st.sampled_from([12, 60, 130]))
    def time_passes(self, seconds: int) -> None:
        self.fate.world.clock.sleep(seconds)

    @precondition(lambda self: self.held.state.stuck)
    @rule()
    def a_person_looks(self) -> None:
        self.held.reconcile(self.held.state.stuck[0], "it is as it is")

    @invariant()
    def every_nonce_serves_one_intent(self) -> None:
        self.fate.facts = 0
        held = Counter(
            (known.intent.chain, known.intent.nonce)
            for known in self.intents()
            if known.holds_nonce and known.intent.nonce is not None
        )
        assert not [each for each, count in held.items() if count > 1]

    @invariant()
    def every_leg_acts_at_most_once(self) -> None:
        acted: Counter[tuple[str, str]] = Counter()
        for known in self.intents():
            node = self.fate.world.chains[known.intent.chain]
            found = [
                (attempt, receipt)
                for attempt, item in known.hashes
                if (receipt := node._receipt(item)) is not None
            ]
            assert len(found) <= 1, "two attempts of one intent are mined"
            if found and known.intent.draft.purpose in ACTS:
                ((attempt, receipt),) = found
                is_act = known.attempts[attempt].reserved.kind != "cancel" and receipt.ok
                acted[known.intent.run, known.intent.leg] += is_act
        assert max(acted.values(), default=0) <= 1

    @invariant()
    def everything_mined_was_signed_on_record(self) -> None:
        known = {PaperTx_hash(raw) for raw in self.fate.journaled} | self.fate.strangers
        for node in self.fate.world.chains.values():
            for made in node.blocks[self.fate.first :]:
                assert set(made.receipts) <= known

    @invariant()
    def the_state_is_the_fold_of_the_journal(self) -> None:
        while self.position < len(self.journal.kept):
            self.folded = apply(self.folded, self.journal.kept[self.position])
            self.position += 1
        assert self.folded == self.held.state

    def intents(self):
        return [known for run in self.held.state.runs.values() for known in run.intents.values()]

    def check_end(self, closed: f.Closed) -> None:
        """What must be true of a run in the moment in which it ends."""
        state, world = self.held.state, self.fate.world
        run = state.runs[closed.run]
        if closed.outcome == "needs_human":
            assert self.fate.alarming, closed.why
            return
        left = {
            key: raw
            for node in world.chains.values()
            for key, raw in node.ledger.allowances.items()
            if raw
        }
        if state.open_run is None:
            assert left in ({}, {(USDC_A.address, ME, BRIDGE): 5})
        before = {held.token: held.raw for held in run.started.before}
        inflows = {inflow.amount.token: inflow.amount.raw for inflow in run.inflows}
        told, others = explained(run), elsewhere(state, run)
        for held in closed.after:
            changed = told.get(held.token, 0) + others.get(held.token, 0)
            assert held.raw == before[held.token] + changed + inflows.get(held.token, 0)
            assert held.raw == world.holds(held.token)
        assert {held.token for held in closed.after} == set(touched(run))

    def teardown(self) -> None:
        """Let the world calm down: every run ends, and nothing is left open."""
        if not hasattr(self, "held"):
            return
        world = self.fate.world
        world.paused = None
        self.the_market_moves(0)
        self.blocks_get_dear_or_cheap(1)
        self.fate.lost.clear()
        if world.bridge.way == "never":
            world.bridge.way = "push"
        world.bridge.seconds = 1
        for _ in range(16):
            self.fate.facts = 0
            ended: Finished | Wait = self.held.advance(300)
            if self.held.state.open_run is None and not self.held.state.stuck:
                if not recover.left(self.held.state):
                    break
                self.follow_strays(asked=True)
            elif self.held.state.stuck:
                self.a_person_looks()
        assert isinstance(ended, Finished), ended
        assert () == awaited(self.held.state)
        self.fate.sleep((FINALITY + 1) * BLOCK_SECONDS)
        self.held.advance(30)
        assert all(run.settled_for_good for run in self.held.state.runs.values())
        self.the_state_is_the_fold_of_the_journal()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
