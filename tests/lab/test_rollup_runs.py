"""The real engine on real rollups of this machine: every wei of the gas coin is explained."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest
import rlp  # type: ignore[import-untyped]
from chain.rollups import MODELS
from conformance.nodes import over
from fee_rig import TIERS, Payer
from paper_world import leg, plan, policy

from agent.chain.fork import ForkNode
from agent.core import fact as f
from agent.core.fees import MAX_L1_FEE_GROWTH
from agent.core.follow import Rules
from agent.core.intent import SignedTx
from agent.core.money import Address, Token
from agent.core.plan import Plan, Sell, build
from agent.core.price import Price, Prices
from agent.core.snapshot import Snapshot
from agent.engine.io import ChainRules, Io
from agent.engine.loop import session
from agent.lab.sandbox import ForkSandbox
from agent.lab.world import open_world
from agent.planning.problem import NoPlan
from agent.ports import AdapterIo, Node, Signer
from agent.signers import env_key, impersonate
from agent.stores.memory import MemoryJournal
from agent.venues import wrap
from agent.wire.clock import SystemClock

ETHER = 10**18
HALF = ETHER // 2
VALUES = {"ETH": Decimal(3000), "USDC": Decimal(1)}


@pytest.fixture(params=[8453, 42161], ids=["Base", "Arbitrum"])
def payer(request: pytest.FixtureRequest, lab_cache: Path) -> Iterator[Payer]:
    with open_world(lab_cache, chain_id=request.param) as world:
        world.publish(int(time.time()))
        payer = Payer(world)
        world.fund(payer.account, {"ETH": 2 * ETHER, "WETH": ETHER})
        yield payer
        payer.node.close()


def held(payer: Payer) -> tuple[Token, Token, Token]:
    return payer.token("ETH"), payer.token("WETH"), payer.token("USDC")


def three_legs(payer: Payer, snapshot: Snapshot) -> Plan:
    """Wrap half a coin, sell it, unwrap another half."""
    coin, weth, usdc = held(payer)
    legs = (
        leg("1", "wrap", "wrap", Sell(coin, HALF), weth, HALF),
        leg("2", "swap", "router", Sell(weth, HALF), usdc, 1480 * 10**6, ("1",)),
        leg("3", "unwrap", "wrap", Sell(weth, HALF), coin, HALF, ("2",)),
    )
    return build(plan(*legs), snapshot.balances, {})


def io(payer: Payer, node: Node, signer: Signer) -> Io:
    coin, weth, usdc = held(payer)
    clock = SystemClock()
    by_asset = {
        name: Price(name, value, value, value, clock.now(), ("feed", "pool"))
        for name, value in VALUES.items()
    }
    prices = Prices(
        MappingProxyType(by_asset),
        asset_of=MappingProxyType({coin: "ETH", weth: "ETH", usdc: "USDC"}),
    )
    wrappers = {payer.chain: (Address(payer.world.place.weth), "")}
    return Io(
        account=payer.account,
        policy=policy(),
        chains={
            payer.chain: ChainRules(
                native=coin,
                wrapped=weth,
                tokens=(coin, weth, usdc),
                rules=Rules(),
                poll_seconds=0.02,
            )
        },
        nodes={payer.chain: node},
        venues={
            "wrap": wrap.make(wrap.Options(wrappers), AdapterIo({payer.chain: node}, clock)),
            "router": payer.router(TIERS, ("USDC",), v2=False),
        },
        bridges={},
        signer=signer,
        journal=MemoryJournal(),
        clock=clock,
        prices=lambda: prices,
        replan=lambda _run: NoPlan(("nothing else to try",)),
        paused=lambda: None,
        observe=lambda _fact: None,
        serial=True,
    )


def run(payer: Payer, at: Io) -> list[f.Fact]:
    """Run the three legs to their end, and what the journal then says."""
    node = at.nodes[payer.chain]
    snapshot = Snapshot(payer.account, {payer.chain: node.snapshot(payer.account, held(payer))})
    with session("worker", at) as open_run:
        open_run.start("r1", three_legs(payer, snapshot), snapshot)
        ended = open_run.advance(60)
    facts = list(at.journal.load(payer.account))
    assert "every leg arrived" == ended.why, [x for x in facts if isinstance(x, f.Refused)]
    return facts


def assert_all_explained(payer: Payer, facts: list[f.Fact]) -> None:
    (closed,) = [fact for fact in facts if isinstance(fact, f.Closed)]
    inflows = [fact for fact in facts if isinstance(fact, f.ForeignInflow)]
    assert ("done", (), []) == (closed.outcome, closed.unexplained, inflows)
    start = next(fact for fact in facts if isinstance(fact, f.Started))
    coin = payer.token("ETH")
    before, after = (
        next(each.raw for each in holdings if each.token == coin)
        for holdings in (start.before, closed.after)
    )
    assert before - after == sum(fact.receipt.fee for fact in facts if isinstance(fact, f.Mined))


def test_run_on_a_rollup_explains_every_wei(payer: Payer) -> None:
    facts = run(payer, io(payer, payer.node, signer_of(payer)))
    assert_all_explained(payer, facts)
    mined = {fact.intent: fact.receipt for fact in facts if isinstance(fact, f.Mined)}
    reserved = [fact for fact in facts if isinstance(fact, f.Reserved)]
    assert 4 == len(mined) == len(reserved)
    for fact in reserved:
        assert fact.unsigned is not None
        assert mined[fact.intent.id].fee < fact.charges.fee * ETHER / VALUES["ETH"]
        room = fact.unsigned.gas_limit - fact.intent.draft.gas_limit
        assert (payer.chain == 42161) == (room > 0)
        assert 0 == room % MAX_L1_FEE_GROWTH


def test_run_by_legacy_transactions_explains_every_wei(lab_cache: Path) -> None:
    with open_world(lab_cache) as world:
        world.publish(int(time.time()))
        with closing(over(world, fee_model="legacy")) as node:
            payer = Payer(world, node)
            world.fund(payer.account, {"ETH": 2 * ETHER, "WETH": ETHER})
            facts = run(payer, io(payer, node, signer_of(payer)))
    assert_all_explained(payer, facts)
    for fact in facts:
        if isinstance(fact, f.Signed):
            assert isinstance(fact.payload, SignedTx)
            # v is that of chain 1: nothing of it is valid on another chain.
            assert rlp.decode(bytes.fromhex(fact.payload.raw[2:]))[6] in {b"\x25", b"\x26"}


def signer_of(payer: Payer) -> Signer:
    return env_key.make(
        env_key.Options(
            address=payer.account,
            reveal=payer.secret,
            accepted=True,
            max_value=Decimal(10**6),
            local=True,
            generated=frozenset({payer.account}),
        ),
        None,
    )


def test_rehearsal_of_a_rollup_on_a_fork_explains_every_wei(payer: Payer, lab_cache: Path) -> None:
    at = payer.world.head()[0]
    signer = impersonate.make(impersonate.Options(address=payer.account), None)
    with ExitStack() as stack:
        url = stack.enter_context(ForkSandbox(lab_cache).fork(payer.chain, payer.world.url, at))
        model = MODELS[payer.chain]
        fork = ForkNode(over(payer.world, url, fee_model=model), url)
        stack.enter_context(closing(fork))
        assert_all_explained(payer, run(payer, io(payer, fork, signer)))
    assert 0 == payer.node.sight(payer.account, ()).nonce
