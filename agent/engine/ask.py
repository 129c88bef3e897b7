"""Ask for a firm quote, simulate it whole, and let the guard judge it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from agent.core.fact import Due, Quoted, Refused
from agent.core.guard import Proposal, check
from agent.core.intent import Draft, Purpose
from agent.core.money import WHOLE_BPS, Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.price import Prices
from agent.core.progress import Ask
from agent.core.proposal import FarSide
from agent.core.quote import Allowance, Call, Meaning, Quote
from agent.core.simulated import Simulated
from agent.core.state import State
from agent.core.verdict import Refusal
from agent.engine.io import Io, Later
from agent.errors import BadReply, Contradicted, NoRoute, ProviderSilent, Rejected, Unavailable
from agent.ports import BlockTag, Bridge, Node, Venue
from agent.wire import calldata, erc20

SIMULATION_GAS = 1_500_000
"""Gas limit of each call in the first simulation, which finds out what it needs: a three-hop
swap takes under 600 000 (measured on the local chain), so a call that needs more is odd."""

APPROVAL_GAS = 100_000
"""Gas limit of an approval that was not simulated (a revocation): a proxied token with a
blacklist check takes about 60 000 (USDC, measured on the local chain)."""

GAS_MARGIN = Fraction(5, 4)
"""Gas limit over simulated gas: prices and ticks move between simulation and block."""

NO_OFFER = (NoRoute, Contradicted, ProviderSilent, Rejected)
"""What a place says when it has no offer to make: the leg is refused, and the run plans again a
bounded number of times. Any other silence is a node's, and is waited for."""

_PURPOSES: dict[str, Purpose] = {
    "swap": "swap",
    "bridge": "deposit",
    "wrap": "wrap",
    "unwrap": "unwrap",
}


def ask(step: Ask, state: State, io: Io) -> tuple[Quoted | Refused | Due, ...] | Later:
    """Quote a leg, simulate approvals and act in a row, check everything; sign nothing.

    Returns Later while the agent is paused: quotes that nobody may sign would only grow old.
    """
    leg = state.runs[step.run].legs[step.leg].leg
    now = io.clock.now()
    paused = io.paused()
    if paused is not None:
        return Later(now + io.chains[step.chain].poll_seconds, f"paused: {paused}")
    if leg.kind == "revoke":
        granted = Allowance(Address(leg.detail), Amount(leg.sell.token, 0))
        draft = revocation(step.chain, granted)
        return (Due(step.run, step.leg, draft, "the owner takes it back", now),)
    found = _firm(step, leg, io, canary=None if leg.via in state.vias else io.canary)
    if isinstance(found, Quoted):
        return (found,)
    return (Refused(step.run, step.leg, leg.via, found, now),)


def _firm(step: Ask, leg: Leg, io: Io, *, canary: Decimal | None) -> Quoted | tuple[Refusal, ...]:
    """A firm quote that every rule of the guard accepts, or all that speaks against it."""
    place: Venue | Bridge | None = io.venues.get(leg.via) or io.bridges.get(leg.via)
    if place is None:
        return (Refusal("G112", f"{leg.via} is not allowed by the policy"),)
    prices = io.prices()
    sell = Amount(leg.sell.token, step.sell_raw)
    floor = _floor(leg, sell, prices, io)
    if isinstance(floor, Refusal):
        return (floor,)
    node = io.nodes[step.chain]
    chain_time = node.block().timestamp
    try:
        quote = place.quote(leg, step.sell_raw, io.account, floor, chain_time)
    except NO_OFFER as error:
        return (Refusal(error.code, error.message),)
    drafts, revoke = _drafts(leg, quote, node, io.account)
    simulated = simulate(io, step.chain, drafts)
    drafts = _with_gas(drafts, simulated)
    calls = [(each.payload, each.gas_limit) for each in drafts if isinstance(each.payload, Call)]
    hashes = node.code_hashes((*_addresses(drafts), io.account))
    verdict = check(
        Proposal(
            account=io.account,
            leg=leg,
            sell_raw=step.sell_raw,
            quote=quote,
            drafts=drafts,
            meanings=tuple(_meanings(drafts, place, io.account)),
            simulated=simulated,
            prices=prices,
            limits=io.policy.limits,
            min_out=floor,
            targets=place.targets(step.chain),
            code_hashes={a: found for a, found in hashes.items() if a != io.account},
            account_code_hash=hashes[io.account],
            chain_time=chain_time,
            clock_time=io.clock.now(),
            native=io.chains[step.chain].native,
            fees=node.fees(),
            l1_fees=node.l1_fees(calls),
            canary=canary,
            value=prices.worth(sell),
            wrapped={chain: rules.wrapped.address for chain, rules in io.chains.items()},
            far=_far_side(leg, place, io),
        )
    )
    if not verdict.ok:
        return verdict.refusals
    return Quoted(
        run=step.run,
        leg=step.leg,
        round=step.round,
        sell_raw=step.sell_raw,
        quote=quote,
        drafts=drafts,
        revoke=revoke,
        at=io.clock.now(),
    )


def _floor(leg: Leg, sell: Amount, prices: Prices, io: Io) -> int | Refusal:
    """The least base units that may come out, or why that is not known.

    Raises Unavailable while the node of a feed is silent: that passes, and says nothing against
    the leg.
    """
    floor = least_out(leg, sell, prices, io.policy.limits.max_price_impact_bps)
    if floor is not None:
        return floor
    no = unpriced(leg, prices)
    if no.code.startswith("N"):
        raise Unavailable(no.why, fix="wait", code=no.code)
    return no


def _far_side(leg: Leg, place: Venue | Bridge, io: Io) -> FarSide | None:
    """What the guard must know of the chain that a bridge delivers on; None for all other legs."""
    chain = leg.buy.chain
    if chain == leg.sell.token.chain:
        return None
    node, targets = io.nodes[chain], place.targets(chain)
    hashes = node.code_hashes((*targets, io.account))
    return FarSide(
        chain=chain,
        targets=targets,
        code_hashes={a: found for a, found in hashes.items() if a != io.account},
        account_code_hash=hashes[io.account],
        time=node.block().timestamp,
    )


def least_out(leg: Leg, sell: Amount, prices: Prices, impact_bps: int) -> int | None:
    """The least base units that may come out, from independent prices and the plan alone.

    A wrap is one to one. None when an asset has no price that two sources agree on.
    """
    if leg.kind in {"wrap", "unwrap"}:
        return sell.raw
    sold, bought = prices.of(sell.token), prices.of(leg.buy)
    fair = prices.fair(sell, leg.buy)
    if fair is None or sold is None or bought is None:
        return None
    if not (sold.independent and bought.independent):
        return None
    planned = leg.planned_sell.raw
    by_plan = leg.min_buy * min(sell.raw, planned) // planned
    return max(fair * (WHOLE_BPS - impact_bps) // WHOLE_BPS, by_plan)


def unpriced(leg: Leg, prices: Prices) -> Refusal:
    """The refusal that says which of a leg's assets has no agreed price, and why."""
    for token in (leg.sell.token, leg.buy):
        asset = prices.asset_of.get(token, token.symbol)
        said = prices.refused.get(asset)
        if said is not None:
            return Refusal(said.code, said.why)
        price = prices.by_asset.get(asset)
        if price is not None and not price.independent:
            return Refusal("G206", f"only {price.sources[0]} has a price for {asset}")
    return Refusal("G202", f"no source has a price for what leg {leg.id} sells or buys")


def simulate(io: Io, chain: ChainId, drafts: tuple[Draft, ...]) -> Simulated:
    """Run the calls of *drafts* in a row on the chain's head, as the account would.

    All tokens of the chain are watched: what leaves besides the leg's own is seen.
    """
    calls = [
        (draft.payload, draft.gas_limit) for draft in drafts if isinstance(draft.payload, Call)
    ]
    granted = [draft.allowance for draft in drafts if draft.allowance is not None]
    return io.nodes[chain].simulate(io.account, calls, io.chains[chain].tokens, granted)


def _drafts(
    leg: Leg, quote: Quote, node: Node, account: Address
) -> tuple[tuple[Draft, ...], Draft | None]:
    """Approvals that make each allowance exact, then the act; and how to take one back."""
    chain = leg.sell.token.chain
    drafts: list[Draft] = []
    revoke: Draft | None = None
    present = allowances(node, account, quote.allowances)
    for allowance, granted in zip(quote.allowances, present, strict=True):
        # A race-guarded token takes no change from one non-zero allowance to another.
        if granted not in {0, allowance.amount.raw}:
            drafts.append(_approval("approve_zero", chain, allowance, 0))
        if granted != allowance.amount.raw:
            drafts.append(_approval("approve", chain, allowance, allowance.amount.raw))
        revoke = _approval("revoke", chain, allowance, 0)
    act = Draft(
        purpose=_PURPOSES[leg.kind] if isinstance(quote.payload, Call) else "order",
        chain=chain,
        payload=quote.payload,
        gas_limit=SIMULATION_GAS,
        valid_until=quote.expires,
        moves=quote.sell,
    )
    return (*drafts, act), revoke


def _approval(purpose: Purpose, chain: ChainId, allowance: Allowance, raw: int) -> Draft:
    token = allowance.amount.token
    return Draft(
        purpose=purpose,
        chain=chain,
        payload=erc20.approve(chain, token.address, allowance.spender, raw),
        gas_limit=APPROVAL_GAS,
        allowance=Allowance(allowance.spender, Amount(token, raw)),
    )


def revocation(chain: ChainId, allowance: Allowance) -> Draft:
    """The draft that takes an allowance back."""
    return _approval("revoke", chain, allowance, 0)


def allowances(
    node: Node, account: Address, wanted: tuple[Allowance, ...], at: BlockTag = "latest"
) -> tuple[int, ...]:
    """What each spender may move, in base units; raises Unavailable when unreadable."""
    if not wanted:
        return ()
    reads = [erc20.allowance(item.amount.token.address, account, item.spender) for item in wanted]
    answers = node.read(reads, at)
    return tuple(_uint(answer, item) for answer, item in zip(answers, wanted, strict=True))


def _uint(answer: bytes | None, item: Allowance) -> int:
    if answer is None or len(answer) != 32:
        raise BadReply(
            f"{item.amount.token.symbol} does not say the allowance of {item.spender}",
            fix="check the token's address in chains.toml",
        )
    return int.from_bytes(answer, "big")


def _with_gas(drafts: tuple[Draft, ...], simulated: Simulated) -> tuple[Draft, ...]:
    """Gas limits from what the simulation used; a reverted one keeps them for the verdict."""
    if not simulated.ok:
        return drafts
    used = iter(simulated.gas_used)
    return tuple(
        replace(draft, gas_limit=int(next(used) * GAS_MARGIN))
        if isinstance(draft.payload, Call)
        else draft
        for draft in drafts
    )


def _meanings(
    drafts: tuple[Draft, ...], place: Venue | Bridge, account: Address
) -> list[Meaning | Refusal]:
    return [
        calldata.meaning(draft.payload, place.layouts, account=account)
        if isinstance(draft.payload, Call)
        else calldata.order_meaning(draft.payload)
        for draft in drafts
    ]


def _addresses(drafts: tuple[Draft, ...]) -> tuple[Address, ...]:
    """Everything that is called or may spend, and what an order is signed for."""
    found: dict[Address, None] = {}
    for draft in drafts:
        if isinstance(draft.payload, Call):
            found[draft.payload.to] = None
        elif isinstance(said := calldata.order_meaning(draft.payload), Meaning):
            found[said.target] = None
        if draft.allowance is not None:
            found[draft.allowance.spender] = None
    return tuple(found)
