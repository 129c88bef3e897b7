"""What a snapshot is worth at agreed prices, asset by asset and chain by chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeVar

from agent.core.frozen import empty
from agent.core.money import Amount, ChainId, Token, raw_up
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.core.verdict import Refusal
from agent.core.wording import chain_name, figure, listed

UNREAD = "N104"
"""Error code of a balance that a node did not tell."""

UNPRICED = "G202"
"""Error code of an asset without a price, where the prices do not say more."""

UNLISTED = "G207"
"""Error code of a holding in no asset, where the policy refuses such."""

PositionRole = Literal["spend", "count", "outside", "unpriced"]

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One balance; `raw` and `kept` are base units, `value` is in the unit of account.

    `kept` is the part outside the weights, which is never sold. `asset` is None for tokens
    of no asset with a target. `leg` names the transfer of money that is in flight.
    """

    token: Token
    raw: int
    role: PositionRole
    asset: str | None
    value: Decimal | None
    kept: int = 0
    leg: str | None = None

    @property
    def counted(self) -> Decimal:
        """The value inside the weights; nothing for what is outside or unpriced."""
        if self.asset is None or self.value is None or not self.raw:
            return Decimal(0)
        return self.value * (self.raw - self.kept) / self.raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """The counted value and how it is spread, or why it is not known.

    `value` is None exactly when `refusals` are there: with one part unknown, no share of the
    whole is known, and the mappings are empty. Positions are told in any case. `notes` are
    sentences for people.
    """

    value: Decimal | None
    positions: tuple[Position, ...]
    in_flight: tuple[Position, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    by_asset: Mapping[str, Decimal] = field(default_factory=empty)
    by_chain: Mapping[ChainId, Decimal] = field(default_factory=empty)
    by_asset_on_chain: Mapping[tuple[str, ChainId], Decimal] = field(default_factory=empty)
    notes: tuple[str, ...] = ()

    @property
    def outside(self) -> Decimal:
        """The value of what is priced and in no asset."""
        values = [p.value for p in self.positions if p.role == "outside" and p.value is not None]
        return sum(values, Decimal(0))

    @property
    def unpriced(self) -> tuple[Token, ...]:
        """Tokens that are held and have no price."""
        return tuple(p.token for p in self.positions if p.role == "unpriced")


def value(snapshot: Snapshot, prices: Prices, policy: Policy) -> Valuation:
    """Value *snapshot* at *prices*, as *policy* counts it.

    The gas reserve counts, what is kept aside does not, and money in flight counts for the
    asset and the chain that it goes to. Whatever belongs to an asset of the targets and is
    unread or unpriced leaves the whole without a value: unknown is never zero.
    """
    wanted = _wanted(policy)
    positions = _positions(snapshot, prices, policy, wanted)
    flying = tuple(
        _position(move.to, move.amount, prices=prices, policy=policy, wanted=wanted, leg=move.leg)
        for move in snapshot.in_flight
    )
    refusals = (
        *_unread(snapshot, policy, wanted),
        *_unpriced((*positions, *flying), prices),
        *_unlisted(positions, policy),
    )
    positions, notes = _keep(positions, policy)
    if refusals:
        return Valuation(
            value=None, positions=positions, in_flight=flying, refusals=refusals, notes=notes
        )
    counted = [p for p in (*positions, *flying) if p.asset is not None]
    assets = {asset: Decimal(0) for asset in policy.targets}
    by_asset = _sums(((str(p.asset), p.counted) for p in counted), assets)
    by_chain = _sums(
        ((p.token.chain, p.counted) for p in counted),
        {chain: Decimal(0) for chain in policy.chains},
    )
    cells = _sums((((str(p.asset), p.token.chain), p.counted) for p in counted), {})
    return Valuation(
        value=sum(by_asset.values(), Decimal(0)),
        positions=positions,
        in_flight=flying,
        by_asset=by_asset,
        by_chain=by_chain,
        by_asset_on_chain=cells,
        notes=notes,
    )


def _wanted(policy: Policy) -> Mapping[Token, str]:
    """The asset of each token that counts: its asset has a target, its chain is in use."""
    return {
        token: asset
        for token, asset in policy.asset_of.items()
        if asset in policy.targets and token.chain in policy.chains
    }


def _sums(
    parts: Iterable[tuple[_Key, Decimal]], start: dict[_Key, Decimal]
) -> Mapping[_Key, Decimal]:
    for key, part in parts:
        start[key] = start.get(key, Decimal(0)) + part
    return MappingProxyType(start)


def _positions(
    snapshot: Snapshot, prices: Prices, policy: Policy, wanted: Mapping[Token, str]
) -> tuple[Position, ...]:
    """All balances that belong to an asset, and the others that are not nothing."""
    held = sorted(snapshot.balances.items(), key=lambda item: item[0].key)
    return tuple(
        _position(token, Amount(token, raw), prices=prices, policy=policy, wanted=wanted)
        for token, raw in held
        if raw or token in wanted
    )


def _position(
    token: Token,
    amount: Amount,
    *,
    prices: Prices,
    policy: Policy,
    wanted: Mapping[Token, str],
    leg: str | None = None,
) -> Position:
    asset = wanted.get(token)
    price = prices.of(amount.token)
    worth = None
    role: PositionRole = "unpriced"
    if price is not None and price.value.is_finite() and price.value > 0:
        worth = price.value * amount.whole
        role = "outside" if asset is None else policy.role(token) or "outside"
    elif asset is not None and not amount.raw and policy.role(token) == "count":
        worth, role = Decimal(0), "count"  # it is never bought, so nobody needs its price
    return Position(token=token, raw=amount.raw, role=role, asset=asset, value=worth, leg=leg)


def _unread(snapshot: Snapshot, policy: Policy, wanted: Mapping[Token, str]) -> tuple[Refusal, ...]:
    """Balances of counted assets that nobody knows."""
    refusals = [
        Refusal(UNREAD, f"{chain_name(chain)} was not read, so the whole is not known")
        for chain in policy.chains
        if chain not in snapshot.chains
    ]
    balances = snapshot.balances
    for token, asset in sorted(wanted.items(), key=lambda item: item[0].key):
        if token.chain in snapshot.chains and not balances.get(token, -1) >= 0:
            place = chain_name(token.chain)
            refusals.append(
                Refusal(UNREAD, f"the balance of {token.symbol} ({asset}) on {place} is not known")
            )
    return tuple(refusals)


def _unpriced(positions: Iterable[Position], prices: Prices) -> tuple[Refusal, ...]:
    """One refusal for each counted asset that has no price."""
    refusals = {}
    for position in positions:
        if position.asset is not None and position.role == "unpriced":
            name = prices.asset_of.get(position.token, position.asset)
            known = prices.refused.get(name)
            refusals[name] = (
                Refusal(UNPRICED, f"no price of {name}")
                if known is None
                else Refusal(known.code, known.why)
            )
    return tuple(refusals.values())


def _unlisted(positions: Iterable[Position], policy: Policy) -> tuple[Refusal, ...]:
    """The refusal of holdings in no asset, where the policy wants it."""
    strange = [
        f"{position.token.symbol} on {chain_name(position.token.chain)}"
        for position in positions
        if policy.role(position.token) is None and not position.token.is_native
    ]
    if policy.unlisted != "refuse" or not strange:
        return ()
    return (Refusal(UNLISTED, f"{listed(strange)} in the wallet belong to no asset"),)


def _keep(
    positions: tuple[Position, ...], policy: Policy
) -> tuple[tuple[Position, ...], tuple[str, ...]]:
    """Set aside what the policy keeps: from the largest holdings that may be sold first."""
    kept: dict[Token, int] = {}
    notes = []
    for asset, wanted in sorted(policy.keep.items()):
        own = sorted((p for p in positions if p.asset == asset), key=_keep_order)
        missing = wanted
        for position in own:
            kept[position.token] = min(position.raw, raw_up(missing, position.token))
            missing = max(Decimal(0), missing - Amount(position.token, position.raw).whole)
        if missing:
            held = figure(wanted - missing)
            notes.append(f"{figure(wanted)} {asset} are to be kept, {held} are held")
    return tuple(replace(p, kept=kept.get(p.token, 0)) for p in positions), tuple(notes)


def _keep_order(position: Position) -> tuple[bool, Decimal, tuple[int, str]]:
    size = Amount(position.token, position.raw).whole
    return position.role == "count", -size, position.token.key
