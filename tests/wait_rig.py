"""Real processes between chains: killed while money is under way, followed by others, checked.

Transfers are one leg each of a plan file, and each of them a `Passage` that says how others are
kept from bringing it on, so that a process waits where a test wants it to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from cli_fixtures import TIMEOUT_SECONDS, Ended, passed_on
from provider_runs import plan
from three_chains import ETHER, PASSWORD, new_key, settings_of, write_files

from agent.bridges._spoke_pool import DEPOSITED, fill_data, read_deposit, word
from agent.chain.node import RpcNode
from agent.cli.plan import write
from agent.compose.account import Account, open_account
from agent.compose.adapters import KeyAccess
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.movement import act, in_transit
from agent.core.plan import Leg, Sell
from agent.core.state import IntentState, LegState, RunState
from agent.engine.tail import load
from agent.lab.accounts import ATTENDANT, TREASURY
from agent.lab.providers._arbitrum_contracts import ROLLUP
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.worlds import Worlds
from agent.ports import Act, Delivered, Returned, Track
from agent.stores.memory import MemoryJournal
from agent.stores.sqlite import SqliteJournal

ETHEREUM, BASE, ARBITRUM = 1, 8453, 42161
CONFIRMATIONS = 4
"""Blocks of a second: time enough to see a claim that is mined and does not count yet."""

CHALLENGE_BLOCKS = 1
"""Of Arbitrum's withdrawals: each stands for twelve seconds, which have to go by in earnest."""

APPROVE = "0x095ea7b3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One transfer; others bring it on or not as they are told by `order` and a mode.

    `claims` are the transactions of ours that finish it; `whole` says that all of it arrives,
    `tickets` that it pays for gas on the rollup.
    """

    via: str
    chain: int
    sell: str
    amount: str
    to_chain: int
    buy: str
    order: tuple[str, ...]
    detail: str = ""
    claims: int = 0
    whole: bool = True
    tickets: bool = False


def _passage(via: str, way: str, order: str, **more: Any) -> Passage:
    """*way* is "AMOUNT SYMBOL CHAIN SYMBOL CHAIN"."""
    amount, sell, chain, buy, to_chain = way.split()
    return Passage(
        via=via,
        amount=amount,
        sell=sell,
        chain=int(chain),
        buy=buy,
        to_chain=int(to_chain),
        order=tuple(order.split()),
        **more,
    )


_ATTEST, _RELAY, _VERIFY = "cctp set mode", "relayer", "stargate mode"
_OP_IN, _OP_OUT = "canonical_op deposits", "canonical_op outputs"
_IN, _OUT = "canonical_arbitrum sequence", "canonical_arbitrum confirm"

PASSAGES: Mapping[str, Passage] = {
    "across": _passage("across", "100 USDC 1 USDC 8453", _RELAY, whole=False),
    "lifi": _passage("lifi", "120 USDC 1 USDC 8453", _RELAY, whole=False),
    "cctp standard": _passage(
        *("cctp", "110 USDC 1 USDC 8453", _ATTEST), detail="standard", claims=1
    ),
    "cctp fast": _passage(
        *("cctp", "130 USDC 8453 USDC 42161", _ATTEST), detail="fast", claims=1, whole=False
    ),
    "stargate": _passage("stargate", "140 USDC 1 USDC 42161", _VERIFY, whole=False),
    "op deposit": _passage("canonical_op", "0.10 ETH 1 ETH 8453", _OP_IN),
    "op withdrawal": _passage("canonical_op", "0.05 ETH 8453 ETH 1", _OP_OUT, claims=2),
    "arbitrum deposit": _passage("canonical_arbitrum", "0.09 ETH 1 ETH 42161", _IN),
    "arbitrum token deposit": _passage(
        "canonical_arbitrum", "0.01 WBTC 1 WBTC 42161", _IN, tickets=True
    ),
    "arbitrum withdrawal": _passage("canonical_arbitrum", "0.07 ETH 42161 ETH 1", _OUT, claims=1),
}
"""By name. No two of the same kind are of the same size: a bridge may tell them apart by it."""


@dataclass
class Process:
    """A command of the wallet that goes on by itself."""

    child: subprocess.Popen[bytes]
    told: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has said so far."""
        text = self.told.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def kill(self) -> None:
        """SIGKILL: nothing can be tidied up."""
        os.kill(self.child.pid, signal.SIGKILL)
        assert -signal.SIGKILL == self.child.wait()

    def ended(self) -> Ended:
        """Wait for its own end."""
        try:
            code = self.child.wait(TIMEOUT_SECONDS)
        finally:
            self.stop()
        said = self.told.with_suffix(".err").read_text()
        return Ended(code=code, stdout=self.told.read_text(), stderr=said)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.child.kill()
        self.child.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transaction of the wallet as the chain has it; `value` and `fee` are wei.

    The fee is without the part that a rollup charges for Ethereum: local receipts do not tell it.
    """

    chain: int
    hash: str
    to: str
    data: str
    ok: bool
    value: int
    fee: int

    @property
    def approves(self) -> bool:
        return self.data.startswith(APPROVE)


@dataclass
class Traveller:
    """A wallet whose money crosses by *passages*, and the processes that see to it."""

    worlds: Worlds
    home: Path
    cache: Path
    account: Account
    passages: Mapping[str, Passage]
    blocks: Mapping[int, int]
    before: Mapping[tuple[int, str], int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    gifts: Counter[tuple[int, str]] = field(default_factory=Counter)

    # What the processes are

    def begin(self) -> Process:
        """The run of a plan of all passages at once."""
        now = self.account.io.clock.now()
        legs = tuple(
            Leg(
                id=str(number),
                kind="bridge",
                via=passage.via,
                sell=Sell(self.token(passage.chain, passage.sell), self.raw(passage)),
                buy=self.token(passage.to_chain, passage.buy),
                expected_out=1,
                min_buy=1,
                detail=passage.detail,
            )
            for number, passage in enumerate(self.passages.values(), 1)
        )
        file = self.home / "plan.json"
        one = plan(legs[0], now, self.account.io.policy.hash)
        write(replace(one, legs=legs), file)
        return self._start("run", str(file), "--no-rehearsal")

    def resume(self) -> Process:
        return self._start("resume")

    def _start(self, *words: str) -> Process:
        told = self.home / f"told{len(self.processes)}.json"
        variables = {
            "REBALANCER_HOME": str(self.home / "state"),
            "REBALANCER_CONFIG": str(self.home / "portfolio.toml"),
            "REBALANCER_OVERLAY": str(self.home / "overlay.toml"),
            "REBALANCER_PASSWORD": PASSWORD,
        }
        with told.open("wb") as out, told.with_suffix(".err").open("wb") as err:
            child = subprocess.Popen(
                [sys.executable, "-m", "agent", *words, "--wait", "900", "--json", "-q"],
                env={**passed_on(self.home, self.cache), **variables},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.processes.append(Process(child, told))
        return self.processes[-1]

    def killed(self, process: Process, moment: str, has_come: Callable[[Process], bool]) -> None:
        """Kill *process* as soon as its moment has come; raises AssertionError if it never does."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not has_come(process):
            assert time.monotonic() < deadline, f"never {moment}: {process.lines[-3:]}"
            assert process.child.poll() is None, f"ended before {moment}: {process.ended()}"
            time.sleep(0.02)
        process.kill()
        self.kills.append(moment)

    def wait_and_die(self, process: Process) -> None:
        self.killed(process, "waits", self.waits)

    # What the journal says

    @property
    def run(self) -> RunState | None:
        """The run that goes on, or the last one; None before it."""
        journal = SqliteJournal(self.home / "state", read_only=True)
        try:
            runs = load(journal, self.account.io.account).runs
        finally:
            journal.close()
        return next(reversed(list(runs.values())), None)

    @property
    def state(self) -> RunState:
        run = self.run
        assert run is not None
        return run

    def open_legs(self) -> list[LegState]:
        return [leg for leg in self.state.legs.values() if not leg.landed]

    def inflows(self) -> dict[tuple[int, str], int]:
        """What the run says came from elsewhere."""
        amounts = [fact.amount for fact in self.state.inflows]
        return {(int(each.token.chain), each.token.symbol): each.raw for each in amounts}

    def waits(self, process: Process) -> bool:
        """Whether all deposits are mined and confirmed, and *process* has said that it waits."""
        run = self.run
        if run is None or not all(in_transit(run, leg) for leg in self.open_legs()):
            return False
        said = {
            transfer["leg"]
            for line in process.lines
            if line["kind"] == "run.waiting"
            for transfer in line["transfers"]
        }
        return said >= {leg.leg.id for leg in self.open_legs()}

    def claims(self) -> list[IntentState]:
        known = self.state.intents.values()
        return [each for each in known if each.intent.draft.purpose == "claim"]

    def open_claims(self) -> list[IntentState]:
        """Sent, and in no block that the journal knows."""
        return [
            known
            for known in self.claims()
            if known.mined is None and known.attempts[-1].submitted is not None
        ]

    def fresh_claims(self) -> list[IntentState]:
        """Mined, and not deep enough."""
        return [each for each in self.claims() if each.mined is not None and not each.confirmed]

    # What the chains say

    def token(self, chain: int, symbol: str) -> Token:
        tokens = self.account.settings.tokens(ChainId(chain))
        return next(token for token in tokens if token.symbol == symbol)

    def raw(self, passage: Passage) -> int:
        return int(Decimal(passage.amount) * self.token(passage.chain, passage.sell).unit)

    def held(self) -> dict[tuple[int, str], int]:
        """Base units of everything, by chain and symbol."""
        found = {}
        for chain, node in self.account.nodes.items():
            tokens = self.account.settings.tokens(chain)
            balances = node.balances(self.account.io.account, tokens, node.block().number)
            found |= {(int(chain), token.symbol): raw for token, raw in balances.items()}
        return found

    def sent(self) -> list[Sent]:
        """All transactions of the wallet, from the blocks themselves."""
        found = []
        for chain, first in self.blocks.items():
            rpc = self.worlds[chain].rpc
            for number in range(first + 1, self.worlds[chain].head()[0] + 1):
                block: Any = rpc.call("eth_getBlockByNumber", hex(number), True)
                ours = [
                    each
                    for each in block["transactions"]
                    if each["from"].lower() == self.account.io.account
                ]
                found += [_sent(chain, each, rpc) for each in ours]
        return found

    def tell(self, mode: Literal["never", "prompt"]) -> None:
        """Let others bring all transfers on, or none."""
        for who, *what in {passage.order for passage in self.passages.values()}:
            if who == "relayer":
                self.worlds.relay(mode)
            else:
                self.worlds.tell(who, *what, mode)

    def until_ready(self) -> dict[str, Track]:
        """Let time go by until each passage has come, or needs a transaction of ours; no process
        of ours is alive."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            found = {leg.leg.id: self._track(leg) for leg in self.open_legs()}
            if all(isinstance(each, Act | Delivered | Returned) for each in found.values()):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.2)

    def _track(self, leg: LegState) -> Track:
        io, receipt = self.account.io, self.receipt(leg)
        own = [known for known in self.claims() if known.intent.leg == leg.leg.id]
        count = sum(known.succeeded for known in own)
        return io.bridges[leg.leg.via].track(
            leg.leg, receipt, leg.leg.planned_sell.raw, count, io.clock.now()
        )

    def receipt(self, leg: LegState) -> Receipt:
        """The mined deposit of a leg."""
        done = act(self.state, leg)
        assert done is not None
        assert done.mined is not None
        return done.mined.receipt

    def fill_falsely(self, passage: Passage, leg: LegState, symbol: str) -> None:
        """A stranger gives half the base units, of *symbol*, under the number of Across's deposit."""
        node = self.account.nodes[ChainId(passage.chain)]
        assert isinstance(node, RpcNode)
        logs = [log for log in node.logs_of(self.receipt(leg).hash) if DEPOSITED.is_in(log)]
        made = read_deposit(logs[0], ChainId(passage.chain))
        given = self.token(passage.to_chain, symbol)
        raw = made.output_amount // 2
        false = replace(made, output_amount=raw, output_token=word(given.address))
        world = self.worlds[passage.to_chain]
        call = Tx(
            to=world.place.spoke_pool, input=fill_data(false, Address(ATTENDANT)), what="filling"
        )
        Puppet(world.rpc, ATTENDANT).send(call)
        self.gifts[passage.to_chain, symbol] += raw

    def until_mined(self, claims: Sequence[IntentState]) -> None:
        wanted = [(known.intent.chain, known.hashes[-1][1]) for known in claims]
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not all(
            self.worlds[chain].rpc.call("eth_getTransactionReceipt", name) for chain, name in wanted
        ):
            assert time.monotonic() < deadline, wanted
            time.sleep(0.02)


def _sent(chain: int, found: Mapping[str, Any], rpc: Any) -> Sent:
    receipt = rpc.call("eth_getTransactionReceipt", found["hash"])
    return Sent(
        chain=chain,
        hash=found["hash"],
        to=found["to"],
        data=found["input"],
        ok=receipt["status"] == "0x1",
        value=int(found["value"], 16),
        fee=int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16),
    )


@contextmanager
def traveller(worlds: Worlds, cache: Path, names: Sequence[str]) -> Iterator[Traveller]:
    """A funded wallet that has done nothing yet; all its processes are ended afterwards."""
    passages = {name: PASSAGES[name] for name in names}
    with tempfile.TemporaryDirectory(prefix="wait-") as folder:
        home = Path(folder)
        address = new_key(home)
        funds = {"ETH": 10 * ETHER, "USDC": 50_000 * 10**6, "WBTC": 10**8}
        worlds.fund(address, dict.fromkeys(worlds, funds))
        write_files(
            worlds,
            *(home, address, "keystore:demo"),
            confirmations=CONFIRMATIONS,
            max_head_age_seconds=3_600,
        )
        bridges = sorted({passage.via for passage in passages.values()})
        file = home / "portfolio.toml"
        text = file.read_text().replace('allow = ["across"]', f"allow = {json.dumps(bridges)}")
        # Ethereum is dear here, and a claim reserves much gas, of which it uses a third.
        file.write_text(text.replace("[limits]\n", '[limits]\nmax_fee_per_tx = "100"\n'))
        account = open_account(
            settings_of(home), KeyAccess(ask=lambda: PASSWORD), journal=MemoryJournal()
        )
        owner = Puppet(worlds[ETHEREUM].rpc, TREASURY)
        owner.send(tx(ROLLUP, "setConfirmPeriodBlocks(uint64)", CHALLENGE_BLOCKS))
        blocks = {chain: world.head()[0] for chain, world in worlds.items()}
        found = Traveller(worlds, home, cache, account, passages, blocks)
        found.before = found.held()
        try:
            yield found
        finally:
            for process in found.processes:
                process.stop()
            account.close()


@contextmanager
def still(worlds: Worlds) -> Iterator[None]:
    """No chain mines for the time of the block."""
    for chain in worlds:
        worlds.halt(chain)
    try:
        yield
    finally:
        for chain in worlds:
            worlds.go_on(chain)
