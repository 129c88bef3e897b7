"""Journals made by hand: facts in which everything that a test does not care about is filled in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from typing import Any

from agent.core import fact as f
from agent.core.fold import apply
from agent.core.intent import (
    Charges,
    Delta,
    Draft,
    Intent,
    Receipt,
    SignedMessage,
    SignedTx,
    UnsignedTx,
)
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.plan import Leg, Plan, Sell
from agent.core.quote import Allowance, Call, Quote, TypedMessage
from agent.core.sighting import Sighting
from agent.core.snapshot import Block
from agent.core.state import State, intent_id

NOW = 1_800_000_000
A, B = ChainId(1), ChainId(8453)
ME, SPENDER = Address("0x" + "a1" * 20), Address("0x" + "5e" * 20)
ETH, FAR_ETH = Token(A, NATIVE, 18, "ETH"), Token(B, NATIVE, 18, "ETH")
WETH, USDC = (
    Token(A, Address("0x" + code * 20), 18, name) for code, name in (("e1", "WETH"), ("d1", "USDC"))
)
FAR_WETH, FAR_USDC = (
    Token(B, Address("0x" + code * 20), 18, name) for code, name in (("e2", "WETH"), ("d2", "USDC"))
)
TOKENS = (ETH, WETH, USDC, FAR_ETH, FAR_WETH, FAR_USDC)
HELD = 1_000
"""Base units of every token at the start of a run."""
FEE = 7
"""Wei of each mined transaction."""


def leg(
    id_: str = "1", kind: Any = "swap", sell: Any = None, buy: Token = USDC, **fields: Any
) -> Leg:
    """A swap of a hundred WETH for USDC, unless told otherwise."""
    given = {"via": "venue", "expected_out": 100, "min_buy": 90, **fields}
    return Leg(id=id_, kind=kind, sell=sell or Sell(WETH, 100), buy=buy, **given)


def bridge_leg(id_: str = "1") -> Leg:
    """A transfer of a hundred USDC to the far chain."""
    return leg(id_, "bridge", Sell(USDC, 100), FAR_USDC, via="bridge")


def plan(*legs: Leg, **fields: Any) -> Plan:
    """A plan of these legs that costs and promises nothing."""
    nothing = dict.fromkeys(
        ("value", "cost", "worst_case", "gas_if_reverted", "turnover"), Decimal(0)
    )
    given = {
        "id": "plan",
        "standings": (),
        "bound": None,
        "prices": (),
        "blocks": (),
        "policy_hash": "policy",
        "made": NOW,
        "expires": NOW + 600,
        "why": (),
        **nothing,
        **fields,
    }
    return Plan(legs=legs, **given)


def started(
    *legs: Leg, run: str = "r1", tokens: Iterable[Token] = TOKENS, **fields: Any
) -> f.Started:
    given = {
        "account": ME,
        "before": tuple(f.Holding(token, HELD) for token in tokens),
        "blocks": (),
        "at": NOW,
        "worker": "worker",
        **fields,
    }
    return f.Started(run=run, plan=plan(*(legs or (leg(),))), **given)


def call(to: Address = SPENDER, chain: ChainId = A, data: str = "0x01020304") -> Call:
    return Call(chain, to, 0, data)


def draft(purpose: Any = "swap", chain: ChainId = A, **fields: Any) -> Draft:
    """One draft; acts move a hundred WETH and are valid for two minutes."""
    acts = {"swap": WETH, "deposit": USDC, "order": WETH, "wrap": ETH, "unwrap": WETH}
    given: dict[str, Any] = {"payload": call(chain=chain), "gas_limit": 1_000}
    if purpose == "order":
        given["payload"] = TypedMessage("cow_order", chain, "{}", NOW + 120)
    if purpose in acts:
        given |= {"moves": Amount(acts[purpose], 100), "valid_until": NOW + 120}
    if purpose in {"approve", "approve_zero", "revoke"}:
        given["allowance"] = Allowance(SPENDER, Amount(WETH, 100 * (purpose == "approve")))
    return Draft(purpose=purpose, chain=chain, **{**given, **fields})


APPROVE, SWAP, REVOKE = draft("approve"), draft("swap"), draft("revoke")
ORDER, DEPOSIT, CLAIM = draft("order"), draft("deposit"), draft("claim", B)


def quoted(
    *drafts: Draft,
    run: str = "r1",
    leg_: str = "1",
    round_: int = 1,
    revoke: Draft | None = REVOKE,
    min_out: int = 90,
) -> f.Quoted:
    """A firm quote whose last draft is the act."""
    drafts = drafts or (APPROVE, SWAP)
    act = drafts[-1]
    assert act.moves is not None
    quote = Quote(
        via="bridge" if act.purpose == "deposit" else "venue",
        sell=act.moves,
        buy=USDC if act.purpose != "deposit" else FAR_USDC,
        amount_out=100,
        min_amount_out=min_out,
        allowances=(),
        payload=act.payload,
        expires=act.valid_until,
        gas=1,
    )
    return f.Quoted(
        run=run,
        leg=leg_,
        round=round_,
        sell_raw=act.moves.raw,
        quote=quote,
        drafts=drafts,
        revoke=revoke,
        at=NOW,
    )


def reserved(
    wanted: Draft = SWAP,
    nonce: int | None = 0,
    *,
    run: str = "r1",
    leg_: str = "1",
    round_: int = 1,
    index: int = 0,
    attempt: int = 0,
    kind: Any = "first",
    charges: Charges | None = None,
    at: int = NOW,
) -> f.Reserved:
    """An attempt that is about to be signed; it charges ten for value and one for fees."""
    is_act = wanted.moves is not None
    first = Charges(Decimal(10 * is_act), Decimal(1)) if charges is None or attempt else charges
    intent = Intent(
        id=intent_id(run, leg_, round_, index),
        run=run,
        leg=leg_,
        round=round_,
        index=index,
        draft=wanted,
        account=ME,
        nonce=nonce,
        charges=first,
        native_price=Decimal(10**18),
    )
    unsigned = None
    if nonce is not None:
        unsigned = UnsignedTx(
            chain=wanted.chain,
            sender=ME,
            nonce=nonce,
            to=SPENDER,
            value=0,
            data="0x",
            gas_limit=1_000,
            max_fee_per_gas=100 + attempt,
            max_priority_fee_per_gas=10,
        )
    return f.Reserved(
        intent=intent,
        attempt=attempt,
        kind=kind,
        unsigned=unsigned,
        charges=charges or first,
        at=at,
    )


def again(before: f.Reserved, kind: Any = "reprice", charges: Charges | None = None) -> f.Reserved:
    """The next attempt of an intent."""
    return replace(
        before,
        attempt=before.attempt + 1,
        kind=kind,
        charges=charges or Charges(Decimal(0), Decimal(1)),
    )


def hash_of(reservation: f.Reserved) -> str:
    return f"0x{reservation.intent.id}/{reservation.attempt}"


def signed(reservation: f.Reserved) -> f.Signed:
    payload: SignedTx | SignedMessage = SignedTx("0xraw", hash_of(reservation))
    if reservation.unsigned is None:
        payload = SignedMessage("cow_order", hash_of(reservation), "0xsig", NOW + 120)
    return f.Signed(reservation.intent.id, reservation.attempt, payload, NOW)


def submitted(reservation: f.Reserved, block: int = 5) -> f.Submitted:
    return f.Submitted(reservation.intent.id, reservation.attempt, True, block, NOW)


def receipt(reservation: f.Reserved, *, ok: bool = True, number: int = 6) -> Receipt:
    return Receipt(
        hash=hash_of(reservation),
        block_number=number,
        block_hash=f"0xb{number}",
        ok=ok,
        gas_used=1,
        fee=FEE,
    )


def mined(reservation: f.Reserved, *, ok: bool = True, number: int = 6) -> f.Mined:
    found = receipt(reservation, ok=ok, number=number)
    return f.Mined(reservation.intent.id, reservation.attempt, found, NOW)


def unmined(reservation: f.Reserved, number: int = 6) -> f.Unmined:
    return f.Unmined(reservation.intent.id, f"0xb{number}", NOW)


def done(reservation: f.Reserved, *, ok: bool = True, final: bool = False) -> tuple[Any, ...]:
    """All facts of an intent that goes well, confirmed or final."""
    end = f.Final if final else f.Confirmed
    return (
        reservation,
        signed(reservation),
        submitted(reservation),
        mined(reservation, ok=ok),
        end(reservation.intent.id, NOW),
    )


def settled(
    run: str = "r1",
    leg_: str = "1",
    value: Decimal = Decimal(-3),
    deltas: Any = None,
    at: int = NOW,
) -> f.Settled:
    changed = {WETH: -100, USDC: 100} if deltas is None else deltas
    return f.Settled(
        run=run,
        leg=leg_,
        deltas=tuple(Delta(token=token, raw=raw) for token, raw in changed.items()),
        value=value,
        at=at,
    )


def closed(run: str = "r1", outcome: Any = "done", *, at: int = NOW) -> f.Closed:
    return f.Closed(
        run=run, outcome=outcome, why="why", after=(), blocks=(), unexplained=(), final=False, at=at
    )


def told(*facts: f.Fact | tuple[f.Fact, ...], state: State | None = None) -> State:
    """The state after these facts; tuples of facts are taken apart."""
    flat: list[f.Fact] = []
    for item in facts:
        flat += item if isinstance(item, tuple) else (item,)
    return reduce(apply, flat, state or State())


def block(number: int = 10, timestamp: int = NOW) -> Block:
    return Block(number, f"0xb{number}", f"0xb{number - 1}", timestamp, 1)


def sighting(
    *receipts: Receipt | None,
    known: bool = True,
    nonce: int = 0,
    nonce_final: int = 0,
    head: int = 10,
    timestamp: int = NOW,
    finalized: int = 0,
) -> Sighting:
    """What a node sees; every hash is known to it, or none."""
    return Sighting(
        head=block(head, timestamp),
        finalized=finalized,
        nonce=nonce,
        nonce_final=nonce_final,
        receipts=receipts,
        known=tuple(known or found is not None for found in receipts),
    )
