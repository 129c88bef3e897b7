"""A part of the mutants of scripts/bench/byzantine.py: refused, or a loss within the guard's limit."""

from __future__ import annotations

from dataclasses import replace

import byzantine
import pytest
from byzantine import Tally, trial
from provider_document import Case
from provider_runs import provider_run

from agent.compose.providers import provider_names
from agent.core import guard
from agent.lab.worlds import Worlds

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

EVERY = 127
"""A prime: no word and no change of a word is left out every time."""

CASES = [
    *(Case(name, "swap", 1, "WETH", "1", 1, "USDC") for name in provider_names("venues")),
    Case("across", "bridge", 1, "USDC", "1000", 8453, "USDC"),
    Case("lifi", "bridge", 1, "USDC", "1000", 8453, "USDC"),
    Case("cctp", "bridge", 8453, "USDC", "1000", 42161, "USDC", "fast"),
    Case("stargate", "bridge", 1, "ETH", "1", 8453, "ETH"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.via)
def test_mutants_of_honest_answers_are_refused_or_lose_no_more_than_the_guard_allows(
    case: Case, chains: Worlds
) -> None:
    tally = Tally(case.via)
    with provider_run(chains, case.via, case.kind) as run:
        tried = trial(run, case, tally)
        tried.answers_changed(EVERY)
        tried.bytes_changed(EVERY)
    assert [] == tally.broken
    assert tally.mutants > 3
    refused = sum(tally.by_adapter.values()) + sum(tally.by_guard.values())
    assert tally.mutants == refused + tally.harmless
    assert tally.worst_bps <= 100


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.via)
def test_field_of_any_kind_is_an_answer_that_is_refused_or_honest(
    case: Case, chains: Worlds
) -> None:
    """Lists and objects in the place of words and numbers: what no hash and no sum can be made of."""
    tally = Tally(case.via)
    with provider_run(chains, case.via, case.kind) as run:
        tried = trial(run, case, tally)
        for number, answer in enumerate(tried.answers):
            for path, value in byzantine.leaves(answer):
                for fresh in ([value], {"value": value}):
                    tried._try_answers(byzantine.changed(tried.answers, number, path, fresh))
    assert [] == tally.broken


def test_mutants_bite_when_a_rule_is_missing(
    chains: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = {"minimum_enforced", "recipient_is_wallet", "simulation_matches", "slippage_bounded"}
    rules = tuple(rule for rule in guard.RULES if rule.__name__ not in blind)
    monkeypatch.setattr(byzantine, "RULES", rules)
    honest = guard.check
    monkeypatch.setattr("agent.engine.ask.check", lambda p: honest(p, rules))
    case = Case("router", "swap", 1, "WETH", "1", 1, "USDC")
    tally = Tally(case.via)
    with provider_run(chains, case.via, case.kind) as run:
        tried = trial(run, case, tally)
        tried.quote = replace(tried.quote, min_amount_out=1)
        tried.bytes_changed(1)
    assert tally.broken
