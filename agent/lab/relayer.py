"""Fills deposits on the far SpokePool, and refunds on the near one what nobody filled in time.

It keeps nothing in mind between two turns: what is deposited, filled and refunded is read from
the chains each time, so that reverted blocks and a new process change nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from agent.errors import SetupFailed
from agent.lab.branch import Branch, Head, read_head
from agent.lab.deposits import (
    DEPOSITED,
    FILLED,
    NOBODY,
    REFUNDED,
    Deposit,
    as_address,
    as_bytes32,
    read_deposit,
    refunded_number,
    status_call,
)
from agent.lab.puppet import Tx
from agent.lab.relay_fees import is_enough, relay_fee, same_token

Mode = Literal["prompt", "late", "never"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)


@dataclass(slots=True, kw_only=True)
class Terms:
    """How the relayer works: seconds from a deposit to its fill, by the chains' own time.

    With mode "never" it fills nothing; the hub refunds all the same.
    """

    mode: Mode = "prompt"
    prompt_seconds: int = 2
    late_seconds: int = 60
    fill_deadline_seconds: int = 7_200

    @property
    def delay_seconds(self) -> int | None:
        """Of the mode; None is for ever."""
        delays = {"prompt": self.prompt_seconds, "late": self.late_seconds}
        return delays.get(self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """What one look at a chain saw."""

    head: Head
    deposits: tuple[Deposit, ...]
    refunded: frozenset[int]


@dataclass(slots=True)
class Relayer:
    """Works on all chains of the world; a chain that does not answer is left out of the turn.

    ``fault`` is what went wrong in the last turn, empty if nothing did.
    """

    branches: Mapping[int, Branch]
    terms: Terms
    fault: str = field(default="", init=False)

    def turn(self) -> None:
        """Fill and refund all that is due now, and wait until it is mined; raises nothing."""
        self.fault = ""
        seen = self._look()
        fills: dict[int, list[Deposit]] = defaultdict(list)
        refunds: dict[int, list[Deposit]] = defaultdict(list)
        for deposit in self._unfilled(seen):
            now = seen[deposit.destination].head.time
            if now > deposit.fill_deadline:
                if deposit.number not in seen[deposit.origin].refunded:
                    refunds[deposit.origin].append(deposit)
            elif now < deposit.fill_deadline and self._is_due(deposit, seen[deposit.origin].head):
                fills[deposit.destination].append(deposit)
        for chain, due in fills.items():
            self._fill(self.branches[chain], due)
        for chain, due in refunds.items():
            self._refund(self.branches[chain], due)

    def _look(self) -> dict[int, _Sight]:
        seen = {}
        for chain, branch in self.branches.items():
            try:
                seen[chain] = _look_at(branch)
            except SetupFailed as fault:
                self.fault = fault.message
        return seen

    def _unfilled(self, seen: Mapping[int, _Sight]) -> list[Deposit]:
        """Deposits between chains that answer, of which the far one knows no fill."""
        by_destination: dict[int, list[Deposit]] = defaultdict(list)
        for sight in seen.values():
            for deposit in sight.deposits:
                if deposit.destination in seen:
                    by_destination[deposit.destination].append(deposit)
        found: list[Deposit] = []
        for chain, deposits in by_destination.items():
            try:
                found += _unfilled_on(self.branches[chain], deposits)
            except SetupFailed as fault:
                self.fault = fault.message
        return found

    def _is_due(self, deposit: Deposit, origin: Head) -> bool:
        delay = self.terms.delay_seconds
        if delay is None or origin.time < deposit.made_at + delay or deposit.message:
            return False
        ours = as_bytes32(self.branches[deposit.destination].puppet.account)
        if deposit.exclusive_relayer not in (NOBODY, ours):
            return False
        return self._pays(deposit)

    def _pays(self, deposit: Deposit) -> bool:
        """Whether it gives for the same token what a fill costs: nobody works for less."""
        token = same_token(
            self.branches,
            *(deposit.origin, deposit.destination),
            *(as_address(deposit.input_token), as_address(deposit.output_token)),
        )
        if token is None:
            return False
        try:
            asked = relay_fee(deposit.input_amount, token, self.branches[deposit.destination])
        except SetupFailed as fault:
            self.fault = fault.message
            return False
        return is_enough(deposit.input_amount - deposit.output_amount, asked)

    def _fill(self, branch: Branch, deposits: Iterable[Deposit]) -> None:
        pool, relayer = branch.place.spoke_pool, branch.puppet.account
        try:
            ready = [
                fill
                for fill in (deposit.fill(pool, relayer) for deposit in deposits)
                if not branch.halted and self._would_work(branch, fill)
            ]
            if ready:
                branch.puppet.send(*ready)
        except SetupFailed as fault:
            self.fault = fault.message

    def _would_work(self, branch: Branch, fill: Tx) -> bool:
        call = {"from": branch.puppet.account, "to": fill.to, "data": fill.input}
        try:
            branch.puppet.rpc("eth_call", call, "latest")
        except SetupFailed as fault:
            self.fault = fault.message
            return False
        return True

    def _refund(self, branch: Branch, deposits: Iterable[Deposit]) -> None:
        pool = branch.place.spoke_pool
        for deposit in deposits:
            if branch.halted:
                return
            try:
                (announced,) = branch.puppet.send(deposit.announce_refund(pool))
                branch.puppet.send(deposit.execute_refund(pool, announced))
            except SetupFailed as fault:
                self.fault = fault.message


def _look_at(branch: Branch) -> _Sight:
    wanted = {"address": branch.place.spoke_pool, "fromBlock": "0x0"}
    block, deposits, refunds = branch.puppet.batch(
        [
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getLogs", [{**wanted, "topics": [DEPOSITED]}]),
            ("eth_getLogs", [{**wanted, "topics": [REFUNDED]}]),
        ]
    )
    return _Sight(
        head=read_head(block),
        deposits=tuple(read_deposit(branch.place.chain_id, log) for log in _logs(deposits)),
        refunded=frozenset(refunded_number(log) for log in _logs(refunds)),
    )


def _logs(answer: object) -> list[dict[str, object]]:
    return [log for log in answer if isinstance(log, dict)] if isinstance(answer, list) else []


def _unfilled_on(branch: Branch, deposits: list[Deposit]) -> list[Deposit]:
    calls = [{"to": branch.place.spoke_pool, "data": status_call(each)} for each in deposits]
    answers = branch.puppet.batch([("eth_call", [call, "latest"]) for call in calls])
    return [
        deposit
        for deposit, answer in zip(deposits, answers, strict=True)
        if int(str(answer), 16) != FILLED
    ]
