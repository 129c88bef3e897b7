"""What nested calls do as a whole: a row of one router, shares of one swap, or a call passed on."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.money import Address
from agent.core.quote import Meaning
from agent.core.verdict import Refusal


def whole(meaning: Meaning) -> Meaning | Refusal:
    """One meaning for nested calls, or why they have none (G111).

    Each call of a row but the last must keep its output in the router, and the next must sell just
    that, all of it (amount 0 means the router's own balance). Where the last call pays out what
    the router holds, the others are shares of one swap: `_swept`. Of a call that goes on to
    another contract the outer one says what is sold, the inner one what comes out.
    """
    if not meaning.inner:
        return meaning
    if meaning.inner[-1].sweeps:
        return _swept(meaning)
    parts = [whole(part) for part in meaning.inner]
    done: list[Meaning] = []
    for part in parts:
        if isinstance(part, Refusal):
            return part
        if done and not _continues(done[-1], part, meaning.target):
            return Refusal("G111", f"{part.name} does not continue {done[-1].name}")
        done.append(part)
    first, last = done[0], done[-1]
    passed_on = first.target != meaning.target
    outer = meaning if passed_on else first
    return Meaning(
        target=meaning.target,
        selector=meaning.selector,
        name=" + ".join(part.name for part in done),
        recipient=last.recipient,
        sell=outer.sell,
        amount_in=outer.amount_in,
        buy=last.buy,
        min_out=last.min_out,
        value=meaning.value,
        deadline=last.deadline if meaning.deadline is None else meaning.deadline,
        to_chain=last.to_chain,
        refund=last.refund,
        fill_deadline=last.fill_deadline,
        wraps=last.wraps,
        fee=last.fee,
        unread=meaning.unread or any(part.unread for part in done),
        undated=last.undated,
        lasting=last.lasting,
        inner=meaning.inner if passed_on else (),
    )


def _continues(before: Meaning, after: Meaning, router: Address) -> bool:
    handed_on = before.buy is not None and before.recipient == router and before.to_chain is None
    return handed_on and after.sell == before.buy and after.amount_in == 0


def _swept(meaning: Meaning) -> Meaning | Refusal:
    """Shares of one swap, which the last call pays out together under one minimum.

    Every share sells a named amount of the first one's token and leaves what it brings in the
    router; the amounts add up. A call that sells the router's own balance sells what came to a
    token that is neither sold nor bought, all there is of it, whichever of the shares brought it;
    in the end nothing is left of such a token. Where a share begins by taking its amount into the
    router, that of the next call did too.
    """
    *shares, sweep = meaning.inner
    fault = _unshared(meaning.target, shares, sweep)
    if fault:
        return Refusal("G111", fault)
    return Meaning(
        target=meaning.target,
        selector=meaning.selector,
        name=" + ".join(part.name for part in meaning.inner),
        recipient=sweep.recipient,
        sell=shares[0].sell,
        amount_in=sum(part.amount_in or 0 for part in shares),
        buy=sweep.buy,
        min_out=sweep.min_out,
        value=meaning.value,
        deadline=meaning.deadline,
    )


def _unshared(router: Address, shares: Sequence[Meaning], sweep: Meaning) -> str:
    """Why the calls before *sweep* are not shares of one swap, '' where they are."""
    if not shares:
        return f"{sweep.name} pays out what nothing before it has bought"
    sold, bought = shares[0].sell, sweep.buy
    ends = {sold, bought}
    held: set[Address | None] = set()  # what the router holds of other tokens than that bought
    fetched = False
    for part in shares:
        if not _is_plain(part, router):
            return f"{part.name} is no share of what {sweep.name} pays out"
        begins = part.amount_in != 0
        if begins and not (
            part.sell == sold and sold not in held and part.takes == shares[0].takes
        ):
            return f"{part.name} begins a share of another swap, or before the last one has ended"
        if not begins and not (part.sell in held and (fetched or part.sell not in ends)):
            return f"{part.name} would sell what no share before it brought"
        held = (held - {part.sell}) | ({part.sell if part.takes else part.buy} - {bought})
        fetched = part.takes
    return f"{sweep.name} leaves {', '.join(sorted(map(str, held)))} behind" if held else ""


def _is_plain(part: Meaning, router: Address) -> bool:
    """Whether a call swaps in *router*, into its own hands, and does nothing else."""
    return (
        part.target == part.recipient == router
        and part.sell is not None
        and part.amount_in is not None
        and (part.buy is None if part.takes else part.buy not in {None, part.sell})
        and part.to_chain is None
        and not (part.inner or part.unread)
    )
