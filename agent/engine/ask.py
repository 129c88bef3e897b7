"""Ask for a firm quote, simulate it whole, and let the guard judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from agent.core.fact import Due, Quoted, Refused
from agent.core.frozen import empty
from agent.core.guard import Proposal, check
from agent.core.intent import Draft, Purpose
from agent.core.money import WHOLE_BPS, Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.price import Prices
from agent.core.progress import Ask
from agent.core.proposal import FarSide
from agent.core.quote import Allowance, Call, Meaning, Quote
from agent.core.simulated import NOTHING, Simulated
from agent.core.state import State
from agent.core.verdict import Refusal
from agent.engine.auction import NO_OFFER, Offer, offers, places
from agent.engine.gas_limits import APPROVAL_GAS, GAS_MARGIN, SIMULATION_GAS, gas_to_try
from agent.engine.io import Io, Later
from agent.errors import BadReply, Unavailable
from agent.ports import BlockTag, Bridge, Node, Venue
from agent.wire import calldata, erc20, permit2

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
    found = _firm(step, leg, state, io)
    if isinstance(found, Quoted):
        return (found,)
    return (Refused(step.run, step.leg, leg.via, found, now),)


def _firm(step: Ask, leg: Leg, state: State, io: Io) -> Quoted | tuple[Refusal, ...]:
    """The best firm quote that every rule of the guard accepts, or all that speaks against any.

    Raises Unavailable where there is no offer and a node is silent: that passes.
    """
    if not places(leg, io):
        return (Refusal("G112", f"{leg.via} is not allowed by the policy"),)
    asked = question(step, leg, io)
    if isinstance(asked, Refusal):
        return (asked,)
    known = answers(asked, io)
    refused: dict[str, tuple[Refusal, ...]] = {}
    for offer in known:
        if offer.quote is None:
            refused[offer.via] = (offer.refusal,)
            continue
        canary = None if offer.via in state.vias else io.canary
        found = judge(asked, offer, offer.quote, io, canary=canary)
        if isinstance(found, Quoted):
            others = [other for other in known if other is not offer]
            return replace(
                found,
                net=offer.net,
                rivals=tuple(
                    other.refused(refused[other.via])
                    if other.quote is not None and other.via in refused
                    else other.rival
                    for other in others
                ),
            )
        refused[offer.via] = found
    silent = [offer.fault for offer in known if offer.fault is not None]
    if len(silent) == len(known) and not all(isinstance(fault, NO_OFFER) for fault in silent):
        raise next(fault for fault in silent if not isinstance(fault, NO_OFFER))
    if len(refused) == 1:
        return next(iter(refused.values()))
    return tuple(Refusal(no.code, f"{via}: {no.why}") for via, nos in refused.items() for no in nos)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What all offers for one leg are judged by.

    `floor` is the least base units that may come out, `chain_time` unix seconds. `given` is what
    the wallet has more than it has, for offers that nobody means to take.
    """

    step: Ask
    leg: Leg
    prices: Prices
    floor: int
    chain_time: int
    given: Mapping[Token, int] = field(default_factory=empty)


def question(step: Ask, leg: Leg, io: Io) -> Question | Refusal:
    """The question to ask for a leg, or why nobody is to be asked; raises Unavailable."""
    prices = io.prices()
    floor = _floor(leg, Amount(leg.sell.token, step.sell_raw), prices, io)
    if isinstance(floor, Refusal):
        return floor
    chain_time = io.nodes[step.chain].block().timestamp
    return Question(step=step, leg=leg, prices=prices, floor=floor, chain_time=chain_time)


def answers(asked: Question, io: Io) -> tuple[Offer, ...]:
    """What all places say to a question, the best offer first."""
    return offers(
        asked.leg,
        asked.step.sell_raw,
        io,
        floor=asked.floor,
        now=asked.chain_time,
        prices=asked.prices,
    )


def judge(
    asked: Question, offer: Offer, quote: Quote, io: Io, *, canary: Decimal | None = None
) -> Quoted | tuple[Refusal, ...]:
    """The offer as the fact that it is accepted, or what the guard has against it."""
    return tried(asked, offer, quote, io, canary=canary)[0]


def tried(
    asked: Question, offer: Offer, quote: Quote, io: Io, *, canary: Decimal | None = None
) -> tuple[Quoted | tuple[Refusal, ...], Simulated]:
    """The same, with what the simulation did."""
    step, place, leg = asked.step, offer.place, replace(asked.leg, via=offer.via)
    node = io.nodes[step.chain]
    drafts, revoke = _drafts(leg, quote, node, io.account)
    simulated = simulate(io, step.chain, drafts, asked.given)
    drafts = _with_gas(drafts, simulated)
    meanings = tuple(_meanings(drafts, place, io.account))
    calls = [(each.payload, each.gas_limit) for each in drafts if isinstance(each.payload, Call)]
    hashes = node.code_hashes((*_addresses(drafts, meanings[-1]), io.account))
    verdict = check(
        Proposal(
            account=io.account,
            leg=leg,
            sell_raw=step.sell_raw,
            quote=quote,
            drafts=drafts,
            meanings=meanings,
            simulated=simulated,
            prices=asked.prices,
            limits=io.policy.limits,
            min_out=asked.floor,
            targets=place.targets(step.chain),
            code_hashes={a: found for a, found in hashes.items() if a != io.account},
            account_code_hash=hashes[io.account],
            chain_time=asked.chain_time,
            clock_time=io.clock.now(),
            native=io.chains[step.chain].native,
            fees=node.fees(),
            l1_fees=node.l1_fees(calls),
            canary=canary,
            value=asked.prices.worth(Amount(leg.sell.token, step.sell_raw)),
            wrapped={chain: rules.wrapped.address for chain, rules in io.chains.items()},
            far=_far_side(leg, place, io),
        )
    )
    if not verdict.ok:
        return verdict.refusals, simulated
    accepted = Quoted(
        run=step.run,
        leg=step.leg,
        round=step.round,
        sell_raw=step.sell_raw,
        quote=quote,
        drafts=drafts,
        revoke=revoke,
        at=io.clock.now(),
    )
    return accepted, simulated


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


def simulate(
    io: Io, chain: ChainId, drafts: tuple[Draft, ...], given: Mapping[Token, int] = NOTHING
) -> Simulated:
    """Run the calls of *drafts* in a row on the chain's head, as the account would.

    All tokens of the chain are watched: what leaves besides the leg's own is seen. Of what is
    *given* (base units) the account has more than it has.
    """
    calls = [
        (draft.payload, draft.gas_limit) for draft in drafts if isinstance(draft.payload, Call)
    ]
    granted = [draft.allowance for draft in drafts if draft.allowance is not None]
    watched = io.chains[chain].tokens
    if not given:
        return io.nodes[chain].simulate(io.account, calls, watched, granted)
    return io.nodes[chain].simulate(io.account, calls, watched, granted, given)


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
    if quote.permit is not None:
        # Granted anew each time, since it ends; taken back with the allowance that it lives on.
        granting = permit2.approve(chain, quote.permit)
        drafts.append(
            Draft(purpose="approve", chain=chain, payload=granting, gas_limit=SIMULATION_GAS)
        )
    act = Draft(
        purpose=_PURPOSES[leg.kind] if isinstance(quote.payload, Call) else "order",
        chain=chain,
        payload=quote.payload,
        gas_limit=gas_to_try(quote),
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


def _addresses(drafts: tuple[Draft, ...], act: Meaning | Refusal) -> tuple[Address, ...]:
    """Everything that is called, also by what is called, may spend, or is what an order is for."""
    found: dict[Address, None] = {}
    for draft in drafts:
        if isinstance(draft.payload, Call):
            found[draft.payload.to] = None
        if draft.allowance is not None:
            found[draft.allowance.spender] = None
    if isinstance(act, Meaning):
        found |= dict.fromkeys((act.target, *(part.target for part in act.inner)))
    return tuple(found)
