"""Facts as they become durable, told to people or to programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, assert_never

from agent.cli import output
from agent.core import fact as f

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.core.fact import Fact
    from agent.core.state import IntentState, RunState
    from agent.engine.io import Pause


class Teller:
    """Turns facts into `run` events; remembers what later facts only refer to.

    Where several portfolios are at work each event names its *portfolio*.
    """

    def __init__(self, context: Context, run: str, portfolio: str = "") -> None:
        self._context = context
        self._run = run
        self._portfolio = portfolio
        self._intents: dict[str, f.Reserved] = {}
        self._hashes: dict[tuple[str, int], str] = {}

    def learn(self, run: RunState) -> None:
        """Take in what earlier processes wrote, and say where their last transactions stand."""
        self._run = run.id
        for known in run.intents.values():
            self._intents[known.intent.id] = known.attempts[0].reserved
            for number, digest in known.names:
                self._hashes[known.intent.id, number] = digest
            if not known.quiet:
                body = {"state": _where(known), **self._tx(known.intent.id, _newest(known))}
                self._tell("tx.open", body)

    def __call__(self, fact: Fact) -> None:
        """Tell one fact."""
        for kind, body in self._events(fact):
            self._tell(kind, body)

    def hear(self, pause: Pause) -> None:
        """Tell what has to wait: a transfer with all that is known of it, or a silence."""
        from agent.cli import present, transfers

        flying = [] if pause.awaited is None else [transfers.body(pause.awaited)]
        until = present.time_text(int(pause.until))
        self._tell("run.waiting", {"why": pause.why, "until": until, "transfers": flying})

    def _tell(self, kind: str, body: dict[str, Any]) -> None:
        if self._context.json:
            whose = {"portfolio": self._portfolio} if self._portfolio else {}
            output.line(kind, {"run": self._run, **whose, **body})
        elif not self._context.quiet:
            whom = f"{self._portfolio}: " if self._portfolio else ""
            output.say(f"{whom}{sentence(kind, body)}")

    def _events(self, fact: Fact) -> list[tuple[str, dict[str, Any]]]:
        match fact:
            case f.Started():
                self._run = fact.run
                return [("run.started", {"plan": fact.plan.id, "legs": len(fact.plan.legs)})]
            case f.TookOver():
                return [("run.resumed", {"worker": fact.worker})]
            case f.Quoted():
                return [*_better_refused(fact), ("leg.quoted", self._quoted(fact))]
            case f.Refused():
                refusals = [{"code": no.code, "why": no.why} for no in fact.refusals]
                return [("leg.refused", {"leg": fact.leg, "via": fact.via, "refusals": refusals})]
            case f.Reserved():
                self._intents[fact.intent.id] = fact
                kind = [("tx.replaced", self._tx(fact.intent.id, fact.attempt))]
                return kind if fact.attempt else []
            case f.Signed():
                self._hashes[fact.intent, fact.attempt] = fact.payload.name
                return [("tx.signed", self._tx(fact.intent, fact.attempt))]
            case f.Submitted():
                body = self._tx(fact.intent, fact.attempt)
                return [("tx.submitted", {**body, "accepted": fact.accepted})]
            case f.Mined():
                self._hashes[fact.intent, fact.attempt] = fact.receipt.hash
                body = self._tx(fact.intent, fact.attempt)
                gas = {"ok": fact.receipt.ok, "gas_used": fact.receipt.gas_used}
                return [("tx.mined", {**body, **gas, "fee": str(fact.receipt.fee)})]
            case f.Unmined() | f.Filled() | f.Expired():
                return [self._turned(fact)]
            case f.Settled() | f.Arrived() | f.Refunded() | f.Unlanded() | f.Deferred():
                return [self._landing(fact)]
            case f.ForeignInflow():
                amount = {"amount": str(fact.amount.raw), "symbol": fact.amount.token.symbol}
                return [("run.inflow", amount)]
            case _:
                return []

    def _quoted(self, fact: f.Quoted) -> dict[str, Any]:
        from agent.cli import present
        from agent.core.money import Amount

        quote = fact.quote
        least = present.amount(Amount(quote.buy, quote.min_amount_out))
        return {
            "leg": fact.leg,
            "via": quote.via,
            "sell": present.amount(quote.sell),
            "buy": {
                **present.amount(Amount(quote.buy, quote.amount_out)),
                "min_amount": least["amount"],
            },
            "route": quote.route,
            "net": str(fact.net),
            "rivals": [present.rival(each, quote.buy) for each in fact.rivals],
        }

    def _tx(self, intent: str, attempt: int) -> dict[str, Any]:
        from agent.wire.address import chain_name

        parts = intent.split("/")
        reserved = self._intents.get(intent)
        body: dict[str, Any] = {"leg": parts[1], "intent": intent, "attempt": attempt}
        if reserved is not None:
            body |= {
                "purpose": reserved.intent.draft.purpose,
                "chain": chain_name(reserved.intent.chain),
                "nonce": reserved.intent.nonce,
            }
        return {**body, "hash": self._hashes.get((intent, attempt), "")}

    def _turned(self, fact: f.Unmined | f.Filled | f.Expired) -> tuple[str, dict[str, Any]]:
        """What others have made of something that was sent."""
        from agent.cli import present

        body = self._tx(fact.intent, 0)
        if not isinstance(fact, f.Filled):
            return "tx.unmined" if isinstance(fact, f.Unmined) else "order.ended", body
        sides = {"sold": present.amount(fact.sold), "bought": present.amount(fact.bought)}
        return "order.filled", {**body, **sides}

    def _landing(
        self, fact: f.Settled | f.Arrived | f.Refunded | f.Unlanded | f.Deferred
    ) -> tuple[str, dict[str, Any]]:
        from agent.cli import present
        from agent.core.money import Amount

        match fact:
            case f.Unlanded():
                return "leg.unarrived", {"leg": fact.leg, "why": fact.why}
            case f.Deferred():
                until = present.time_text(fact.until)
                return "leg.deferred", {"leg": fact.leg, "why": fact.why, "until": until}
            case f.Arrived() | f.Refunded():
                kind = "leg.arrived" if isinstance(fact, f.Arrived) else "leg.returned"
                return kind, {"leg": fact.leg, "deltas": [present.amount(fact.amount)]}
            case f.Settled():
                deltas = [present.amount(Amount(delta.token, delta.raw)) for delta in fact.deltas]
                return "leg.arrived", {"leg": fact.leg, "deltas": deltas}
            case _:
                assert_never(fact)


def _better_refused(fact: f.Quoted) -> list[tuple[str, dict[str, Any]]]:
    """Offers that would have gone before the one that was taken, had they passed the guard."""
    return [
        (
            "leg.refused",
            {"leg": fact.leg, "via": each.via, "refusals": [{"code": each.code, "why": each.why}]},
        )
        for each in fact.rivals
        if each.answer == "refused" and each.net > fact.net
    ]


def refusers(facts: Iterable[Fact]) -> list[str]:
    """Who made the offers that were refused, once for each `leg.refused`, told or not."""
    found = []
    for fact in facts:
        if isinstance(fact, f.Refused):
            found.append(fact.via)
        elif isinstance(fact, f.Quoted):
            found += [body["via"] for _, body in _better_refused(fact)]
    return found


def _newest(known: IntentState) -> int:
    return known.names[-1][0] if known.names else 0


def _where(known: IntentState) -> str:
    last = known.live[-1]
    if last.signed is None:
        return "reserved, not signed"
    if known.can_be_filled:
        return "signed order, not filled yet"
    return "signed, unknown whether sent" if last.submitted is None else "sent, not yet mined"


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "run.started": lambda b: f"run started: plan {b['plan'][:4]}, {b['legs']} legs",
    "run.resumed": lambda _b: "going on where the journal stands",
    "tx.open": lambda b: (
        f"journal: {b['leg']} {b.get('purpose', '')} {b['hash'][:10] or 'nonce ' + str(b['nonce'])}"
        f" {b['state']} → asking the chain"
    ),
    "leg.quoted": lambda b: (
        f"  {b['leg']}   quoted    {_amount(b['sell'])} → {_amount(b['buy'])}  {b['route']}"
        + _beaten(b)
    ),
    "leg.refused": lambda b: "\n".join(
        f"  {b['leg']} ✗ refused   {b['via']} [{no['code']}] {no['why']} · nothing was signed"
        for no in b["refusals"]
    ),
    "tx.replaced": lambda b: f"  {b['leg']}   replaced  nonce {b['nonce']} is offered dearer fees",
    "tx.signed": lambda b: (
        f"  {b['leg']} ✍ {b.get('purpose', ''):<9} signed {b['hash'][:10]}…, on disk, not yet sent"
    ),
    "tx.submitted": lambda b: (
        f"  {b['leg']}   sent      {b['hash'][:10]}…"
        + ("" if b["accepted"] else "  (no clear answer: asking the chain)")
    ),
    "tx.mined": lambda b: (
        f"  {b['leg']} {'✓' if b['ok'] else '✗'} mined     {b['hash'][:10]}…  gas {b['gas_used']:,}"
    ),
    "tx.unmined": lambda b: (
        f"  {b['leg']}   a reorganisation took {b['intent']} away: sending again"
    ),
    "order.filled": lambda b: (
        f"  {b['leg']} ✓ filled    {_amount(b['sold'])} → {_amount(b['bought'])}"
    ),
    "order.ended": lambda b: f"  {b['leg']}   order     {b['hash'][:10]}… can be filled no more",
    "leg.unarrived": lambda b: (
        f"  {b['leg']}   a reorganisation took its arrival away: waiting for it again"
    ),
    "leg.arrived": lambda b: (
        f"  {b['leg']} ✓ got       " + ", ".join(_signed_amount(delta) for delta in b["deltas"])
    ),
    "leg.returned": lambda b: (
        f"  {b['leg']} ✓ back      " + ", ".join(_signed_amount(delta) for delta in b["deltas"])
    ),
    "leg.deferred": lambda b: (
        f"  {b['leg']} ⏳ waits     not before {b['until']}, the run ends without it: {b['why']}"
    ),
    "run.waiting": lambda b: _waiting(b),  # noqa: PLW0108  defined below
    "run.inflow": lambda b: f"  a deposit from outside: {b['amount']} base units of {b['symbol']}",
}


def sentence(kind: str, body: dict[str, Any]) -> str:
    """An event for people; empty for one that has nothing to tell them."""
    tell = _SENTENCES.get(kind)
    return "" if tell is None else tell(body)


def _waiting(body: dict[str, Any]) -> str:
    from agent.cli.transfers import lines

    told = [line for each in body["transfers"] for line in lines(each)]
    return "\n".join(told) or f"  … {body['why']}: asking again, the rest goes on"


def _beaten(body: dict[str, Any]) -> str:
    """Who came second, and by how much; who did not answer; empty where nobody else was asked."""
    offered = [each for each in body["rivals"] if each["answer"] == "offered"]
    silent = [each["via"] for each in body["rivals"] if each["answer"] in {"down", "limited"}]
    said = ""
    if offered:
        second = max(offered, key=lambda each: int(each["net"]))
        more = int(body["net"]) - int(second["net"])
        said = f"  best of {len(offered) + 1}, {second['via']} {_less(body['buy'], more)}"
    return said + (f"  no answer: {', '.join(silent)}" if silent else "")


def _less(buy: dict[str, Any], raw: int) -> str:
    return f"−{_amount({**buy, 'amount': str(raw)})}"


def _amount(body: dict[str, Any]) -> str:
    from decimal import Decimal

    from agent.core.wording import figure

    return f"{figure(Decimal(body['amount']).scaleb(-body['decimals']))} {body['symbol']}"


def _signed_amount(body: dict[str, Any]) -> str:
    sign = "" if body["amount"].startswith("-") else "+"
    return sign + _amount(body)
