"""Honest answers of a provider, changed in every word and field, and what becomes of each change.

A mutant is refused by the adapter, refused by the guard, or would be signed; then what it does is
measured in the chain's own simulation, and its loss is held against the guard's limit.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from provider_runs import ProviderRun, leg

from agent.chain.node import RpcNode
from agent.compose.adapters import make_venues
from agent.compose.bridges import make_bridges
from agent.core.guard import RULES, Proposal, check
from agent.core.intent import Draft
from agent.core.money import WHOLE_BPS, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.progress import Ask
from agent.core.quote import Call, Quote
from agent.core.verdict import Refusal
from agent.engine.ask import Question, judge, question
from agent.engine.auction import Offer
from agent.errors import AgentError, Unavailable, Unreachable
from agent.ports import AdapterIo, Bridge, Venue
from agent.wire import calldata, erc20
from agent.wire.http import HttpClient

ROBBER = "bad0" * 10
WORD = 64
"""Hex digits of one word."""

SIMULATED = {"simulation_passed", "simulation_matches", "allowance_used_up", "gas_sane"}
"""Rules that need the simulation of the very bytes; the others are asked first, it costs nothing."""


class Recorder:
    """The port `Http` that keeps every answer of the one behind it."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.answers = inner, []

    def get(self, *args: Any, **options: Any) -> Any:
        return self._kept(self.inner.get(*args, **options))

    def post(self, *args: Any, **options: Any) -> Any:
        return self._kept(self.inner.post(*args, **options))

    def _kept(self, answer: Any) -> Any:
        self.answers.append(copy.deepcopy(answer))
        return answer


class Replayer:
    """The port `Http` that gives prepared answers in their order, whatever it is asked."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def get(self, *_args: Any, **_options: Any) -> Any:
        return self._next()

    def post(self, *_args: Any, **_options: Any) -> Any:
        return self._next()

    def _next(self) -> Any:
        """The next answer; a question that was not asked of the honest server gets none."""
        if not self.answers:
            raise Unreachable("it says nothing more", fix="none")
        return self.answers.pop(0)


def words(own: str, other: str) -> list[Callable[[str, random.Random], str]]:
    """What becomes of one word of calldata; *own* and *other* are addresses without prefix."""

    def number(word: str, change: Callable[[int], int]) -> str:
        return f"{change(int(word, 16)) % 2**256:064x}"

    return [
        lambda _w, _r: "0" * 64,
        lambda _w, _r: f"{1:064x}",
        lambda _w, _r: "f" * 64,
        lambda _w, _r: ROBBER.rjust(64, "0"),
        lambda _w, _r: other.rjust(64, "0"),
        lambda _w, _r: own.rjust(64, "0"),
        lambda w, _r: number(w, lambda n: n + 1),
        lambda w, _r: number(w, lambda n: n - 1),
        lambda w, _r: number(w, lambda n: 2 * n),
        lambda w, _r: number(w, lambda n: n // 2),
        lambda w, _r: number(w, lambda n: n * 99 // 100),
        lambda w, _r: number(w, lambda n: n + 32),
        lambda w, _r: number(w, lambda n: n ^ (1 << 255)),
        lambda w, _r: number(w, lambda n: n ^ (1 << 95)),
        lambda w, r: number(w, lambda n: n ^ (1 << r.randrange(256))),
        lambda _w, r: f"{r.getrandbits(256):064x}",
    ]


def fields(value: Any, other: str) -> list[Any]:
    """What becomes of one field of an answer."""
    found: list[Any] = [
        None,
        "",
        "x",
        0,
        "0",
        -1,
        "-1",
        True,
        [],
        {},
        "NaN",
        "1e30",
        "9" * 90,
        2**256,
        str(2**256 - 1),
        "0x",
        "0x" + ROBBER,
        "0x" + other,
        [value],
        {"value": value},
    ]
    number = _number(value)
    if number is not None:
        for changed in (number + 1, number - 1, number * 2, number // 2, number * 1001 // 1000):
            found += [changed, str(changed)]
    return found


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return None


def leaves(answer: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every field of an answer with its path."""
    inside: Any = ()
    if isinstance(answer, dict):
        inside = answer.items()
    elif isinstance(answer, list):
        inside = enumerate(answer)
    if not inside and path:
        yield path, answer
    for key, value in inside:
        yield from leaves(value, (*path, key))


def changed(answers: list[Any], number: int, path: tuple[Any, ...], value: Any) -> list[Any]:
    """The answers with one field of one of them replaced."""
    found = copy.deepcopy(answers)
    at = found[number]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return found


def is_calldata(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("0x") and len(value) >= 10 + WORD


def mutated_words(
    data: str, changes: list[Callable[[str, random.Random], str]], rng: random.Random
) -> Iterator[str]:
    """Calldata with every word changed in every way, and its selector too."""
    head, body = data[:10], data[10:]
    yield "0xdeadbeef" + body
    for start in range(0, len(body), WORD):
        word = body[start : start + WORD]
        if len(word) < WORD:
            yield head + body[:start] + "f" * len(word)
            continue
        for change in changes:
            fresh = change(word, rng)
            if fresh != word:
                yield head + body[:start] + fresh + body[start + WORD :]
    yield head + body + "00" * 32
    yield head + body[:-WORD]


@dataclass
class Tally:
    """What became of a provider's mutants; `worst_bps` is the worst loss of one that passed."""

    provider: str
    mutants: int = 0
    by_adapter: Counter[str] = field(default_factory=Counter)
    by_guard: Counter[str] = field(default_factory=Counter)
    harmless: int = 0
    worst_bps: int = 0
    broken: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "mutants": self.mutants,
            "refused_by_adapter": sum(self.by_adapter.values()),
            "refused_by_guard": sum(self.by_guard.values()),
            "by_adapter": dict(self.by_adapter.most_common()),
            "by_guard": dict(self.by_guard.most_common()),
            "passed_within_guard": self.harmless,
            "worst_loss_bps": self.worst_bps,
            "broken": self.broken,
        }


@dataclass
class Trial:
    """One leg by one provider, asked honestly once and then lied to."""

    run: ProviderRun
    leg: Leg
    tally: Tally
    seed: int = 4

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.io = self.run.account.io
        self.raw = self.leg.planned_sell.raw
        step = Ask("byzantine", "1", 1, self.raw, self.leg.sell.token.chain)
        found = question(step, self.leg, self.io)
        assert isinstance(found, Question), found
        self.asked = found
        recorder = Recorder(HttpClient())
        honest = self.place(recorder)
        self.quote = self._quoted(honest)
        self.answers = recorder.answers
        self.replayer = Replayer()
        self.lied_to = self.place(self.replayer)
        accepted = self._judged(self.lied_to, self.quote)
        assert not isinstance(accepted, tuple), accepted
        self.limit_bps = self.io.policy.limits.max_price_impact_bps
        own = self.io.account[2:]
        other = next(
            token.address[2:]
            for token in self.run.account.settings.tokens(self.leg.sell.token.chain)
            if token not in {self.leg.sell.token, self.leg.buy} and not token.is_native
        )
        self.other, self.changes = other, words(own, other)

    def place(self, http: Any) -> Venue | Bridge:
        """The adapter over that http."""
        settings = self.run.account.settings
        io = AdapterIo(self.io.nodes, self.io.clock, http)
        if self.leg.kind == "swap":
            return make_venues(settings, io)[self.leg.via]
        return make_bridges(settings, io, self.io.prices)[self.leg.via]

    def _quoted(self, place: Venue | Bridge) -> Quote:
        return place.quote(
            self.leg, self.raw, self.io.account, self.asked.floor, self.asked.chain_time
        )

    def _judged(self, place: Venue | Bridge, quote: Quote) -> Any:
        offer = Offer(via=self.leg.via, place=place, quote=quote, fault=None, net=0, ms=0)
        return judge(self.asked, offer, quote, self.io)

    def answers_changed(self, every: int = 1) -> None:
        """Change every field and every word of every answer, or each *every*-th of them."""
        for number, change in enumerate(self._answer_changes()):
            if number % every == 0:
                self._try_answers(change)

    def _answer_changes(self) -> Iterator[list[Any]]:
        for number, answer in enumerate(self.answers):
            for path, value in leaves(answer):
                for fresh in fields(value, self.other):
                    yield changed(self.answers, number, path, fresh)
                if is_calldata(value):
                    for data in mutated_words(value, self.changes, self.rng):
                        yield changed(self.answers, number, path, data)
            yield [*copy.deepcopy(self.answers[:number]), None, *self.answers[number + 1 :]]
            yield [*copy.deepcopy(self.answers[:number]), [], *self.answers[number + 1 :]]
            yield [*copy.deepcopy(self.answers[:number]), {}, *self.answers[number + 1 :]]

    def bytes_changed(self, every: int = 1) -> None:
        """Change every word of the bytes to be signed, as an adapter that lies would."""
        payload = self.quote.payload
        if not isinstance(payload, Call):
            return
        for number, data in enumerate(mutated_words(payload.data, self.changes, self.rng)):
            if number % every == 0:
                self._try(replace(self.quote, payload=replace(payload, data=data)))
        for fresh in (
            replace(payload, value=payload.value + 1),
            replace(payload, to=self.io.account),
            replace(payload, chain=ChainId(10)),
        ):
            self._try(replace(self.quote, payload=fresh))

    def _try_answers(self, answers: list[Any]) -> None:
        self.replayer.answers = answers
        try:
            quote = self._quoted(self.lied_to)
        except Unavailable as no:
            self.tally.mutants += 1
            self.tally.by_adapter[no.code] += 1
            return
        except Exception as fault:  # noqa: BLE001 - a crash of the adapter is what is looked for
            self.tally.mutants += 1
            self.tally.broken.append(f"{self.leg.via}: {type(fault).__name__}: {fault}"[:200])
            return
        self._try(quote)

    def _try(self, quote: Quote) -> None:
        self.tally.mutants += 1
        try:
            no = self._cheaply(quote)
            found: Any = self._judged(self.lied_to, quote) if no is None else (no,)
        except AgentError as error:
            self.tally.by_guard[error.code] += 1
            return
        except Exception as fault:  # noqa: BLE001 - a crash of the guard is what is looked for
            self.tally.broken.append(f"{self.leg.via}: {type(fault).__name__}: {fault}"[:200])
            return
        if isinstance(found, tuple):
            self.tally.by_guard[found[0].code] += 1
            return
        self.tally.harmless += 1
        loss = self._loss_bps(found.drafts, quote)
        self.tally.worst_bps = max(self.tally.worst_bps, loss)
        if loss > self.limit_bps:
            self.tally.broken.append(f"{self.leg.via}: a loss of {loss} bps passed")

    def _cheaply(self, quote: Quote) -> Refusal | None:
        """What the bytes alone already say no to, so that nothing need be simulated."""
        place, payload = self.lied_to, quote.payload
        if not isinstance(payload, Call):
            return None
        approvals = tuple(
            Draft(
                purpose="approve",
                chain=payload.chain,
                payload=erc20.approve(
                    payload.chain, right.amount.token.address, right.spender, right.amount.raw
                ),
                gas_limit=60_000,
                allowance=right,
            )
            for right in quote.allowances
        )
        act = Draft(purpose="swap", chain=payload.chain, payload=payload, gas_limit=10**6)
        drafts = (*approvals, act)
        meanings = tuple(
            calldata.meaning(draft.payload, place.layouts, account=self.io.account)
            for draft in drafts
            if isinstance(draft.payload, Call)
        )
        refused = [m for m in meanings if isinstance(m, Refusal)]
        if refused:
            return refused[0]
        proposal = Proposal(
            account=self.io.account,
            leg=self.leg,
            sell_raw=self.raw,
            quote=quote,
            drafts=drafts,
            meanings=meanings,
            simulated=self._honest_simulation(drafts),
            prices=self.asked.prices,
            limits=self.io.policy.limits,
            min_out=self.asked.floor,
            targets=self._targets(),
            code_hashes=self._targets(),
            account_code_hash="",
            chain_time=self.asked.chain_time,
            clock_time=self.asked.chain_time,
            native=self.io.chains[payload.chain].native
            if payload.chain in self.io.chains
            else self.leg.sell.token,
            wrapped={chain: rules.wrapped.address for chain, rules in self.io.chains.items()},
        )
        skipped = SIMULATED | {"code_pinned", "fee_capped", "far_account_plain", "far_code_pinned"}
        rules = tuple(rule for rule in RULES if rule.__name__ not in skipped)
        verdict = check(proposal, rules)
        return None if verdict.ok else verdict.refusals[0]

    def _targets(self) -> Mapping[Any, str]:
        if not hasattr(self, "_known_targets"):
            self._known_targets = dict(self.lied_to.targets(self.leg.sell.token.chain))
        return self._known_targets

    def _honest_simulation(self, drafts: tuple[Draft, ...]) -> Any:
        from agent.core.simulated import Simulated

        return Simulated(ok=True, gas_used=tuple(1 for _ in drafts), deltas={}, allowances=())

    def _loss_bps(self, drafts: tuple[Draft, ...], quote: Quote) -> int:
        """What a mutant that passed would lose, by what the chain itself makes of it."""
        sell, buy = self.leg.sell.token, self.leg.buy
        fair = self.asked.prices.fair(Amount(sell, self.raw), buy)
        assert fair is not None
        got = self._brought(drafts, buy) if self.leg.kind == "swap" else None
        if got is None:
            got = quote.min_amount_out
        return max(0, (fair - got) * WHOLE_BPS // fair)

    def _brought(self, drafts: tuple[Draft, ...], buy: Token) -> int | None:
        calls = [(d.payload, d.gas_limit) for d in drafts if isinstance(d.payload, Call)]
        if not isinstance(drafts[-1].payload, Call):
            return None
        node = self.io.nodes[buy.chain]
        assert isinstance(node, RpcNode)
        done = node.simulate(self.io.account, calls, self.io.chains[buy.chain].tokens, ())
        return done.deltas.get(buy, 0)


def trial(run: ProviderRun, case: Any, tally: Tally) -> Trial:
    """The trial of one leg of the document's kind."""
    sell, buy = run.token(case.chain, case.sell), run.token(case.to_chain, case.buy)
    raw = int(float(case.amount) * sell.unit)
    return Trial(run, leg(case.via, case.kind, sell, raw, buy, case.detail), tally)
