"""What every venue behind a server promises when that server fails, lies, or says no.

A failure is an error of the class that fits; a lie is found before anything is signed, by the
adapter or by the guard; and no text anywhere shows a key.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from router_rig import swap_leg
from swap_runs import BY_CALL, WALLET, SwapRun, swap_run
from venue_rigs import SECRET, api_token, api_worth

from agent.core.quote import Quote
from agent.engine.auction import NO_OFFER
from agent.engine.loop import Finished
from agent.errors import AgentError, BadReply, Contradicted, RateLimited, Unreachable
from agent.lab.providers import desk_names
from agent.lab.providers._mischief import FAILURES, FORGERIES
from agent.lab.worlds import Worlds
from agent.provider import About

CASSETTES = Path(__file__).parents[1] / "cassettes" / "venues"

LAST_QUESTION = {
    "kyberswap": "/route/build",
    "lifi": "/quote",
    "odos": "/sor/assemble",
    "oneinch": "/swap",
    "openocean": "/swap",
    "velora": "/transactions",
    "zerox": "/quote",
}
"""What the question is known by that ends in a call."""

FAULTS = {
    "429": {RateLimited.code},
    "500": {Unreachable.code},
    "503": {Unreachable.code},
    "slow": {Unreachable.code},
    "cut": {Unreachable.code},
    "truncated": {BadReply.code},
    "nan": {BadReply.code},
    "huge": {BadReply.code, Contradicted.code},
    "bulky": {BadReply.code},
    "html": {BadReply.code},
    "list": {BadReply.code},
    "empty": {BadReply.code},
    "moved": {BadReply.code},
}
"""The codes of silence that fit; nobody is waited for because of it."""

LIES = {
    "recipient": {"G105"},
    "bait": {"G105"},
    "target": {"N108"},
    "spender": {"N108"},
    "amount": {"G107"},
    "minimum": {"G109"},
    "token": {"G106"},
    "sold": {"G106"},
    "value": {"G108"},
    "inflated": {"S101"},
    "fee": {"G101"},
    "call": {"G101"},
    "chain": {"N108"},
}
"""What finds a lie: the adapter (N108), the guard by the bytes (G), or by the simulation (S)."""

FOUND_OTHERWISE = {
    # A minimum above what its pools give is a rate that has changed.
    ("velora", "inflated"): {"N110"},
    # The minimum is told as a share of what the pools give, and the offer promises more.
    **{
        (each, "inflated"): {"G109"} for each in ("kyberswap", "lifi", "odos", "openocean", "zerox")
    },
}

UNSAID = {
    "kyberswap": {"chain"},
    # Its own fee is within what it promises.
    "lifi": {"fee"},
    "odos": {"spender"},
    "openocean": {"fee", "spender"},
    "oneinch": {"chain", "fee", "spender"},
    "velora": set(),
    "zerox": {"chain", "fee"},
}
"""Lies about what a provider does not say: there is nothing to be told."""

SOLD = ("USDC", "WETH", 4_000)


@pytest.fixture(params=BY_CALL)
def name(request: pytest.FixtureRequest, chains: Worlds) -> Iterator[str]:
    """A provider whose server is honest before and afterwards."""
    if missing(request.param):
        pytest.fail(f"{request.param} lacks {', '.join(missing(request.param))}")
    yield request.param
    chains.tell(request.param, "fail", "500", 0)
    chains.tell(request.param, "forge", "value", 0)


def missing(provider: str) -> list[str]:
    """What a provider lacks to be tested here."""
    about = import_module(f"agent.venues.{provider}").ABOUT
    parts = {
        "an ABOUT of that class": isinstance(about, About),
        f"its server agent/lab/providers/{provider}.py": provider in desk_names(),
        "the last of its questions in LAST_QUESTION": provider in LAST_QUESTION,
        "the lies that it cannot tell in UNSAID": provider in UNSAID,
        f"recorded answers in {provider}.json": (CASSETTES / f"{provider}.json").is_file(),
    }
    return [part for part, is_there in parts.items() if not is_there]


@pytest.mark.parametrize("provider", BY_CALL)
def test_provider_has_all_that_it_needs(provider: str) -> None:
    assert [] == missing(provider)


def test_every_failure_and_every_lie_of_the_servers_is_expected() -> None:
    assert (set(FAILURES), set(FORGERIES)) == (set(FAULTS), set(LIES))


def quote(run: SwapRun) -> Quote:
    sell, buy, usd = SOLD
    raw = api_worth(sell, usd)
    leg = swap_leg(api_token(sell), api_token(buy), raw)
    return run.venue.quote(leg, raw, WALLET, 1, run.clock.now())


@pytest.mark.parametrize("how", sorted(FAULTS))
def test_failure_of_the_server_is_an_error_of_its_class(
    chains: Worlds, name: str, how: str
) -> None:
    with swap_run(name, chains, seconds=1.0 if how == "slow" else 10.0) as run:
        # Of slow answers the first is enough: the rest would measure this machine.
        for where in ("", LAST_QUESTION[name])[: 1 if how == "slow" else 2]:
            chains.tell(name, "fail", how, 1, where, 1.5)
            with pytest.raises(AgentError) as caught:
                quote(run)
            assert isinstance(caught.value, NO_OFFER)
            assert caught.value.code in FAULTS[how], (where, caught.value)
            assert SECRET not in "".join(traceback.format_exception(caught.value))
            assert SECRET not in caught.value.message + caught.value.fix
            assert 0 == chains.tell(name, "left")["failures_left"], where


@pytest.mark.parametrize("way", sorted(FORGERIES))
def test_lie_of_the_server_is_found_and_nothing_is_signed(
    chains: Worlds, name: str, way: str
) -> None:
    sell, buy, usd = SOLD
    with swap_run(name, chains) as run:
        chains.tell(name, "forge", way, 1)
        ended = run.go(sell, buy, api_worth(sell, usd))
        assert isinstance(ended, Finished)
        assert SECRET not in repr(run.facts) + ended.why
        if way in UNSAID[name]:
            assert ("done", []) == (ended.outcome, run.refusals())
            return
        assert ("aborted", 0) == (ended.outcome, run.signed())
        wanted = FOUND_OTHERWISE.get((name, way), LIES[way])
        assert wanted <= set(run.refusals()), ended.why


def test_lie_about_the_gas_coin_is_found_and_nothing_is_signed(chains: Worlds, name: str) -> None:
    for way, code in (("value", "G108"), ("amount", "G107"), ("recipient", "G105")):
        with swap_run(name, chains) as run:
            chains.tell(name, "forge", way, 1)
            ended = run.go("ETH", "USDC", 10**18)
            assert isinstance(ended, Finished)
            assert ("aborted", 0) == (ended.outcome, run.signed())
            assert code in run.refusals()


def test_server_that_is_down_for_the_whole_run_signs_nothing(chains: Worlds, name: str) -> None:
    with swap_run(name, chains) as run:
        chains.tell(name, "fail", "500", 500)
        ended = run.go("ETH", "USDC", 10**18, budget=30)
        assert (0, []) == (run.signed(), run.purposes())
        assert SECRET not in repr(run.facts) + repr(ended)
