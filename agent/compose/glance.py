"""One look at any wallet: what can be read is shown, and what cannot is said."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from agent.compose.account import Account, open_account
from agent.compose.adapters import KeyAccess, PriceDesk, make_oracles, make_venues
from agent.compose.tokens import check_decimals
from agent.core.decide import History
from agent.core.money import WHOLE_BPS, Bps, ChainId
from agent.core.plan import Plan
from agent.core.policy import Asset, Policy, Target
from agent.core.price import Prices
from agent.core.snapshot import ChainSnapshot, Snapshot
from agent.core.task import Moment, plainly
from agent.core.value import value
from agent.engine.io import Io
from agent.engine.survey import Look, make_plan
from agent.errors import KeyNotAllowed, Unavailable
from agent.planning.problem import NoPlan
from agent.ports import AdapterIo
from agent.settings import Settings
from agent.stores.memory import MemoryJournal


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a look found. `settings` and `seen` are of the chains that answered.

    `silent` are the others with the error of each; then the picture is partial and there is
    never a plan. `plan` is None too when none was asked for.
    """

    settings: Settings
    seen: Look
    silent: Mapping[ChainId, Unavailable]
    plan: Plan | NoPlan | None
    requests: int

    @property
    def why(self) -> str:
        """Why there is no plan; empty when there is one, or when none was wanted."""
        return str(self.plan) if isinstance(self.plan, NoPlan) else ""


def glance_at(settings: Settings, *, targeted: bool) -> Glance:
    """Read *settings*' wallet without any key or journal, and plan where it is *targeted*.

    Without targets all known assets count. Raises Unavailable when no chain answers,
    TokenMismatch when a token is not what it should be.
    """
    access = KeyAccess(ask=_nobody)
    with closing(open_account(settings, access, journal=MemoryJournal())) as account:
        snapshots, silent = _read(account)
        answering = tuple(chain for chain in settings.policy.chains if chain in snapshots)
        narrow = replace(settings, policy=replace(settings.policy, chains=answering))
        io = _io(account, narrow)
        prices = io.prices()
        snapshot = Snapshot(io.account, snapshots)
        if not targeted:
            narrow = replace(narrow, policy=_all_counted(narrow, snapshot, prices))
            io = replace(io, policy=narrow.policy)
        seen = _look(io, snapshot, prices)
        plan = None
        if targeted and not silent:
            check_decimals(account)
            plan = make_plan(io, seen)
        requests = account.requests()
    return Glance(settings=narrow, seen=seen, silent=silent, plan=plan, requests=requests)


def _read(
    account: Account,
) -> tuple[dict[ChainId, ChainSnapshot], Mapping[ChainId, Unavailable]]:
    """Snapshots of the chains that answer, side by side, and the errors of those that do not."""

    def read(chain: ChainId) -> ChainSnapshot | Unavailable:
        try:
            return account.nodes[chain].snapshot(
                account.io.account, account.io.chains[chain].tokens
            )
        except Unavailable as error:
            return error

    chains = account.settings.policy.chains
    with ThreadPoolExecutor(len(chains), "chain") as pool:
        answers = dict(zip(chains, pool.map(read, chains), strict=True))
    found = {c: said for c, said in answers.items() if isinstance(said, ChainSnapshot)}
    silent = {c: said for c, said in answers.items() if isinstance(said, Unavailable)}
    if not found:
        raise next(iter(silent.values()))
    return found, MappingProxyType(silent)


def _io(account: Account, settings: Settings) -> Io:
    """The ports of the chains that answered: prices come from feeds that can be read."""
    chains = settings.policy.chains
    nodes = {chain: account.io.nodes[chain] for chain in chains}
    adapters = AdapterIo(nodes, account.io.clock)
    return replace(
        account.io,
        policy=settings.policy,
        chains={chain: account.io.chains[chain] for chain in chains},
        nodes=nodes,
        venues=make_venues(settings, adapters),
        prices=PriceDesk(settings, make_oracles(settings, adapters), account.io.clock),
    )


def _look(io: Io, snapshot: Snapshot, prices: Prices) -> Look:
    valuation = value(snapshot, prices, io.policy)
    moment = Moment(
        valuation=valuation,
        policy=io.policy,
        prices=prices,
        history=History(),
        at=io.clock.now(),
        asked=True,
    )
    return Look(snapshot, prices, valuation, moment.decision, moment.at, plainly(moment))


def _all_counted(settings: Settings, snapshot: Snapshot, prices: Prices) -> Policy:
    """A policy that counts every asset of which something is held and priced, and wants nothing.

    What is held and has no price is told as such instead of leaving the whole without a value.
    """

    def known(asset: Asset) -> bool:
        held = [form.token for form in asset.instances if snapshot.balances.get(form.token, 0) > 0]
        return bool(held) and all(prices.of(token) is not None for token in held)

    counted = tuple(asset for asset in settings.assets if known(asset)) or settings.policy.assets
    anything = Bps(WHOLE_BPS)
    targets = {asset.name: Target(Bps(0), anything) for asset in counted}
    targets[counted[0].name] = Target(anything, anything)
    return replace(settings.policy, assets=counted, targets=targets, dust=Decimal(0))


def _nobody() -> str:
    raise KeyNotAllowed("a look signs nothing", fix="use a portfolio file to act")
