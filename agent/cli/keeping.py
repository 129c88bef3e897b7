"""Ticks of the keeper, told to people or to programs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import output, present
from agent.cli.events import Teller
from agent.cli.run import EXIT
from agent.core.closing import costs
from agent.core.fact import Signed
from agent.errors import AgentError, Broken, ConfigFileMissing
from agent.keeper.begin import worker
from agent.keeper.clock import Ending, PoliteClock, next_due, spread
from agent.keeper.memory import Memory
from agent.keeper.tick import advance, stumbled
from agent.keeper.ticked import Ticked
from agent.keeper.wallet import desk_of, wallet_of
from agent.wire.clock import SystemClock

if TYPE_CHECKING:
    from types import FrameType

    from agent.cli.context import Context
    from agent.core.fact import Fact
    from agent.settings import Settings

SERIOUS = (10, 1, 4, 2, 6, 7, 5, 8, 75, 9, 0)
"""Exit codes from the most serious one: what needs a person, then what waiting does not mend."""

EXIT_INTERRUPTED = 130

SIDE_BY_SIDE = 4
"""Portfolios that tick at once; each waits for nodes most of the time, but rehearsals are work."""


@contextmanager
def ends_politely() -> Iterator[Ending]:
    """A wish to end that the first SIGTERM or Ctrl-C makes; the second one interrupts at once."""
    ending = Ending()

    def ask(number: int, _frame: FrameType | None) -> None:
        ending.ask()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ending
    finally:
        for number, old in before.items():
            signal.signal(number, old)
        ending.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the tick of one portfolio ended; `name` is the portfolio's, `wallet` CAIP-10."""

    name: str
    wallet: str | None
    ticked: Ticked

    @property
    def exit(self) -> int:
        """The exit code that it has by itself."""
        ticked = self.ticked
        if ticked.error is not None:
            return ticked.error.exit
        return EXIT[str(ticked.outcome)]

    @property
    def body(self) -> dict[str, Any]:
        """The fields of its JSON object."""
        ticked = self.ticked
        error = ticked.error
        return {
            "portfolio": self.name,
            "wallet": self.wallet,
            "outcome": ticked.outcome,
            "why": ticked.why,
            **_run_body(ticked),
            "began": ticked.began,
            "code": None if error is None else error.code,
            "cause": ticked.cause,
            "held_back": ticked.held,
            "fix": None if error is None else error.fix,
            "nothing_signed": True if error is None else error.nothing_signed,
            "next": None if ticked.until is None else present.time_text(int(ticked.until)),
            "exit": self.exit,
        }


def _run_body(ticked: Ticked) -> dict[str, Any]:
    """What a tick's run has cost so far, measured, beside what was planned."""
    run = ticked.run
    if run is None:
        return {"run": None, "cost": None, "planned_cost": None}
    return {
        "run": run.id,
        "cost": present.micros(costs(run).total),
        "planned_cost": present.number(run.plan.cost),
    }


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Ticks of the one portfolio that is configured, or of all in a `folder`, side by side.

    A portfolio that is broken does not stop the others. A wallet without a journal is searched
    for money between chains once, when a keeper begins to look after it for good.
    """

    context: Context
    folder: Path | None
    ending: Ending
    budget: float
    again: bool = False
    rehearse: bool = True
    _worker: str = field(default_factory=worker, init=False)
    _unsearched: bool = field(default=False, init=False)
    _passwords: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _clock: PoliteClock = field(init=False)

    def __post_init__(self) -> None:
        self._clock = PoliteClock(SystemClock(), self.ending)

    @property
    def _name(self) -> str:
        """What spreads this keeper's ticks differently from those of others."""
        return str((self.folder or self.context.config or Path()).absolute())

    def once(self, width: int) -> int:
        """One tick, up to *width* seconds from now; returns its exit code."""
        pause = spread(self._name, self._clock.now(), width)
        if pause:
            self._clock.sleep(pause)
        return self._tick_all(at=None)

    def every(self, interval: int, width: int) -> int:
        """A tick each *interval* seconds, until the process is asked to end."""
        due = self._clock.now()
        self._unsearched = True
        while True:
            due = next_due(due, self._clock.now(), interval)
            self._tick_all(at=due)
            self.again = self._unsearched = False
            pause = due - self._clock.now() + spread(self._name, due, width)
            if self.ending.wait(pause):
                # Between two ticks nothing is under way.
                return 0

    def _tick_all(self, at: int | None) -> int:
        try:
            results = self._results(at)
        except KeyboardInterrupt:
            if self.context.json:
                output.line("watch.done", {"results": [], "exit": EXIT_INTERRUPTED})
            raise
        code = most_serious([result.exit for result in results])
        if self.context.json:
            output.line("watch.done", {"results": [r.body for r in results], "exit": code})
        return code

    def _results(self, at: int | None) -> list[Result]:
        if self.folder is None:
            return [self._tick(self.context, at)]
        try:
            files = portfolios(self.folder)
        except AgentError as error:
            result = _untold(self.folder.name, error)
            self._tell(result, at)
            return [result]
        # Nobody answers a question that several ask at once.
        contexts = [replace(self.context, config=file, no_input=True) for file in files]
        with ThreadPoolExecutor(min(SIDE_BY_SIDE, len(files)), "portfolio") as pool:
            return list(pool.map(lambda context: self._tick(context, at), contexts))

    def _tick(self, context: Context, at: int | None) -> Result:
        name = "portfolio" if context.config is None else context.config.stem
        try:
            result = self._of_wallet(context, context.settings())
        except AgentError as error:
            result = _untold(name, error)
        except Exception as error:  # noqa: BLE001  one broken portfolio does not stop the others
            result = _untold(name, _fault(error))
        self._tell(result, at)
        return result

    def _of_wallet(self, context: Context, settings: Settings) -> Result:
        desk = desk_of(settings, self._clock)
        try:
            if self.again:
                desk.remember(Memory())
            ticked = self._advance(context, settings)
        except AgentError as error:
            ticked = stumbled(desk, error)
        where = present.wallet(settings.account, settings.policy.chains[0])
        return Result(name=settings.name, wallet=where, ticked=ticked)

    def _advance(self, context: Context, settings: Settings) -> Ticked:
        signed: list[Fact] = []
        teller = Teller(context, "", "" if self.folder is None else settings.name)

        def heard(fact: Fact) -> None:
            if isinstance(fact, Signed):
                signed.append(fact)
            teller(fact)

        password = self._password(context, settings)
        with context.account(settings, heard, ask=password, hear=teller.hear) as opened:
            account = replace(opened, io=replace(opened.io, clock=self._clock))
            open_run = account.state().open_run
            if open_run is not None:
                teller.learn(open_run)
            wallet = wallet_of(
                account, agreed=context.yes, rehearse=self.rehearse, search=self._unsearched
            )
            ticked = advance(wallet, worker=self._worker, budget_seconds=self.budget)
        if ticked.error is not None and signed:
            ticked.error.nothing_signed = False
        return ticked

    def _password(self, context: Context, settings: Settings) -> Callable[[], str]:
        """How the password is found: once, because a descriptor or a person gives it only once."""
        name = f"{settings.portfolio}:{settings.signer.kind}:{settings.signer.name}"

        def ask() -> str:
            if name not in self._passwords:
                self._passwords[name] = context.password(settings)
            return self._passwords[name]

        return ask

    def _tell(self, result: Result, at: int | None) -> None:
        now = present.time_text(self._clock.now())
        if self.context.json:
            following = None if at is None else present.time_text(at)
            output.line("watch.tick", {"at": now, **result.body, "next_tick": following})
        else:
            output.show(sentence(now, result))
        for amiss in result.ticked.amiss:
            output.say(f"warning: {amiss}")


def sentence(now: str, result: Result) -> str:
    """A tick for people."""
    ticked, error = result.ticked, result.ticked.error
    head = f"{now} {result.name}"
    if error is None:
        run = "" if ticked.run is None else f"run {ticked.run.id} "
        return f"{head}: {run}{ticked.outcome}, {ticked.why}"
    signed = "nothing was signed" if error.nothing_signed else "something may have been signed"
    return f"{head}: error[{error.code}] {error.message}\n  {signed}. {error.fix}"


def most_serious(codes: list[int]) -> int:
    """The one exit code that stands for several."""
    return min(codes, key=SERIOUS.index)


def _untold(name: str, error: AgentError) -> Result:
    """The result of a portfolio that could not be read, or of a fault of the program."""
    ticked = Ticked(outcome=None, why=error.message, error=error)
    return Result(name=name, wallet=None, ticked=ticked)


def _fault(error: Exception) -> AgentError:
    """An error that nobody foresaw: its kind is told, its text may hold what must not be."""
    return Broken(
        f"unexpected {type(error).__name__}; this is a fault of the program",
        fix="run it again with -v and report what it says; `rebalancer status` shows what is open",
        nothing_signed=False,
    )


def portfolios(folder: Path) -> list[Path]:
    """The portfolio files in *folder*, by name; raises ConfigFileMissing when there is none."""
    files = sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))
    if not files:
        raise ConfigFileMissing(
            f"{folder} has no portfolio (*.toml)", fix="name a folder of portfolio files with --dir"
        )
    return files
