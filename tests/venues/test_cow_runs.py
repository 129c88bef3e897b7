"""The real engine, the real settlement: an order from its quote to the closing rule."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cow_rig import NETWORKS, RELAYER, SETTLEMENT, allowance, ask, empty_books, held
from paper_world import policy
from portfolios import price
from signer_rigs import ADDRESS, MAKE

from agent.chain.node import RpcNode
from agent.core.fact import (
    Closed,
    Expired,
    Fact,
    Filled,
    Quoted,
    Refused,
    Reserved,
    Signed,
    Submitted,
)
from agent.core.follow import Rules
from agent.core.intent import SignedMessage
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.plan import Leg, Plan, Sell
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.engine.io import ChainRules, Io
from agent.engine.loop import Finished, Session, Wait, session
from agent.lab.world import World
from agent.lab.worlds import Worlds
from agent.planning.problem import NoPlan
from agent.ports import AdapterIo, Sent
from agent.provider import ProviderChain, ProviderOptions
from agent.stores.memory import MemoryJournal
from agent.venues.cow import VALID_SECONDS, make
from agent.wire.http import HttpClient
from agent.wire.order import order_uid

RAW = 5_000 * 10**6
CONFIRMATIONS = 3
SYMBOLS = ("ETH", "WETH", "USDC", "USDT", "WBTC", "DAI")
QUOTED = {"ETH": "3000", "USDC": "1", "USDT": "1", "WBTC": "60000", "DAI": "1"}


class Killed(BaseException):
    """The process is gone."""


class Run:
    """One wallet with a key on one chain of the world, and a solver that works while it waits."""

    def __init__(self, worlds: Worlds, chain: int, home: Path) -> None:
        self.worlds, self.world, self.home = worlds, worlds[chain], home
        self.chain = ChainId(chain)
        self.facts: list[Fact] = []
        self.react: Callable[[Fact], None] = lambda _fact: None
        self.solving = True
        self.journal = MemoryJournal()
        self.tokens = tuple(self.token(symbol) for symbol in SYMBOLS)
        self.node = RpcNode(
            self.chain,
            [self.world.url],
            genesis=self.world.genesis,
            multicall3=Address(self.world.addresses["multicall3"]),
            max_head_age_seconds=None,
            clock=self,
            fee_model={1: "eip1559", 8453: "op_stack", 42161: "arbitrum"}[chain],
        )
        self.cow: Any = make(
            self.options(), AdapterIo({self.chain: self.node}, self, self.client())
        )

    @staticmethod
    def client() -> HttpClient:
        return HttpClient(retries=0, timeout_seconds=5)

    def options(self) -> ProviderOptions:
        chain = ProviderChain(
            chain=self.chain,
            native=self.tokens[0],
            wrapped=self.tokens[1],
            tokens={},
            facts={
                "settlement": SETTLEMENT,
                "vault_relayer": RELAYER,
                "network": NETWORKS[self.chain],
            },
            code_hashes={Address(a): code for a, code in self.world.code_hashes.items()},
            confirmations=CONFIRMATIONS,
        )
        return ProviderOptions(
            api=self.worlds.provider_apis["cow"], chains={self.chain: chain}, max_slippage_bps=50
        )

    def token(self, symbol: str) -> Token:
        if symbol == "ETH":
            return Token(self.chain, NATIVE, 18, "ETH")
        known = self.world.place.tokens[symbol]
        return Token(self.chain, Address(known.address), known.decimals, symbol)

    # Time is the chain's; waiting lets it go on, and the solver act.

    def now(self) -> int:
        return self.world.head()[1]

    def sleep(self, seconds: float) -> None:
        self.worlds.jump(math.ceil(seconds) + 1)
        if self.solving:
            self.worlds.turn()

    def observe(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.react(fact)

    def prices(self) -> Prices:
        asset_of = {token: token.symbol.removeprefix("WE") for token in self.tokens}
        asset_of = {token: "ETH" if name == "TH" else name for token, name in asset_of.items()}
        return Prices({name: price(name, text) for name, text in QUOTED.items()}, {}, asset_of)

    def io(self, **changes: Any) -> Io:
        rules = ChainRules(
            native=self.tokens[0],
            wrapped=self.tokens[1],
            tokens=self.tokens,
            rules=Rules(confirmations=CONFIRMATIONS),
            poll_seconds=20,
        )
        known: dict[str, Any] = {
            "account": ADDRESS,
            "policy": replace(policy(), account=ADDRESS, chains=(self.chain,)),
            "chains": {self.chain: rules},
            "nodes": {self.chain: self.node},
            "venues": {"cow": self.cow},
            "bridges": {},
            "signer": MAKE["keystore"](self.home, local=True, generated=frozenset({ADDRESS})),
            "journal": self.journal,
            "clock": self,
            "prices": self.prices,
            "replan": lambda _run: NoPlan(("nothing else to try",)),
            "paused": lambda: None,
            "observe": self.observe,
            "serial": True,
        }
        return Io(**{**known, **changes})

    def plan(self, sell: str, buy: str, raw: int) -> Plan:
        leg = Leg(
            id="1",
            kind="swap",
            via="cow",
            sell=Sell(self.token(sell), raw),
            buy=self.token(buy),
            expected_out=1,
            min_buy=1,
        )
        money: Any = dict.fromkeys(
            ("value", "cost", "worst_case", "gas_if_reverted", "turnover"), Decimal(0)
        )
        now = self.now()
        return Plan(
            id="plan",
            legs=(leg,),
            standings=(),
            bound=None,
            prices=(),
            blocks=(),
            policy_hash="policy",
            made=now,
            expires=now + 600,
            why=(),
            **money,
        )

    def start(self, held: Session, sell: str, buy: str, raw: int) -> None:
        seen = self.node.snapshot(ADDRESS, self.tokens)
        held.start("1", self.plan(sell, buy, raw), Snapshot(ADDRESS, {self.chain: seen}))

    def go(self, sell: str, buy: str, raw: int, budget: float = 600, **ports: Any) -> Any:
        with session("first", self.io(**ports)) as held:
            self.start(held, sell, buy, raw)
            return held.advance(budget)

    def resume(self, budget: float = 600, **ports: Any) -> Finished | Wait:
        with session("second", self.io(**ports)) as held:
            return held.advance(budget)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]

    def refusals(self) -> list[str]:
        return [no.code for fact in self.of(Refused) for no in fact.refusals]

    def order(self) -> tuple[SignedMessage, str]:
        """The one order that was signed, and its name."""
        (signed,) = [
            fact.payload for fact in self.of(Signed) if isinstance(fact.payload, SignedMessage)
        ]
        return signed, order_uid(signed.digest, ADDRESS, signed.valid_to)

    def book(self) -> list[Any]:
        return list(self.worlds.tell("cow", "open"))


@pytest.fixture
def books(chains: Worlds) -> Iterator[Worlds]:
    with empty_books(chains) as emptied:
        yield emptied


@pytest.fixture
def run(books: Worlds, tmp_path: Path) -> Run:
    return Run(books, 1, tmp_path)


def fund(run: Run, sell: str, raw: int) -> World:
    run.world.fund(ADDRESS, {"ETH": 2 * 10**18, sell: raw})
    return run.world


@pytest.mark.parametrize(
    ("chain", "sell", "buy", "raw"),
    [
        (1, "USDC", "WETH", RAW),
        (1, "USDT", "WBTC", RAW),
        (1, "USDC", "ETH", RAW),
        (8453, "WETH", "USDC", 10**18),
        (42161, "USDC", "WBTC", RAW),
    ],
)
def test_order_runs_to_its_end_with_every_base_unit_explained(
    chain: int, sell: str, buy: str, raw: int, books: Worlds, tmp_path: Path
) -> None:
    run = Run(books, chain, tmp_path)
    world = fund(run, sell, raw)
    before = held(world, buy)
    ended = run.go(sell, buy, raw)
    assert [] == run.refusals()
    assert isinstance(ended, Finished)
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    assert ["approve", "order"] == run.purposes()
    (fill,) = run.of(Filled)
    (closed,) = run.of(Closed)
    _, uid = run.order()
    _, (trade,) = ask(books, chain, "GET", f"v2/trades?orderUid={uid}")
    assert (raw, int(trade["buyAmount"])) == (fill.sold.raw, fill.bought.raw)
    assert (0, 0, ()) == (held(world, sell), allowance(world, sell), closed.unexplained)
    if buy != "ETH":
        assert before + fill.bought.raw == held(world, buy)
    assert [uid] == run.book()


def test_minimum_of_the_order_is_paid_at_least_and_the_surplus_is_ours(run: Run) -> None:
    world = fund(run, "USDC", RAW)
    run.go("USDC", "WETH", RAW)
    _, uid = run.order()
    _, told = ask(run.worlds, 1, "GET", f"v1/orders/{uid}")
    assert int(told["buyAmount"]) < int(told["executedBuyAmount"]) == held(world, "WETH")


def killed_after(run: Run, kind: type[Any]) -> None:
    """The process dies right after it wrote down the order's fact of that *kind*."""

    def react(fact: Fact) -> None:
        if isinstance(fact, kind) and run.purposes()[-1] == "order":
            run.react = lambda _fact: None
            raise Killed

    run.react = react
    with pytest.raises(Killed):
        run.go("USDC", "WETH", RAW)


@pytest.mark.parametrize("kind", [Reserved, Signed, Submitted])
def test_process_that_dies_is_followed_by_one_that_ends_the_same_order(
    kind: type[Any], run: Run
) -> None:
    world = fund(run, "USDC", RAW)
    killed_after(run, kind)
    ended = run.resume()
    assert isinstance(ended, Finished)
    assert ("done", 0, 0) == (ended.outcome, held(world, "USDC"), allowance(world, "USDC"))
    _, uid = run.order()
    assert [uid] == run.book()
    (fill,) = run.of(Filled)
    assert fill.bought.raw == held(world, "WETH")


def test_order_that_was_posted_before_the_process_died_is_posted_again_as_the_same(
    run: Run,
) -> None:
    """It died between the book's yes and its own record of it."""
    world = fund(run, "USDC", RAW)
    run.solving = False
    posts: list[Sent] = []

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(run.cow, name)

        def post(self, *order: Any) -> Sent:
            posts.append(run.cow.post(*order))
            if len(posts) == 1:
                raise Killed
            return posts[-1]

        def order(self, *order: Any) -> Any:
            return run.cow.order(*order)

    venues = {"cow": Dying()}
    with pytest.raises(Killed):
        run.go("USDC", "WETH", RAW, venues=venues)
    run.solving = True
    ended = run.resume(venues=venues)
    assert isinstance(ended, Finished)
    assert "done" == ended.outcome
    assert [Sent(accepted=True), Sent(accepted=True, said="DuplicatedOrder")] == posts
    assert (1, 0) == (len(run.book()), held(world, "USDC"))


def test_order_that_was_filled_while_nobody_looked_counts(run: Run) -> None:
    """It was settled between two processes, and the book has forgotten it."""
    world = fund(run, "USDC", RAW)
    killed_after(run, Submitted)
    run.worlds.turn()
    run.worlds.mine(CONFIRMATIONS)
    run.worlds.tell("cow", "forget")
    got = held(world, "WETH")
    assert got > 0
    ended = run.resume()
    assert isinstance(ended, Finished)
    (fill,) = run.of(Filled)
    assert ("done", got) == (ended.outcome, fill.bought.raw)


def test_order_that_nobody_fills_expires_and_its_allowance_is_taken_back(run: Run) -> None:
    world = fund(run, "USDC", RAW)
    run.worlds.tell("cow", "mode", "never")
    ended = run.go("USDC", "WETH", RAW, budget=3 * VALID_SECONDS)
    assert isinstance(ended, Finished)
    assert ("aborted", "leg 1: order expired unfilled") == (ended.outcome, ended.why)
    assert ["approve", "order", "revoke"] == run.purposes()
    assert (RAW, 0) == (held(world, "USDC"), allowance(world, "USDC"))
    (closed,) = run.of(Closed)
    assert () == closed.unexplained


def test_order_may_win_a_leg_that_was_planned_for_another_venue(run: Run) -> None:
    """Whoever makes the best offer does it; the order is then followed at its own book."""
    world = fund(run, "USDC", RAW)
    plan = run.plan("USDC", "WETH", RAW)
    planned = replace(plan, legs=(replace(plan.legs[0], via="router"),))
    with session("first", run.io()) as held_run:
        seen = run.node.snapshot(ADDRESS, run.tokens)
        held_run.start("1", planned, Snapshot(ADDRESS, {run.chain: seen}))
        ended = held_run.advance(600)
    assert isinstance(ended, Finished)
    assert ("done", 0) == (ended.outcome, held(world, "USDC"))
    (quoted,) = run.of(Quoted)
    assert "cow" == quoted.quote.via


def test_order_that_waits_says_so_and_a_late_solver_ends_it(run: Run) -> None:
    world = fund(run, "USDC", RAW)
    run.worlds.tell("cow", "mode", "never")
    waited = run.go("USDC", "WETH", RAW, budget=60)
    assert isinstance(waited, Wait)
    signed, _ = run.order()
    wanted = rf"order {signed.digest[:10]} waits to be filled, for at most 2\d min more"
    assert re.fullmatch(wanted, waited.why)
    run.worlds.tell("cow", "mode", "late")
    ended = run.resume()
    assert isinstance(ended, Finished)
    assert ("done", 0) == (ended.outcome, held(world, "USDC"))


def test_book_that_lost_the_order_gets_it_again(run: Run) -> None:
    fund(run, "USDC", RAW)
    run.worlds.tell("cow", "mode", "never")
    run.go("USDC", "WETH", RAW, budget=30)
    _, uid = run.order()
    run.worlds.tell("cow", "forget")
    run.worlds.tell("cow", "mode", "prompt")
    ended = run.resume()
    assert isinstance(ended, Finished)
    assert ("done", [uid]) == (ended.outcome, run.book())


def test_cancelled_run_takes_the_allowance_back_so_that_nobody_can_fill_the_order(
    run: Run,
) -> None:
    world = fund(run, "USDC", RAW)
    run.worlds.tell("cow", "mode", "never")
    with session("first", run.io()) as held_run:
        run.start(held_run, "USDC", "WETH", RAW)
        held_run.advance(60)
        held_run.cancel("the owner said so")
        waited = held_run.advance(60)
        assert isinstance(waited, Wait)
        assert "is left to its end, for at most" in waited.why
        assert 0 == allowance(world, "USDC")
        run.worlds.tell("cow", "mode", "prompt")
        ended = held_run.advance(3 * VALID_SECONDS)
    assert isinstance(ended, Finished)
    assert ("aborted", "the owner said so") == (ended.outcome, ended.why)
    assert RAW == held(world, "USDC")
    assert [] == run.of(Filled)
    assert 1 == len(run.of(Expired))


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("far better", "N108"),
        ("other receiver", "N108"),
        ("other amount", "N108"),
        ("other token", "N108"),
        ("none", "N107"),
    ],
)
def test_lying_or_empty_book_ends_the_run_and_nothing_is_signed(
    lie: str, code: str, run: Run
) -> None:
    world = fund(run, "USDC", RAW)
    run.worlds.tell("cow", "lie", lie, 9)
    ended = run.go("USDC", "WETH", RAW)
    assert isinstance(ended, Finished)
    assert ("aborted", [code], []) == (ended.outcome, run.refusals(), run.of(Signed))
    assert (RAW, []) == (held(world, "USDC"), run.book())


def test_settlement_with_other_code_is_refused(run: Run) -> None:
    """The order would be for a contract that nobody has looked at."""
    world = fund(run, "USDC", RAW)
    world.rpc.call("anvil_setCode", SETTLEMENT, "0x00")
    ended = run.go("USDC", "WETH", RAW)
    assert isinstance(ended, Finished)
    assert ("aborted", ["G104"], []) == (ended.outcome, run.refusals(), run.of(Signed))


def test_fill_that_a_reorganisation_takes_back_was_not_counted(run: Run) -> None:
    world = fund(run, "USDC", RAW)
    run.worlds.tell("cow", "mode", "never")
    run.go("USDC", "WETH", RAW, budget=30)
    snapshot = world.snapshot()
    run.worlds.tell("cow", "mode", "prompt")
    run.worlds.turn()
    assert 0 == held(world, "USDC")
    run.solving = False
    run.resume(budget=1)
    world.revert(snapshot)
    assert [] == run.of(Filled)
    run.solving = True
    ended = run.resume()
    assert isinstance(ended, Finished)
    assert ("done", 0) == (ended.outcome, held(world, "USDC"))
    assert 1 == len(run.of(Filled))
