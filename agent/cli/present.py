"""Values in the JSON forms of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from agent.cli import reasoning as explained
from agent.core.asked import Asked
from agent.core.fact import Holding
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg, Plan
from agent.core.price import Prices
from agent.core.quote import Rival
from agent.core.wish import Wish
from agent.wire.address import (
    ETHER_COIN_TYPE,
    account_name,
    chain_name,
    checksum,
    token_name,
)

_COIN_TYPES: dict[ChainId, int] = {}
"""SLIP-44 numbers of the gas coins of the chains that this process works with."""


def name_coins(coin_types: Mapping[ChainId, int]) -> None:
    """From now on name the gas coins of these chains by these numbers, others as ether."""
    _COIN_TYPES.update(coin_types)


def time_text(unix_seconds: int) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: Decimal | None) -> str | None:
    """A decimal as text without an exponent; None stays None."""
    return None if value is None else f"{value:f}"


def micros(value: Decimal) -> str:
    """Money rounded to a millionth as text."""
    return f"{value:.6f}"


def cents(value: Decimal | None) -> str | None:
    """Money rounded to 0.01 as text."""
    return None if value is None else f"{value:.2f}"


def token(which: Token) -> str:
    """CAIP-19."""
    coin_type = _COIN_TYPES.get(which.chain, ETHER_COIN_TYPE)
    return token_name(which.chain, which.address, native_coin_type=coin_type)


def amount(which: Amount, prices: Prices | None = None) -> dict[str, Any]:
    """Base units beside decimals, and the value where it is known."""
    body: dict[str, Any] = {
        "token": token(which.token),
        "symbol": which.token.symbol,
        "amount": str(which.raw),
        "decimals": which.token.decimals,
    }
    if prices is not None:
        body["value"] = cents(prices.worth(which))
    return body


def wallet(address: Address, chain: ChainId) -> str:
    """CAIP-10."""
    return account_name(chain, address)


def leg(which: Leg, prices: dict[str, Decimal], asset_of: dict[Token, str]) -> dict[str, Any]:
    """One leg of a plan."""
    sold = which.planned_sell

    def worth(what: Amount) -> str | None:
        price = prices.get(asset_of.get(what.token, ""))
        return None if price is None else cents(price * what.whole)

    body: dict[str, Any] = {
        "id": which.id,
        "kind": which.kind,
        "via": which.via,
        "chain": chain_name(which.sell.token.chain),
        "sell": {**amount(sold), "value": worth(sold)},
        "buy": {
            **amount(Amount(which.buy, which.expected_out)),
            "min_amount": str(which.min_buy),
            "value": worth(Amount(which.buy, which.expected_out)),
        },
        "after": list(which.after),
        "gas_cost": number(which.gas_cost),
        "cost": number(which.cost),
        "seconds": which.seconds,
        "detail": which.detail,
    }
    if which.kind == "bridge":
        body["to_chain"] = chain_name(which.buy.chain)
    return body


def plan(which: Plan, account: Address, asset_of: dict[Token, str]) -> dict[str, Any]:
    """A plan as other programs read it."""
    prices = {asset: value for asset, value, _ in which.prices}
    gap, other = explained.gap(which), explained.cheapest_other(which)
    return {
        "id": which.id,
        "wallet": _owner(which, account),
        "wish": wish(which.wish, which.reached),
        "blocks": {chain_name(ChainId(chain)): height for chain, height, _ in which.blocks},
        "value": cents(which.value),
        "assets": [
            {
                "asset": row.asset,
                "before": ratio(row.before),
                "after": ratio(row.after),
                "target": bps(row.target_bps),
                "low": bps(row.low_bps),
                "high": bps(row.high_bps),
            }
            for row in which.standings
        ],
        "legs": [leg(item, prices, asset_of) for item in which.legs],
        "cost": number(which.cost),
        "tracking": micros(which.tracking),
        "bound": number(which.bound),
        "gap": None if gap is None else number(gap[0]),
        "gap_ratio": None if gap is None else micros(gap[1]),
        "worst_case": number(which.worst_case),
        "gas_if_reverted": number(which.gas_if_reverted),
        "turnover": number(which.turnover),
        "expires": time_text(which.expires),
        "policy_hash": which.policy_hash,
        "prices": [
            {"asset": asset, "value": number(value), "sources": list(sources)}
            for asset, value, sources in which.prices
        ],
        "why": list(which.why),
        "missed": number(which.missed),
        "alternatives": [_other(*each) for each in which.alternatives],
        "cheapest_alternative": None if other is None else _other(*other),
        "rounds": max((each.round for each in which.asked), default=0),
        "asked": [_asked(each, taken=which.takes(each)) for each in which.asked],
    }


def _asked(each: Asked, *, taken: bool) -> dict[str, Any]:
    """What venues that are only asked said to one swap of the plan."""

    def said(which: Rival) -> dict[str, Any]:
        better = each.better_bps(which)
        body = {**rival(which, each.buy), "better_bps": number(better)}
        return body | ({"why": which.why} if which.why else {})

    return {
        "round": each.round,
        "chain": chain_name(each.sell.token.chain),
        "sell": amount(each.sell),
        "buy": token(each.buy),
        "known": None if each.known is None else rival(each.known, each.buy),
        "answers": [said(which) for which in each.rivals],
        "measured": each.measured or None,
        "taken": taken,
    }


def wish(which: Wish, reached: Decimal | None = None) -> dict[str, Any]:
    """What a plan serves; of an amount what was asked for and what is reached, in whole tokens."""
    body: dict[str, Any] = {"kind": which.kind}
    if which.asset:
        body |= {"asset": which.asset, "asked": number(which.amount)}
        body |= {} if reached is None else {"reached": number(reached)}
    return body


def _other(what: str, cost: Decimal) -> dict[str, Any]:
    """Another way, and what it would have cost."""
    return {"what": what, "cost": number(cost)}


def reasoning(which: Plan, drifts: tuple[str, ...]) -> dict[str, Any]:
    """All that is said about a plan, for those who explain it in their own place."""
    sections = explained.sections(which, drifts)
    return {"explanation": [{"about": each.title, "lines": list(each.lines)} for each in sections]}


def _owner(which: Plan, account: Address) -> str:
    """CAIP-10 on the first chain that the plan was made for."""
    chains = [ChainId(chain) for chain, _, _ in which.blocks]
    return wallet(account, chains[0]) if chains else checksum(account)


def ratio(share_bps: Decimal) -> str:
    """A share in bps, fractions of one included, as a ratio."""
    return f"{share_bps / 10_000:.6f}"


def bps(share: int) -> str:
    """A share in bps as a ratio."""
    return f"{Decimal(share) / 10_000:f}"


def holdings(rows: tuple[Holding, ...]) -> list[dict[str, Any]]:
    """Balances of a run's start or end."""
    return [amount(Amount(row.token, row.raw)) for row in rows if row.raw]


def rival(each: Rival, buy: Token) -> dict[str, Any]:
    """Another venue's answer: what it offered, or why not."""
    body: dict[str, Any] = {"via": each.via, "answer": each.answer}
    if each.out:
        body |= {"amount": str(each.out), "net": str(each.net), "decimals": buy.decimals}
    return body | ({"code": each.code, "why": each.why} if each.code else {})
