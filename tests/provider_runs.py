"""One leg by one venue or bridge as the program itself makes it, from the plan to the closing rule."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from three_chains import ETHER, PASSWORD, new_key, settings_of, write_files

from agent.compose.account import Account, open_account
from agent.compose.adapters import KeyAccess
from agent.compose.providers import key_variable, provider_names
from agent.core import fact as f
from agent.core.money import ChainId, Token
from agent.core.plan import Leg, Plan, Sell
from agent.core.state import State
from agent.engine.loop import Finished, Wait, session
from agent.engine.survey import read
from agent.lab.worlds import Worlds
from agent.stores.memory import MemoryJournal

DAYS = 86_400

KEYS = {key_variable(name): "a-key-of-the-tests" for name in provider_names("venues")}


class WorldsClock:
    """Time is the chains'; waiting moves all of them, and lets others do their part.

    A wait takes `least_seconds` or more: a wait of hours in steps of seconds shows nothing more.
    """

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self.least_seconds = 0.0

    def now(self) -> int:
        return max(world.head()[1] for world in self._worlds.values())

    def sleep(self, seconds: float) -> None:
        self._worlds.set_time(self.now() + math.ceil(max(seconds, self.least_seconds)) + 1)
        self._worlds.turn()
        self._worlds.mine(2)


@dataclass
class ProviderRun:
    """What one run did; amounts are base units, `seconds` chain time from plan to end."""

    account: Account
    worlds: Worlds
    clock: WorldsClock
    facts: list[Any] = field(default_factory=list)
    seconds: int = 0

    def token(self, chain: int, symbol: str) -> Token:
        """A token of a chain by its symbol; ETH is the gas coin."""
        tokens = self.account.settings.tokens(ChainId(chain))
        return next(token for token in tokens if token.symbol == symbol)

    def go(self, leg: Leg, *, budget: float = 10 * DAYS) -> Finished | Wait:
        """Run a plan of that leg alone."""
        io = self.account.io
        began = io.clock.now()
        with session("test", io) as held:
            held.start("r1", plan(leg, began, io.policy.hash), read(io, State()))
            ended = held.advance(budget)
        self.seconds = io.clock.now() - began
        return ended

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def closed(self) -> f.Closed:
        (found,) = self.of(f.Closed)
        return found

    @property
    def quoted(self) -> f.Quoted:
        return self.of(f.Quoted)[-1]

    @property
    def gas(self) -> int:
        """Gas of all transactions of ours."""
        return sum(fact.receipt.gas_used for fact in self.of(f.Mined))

    @property
    def got(self) -> int:
        """What came, by the balances: measured arrivals, or what a swap changed."""
        buy = self.quoted.quote.buy
        arrived = [fact.amount.raw for fact in self.of(f.Arrived) if fact.amount.token == buy]
        if arrived:
            return sum(arrived)
        deltas = [delta for fact in self.of(f.Settled) for delta in fact.deltas]
        return sum(delta.raw for delta in deltas if delta.token == buy)


def leg(via: str, kind: str, sell: Token, raw: int, buy: Token, detail: str = "") -> Leg:
    return Leg(
        id="1",
        kind=kind,  # type: ignore[arg-type]
        via=via,
        sell=Sell(sell, raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
        detail=detail,
    )


def plan(only: Leg, now: int, policy_hash: str) -> Plan:
    money: Any = dict.fromkeys(
        ("value", "cost", "worst_case", "gas_if_reverted", "turnover"), Decimal(0)
    )
    return Plan(
        id="plan",
        legs=(only,),
        standings=(),
        bound=None,
        prices=(),
        blocks=(),
        policy_hash=policy_hash,
        made=now,
        expires=now + 600,
        why=(),
        **money,
    )


@contextmanager
def provider_run(worlds: Worlds, via: str, kind: str) -> Iterator[ProviderRun]:
    """A funded wallet that may use *via* and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        address = new_key(home)
        funds = {
            chain: {"ETH": 10 * ETHER, "WETH": 5 * ETHER, "USDC": 50_000 * 10**6, "WBTC": 10**8}
            for chain in worlds
        }
        worlds.fund(address, funds)
        write_files(worlds, home, address, "keystore:demo", confirmations=2)
        settings = settings_of(home, **KEYS)
        allowed = {"venues": (via,)} if kind == "swap" else {"bridges": (via,)}
        settings = replace(settings, **allowed)
        limits = replace(settings.policy.limits, max_fee_per_tx=Decimal(100))
        settings = replace(settings, policy=replace(settings.policy, limits=limits))
        facts: list[Any] = []
        clock = WorldsClock(worlds)
        account = open_account(
            settings,
            KeyAccess(ask=lambda: PASSWORD),
            observe=facts.append,
            journal=MemoryJournal(),
            clock=clock,
        )
        try:
            yield ProviderRun(account, worlds, clock, facts)
        finally:
            account.close()
