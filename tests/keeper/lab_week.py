"""Keeper time on three local chains of real contracts: time is set, deposits come, things break.

Each tick is a process of its own, as cron would start it: everything is opened anew, and what is
remembered is what lies in the state folder.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from crash_rig import Crash, Fuse, Fused
from paper_week import OUTCOMES, Book, BrokenRuleError
from three_chains import ETHER, FUNDS, PASSWORD, new_key, settings_of, write_files

from agent.compose import open_account
from agent.compose.account import Account
from agent.compose.adapters import KeyAccess
from agent.core import fact as f
from agent.core.money import Address, ChainId, Token
from agent.core.state import State
from agent.engine.loop import session
from agent.engine.survey import look
from agent.errors import AgentError, Unreachable
from agent.keeper.memory import Memory
from agent.keeper.tick import advance
from agent.keeper.ticked import Ticked
from agent.keeper.wallet import wallet_of
from agent.lab.puppet import tx
from agent.lab.worlds import Worlds
from agent.settings import Settings

EVERY = 600
BUDGET = 60.0
STRANGER = Address("0x" + "0d" * 20)
LEAVE_ALONE = 2
ASKED = {"snapshot", "balances", "read", "block", "fees", "sight", "pending_nonce", "simulate"}
FAULTS = ("down 1", "down 8453", "down 42161", "late", "never", "fee", "stale", "halted")
BASE = {"ETH": Decimal(3000), "WBTC": Decimal(60_000)}
DEPOSITS = (
    (1, "USDC", 6_000 * 10**6),
    (8453, "USDC", 5_000 * 10**6),
    (1, "WETH", 2 * ETHER),
    (42161, "WBTC", 8_000_000),
)


class Pace:
    """The chains' own time, which jumps between ticks; to wait is to let blocks come."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self._set, self._since = 0, 0.0
        self.quiet: frozenset[int] = frozenset()

    def jump(self, seconds: int, *, fresh: bool = True) -> None:
        """Go on by so long on all chains but the quiet ones; feeds are repeated if *fresh*."""
        heads = [world.head()[1] for world in self._worlds.values()]
        now = max(self.now(), *heads) + seconds
        for chain, world in self._worlds.items():
            if chain not in self.quiet:
                world.set_time(now)
                if fresh:
                    world.publish()
        self._set, self._since = now, time.monotonic()

    def now(self) -> int:
        return self._set + int(time.monotonic() - self._since) if self._set else 0

    def sleep(self, seconds: float) -> None:
        self.jump(max(1, int(seconds)), fresh=False)
        self._worlds.turn()


@dataclass(slots=True)
class Down:
    """A node that may be down."""

    inner: Any
    is_down: Callable[[], bool]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name in ASKED and self.is_down():
            raise Unreachable("the node cannot be reached", fix="wait")
        return found


@dataclass(slots=True)
class LabWeek:
    """Three chains, a wallet with its key, and the keeper that lives there."""

    seed: int
    worlds: Worlds
    home: Path
    dice: random.Random = field(init=False)
    pace: Pace = field(init=False)
    settings: Settings = field(init=False)
    faults: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    given: Counter[Token] = field(default_factory=Counter)
    first: dict[Token, int] = field(init=False)
    ticks: int = 0
    unexcused: int = 0
    waited_for: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        address = new_key(self.home)
        self.worlds.fund(address, FUNDS)
        write_files(
            self.worlds,
            self.home,
            address,
            "keystore:demo",
            max_head_age_seconds=900,
            confirmations=1,
        )
        text = (self.home / "portfolio.toml").read_text()
        text = text.replace('mode = "threshold"', 'mode = "threshold"\ncooldown = "30m"')
        (self.home / "portfolio.toml").write_text(text.replace("40000", "15000"))
        self.settings = settings_of(self.home)
        self.pace = Pace(self.worlds)
        self.pace.jump(1)
        with closing(self.open()) as account:
            self.first = dict(self.balances(account))

    def open(self) -> Account:
        """Everything anew, as a process does."""
        access = KeyAccess(ask=lambda: PASSWORD)
        return open_account(self.settings, access, clock=self.pace)

    def balances(self, account: Account) -> dict[Token, int]:
        """All that the wallet holds, on all chains."""
        return {
            token: raw
            for chain, node in account.nodes.items()
            for token, raw in node.snapshot(
                self.settings.account, self.settings.tokens(chain)
            ).balances.items()
        }

    def tick(self) -> Ticked | None:
        """Time jumps, things happen, and a process ticks; None when it was killed."""
        self.ticks += 1
        self._break()
        stale = "stale" in self.faults
        self.pace.jump(EVERY if not stale else 12 * EVERY, fresh=not stale)
        self.worlds.turn()
        self._act()
        fuse = Fuse(self.dice.randint(0, 60) if self.dice.random() < 0.3 else None)
        ticked: Ticked | None
        with closing(self.open()) as account:
            try:
                ticked = self._advance(account, fuse)
            except Crash:
                self.counts["killed"] += 1
                ticked = None
            self._check(account, ticked)
        return ticked

    def _advance(self, account: Account, fuse: Fuse) -> Ticked:
        nodes = {
            chain: Fused(Down(node, lambda c=chain: f"down {c}" in self.faults), fuse, "send")
            for chain, node in account.nodes.items()
        }
        io = replace(
            account.io,
            nodes=nodes,
            journal=Fused(account.io.journal, fuse, "append"),
            signer=Fused(account.io.signer, fuse, "sign"),
        )
        wallet = wallet_of(replace(account, io=io), rehearse=False)
        return advance(wallet, worker=f"tick-{self.ticks}", budget_seconds=BUDGET)

    def _break(self) -> None:
        self.faults = {name: left - 1 for name, left in self.faults.items() if left > 1}
        if self.dice.random() < 0.2:
            self.faults[self.dice.choice(FAULTS)] = self.dice.randint(1, 4)
        mode = next((each for each in ("never", "late") if each in self.faults), "prompt")
        self.worlds.relay(mode)  # type: ignore[arg-type]
        self.worlds.forge("fee", 3 if "fee" in self.faults else 0)
        self.pace.quiet = frozenset({8453} if "halted" in self.faults else ())

    def _act(self) -> None:
        """Prices move a little, deposits come, the owner takes something out."""
        if self.dice.random() < 0.4:
            symbol = self.dice.choice(list(BASE))
            bps = self.dice.randint(-25, 25)
            self.worlds.set_price(symbol, BASE[symbol] * (10_000 + bps) / 10_000)
        if self.dice.random() < 0.15:
            chain, symbol, raw = self.dice.choice(DEPOSITS)
            self.worlds.fund(self.settings.account, {chain: {symbol: raw}})
            self.given[self._token(chain, symbol)] += raw
            self.counts["deposits"] += 1
        if self.dice.random() < 0.05 and not self.faults:
            self._take(8453, "USDC", 700 * 10**6)

    def _take(self, chain: int, symbol: str, raw: int) -> None:
        token, world = self._token(chain, symbol), self.worlds[chain]
        owner, before = self.settings.account, self._balance(chain)
        if before[token] < raw:
            return
        call = tx(token.address, "transfer(address,uint256)", STRANGER, raw)
        world.rpc.call("anvil_impersonateAccount", owner)
        sent = {"from": owner, "to": call.to, "data": call.input}
        digest = world.rpc.call("eth_sendTransaction", sent)
        while world.rpc.call("eth_getTransactionReceipt", digest) is None:
            time.sleep(0.01)
        world.rpc.call("anvil_stopImpersonatingAccount", owner)
        for each, held in self._balance(chain).items():
            self.given[each] += held - before[each]
        self.counts["withdrawals"] += 1

    def _balance(self, chain: int) -> dict[Token, int]:
        with closing(self.open()) as account:
            node = account.nodes[ChainId(chain)]
            tokens = self.settings.tokens(ChainId(chain))
            return dict(node.snapshot(self.settings.account, tokens).balances)

    def _token(self, chain: int, symbol: str) -> Token:
        tokens = self.settings.tokens(ChainId(chain))
        return next(token for token in tokens if token.symbol == symbol)

    # What must hold.

    def _check(self, account: Account, ticked: Ticked | None) -> None:
        state = account.state()
        if ticked is not None and ticked.error is None:
            self._must(ticked.outcome in OUTCOMES, f"outcome {ticked.outcome}")
            self.counts[str(ticked.outcome)] += 1
        elif ticked is not None and ticked.error is not None:
            known = ticked.error.exit in {5, 6, 7, 8, 9, 10, 75}
            self._must(known, f"error [{ticked.error.code}] {ticked.error.message}")
            self.counts[f"{'held ' if ticked.held else ''}{ticked.error.code}"] += 1
        self._check_limits(account)
        self._check_drift(account, ticked, state)
        self._look_after(account, state)

    def book(self, account: Account) -> Book:
        """What the journal's facts come to."""
        coins = {chain: facts.native for chain, facts in self.settings.chains.items()}
        return Book(account.io.journal.load(self.settings.account), coins=coins)

    def _check_limits(self, account: Account) -> None:
        limits, now, book = self.settings.policy.limits, self.pace.now(), self.book(account)
        self._must(book.moved_since(now - 86_400) <= limits.max_day_value, "the day's limit")
        self._must(book.cost_since(now - 30 * 86_400) <= limits.max_month_cost, "the month's cost")
        self._must(book.in_flight() <= limits.max_in_flight, "too much in flight")
        most = max(book.by_run.values(), default=Decimal(0))
        self._must(most <= limits.max_run_value, f"{most} moved by one run")

    def _check_drift(self, account: Account, ticked: Ticked | None, state: State) -> None:
        excused = (
            ticked is None
            or ticked.error is not None
            or ticked.outcome != "nothing"
            or bool(self.faults)
            or state.open_run is not None
            or any(word in ticked.why for word in ("cooldown", "max_", "not offered"))
        )
        if excused:
            self.unexcused = 0
            return
        try:
            seen = look(account.io, state)
        except AgentError:
            return
        left = [each for each in seen.decision.drifts if abs(each.excess) >= 50]
        self.unexcused = self.unexcused + 1 if left else 0
        self._must(self.unexcused <= 2, f"outside its bands for no reason: {ticked.why}")  # type: ignore[union-attr]

    def _look_after(self, account: Account, state: State) -> None:
        wallet = wallet_of(account)
        needs = state.unreconciled is not None or wallet.desk.recall().stopped is not None
        self.waited_for = self.waited_for + 1 if needs else 0
        if self.waited_for <= LEAVE_ALONE:
            return
        self.waited_for = 0
        wallet.desk.remember(Memory())
        if state.unreconciled is not None:
            with session("person", account.io) as held:
                held.reconcile(state.unreconciled, "looked at it")
            self.counts["reconciled"] += 1

    def settle(self) -> None:
        """Everything heals; then nothing may be open, in flight or unexplained."""
        self.faults = {}
        self.worlds.relay("prompt")
        self.worlds.forge("fee", 0)
        self.pace.quiet = frozenset()
        for _ in range(40):
            self.pace.jump(EVERY)
            self.worlds.turn()
            with closing(self.open()) as account:
                ticked = self._advance(account, Fuse(None))
                state = account.state()
                self._look_after(account, state)
            if state.open_run is None and ticked.outcome == "nothing":
                break
        with closing(self.open()) as account:
            state = account.state()
            self._must(state.open_run is None, "a run is still open")
            since = dict.fromkeys(account.nodes, 0)
            flying = [b.find(self.settings.account, since) for b in account.io.bridges.values()]
            self._must(not any(flying), f"money is in flight: {flying}")
            book, have = self.book(account), self.balances(account)
            for token, raw in have.items():
                wanted = self.first[token] + self.given[token] + book.changes[token]
                self._must(raw == wanted, f"{token}: {raw} are there, {wanted} are explained")

    def report(self) -> dict[str, Any]:
        """What it was like."""
        with closing(self.open()) as account:
            facts = account.io.journal.load(self.settings.account)
        refused = itertools.chain.from_iterable(
            fact.refusals for fact in facts if isinstance(fact, f.Refused)
        )
        return {
            "seed": self.seed,
            "ticks": self.ticks,
            "ended": dict(sorted(self.counts.items())),
            "runs": sum(isinstance(fact, f.Started) for fact in facts),
            "transactions": sum(isinstance(fact, f.Mined) for fact in facts),
            "transfers": sum(isinstance(fact, f.Arrived | f.Refunded) for fact in facts),
            "refused": dict(Counter(no.code for no in refused)),
        }

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            raise BrokenRuleError(
                f"lab, seed {self.seed}, tick {self.ticks}, faults {self.faults}: {what}"
            )


def live(seed: int, ticks: int, worlds: Worlds, home: Path) -> LabWeek:
    """So many ticks on *worlds*, settled at their end; raises BrokenRuleError with the seed."""
    week = LabWeek(seed, worlds, home)
    for _ in range(ticks):
        week.tick()
    week.settle()
    return week
