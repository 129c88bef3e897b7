"""Bad input of every kind: how each comes about, for real processes on the local chain."""

from __future__ import annotations

import re
import resource
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli_fixtures import CliWallet, NewWallet

from agent import resources
from agent.compose.local import OFF_TARGET
from agent.lab.anvil import start_anvil
from agent.lab.packages import node_binary
from agent.lab.puppet import tx
from agent.stores.sqlite import SqliteJournal

USDC = 'tokens.USDC]\naddress = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"\ndecimals = '
EDIT = "UPDATE facts SET line = replace(line, '1', '2') WHERE seq = 1 AND line LIKE '%1%'"
STALE_SECONDS = 7_200
TINY_FILE_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A wallet in trouble, and what the process of its command finds changed."""

    wallet: CliWallet
    environ: Mapping[str, str | None] = field(default_factory=dict)
    before: Callable[[], None] | None = None
    more: tuple[str, ...] = ()


Arrange = Callable[[NewWallet], Iterator[Attempt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of bad input; `shown` is the command as a person types it."""

    title: str
    wrong: str
    command: tuple[str, ...]
    code: str
    exit: int
    arrange: Arrange
    shown: str = ""

    @property
    def line(self) -> str:
        """The command line of the document."""
        return self.shown or f"rebalancer {' '.join(self.command)}"

    @property
    def anchor(self) -> str:
        """The heading's address in the document."""
        return re.sub(r"[^a-z0-9 ]", "", self.title.lower()).replace(" ", "-")


@contextmanager
def arranged(case: Case, new_wallet: NewWallet) -> Iterator[Attempt]:
    """The trouble of *case*, gone afterwards."""
    with contextmanager(case.arrange)(new_wallet) as attempt:
        yield attempt


def serve_from(wallet: CliWallet, url: str) -> None:
    """Let the overlay's node be the one at *url*."""
    text, count = re.subn(r"http://127\.0\.0\.1:\d+", url, wallet.overlay.read_text())
    assert count == 1
    wallet.overlay.write_text(text)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unreachable(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = new_wallet()
    serve_from(wallet, f"http://127.0.0.1:{free_port()}")
    yield Attempt(wallet=wallet)


def _other_node(chain_id: int) -> Arrange:
    def arrange(new_wallet: NewWallet) -> Iterator[Attempt]:
        wallet = new_wallet()
        other = start_anvil(node_binary(wallet.cache), chain_id=chain_id)
        try:
            serve_from(wallet, other.url)
            yield Attempt(wallet=wallet)
        finally:
            other.stop()

    return arrange


def _no_funds(new_wallet: NewWallet) -> Iterator[Attempt]:
    yield Attempt(wallet=new_wallet({}))


def _no_gas(new_wallet: NewWallet) -> Iterator[Attempt]:
    held = {**OFF_TARGET, "WETH": OFF_TARGET["WETH"] + OFF_TARGET["ETH"]}
    del held["ETH"]
    yield Attempt(wallet=new_wallet(held))


def _portfolio(old: str, new: str) -> Arrange:
    def arrange(new_wallet: NewWallet) -> Iterator[Attempt]:
        wallet = new_wallet()
        wallet.edit(old, new)
        yield Attempt(wallet=wallet)

    return arrange


def _other_decimals(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = new_wallet()
    facts = resources.text("chains.toml")
    assert facts.count(USDC + "6") == 1
    (wallet.home / "chains.toml").write_text(facts.replace(USDC + "6", USDC + "8"))
    yield Attempt(wallet=wallet)


def _stale_feed(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = new_wallet()
    world, old = wallet.world, int(time.time()) - STALE_SECONDS
    world._treasury.send(tx(world.saved.publisher, "refresh(uint256)", old))
    yield Attempt(wallet=wallet)


def _edited_journal(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = with_a_run(new_wallet)
    with closing(sqlite3.connect(wallet.journal)) as database:
        changed = database.execute(EDIT)
        assert changed.rowcount == 1
        database.commit()
    yield Attempt(wallet=wallet)


def _corrupt_journal(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = with_a_run(new_wallet)
    content = wallet.journal.read_bytes()
    wallet.journal.write_bytes(content[:100] + b"\xff" * 3_996 + content[4_096:])
    yield Attempt(wallet=wallet)


def with_a_run(new_wallet: NewWallet) -> CliWallet:
    """A wallet whose journal holds a run that is done."""
    wallet = new_wallet()
    done = wallet.here("run", "--no-rehearsal")
    assert done.code == 0, done.stderr
    return wallet


def _locked(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = new_wallet()
    with closing(SqliteJournal(wallet.state)) as journal, journal.hold(wallet.address):
        yield Attempt(wallet=wallet)


def _password(text: str | None) -> Arrange:
    def arrange(new_wallet: NewWallet) -> Iterator[Attempt]:
        yield Attempt(wallet=new_wallet(), environ={"REBALANCER_PASSWORD": text})

    return arrange


def _port_taken(new_wallet: NewWallet) -> Iterator[Attempt]:
    wallet = new_wallet()
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield Attempt(wallet=wallet, more=("--port", str(other.getsockname()[1])))


def file_limit(most_bytes: int) -> Callable[[], None]:
    """No file of the process grows beyond this: writes fail as they do on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def _disk_full(new_wallet: NewWallet) -> Iterator[Attempt]:
    yield Attempt(wallet=new_wallet(), before=file_limit(TINY_FILE_BYTES))


CASES = (
    Case(
        title="Unreachable RPC",
        wrong="Nobody listens where the chain's `rpc` points.",
        command=("run",),
        code="N101",
        exit=8,
        arrange=_unreachable,
    ),
    Case(
        title="RPC of another chain",
        wrong="The node serves chain 8453 where chain 1 is configured.",
        command=("run",),
        code="N102",
        exit=8,
        arrange=_other_node(8453),
    ),
    Case(
        title="RPC of another network with the same chain id",
        wrong="The node says chain 1, but its first block is not the one that is pinned.",
        command=("run",),
        code="N102",
        exit=8,
        arrange=_other_node(1),
    ),
    Case(
        title="No funds",
        wrong="The wallet is empty. That is not a wallet at its target: the address may be wrong.",
        command=("run",),
        code="G404",
        exit=6,
        arrange=_no_funds,
    ),
    Case(
        title="No gas",
        wrong="The wallet is off its target and holds no ETH, only WETH.",
        command=("run",),
        code="G403",
        exit=6,
        arrange=_no_gas,
    ),
    Case(
        title="Unknown key in TOML",
        wrong='`portfolio.toml` has `bnad = "0.04"`.',
        command=("run",),
        code="C102",
        exit=2,
        arrange=_portfolio('band = "0.04"', 'bnad = "0.04"'),
    ),
    Case(
        title="Wrong type in TOML",
        wrong="`portfolio.toml` has `weight = 0.50`, a float where exact text is wanted.",
        command=("run",),
        code="C103",
        exit=2,
        arrange=_portfolio('weight = "0.50"', "weight = 0.50"),
    ),
    Case(
        title="Weights that are not the whole",
        wrong="The weights of `portfolio.toml` sum to 0.9.",
        command=("run",),
        code="C104",
        exit=2,
        arrange=_portfolio('weight = "0.50"', 'weight = "0.40"'),
    ),
    Case(
        title="A token with other decimals",
        wrong="`chains.toml` says that USDC has 8 decimals.",
        command=("run", "--chains", "chains.toml"),
        code="C105",
        exit=2,
        arrange=_other_decimals,
    ),
    Case(
        title="Stale feed",
        wrong="The last answers of all price feeds are two hours old.",
        command=("run",),
        code="G201",
        exit=6,
        arrange=_stale_feed,
    ),
    Case(
        title="Edited journal",
        wrong="One fact of the journal was changed with an SQLite editor.",
        command=("run",),
        code="H101",
        exit=10,
        arrange=_edited_journal,
    ),
    Case(
        title="Corrupt journal file",
        wrong="A page of the journal file was overwritten.",
        command=("run",),
        code="H101",
        exit=10,
        arrange=_corrupt_journal,
    ),
    Case(
        title="Locked account",
        wrong="Another process holds the account's lock.",
        command=("run",),
        code="L101",
        exit=75,
        arrange=_locked,
    ),
    Case(
        title="Wrong password",
        wrong="The key file does not open. No run is started, so there is none to go on with.",
        command=("run", "-q"),
        code="K102",
        exit=4,
        arrange=_password("not the password"),
    ),
    Case(
        title="No password",
        wrong="There is no password, and nobody who could be asked for it.",
        command=("run", "-q"),
        code="K101",
        exit=4,
        arrange=_password(None),
    ),
    Case(
        title="Port in use",
        wrong="Another process listens on the port that the local chain is told to use.",
        command=("demo",),
        code="X102",
        exit=1,
        arrange=_port_taken,
        shown="rebalancer demo --port PORT",
    ),
    Case(
        title="Disk full",
        wrong="The journal cannot grow.",
        command=("run",),
        code="X101",
        exit=1,
        arrange=_disk_full,
    ),
)


def kept(wallet: CliWallet) -> object:
    """What the journal holds, row by row and unjudged; its bytes where SQLite cannot read it."""
    path: Path = wallet.journal
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT * FROM facts ORDER BY account, seq").fetchall()
            return rows + database.execute("SELECT * FROM heads ORDER BY account").fetchall()
    except sqlite3.OperationalError:
        return []  # the tables were never made
    except sqlite3.DatabaseError:
        return path.read_bytes()
