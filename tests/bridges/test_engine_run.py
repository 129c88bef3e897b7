"""The real engine over two real chains: a transfer from the plan to the closing rule."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bridge_io import bridge_io, seen
from bridge_rigs import FAR, NEAR, WALLET, Crossing, paid
from fee_server import honest_output
from paper_world import plan

from agent.bridges.across import make
from agent.chain.fork import ForkNode
from agent.core.fact import Arrived, Closed, Fact, Mined, Refused, Reserved, Signed
from agent.core.plan import Leg
from agent.engine.io import Io
from agent.engine.loop import Finished, Wait, session
from agent.ports import AdapterIo
from agent.stores.memory import MemoryJournal

RAW = 4_150 * 10**6
ETHER = 10**18
SYMBOLS = ("ETH", "WETH", "USDC", "USDT")


class ChainClock:
    """Time is the near chain's; waiting mines a block on both, as time on chains does."""

    def __init__(self, crossing: Crossing) -> None:
        self._worlds = crossing.worlds

    def now(self) -> int:
        return self._worlds[NEAR].head()[1]

    def sleep(self, seconds: float) -> None:
        then = max(world.head()[1] for world in self._worlds.values()) + math.ceil(seconds) + 1
        for world in self._worlds.values():
            world.set_time(then)


class Run:
    """One wallet on both chains, and what people and machines do meanwhile."""

    def __init__(self, crossing: Crossing) -> None:
        self.crossing = crossing
        self.clock = ChainClock(crossing)
        self.facts: list[Fact] = []
        self.react: Callable[[Fact], None] = lambda _fact: None
        self.nodes: Any = {
            chain: ForkNode(node, crossing.worlds[chain].url)
            for chain, node in crossing.nodes.items()
        }
        self.tokens = {
            chain: tuple(crossing.token(chain, symbol) for symbol in SYMBOLS)
            for chain in crossing.nodes
        }

    @property
    def adapters(self) -> AdapterIo:
        """The bridge sees the same nodes as the engine: it asks by stand-in hashes, too."""
        return replace(self.crossing.io, nodes=self.nodes)

    def observe(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.react(fact)

    def io(self) -> Io:
        return bridge_io(
            make(self.crossing.options(), self.adapters),
            account=WALLET,
            nodes=self.nodes,
            tokens=self.tokens,
            journal=MemoryJournal(),
            clock=self.clock,
            observe=self.observe,
        )

    def go(self, leg: Leg, *, budget: float = 600) -> Finished | Wait:
        io = self.io()
        with session("test", io) as held:
            held.start("1", plan(leg, made=self.clock.now()), seen(io))
            return held.advance(budget)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]


def relayer(run: Run) -> Callable[[Fact], None]:
    """Delivers each deposit of the wallet as soon as it is mined."""

    def react(fact: Fact) -> None:
        if isinstance(fact, Mined) and run.purposes()[-1] == "deposit":
            node = run.nodes[NEAR]
            real = node.logs_of(fact.receipt.hash)[-1].transaction
            crossing = run.crossing
            crossing.fill(crossing.made(replace(fact.receipt, hash=real)))

    return react


@pytest.mark.parametrize(
    ("sell", "buy", "raw", "purposes"),
    [
        ("USDC", "USDC", RAW, ["approve", "deposit"]),
        ("ETH", "ETH", ETHER, ["deposit"]),
        ("WETH", "ETH", ETHER, ["approve", "deposit"]),
        ("USDT", "USDT", RAW, ["approve", "deposit"]),
    ],
)
def test_transfer_runs_to_its_end_with_every_base_unit_explained(
    crossing: Crossing, sell: str, buy: str, raw: int, purposes: list[str]
) -> None:
    funds = {"USDC": RAW, "USDT": RAW, "ETH": 3 * ETHER, "WETH": ETHER}
    crossing.worlds[NEAR].fund(WALLET, funds)
    run = Run(crossing)
    run.react = relayer(run)
    ended = run.go(crossing.leg(sell, buy, raw))
    assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
    assert isinstance(ended, Finished)
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    (closed,) = run.of(Closed)
    assert purposes == run.purposes()
    assert honest_output(raw) == crossing.held(FAR, buy)
    assert closed.outcome == "done"


def test_transfer_that_nobody_delivers_says_who_holds_it_and_until_when(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"ETH": 3 * ETHER})
    run = Run(crossing)
    waited = run.go(crossing.leg("ETH", "ETH", ETHER), budget=60)
    assert isinstance(waited, Wait)
    wanted = (
        r"1\.0000 WETH is on its way: Across's pool holds it \(deposit 1 of chain 1\) and a relayer "
        r"delivers it on chain 8453, usually within 60 s, late after 10 min; if nobody has by "
        r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, it comes back to your wallet on chain 1 by about "
        r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    )
    assert re.fullmatch(wanted, waited.why)


def test_refund_of_the_gas_coin_is_the_wrapped_coin_and_closes(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"ETH": 3 * ETHER})
    run = Run(crossing)
    done: list[int] = []

    def react(fact: Fact) -> None:
        if isinstance(fact, Mined) and not done:
            done.append(1)
            real = run.nodes[NEAR].logs_of(fact.receipt.hash)[-1].transaction
            crossing.expire(crossing.made(replace(fact.receipt, hash=real)))
            crossing.pay_back(ETHER, symbol="WETH")

    run.react = react
    ended = run.go(crossing.leg("ETH", "ETH", ETHER), budget=9_000)
    assert isinstance(ended, Finished)
    assert "aborted" == ended.outcome
    assert ETHER == crossing.held(NEAR, "WETH")
    (closed,) = run.of(Closed)
    assert "aborted" == closed.outcome


def test_delivery_in_another_token_is_told_as_what_came(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"ETH": 3 * ETHER})
    run = Run(crossing)
    deliver = relayer(run)

    def react(fact: Fact) -> None:
        # A contract at the wallet's far address is paid in the wrapped coin.
        crossing.worlds[FAR].rpc.call("anvil_setCode", WALLET, "0x00")
        deliver(fact)

    def late(fact: Fact) -> None:
        if isinstance(fact, Mined):
            react(fact)

    run.react = late
    ended = run.go(crossing.leg("ETH", "ETH", ETHER))
    assert isinstance(ended, Finished)
    (arrived,) = run.of(Arrived)
    assert (crossing.token(FAR, "WETH"), honest_output(ETHER)) == paid(arrived.amount)
    assert "done" == ended.outcome
    assert honest_output(ETHER) == crossing.held(FAR, "WETH")


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda answer: {**answer, "spokePoolAddress": "0x" + "bad0" * 10}, "N108"),
        (lambda answer: {**answer, "totalRelayFee": {"total": "-5"}}, "N108"),
        (lambda _answer: [], "N109"),
        (lambda answer: {**answer, "isAmountTooLow": True}, "N107"),
    ],
)
def test_lying_fee_server_ends_the_run_and_nothing_is_signed(
    crossing: Crossing, forge: Any, code: str
) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": ETHER})
    crossing.fees.forge = forge
    run = Run(crossing)
    ended = run.go(crossing.leg("USDC", "USDC", RAW))
    assert isinstance(ended, Finished)
    assert ("aborted", []) == (ended.outcome, run.of(Signed))
    (refused,) = run.of(Refused)
    assert [code] == [no.code for no in refused.refusals]


def test_fee_that_eats_the_money_is_refused_by_independent_prices(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": ETHER})

    def greedy(answer: dict[str, Any]) -> Any:
        total = RAW // 10
        return {**answer, "totalRelayFee": {"total": str(total)}, "outputAmount": str(RAW - total)}

    crossing.fees.forge = greedy
    run = Run(crossing)
    ended = run.go(crossing.leg("USDC", "USDC", RAW))
    assert isinstance(ended, Finished)
    assert ("aborted", []) == (ended.outcome, run.of(Signed))
    (refused,) = run.of(Refused)
    assert "G204" in [no.code for no in refused.refusals]


def test_wallet_whose_far_address_has_code_sends_nothing(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": ETHER})
    crossing.worlds[FAR].rpc.call("anvil_setCode", WALLET, "0x00")
    run = Run(crossing)
    ended = run.go(crossing.leg("USDC", "USDC", RAW))
    assert isinstance(ended, Finished)
    (refused,) = run.of(Refused)
    assert (["G405"], []) == ([no.code for no in refused.refusals], run.of(Signed))
