"""Kill real processes at every effect boundary of a run on a local chain, and count the damage.

Four tables: kills on a real node (alone, and with the first broadcast's request or reply lost),
every pair of kills of a two-chain run on paper, processes racing for one account, and a naive
twin (sign, send, then record) under the same kills.

    python scripts/bench/crash.py --json > crash.json
    python scripts/bench/crash.py --quick        # every seventh point, a few rounds
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Forked children inherit these imports instead of paying for them one by one.
import eth_abi  # noqa: F401
import eth_account  # noqa: F401
import web3  # noqa: F401

from agent.compose import open_account
from agent.compose.adapters import KeyAccess, key_folders
from agent.compose.local import PORTFOLIO, THROWAWAY_SCRYPT_N
from agent.core.money import Amount
from agent.core.plan import Plan
from agent.core.snapshot import Snapshot
from agent.engine.io import Io
from agent.engine.loop import Finished, session
from agent.engine.survey import look, make_plan
from agent.errors import Busy, Fenced, Unavailable
from agent.lab.overlay import write_overlay
from agent.lab.world import World, open_world
from agent.ports import Sent
from agent.settings import Settings, find_paths, load
from agent.signers import keystore
from agent.wire.address import checksum

FUNDS = {"ETH": 14 * 10**18, "WETH": 2 * 10**18, "WBTC": 20_000_000, "USDC": 20_000 * 10**6}
"""Off target so that the plan must wrap before it swaps: three to five transactions."""

TABLES = ("kills", "naive", "races", "pairs")

RACE_SECONDS = 120.0
"""How long a keeper tries before it gives up; a run takes one second, eight take turns."""

MODES = ("alone", "request lost", "reply lost")


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
        return Sent(accepted=False, said="timed out") if first and self._mode != "alone" else answer


@dataclass(frozen=True, slots=True)
class Rig:
    """A world, a wallet, and the plan that all runs execute from the same state."""

    world: World
    settings: Settings
    password: str
    plan: Plan
    snapshot: Snapshot
    intents: int
    balances: dict[str, int]


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
    settings = at_home(rig.settings, home)
    account = open_account(settings, KeyAccess(ask=lambda: rig.password))
    fuse = Fuse(at)
    chain = next(iter(account.nodes))
    node = Fused(Deaf(account.nodes[chain], mode), fuse, "send")
    io = replace(
        account.io,
        nodes={chain: node},
        journal=Fused(account.io.journal, fuse, "append"),
        signer=Fused(account.io.signer, fuse, "sign"),
    )
    ended = advance(rig, io)
    if report is not None:
        os.write(report, str(fuse.seen).encode())
    return 0 if isinstance(ended, Finished) and ended.outcome == "done" else 71


def advance(rig: Rig, io: Io) -> Any:
    with session(f"{os.getpid()}", io) as held:
        if not held.state.runs:
            now = io.clock.now()
            held.start("r1", replace(rig.plan, made=now, expires=now + 600), rig.snapshot)
        return held.advance(60)


def at_home(settings: Settings, home: Path) -> Settings:
    paths = replace(settings.world.paths, state=home)
    return replace(settings, world=replace(settings.world, paths=paths))


@contextmanager
def rig() -> Iterator[Rig]:
    """A local chain with a wallet off its target, and a plan."""
    home = Path(tempfile.mkdtemp(prefix="crash-"))
    with open_world(find_paths().cache) as world:
        world.publish(int(time.time()))
        key = keystore.new(
            "bench",
            "bench",
            folders=key_folders(home),
            local_only=True,
            scrypt_n=THROWAWAY_SCRYPT_N,
        )
        assert key.address is not None
        world.fund(key.address, FUNDS)
        overlay, portfolio = home / "overlay.toml", home / "portfolio.toml"
        write_overlay(world, overlay, [key.address], confirmations=1, max_head_age_seconds=3600)
        text = PORTFOLIO.format(address=checksum(key.address)).replace(
            "keystore:demo", f"keystore:{key.path}"
        )
        portfolio.write_text(text)
        settings = load(config=portfolio, overlay=overlay, environ={"HOME": str(home)})
        account = open_account(at_home(settings, home), KeyAccess(ask=lambda: "bench"))
        seen = look(account.io, account.state(), asked=True)
        plan = make_plan(account.io, seen)
        assert isinstance(plan, Plan), plan
        account.close()
        made = Rig(world, settings, "bench", plan, seen.snapshot, 0, {})
        mark = world.snapshot()
        code = child(lambda: live(made, Path(tempfile.mkdtemp()), 0, "alone"))
        assert code == 0, "the run does not even end when nothing happens"
        nonce, balances = measure(made)
        world.revert(mark)
        yield replace(made, intents=nonce, balances=balances)


def measure(rig: Rig) -> tuple[int, dict[str, int]]:
    """The account's nonce and its token balances, from the chain."""
    account = open_account(rig.settings, KeyAccess(ask=lambda: ""))
    try:
        ((chain, node),) = account.nodes.items()
        tokens = [t for t in account.io.chains[chain].tokens if not t.is_native]
        held = node.snapshot(account.io.account, tokens).balances
        nonce = node.sight(account.io.account, ()).nonce
        return nonce, {token.symbol: raw for token, raw in held.items()}
    finally:
        account.close()


def verdict(rig: Rig, home: Path, code: int) -> dict[str, int]:
    """What went wrong with one point, as counts."""
    nonce, balances = measure(rig)
    readable = True
    try:
        account = open_account(at_home(rig.settings, home), KeyAccess(ask=lambda: ""))
        account.state()
        account.close()
    except Exception:  # noqa: BLE001  whatever it is, it could not be read
        readable = False
    return {
        "double": int(nonce > rig.intents),
        "lost": int(nonce < rig.intents or code != 0 or balances != rig.balances),
        "unreadable": int(not readable),
    }


def fresh(rig: Rig, mark: str) -> str:
    """The state of the chain as it was, with feeds of now; returns the next mark."""
    rig.world.revert(mark)
    mark = rig.world.snapshot()
    rig.world.publish(int(time.time()))
    return mark


def boundaries(rig: Rig, mode: str, mark: str) -> tuple[int, str]:
    """How many effect boundaries a run has in that mode."""
    read, write = os.pipe()
    mark = fresh(rig, mark)
    assert child(lambda: live(rig, Path(tempfile.mkdtemp()), 0, mode, write)) == 0
    count = int(os.read(read, 16))
    os.close(read)
    os.close(write)
    return count, mark


def kills(rig: Rig, step: int, mark: str) -> tuple[list[dict[str, Any]], str]:
    rows = []
    for mode in MODES:
        count, mark = boundaries(rig, mode, mark)
        row = {"executor": "journal first", "mode": mode, "points": 0}
        row |= {"double": 0, "lost": 0, "unreadable": 0}
        began = time.monotonic()
        for at in range(1, count + 1, step):
            mark = fresh(rig, mark)
            home = Path(tempfile.mkdtemp(prefix="crash-"))
            assert child(lambda: live(rig, home, at, mode)) == -signal.SIGKILL  # noqa: B023
            code = child(lambda: live(rig, home, 0, "alone"))  # noqa: B023
            row["points"] += 1
            for name, found in verdict(rig, home, code).items():
                row[name] += found
        row["seconds"] = round(time.monotonic() - began, 1)
        rows.append(row)
    return rows, mark


def naive(rig: Rig, home: Path, at: int, mode: str) -> int:
    """The same transactions without a journal: sign, send, then write down that it was done."""
    account = open_account(at_home(rig.settings, home), KeyAccess(ask=lambda: rig.password))
    ((chain, inner),) = account.nodes.items()
    fuse = Fuse(at)
    node = Fused(Deaf(inner, mode), fuse, "send")
    signer = Fused(account.io.signer, fuse, "sign")
    record = home / "done.json"
    done = json.loads(record.read_text()) if record.exists() else 0
    leg = rig.plan.legs[0]
    from decimal import Decimal

    from agent.core.fact import Reserved
    from agent.core.fees import offer
    from agent.core.intent import Charges, Draft, Intent, UnsignedTx
    from agent.core.quote import Call

    for number in range(done, rig.intents):
        sight = inner.sight(account.io.account, ())
        fees = offer(inner.fees())
        call = Call(chain, account.io.account, 1 + number, "0x")
        unsigned = UnsignedTx(
            chain=chain,
            sender=account.io.account,
            nonce=sight.nonce,
            to=call.to,
            value=call.value,
            data=call.data,
            gas_limit=21_000,
            max_fee_per_gas=fees.max_fee_per_gas,
            max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        )
        charges = Charges(Decimal(0), Decimal(0))
        intent = Intent(
            id=f"n/{number}",
            run="n",
            leg=leg.id,
            round=1,
            index=number,
            draft=Draft(
                purpose="swap",
                chain=chain,
                payload=call,
                gas_limit=21_000,
                moves=Amount(leg.sell.token, 1),
            ),
            account=account.io.account,
            nonce=sight.nonce,
            charges=charges,
            native_price=Decimal(1),
        )
        reserved = Reserved(
            intent=intent, attempt=0, kind="first", unsigned=unsigned, charges=charges, at=0
        )
        for _ in range(5):
            if node.send(signer.sign(reserved).raw).accepted:
                break
            # What many tools do after a timeout: read the nonce again and sign once more.
            nonce = inner.sight(account.io.account, ()).nonce
            reserved = replace(
                reserved,
                unsigned=replace(unsigned, nonce=nonce),
                intent=replace(intent, nonce=nonce),
            )
        fuse.tick()
        record.write_text(json.dumps(number + 1))
        fuse.tick()
    return 0


def naive_kills(rig: Rig, step: int, mark: str) -> tuple[list[dict[str, Any]], str]:
    rows = []
    for mode in MODES:
        row = {"executor": "naive twin", "mode": mode, "points": 0, "double": 0, "lost": 0}
        at = 1
        while True:
            mark = fresh(rig, mark)
            home = Path(tempfile.mkdtemp(prefix="naive-"))
            killed = child(lambda: naive(rig, home, at, mode)) == -signal.SIGKILL  # noqa: B023
            if killed:
                child(lambda: naive(rig, home, 0, "alone"))  # noqa: B023
            nonce, _ = measure(rig)
            row["points"] += 1
            row["double"] += int(nonce > rig.intents)
            row["lost"] += int(nonce < rig.intents)
            if not killed:
                break
            at += step
        rows.append(row)
    return rows, mark


def racer(rig: Rig, home: Path, *, locked: bool) -> int:
    """A keeper that wants the run done, whoever does it."""
    account = open_account(at_home(rig.settings, home), KeyAccess(ask=lambda: rig.password))
    io = account.io
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


def races(rig: Rig, rounds: int, mark: str) -> tuple[list[dict[str, Any]], str]:
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
                nonce, balances = measure(rig)
                wrong += int(nonce != rig.intents or balances != rig.balances)
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
    parser.add_argument("--quick", action="store_true", help="every seventh point, a few rounds")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=list(TABLES), help="only these tables"
    )
    wish = parser.parse_args()
    step, rounds = (7, 3) if wish.quick else (1, 25)
    rows: list[dict[str, Any]] = []
    twins: list[dict[str, Any]] = []
    raced: list[dict[str, Any]] = []
    with rig() as made:
        mark = made.world.snapshot()
        if "kills" in wish.tables:
            rows, mark = kills(made, step, mark)
        if "naive" in wish.tables:
            twins, mark = naive_kills(made, 1, mark)
        if "races" in wish.tables:
            raced, mark = races(made, rounds, mark)
    pairs = paper_pairs(9 if wish.quick else 1) if "pairs" in wish.tables else {}
    report = {"schema": 1, "kind": "bench.crash", "kills": rows + twins, "races": raced}
    report |= {
        "intents": made.intents,
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
