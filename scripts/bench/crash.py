"""Kill real processes at every effect boundary of a run over two chains, and count the damage.

The run swaps on Ethereum, sends what it got through Across, and swaps on Base; contracts, relayer
and chains are real ones on this machine. Four tables: every boundary, killed, with the first
broadcast's request or reply lost, and with the newest block of both chains taken back after the
kill; a naive twin (sign, send, then record) under the same; processes racing for one account; and
every pair of kills of a two-chain run on paper.

    python scripts/bench/crash.py --json > crash.json
    python scripts/bench/crash.py --points 100     # so many boundaries, evenly spread
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

# Forked children inherit these imports instead of paying for them one by one.
import eth_abi  # noqa: F401
import eth_account  # noqa: F401
import web3  # noqa: F401

from agent.compose import open_account
from agent.compose.adapters import KeyAccess, key_folders
from agent.compose.local import THROWAWAY_SCRYPT_N
from agent.core.fact import Reserved
from agent.core.fees import offer
from agent.core.intent import Charges, Draft, Intent, UnsignedTx
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg, Plan, Sell
from agent.core.quote import Call
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.engine.io import Io
from agent.engine.loop import Finished, session
from agent.engine.survey import read
from agent.errors import Busy, Fenced, SetupFailed, Unavailable
from agent.lab.branch import make_branch
from agent.lab.overlay import write_overlay
from agent.lab.relayer import Relayer, Terms
from agent.lab.worlds import Worlds, open_worlds
from agent.ports import Sent
from agent.settings import Settings, find_paths, load
from agent.signers import keystore
from agent.wire.address import checksum
from agent.wire.rpc import Rpc

NEAR, FAR = ChainId(1), ChainId(8453)
FUNDS = {NEAR: {"ETH": 2 * 10**18, "WETH": 3 * 10**18}, FAR: {"ETH": 10**18}}
RAW = 2 * 10**18
"""Base units of WETH that the run sells: about 6,000 of value."""

PORTFOLIO = """\
schema = 1
name = "bench"
base = "USD"

[wallet]
address = "{address}"
chains = ["eip155:1", "eip155:8453"]
signer = "keystore:{key}"

[targets]
ETH = {{ weight = "0.50", band = "0.05" }}
USDC = {{ weight = "0.50", band = "0.05" }}

[limits]
max_run_value = "100000"
max_day_value = "1000000"
max_month_cost = "10000"

[confirm]
mode = "never"

[venues]
allow = ["router"]

[bridges]
allow = ["across"]
"""

CONFIRMATIONS = 1
"""The least: a reorganisation takes back what was counted on, arrivals among it."""

PASSWORD = "of no use elsewhere"  # noqa: S105  of a key that owns play money alone

TABLES = ("kills", "naive", "races", "pairs")

RACE_SECONDS = 120.0
"""How long a keeper tries before it gives up; a run takes one second, eight take turns."""

Mark = Mapping[int, str]
"""The state of all chains to go back to."""

MODES = ("kill", "request lost", "reply lost", "reorg after")


class Fast:
    """A clock that a wait moves without waiting; meanwhile blocks come and the relayer works."""

    def __init__(self, rig: Rig) -> None:
        # Connections of this process's own: those of the parent must not be shared.
        self._rpcs = {chain: Rpc(url) for chain, url in rig.urls.items()}
        branches = {
            chain: make_branch(chain, rpc, rig.publishers[chain])
            for chain, rpc in self._rpcs.items()
        }
        self._relayer = Relayer(branches, Terms(prompt_seconds=0))
        self._ahead = 0.0

    def now(self) -> int:
        return int(time.time() + self._ahead)

    def sleep(self, seconds: float) -> None:
        self._ahead += seconds
        for rpc in self._rpcs.values():
            rpc.call("evm_mine")
        with suppress(SetupFailed):
            self._relayer.turn()


@dataclass(slots=True)
class Fuse:
    """Kills the process at the n-th effect boundary; 0 never does."""

    at: int
    seen: int = 0

    def tick(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class Fused:
    """A port with a fuse before and after its effects."""

    def __init__(self, inner: Any, fuse: Fuse, *effects: str) -> None:
        self._inner, self._fuse, self._effects = inner, fuse, effects

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._effects:
            return found

        def effect(*args: Any, **named: Any) -> Any:
            self._fuse.tick()
            answer = found(*args, **named)
            self._fuse.tick()
            return answer

        return effect


class Deaf:
    """A node whose first broadcast in this process loses the request or the reply."""

    def __init__(self, inner: Any, mode: str) -> None:
        self._inner, self._mode, self._sent = inner, mode, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def send(self, raw: str) -> Sent:
        first, self._sent = not self._sent, True
        if first and self._mode == "request lost":
            return Sent(accepted=False, said="timed out")
        answer: Sent = self._inner.send(raw)
        lost = first and self._mode == "reply lost"
        return Sent(accepted=False, said="timed out") if lost else answer


@dataclass(frozen=True, slots=True)
class Rig:
    """Chains, a wallet, and the plan that all runs execute from the same state.

    `intents` and `balances` are those of a run to which nothing happens.
    """

    worlds: Worlds
    urls: Mapping[ChainId, str]
    publishers: Mapping[ChainId, str]
    settings: Settings
    password: str
    plan: Plan
    snapshot: Snapshot
    intents: Mapping[ChainId, int]
    balances: Mapping[str, int]


def child(body: Callable[[], int]) -> int:
    """Run *body* in a forked process; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = body()
        except BaseException as error:  # noqa: BLE001  the parent reads the code
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def live(rig: Rig, home: Path, at: int, mode: str, report: int | None = None) -> int:
    """One process's life: start the run if nobody has, go on to its end, die at effect *at*."""
    account = opened(rig, home)
    fuse = Fuse(at)
    io = replace(
        account.io,
        nodes={c: Fused(Deaf(node, mode), fuse, "send") for c, node in account.nodes.items()},
        journal=Fused(account.io.journal, fuse, "append"),
        signer=Fused(account.io.signer, fuse, "sign"),
        clock=Fast(rig),
        serial=True,
    )
    ended = advance(rig, io)
    if report is not None:
        os.write(report, str(fuse.seen).encode())
    return 0 if isinstance(ended, Finished) and ended.outcome == "done" else 71


def opened(rig: Rig, home: Path) -> Any:
    return open_account(at_home(rig.settings, home), KeyAccess(ask=lambda: rig.password))


def advance(rig: Rig, io: Io) -> Any:
    with session(f"{os.getpid()}", io) as held:
        if not held.state.runs:
            now = io.clock.now()
            held.start("r1", replace(rig.plan, made=now, expires=now + 600), rig.snapshot)
        return held.advance(300)


def at_home(settings: Settings, home: Path) -> Settings:
    paths = replace(settings.world.paths, state=home)
    return replace(settings, world=replace(settings.world, paths=paths))


def leg(name: str, sell: Sell, buy: Token, least: int) -> Leg:
    """A swap on one chain, a transfer between two."""
    far = sell.token.chain != buy.chain
    return Leg(
        id=name,
        kind="bridge" if far else "swap",
        via="across" if far else "router",
        sell=sell,
        buy=buy,
        expected_out=least,
        min_buy=least,
        after=sell.arrivals,
    )


def planned(policy_hash: str, tokens: Mapping[tuple[ChainId, str], Token]) -> Plan:
    """Swap, bridge, swap: each leg spends what the one before it brings."""
    weth, near, far, bought = (
        tokens[key] for key in ((NEAR, "WETH"), (NEAR, "USDC"), (FAR, "USDC"), (FAR, "WBTC"))
    )
    most = 7_000 * 10**6

    legs = (
        leg("1", Sell(weth, RAW), near, 5_900 * 10**6),
        leg("2", Sell(near, 0, ("1",), most), far, 6_800 * 10**6),
        leg("3", Sell(far, 0, ("2",), most), bought, 11_000_000),
    )
    nothing = Decimal(0)
    return Plan(
        id="bench",
        legs=legs,
        standings=(),
        value=nothing,
        cost=nothing,
        worst_case=nothing,
        gas_if_reverted=nothing,
        turnover=nothing,
        bound=None,
        prices=(),
        blocks=(),
        policy_hash=policy_hash,
        made=0,
        expires=0,
        why=(),
    )


@contextmanager
def rig() -> Iterator[Rig]:
    """Two local chains with a wallet, and a plan over both."""
    home = Path(tempfile.mkdtemp(prefix="crash-"))
    terms = Terms(prompt_seconds=0)
    chains = (int(NEAR), int(FAR))
    with open_worlds(find_paths().cache, chains=chains, terms=terms, block_seconds=None) as worlds:
        worlds.set_time(int(time.time()))
        key = keystore.new(
            "bench",
            PASSWORD,
            folders=key_folders(home),
            local_only=True,
            scrypt_n=THROWAWAY_SCRYPT_N,
        )
        assert key.address is not None
        worlds.fund(key.address, {int(chain): funds for chain, funds in FUNDS.items()})
        overlay, portfolio = home / "overlay.toml", home / "portfolio.toml"
        write_overlay(
            worlds, overlay, [key.address], confirmations=CONFIRMATIONS, max_head_age_seconds=3600
        )
        portfolio.write_text(PORTFOLIO.format(address=checksum(key.address), key=key.path))
        settings = load(config=portfolio, overlay=overlay, environ={"HOME": str(home)})
        known = {
            (chain, token.symbol): token
            for chain, facts in settings.chains.items()
            for token in facts.tokens
        }
        made = Rig(
            worlds=worlds,
            urls={ChainId(chain): world.url for chain, world in worlds.items()},
            publishers={ChainId(chain): world.saved.publisher for chain, world in worlds.items()},
            settings=settings,
            password=PASSWORD,
            plan=planned(settings.policy.hash, known),
            snapshot=seen(settings, home),
            intents={},
            balances={},
        )
        mark = worlds.snapshot()
        code = child(lambda: live(made, Path(tempfile.mkdtemp()), 0, "alone"))
        assert code == 0, "the run does not even end when nothing happens"
        nonces, balances = measure(made)
        worlds.revert(mark)
        yield replace(made, intents=nonces, balances=balances)


def seen(settings: Settings, home: Path) -> Snapshot:
    account = open_account(at_home(settings, home), KeyAccess(ask=lambda: ""))
    try:
        return read(account.io, State())
    finally:
        account.close()


def measure(rig: Rig) -> tuple[dict[ChainId, int], dict[str, int]]:
    """The account's nonces and its token balances, from the chains."""
    account = open_account(rig.settings, KeyAccess(ask=lambda: ""))
    nonces: dict[ChainId, int] = {}
    balances: dict[str, int] = {}
    try:
        for chain, node in account.nodes.items():
            tokens = [t for t in account.io.chains[chain].tokens if not t.is_native]
            held = node.snapshot(account.io.account, tokens).balances
            nonces[chain] = node.sight(account.io.account, ()).nonce
            balances |= {f"{token.symbol}@{chain}": raw for token, raw in held.items()}
    finally:
        account.close()
    return nonces, balances


def verdict(rig: Rig, home: Path, code: int) -> dict[str, int]:
    """What went wrong with one point, as counts."""
    nonces, balances = measure(rig)
    readable = True
    try:
        account = opened(rig, home)
        account.state()
        account.close()
    except Exception:  # noqa: BLE001  whatever it is, it could not be read
        readable = False
    more, fewer = compared(rig, nonces)
    return {
        "double": int(more),
        "lost": int(fewer or code != 0 or balances != rig.balances),
        "unreadable": int(not readable),
    }


def compared(rig: Rig, nonces: Mapping[ChainId, int]) -> tuple[bool, bool]:
    """Whether more transactions of the account are mined than there are intents, and whether
    fewer."""
    pairs = [(nonces[chain], wanted) for chain, wanted in rig.intents.items()]
    return any(n > wanted for n, wanted in pairs), any(n < wanted for n, wanted in pairs)


def fresh(rig: Rig, mark: Mapping[int, str]) -> Mapping[int, str]:
    """The state of the chains as it was, with feeds of now; returns the next mark."""
    rig.worlds.revert(mark)
    mark = rig.worlds.snapshot()
    rig.worlds.set_time(int(time.time()))
    # The feeds' answers must not be what a reorganisation takes back.
    for world in rig.worlds.values():
        world.mine(2)
    return mark


def reorganise(rig: Rig) -> bool:
    """The newest block of both chains goes away, and what was in it; time does not go back.

    False when a node has not done it: now and then anvil forgets a block and keeps what was done
    in it, as no chain does.
    """
    done = True
    for world in rig.worlds.values():
        rpc = world.rpc
        number, then = world.head()
        old, nonce = block_of(rpc, number), nonce_of(rig, rpc, "latest")
        before = nonce_of(rig, rpc, hex(number - 1))
        rpc.call("anvil_rollback", 1)
        rpc.call("evm_setNextBlockTimestamp", then + 1)
        rpc.call("evm_mine")
        new = block_of(rpc, number)
        gone = nonce_of(rig, rpc, "latest") == before if before != nonce else True
        done = done and new is not None and old is not None and new["hash"] != old["hash"] and gone
    return done


def block_of(rpc: Rpc, number: int) -> Any:
    return rpc.call("eth_getBlockByNumber", hex(number), False)  # noqa: FBT003  the RPC's own


def nonce_of(rig: Rig, rpc: Rpc, at: str) -> Any:
    return rpc.call("eth_getTransactionCount", rig.settings.account, at)


def boundaries(rig: Rig, mode: str, mark: Mark) -> tuple[int, Mark]:
    """How many effect boundaries a run has in that mode."""
    read, write = os.pipe()
    mark = fresh(rig, mark)
    assert child(lambda: live(rig, Path(tempfile.mkdtemp()), 0, mode, write)) == 0
    count = int(os.read(read, 16))
    os.close(read)
    os.close(write)
    return count, mark


def kills(rig: Rig, points: int, mark: Mark) -> tuple[list[dict[str, Any]], Mark]:
    rows = []
    for mode in MODES:
        count, mark = boundaries(rig, mode, mark)
        row = {"executor": "journal first", "mode": mode, "boundaries": count, "points": 0}
        row |= {"double": 0, "lost": 0, "unreadable": 0, "node_faults": 0}
        began = time.monotonic()
        todo = spread(count, points)
        while todo:
            at = todo.pop(0)
            mark = fresh(rig, mark)
            home = Path(tempfile.mkdtemp(prefix="crash-"))
            died = child(lambda: live(rig, home, at, mode))  # noqa: B023
            if died == 0:
                continue  # this time it took fewer facts: it ended before it came so far
            assert died == -signal.SIGKILL, (mode, at, died)
            if mode == "reorg after" and not reorganise(rig):
                row["node_faults"] += 1
                todo.insert(0, at)
                continue
            code = child(lambda: live(rig, home, 0, "alone"))  # noqa: B023
            row["points"] += 1
            found = verdict(rig, home, code)
            if any(found.values()):
                sys.stderr.write(f"{mode} at {at}: {found}, exit {code}, journal {home}\n")
            for name, wrong in found.items():
                row[name] += wrong
        row["seconds"] = round(time.monotonic() - began, 1)
        rows.append(row)
    return rows, mark


def spread(count: int, points: int) -> list[int]:
    """Boundaries from 1 to *count*, all of them or *points* of them, evenly spread."""
    if not 0 < points < count:
        return list(range(1, count + 1))
    return sorted({1 + number * (count - 1) // max(1, points - 1) for number in range(points)})


def naive(rig: Rig, home: Path, at: int, mode: str) -> int:
    """As many transactions without a journal: sign, send, then write down that it was done."""
    account = opened(rig, home)
    fuse = Fuse(at)
    signer = Fused(account.io.signer, fuse, "sign")
    record = home / "done.json"
    done = json.loads(record.read_text()) if record.exists() else 0
    todo = [chain for chain, count in rig.intents.items() for _ in range(count)]
    deaf = {chain: Fused(Deaf(node, mode), fuse, "send") for chain, node in account.nodes.items()}
    for number in range(done, len(todo)):
        chain = todo[number]
        inner, node = account.nodes[chain], deaf[chain]
        for _ in range(5):
            # What many tools do after a timeout: read the nonce again and sign once more.
            nonce = inner.sight(account.io.account, ()).nonce
            reserved = transfer(account.io, chain, number, nonce)
            if node.send(signer.sign(reserved).raw).accepted:
                break
        fuse.tick()
        record.write_text(json.dumps(number + 1))
        fuse.tick()
    return 0


def transfer(io: Io, chain: ChainId, number: int, nonce: int) -> Reserved:
    """A transfer to oneself, reserved by nobody: it stands for any transaction."""
    owner: Address = io.account
    fees = offer(io.nodes[chain].fees())
    call = Call(chain, owner, 1 + number, "0x")
    unsigned = UnsignedTx(
        chain=chain,
        sender=owner,
        nonce=nonce,
        to=call.to,
        value=call.value,
        data=call.data,
        gas_limit=21_000,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
    )
    charges = Charges(Decimal(0), Decimal(0))
    draft = Draft(
        purpose="swap",
        chain=chain,
        payload=call,
        gas_limit=21_000,
        moves=Amount(io.chains[chain].native, 1),
    )
    intent = Intent(
        id=f"n/{number}",
        run="n",
        leg="n",
        round=1,
        index=number,
        draft=draft,
        account=owner,
        nonce=nonce,
        charges=charges,
        native_price=Decimal(1),
    )
    return Reserved(
        intent=intent, attempt=0, kind="first", unsigned=unsigned, charges=charges, at=0
    )


def naive_kills(rig: Rig, mark: Mark) -> tuple[list[dict[str, Any]], Mark]:
    rows = []
    for mode in MODES:
        row = {"executor": "naive twin", "mode": mode, "points": 0, "double": 0, "lost": 0}
        at, killed = 1, True
        while killed:
            mark = fresh(rig, mark)
            home = Path(tempfile.mkdtemp(prefix="naive-"))
            killed = child(lambda: naive(rig, home, at, mode)) == -signal.SIGKILL  # noqa: B023
            if mode == "reorg after":
                reorganise(rig)
            if killed:
                child(lambda: naive(rig, home, 0, "alone"))  # noqa: B023
            more, fewer = compared(rig, measure(rig)[0])
            row["points"] += 1
            row["double"] += int(more)
            row["lost"] += int(fewer)
            at += 1
        rows.append(row)
    return rows, mark


def racer(rig: Rig, home: Path, *, locked: bool) -> int:
    """A keeper that wants the run done, whoever does it."""
    io = replace(opened(rig, home).io, clock=Fast(rig))
    if not locked:
        io = replace(io, journal=Unlocked(io.journal))
    deadline = time.monotonic() + RACE_SECONDS
    while time.monotonic() < deadline:
        try:
            ended = advance(rig, io)
            if isinstance(ended, Finished) and ended.outcome == "done":
                return 0
        except (Busy, Fenced, Unavailable):
            time.sleep(0.01)
        except Exception as error:
            if "not finished" not in str(error):
                raise
    return 72


class Unlocked:
    """A journal without its lock: compare-and-append alone must hold."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def hold(self, _account: str) -> Any:
        return nullcontext()


def races(rig: Rig, rounds: int, mark: Mark) -> tuple[list[dict[str, Any]], Mark]:
    rows = []
    for count in (2, 8):
        for locked in (True, False):
            wrong = gave_up = 0
            for _ in range(rounds):
                mark = fresh(rig, mark)
                home = Path(tempfile.mkdtemp(prefix="race-"))
                pids = []
                for _ in range(count):
                    pid = os.fork()
                    if pid == 0:
                        code = 70
                        try:
                            code = racer(rig, home, locked=locked)
                        except BaseException as error:  # noqa: BLE001
                            sys.stderr.write(f"{type(error).__name__}: {error}\n")
                        os._exit(code)
                    pids.append(pid)
                codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
                nonces, balances = measure(rig)
                wrong += int(nonces != rig.intents or balances != rig.balances)
                gave_up += sum(code != 0 for code in codes)
            row = {"processes": count, "lock": locked, "rounds": rounds, "wrong": wrong}
            rows.append({**row, "gave_up": gave_up})
    return rows, mark


def paper_pairs(step: int) -> dict[str, Any]:
    """Every pair of crash points of the two-chain run on paper ports."""
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "tests" / "engine")]
    from crash_rig import balances, effects
    from crash_rig import live as paper_live
    from paper_world import World as Paper
    from paper_world import rich_plan

    reference = Paper()
    paper_live(reference, rich_plan())
    count = effects(Paper, rich_plan())
    began = time.monotonic()
    points = range(0, count, step)
    halves = [list(points)[i::2] for i in range(2)]
    pipes = []
    for half in halves:
        read, write = os.pipe()
        if os.fork() == 0:
            bad = tried = 0
            for first in half:
                for second in range(0, count - first + 1, step):
                    world = Paper()
                    ended = paper_live(world, rich_plan(), first, second)
                    tried += 1
                    bad += int(ended.outcome != "done" or balances(world) != balances(reference))
            os.write(write, json.dumps([tried, bad]).encode())
            os._exit(0)
        os.close(write)
        pipes.append(read)
    found = [json.loads(os.read(read, 64)) for read in pipes]
    for _ in pipes:
        os.wait()
    return {
        "effects": count,
        "pairs": sum(tried for tried, _ in found),
        "wrong": sum(bad for _, bad in found),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--points", type=int, default=0, help="so many boundaries of each mode")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=list(TABLES), help="only these tables"
    )
    wish = parser.parse_args()
    rows: list[dict[str, Any]] = []
    twins: list[dict[str, Any]] = []
    raced: list[dict[str, Any]] = []
    with rig() as made:
        mark: Mark = made.worlds.snapshot()
        if "kills" in wish.tables:
            rows, mark = kills(made, wish.points, mark)
        if "naive" in wish.tables:
            twins, mark = naive_kills(made, mark)
        if "races" in wish.tables:
            raced, mark = races(made, 3 if wish.points else 10, mark)
    pairs = paper_pairs(9 if wish.points else 3) if "pairs" in wish.tables else {}
    report = {"schema": 1, "kind": "bench.crash", "kills": rows + twins, "races": raced}
    report |= {
        "intents": sum(made.intents.values()),
        "points": sum(row["points"] for row in rows),
        "pairs": pairs,
    }
    bad = sum(row["double"] + row["lost"] + row["unreadable"] for row in rows)
    bad += sum(row["wrong"] for row in raced) + pairs.get("wrong", 0)
    report["wrong"] = bad
    if wish.json:
        print(json.dumps(report, indent=2))
    else:
        for row in [*rows, *twins, *raced, pairs]:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
