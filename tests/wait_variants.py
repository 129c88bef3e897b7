"""What befalls money between chains while processes die, and what must hold when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli_fixtures import Ended
from wait_rig import ARBITRUM, BASE, PASSAGES, Passage, Traveller, still, traveller

from agent.bridges.across import FILL_SECONDS
from agent.core.state import LegState
from agent.lab.worlds import Worlds
from agent.ports import Act


def in_the_wait(found: Traveller) -> Ended:
    """Killed with nothing of ours to be done; what is due comes while no process is alive."""
    found.wait_and_die(found.begin())
    found.tell("prompt")
    found.until_ready()
    return found.resume().ended()


def at_every_claim(found: Traveller) -> Ended:
    """Killed in the wait, then with claims that are sent while nobody mines, and with mined ones
    that are not deep enough.
    """
    found.wait_and_die(found.begin())
    found.tell("prompt")
    ready = found.until_ready()
    while any(isinstance(each, Act) for each in ready.values()):
        with still(found.worlds):
            found.killed(found.resume(), "claim sent", lambda _: bool(found.open_claims()))
        found.until_mined(found.open_claims())
        with still(found.worlds):
            found.killed(found.resume(), "claim mined", lambda _: bool(found.fresh_claims()))
        ready = found.until_ready()
    return found.resume().ended()


def filled_falsely(found: Traveller, symbol: str) -> Ended:
    """A stranger pays half as much, or another token, under the number of each deposit.

    Pools take it for the delivery of another deposit, so ours is delivered all the same, and what
    the stranger gave is the wallet's.
    """
    found.wait_and_die(found.begin())
    for passage, leg in zip(found.passages.values(), found.state.legs.values(), strict=True):
        found.fill_falsely(passage, leg, symbol)
    found.wait_and_die(found.resume())
    found.tell("prompt")
    found.until_ready()
    return found.resume().ended()


def lied_to(found: Traveller, lie: str) -> Ended:
    """Circle's server tells of another message than the burn's: nothing of it is claimed."""
    found.wait_and_die(found.begin())
    found.worlds.tell("cctp", "set", "mode", lie)

    def asked() -> int:
        return int(found.worlds.tell("cctp", "asked").get("messages", 0))

    before = asked()
    found.killed(
        found.resume(), f"told {lie}", lambda one: found.waits(one) and asked() > before + 5
    )
    assert [] == found.claims()
    found.tell("prompt")
    found.until_ready()
    return found.resume().ended()


def paid_back(found: Traveller) -> Ended:
    """Nobody ever delivers: after the deadline the money comes back, while no process is alive."""
    found.wait_and_die(found.begin())
    found.worlds.jump(FILL_SECONDS)
    found.until_ready()
    return found.resume().ended()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What happens to these passages, all of them of one wallet; `back` says that it returns."""

    name: str
    passages: tuple[str, ...]
    live: Callable[[Traveller], Ended]
    back: bool = False


RELAYED = ("across", "lifi")
VARIANTS = (
    Variant(name="comes late", passages=tuple(PASSAGES), live=in_the_wait),
    Variant(
        name="killed at each claim",
        passages=tuple(name for name, each in PASSAGES.items() if each.claims),
        live=at_every_claim,
    ),
    Variant(name="short", passages=RELAYED, live=lambda found: filled_falsely(found, "USDC")),
    Variant(
        name="another token", passages=RELAYED, live=lambda found: filled_falsely(found, "DAI")
    ),
    *(
        Variant(
            name=lie.replace("_", " "),
            passages=("cctp standard", "cctp fast"),
            live=lambda found, lie=lie: lied_to(found, lie),  # type: ignore[misc]
        )
        for lie in ("other_amount", "other_recipient", "hooked", "bad_signature")
    ),
    # The last one: it sets the clocks of the chains forward.
    Variant(name="never", passages=RELAYED, live=paid_back, back=True),
)


def lived(worlds: Worlds, cache: Path, variant: Variant) -> Traveller:
    """Live through *variant* and check it; raises AssertionError when a rule is broken."""
    with traveller(worlds, cache, variant.passages) as found:
        try:
            found.tell("never")
            check(found, variant.live(found), back=variant.back)
        finally:
            found.tell("prompt")
    return found


def check(found: Traveller, ended: Ended, *, back: bool) -> None:
    """Raise AssertionError unless all has arrived or come back, once, to the base unit."""
    wanted = (6, "aborted") if back else (0, "done")
    assert wanted == (ended.code, ended.lines[-1].get("outcome")), ended
    run, sent = found.state, found.sent()
    assert run.closed is not None
    assert () == run.closed.unexplained
    assert all(each.ok for each in sent)
    acts = Counter(each.chain for each in sent if not each.approves)
    expected = Counter(passage.chain for passage in found.passages.values())
    for passage in found.passages.values():
        expected[passage.to_chain] += passage.claims
    assert +expected == acts, "one deposit of each, and its claims"
    assert len(sent) == len({(each.chain, each.to, each.data) for each in sent}), "none twice"
    told = {
        known.mined.receipt.hash: known.mined.receipt.fee
        for known in run.intents.values()
        if known.mined is not None
    }
    assert told.keys() == {each.hash for each in sent}
    changes = found.gifts.copy()
    for each in sent:
        fee = told[each.hash]
        assert fee > each.fee if each.chain == BASE else fee == each.fee
        changes[each.chain, "ETH"] -= each.value + fee
    for passage, leg in zip(found.passages.values(), run.legs.values(), strict=True):
        # Coins that are sent are paid with their transaction.
        raw = found.raw(passage)
        changes[passage.chain, passage.sell] -= 0 if passage.sell == "ETH" else raw
        changes[_came(passage, leg, raw, back=back)] += _landed(leg)
    after = found.held()
    surplus = {key: after[key] - raw - changes[key] for key, raw in found.before.items()}
    inflows = found.inflows()
    if any(passage.tickets for passage in found.passages.values()):
        # What a ticket has paid for more gas than it needs is given back on the rollup.
        extra = surplus.pop((ARBITRUM, "ETH"))
        assert 0 < extra < max(each.value for each in sent)
        assert extra == inflows.pop((ARBITRUM, "ETH"))
    assert {} == {key: raw for key, raw in surplus.items() if raw}
    touched = {(each.to_chain, each.buy) for each in found.passages.values()}
    assert inflows == {key: raw for key, raw in found.gifts.items() if key in touched}


def _came(passage: Passage, leg: LegState, raw: int, *, back: bool) -> tuple[int, str]:
    """Where the money of a leg is now, which is where it was meant to be."""
    if back:
        assert leg.refunded is not None
        assert raw == leg.refunded.amount.raw
        return passage.chain, passage.sell
    assert leg.arrived is not None
    assert leg.quoted is not None
    least = raw if passage.whole else leg.quoted.quote.min_amount_out
    assert least <= leg.arrived.amount.raw <= raw
    return passage.to_chain, passage.buy


def _landed(leg: LegState) -> int:
    landed = leg.arrived or leg.refunded
    assert landed is not None
    return landed.amount.raw
