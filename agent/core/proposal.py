"""What is about to be done for one leg, and all that the guard may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.core.fees import FeeQuote, L1Fee
from agent.core.frozen import empty
from agent.core.intent import Draft
from agent.core.money import NATIVE, WHOLE_BPS, Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.policy import Limits
from agent.core.price import Prices
from agent.core.quote import Call, Meaning, Quote
from agent.core.rounding import mul_div_down
from agent.core.simulated import Simulated
from agent.core.verdict import Refusal
from agent.core.whole import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class FarSide:
    """What is found on the chain that a bridge delivers on.

    `targets` are the bridge's contracts there with the code hashes they must have ('' where none
    is pinned), `code_hashes` what they have; `account_code_hash` is the wallet's own, '' for an
    account without code. `time` is the newest block's, unix seconds.
    """

    chain: ChainId
    targets: Mapping[Address, str]
    code_hashes: Mapping[Address, str]
    account_code_hash: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is about to be done for one leg, and all that the rules may look at.

    `drafts` are the approvals and, last, the act; `meanings` belong to them in order, each
    decoded from the draft's own bytes; `simulated` ran them in a row. `min_out` is the least
    that independent prices and the plan allow, in base units. `targets` are the addresses
    that may be called or may spend, with the code hash they must have ('' where none is
    pinned); `code_hashes` what is found on chain. Times are unix seconds. `canary` limits
    the value of a first use, None when there is no limit; `value` is what the leg sells is
    worth, None when unknown. `wrapped` is each chain's wrapped coin, and `far` the other side of
    a bridge, None when nobody looked. `fees` is what the chain charges now, `l1_fees` what each
    draft that is a call pays for its place on the parent chain, in order: without them it is
    refused.
    """

    account: Address
    leg: Leg
    sell_raw: int
    quote: Quote
    drafts: tuple[Draft, ...]
    meanings: tuple[Meaning | Refusal, ...]
    simulated: Simulated
    prices: Prices
    limits: Limits
    min_out: int
    targets: Mapping[Address, str]
    code_hashes: Mapping[Address, str]
    account_code_hash: str
    chain_time: int
    clock_time: int
    native: Token
    canary: Decimal | None = None
    value: Decimal | None = None
    wrapped: Mapping[ChainId, Address] = field(default_factory=empty)
    far: FarSide | None = None
    fees: FeeQuote = FeeQuote(0, 0)
    l1_fees: tuple[L1Fee, ...] = ()

    @property
    def act(self) -> Meaning | Refusal:
        """What the act means as a whole: nested calls in a row read as one."""
        last = self.meanings[-1]
        return last if isinstance(last, Refusal) else whole(last)

    @property
    def is_order(self) -> bool:
        """Whether the act is a signed message that others execute."""
        return not isinstance(self.drafts[-1].payload, Call)

    @property
    def is_wrap(self) -> bool:
        """Whether the gas coin and its wrapper are exchanged: one to one, so without prices."""
        return self.leg.kind in {"wrap", "unwrap"}

    def traded(self, m: Meaning) -> tuple[Address | None, Address | None]:
        """What a meaning takes and brings, the gas coin where its wrapped form stands for it."""
        near, far = (self.wrapped.get(t.chain) for t in (self.leg.sell.token, self.leg.buy))
        takes_coin = m.wraps and m.value > 0 and m.sell == near
        brings_coin = m.wraps and m.buy is not None and m.buy == far
        return (NATIVE if takes_coin else m.sell), (NATIVE if brings_coin else m.buy)

    @property
    def fair_least(self) -> int:
        """The least base units to buy by the prices and limits given here, 0 without a price.

        The guard does not take this from whoever proposes: `min_out` may only be stricter.
        """
        if self.is_wrap:
            return self.sell_raw
        fair = self.prices.fair(Amount(self.leg.sell.token, self.sell_raw), self.leg.buy)
        if fair is None:
            return 0
        return mul_div_down(fair, WHOLE_BPS - self.limits.max_price_impact_bps, WHOLE_BPS)

    @property
    def acceptable(self) -> int:
        """The least base units to buy that independent prices and the plan allow."""
        return max(self.min_out, self.fair_least)

    @property
    def guaranteed(self) -> int:
        """The least base units that the bytes must enforce: also what was quoted as minimum."""
        return max(self.acceptable, self.quote.min_amount_out)

    @property
    def approvals(self) -> tuple[tuple[Draft, Meaning | Refusal], ...]:
        """The drafts before the act with their meanings."""
        return tuple(zip(self.drafts[:-1], self.meanings[:-1], strict=True))
