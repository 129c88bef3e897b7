"""Honest proposals for the guard, and ways to make them dishonest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from amm_pools import v2_pool, v3_pool

from agent.core.amm.path import Hop
from agent.core.amm.split import Share
from agent.core.fees import FeeQuote, L1Fee
from agent.core.guard import Proposal
from agent.core.intent import Draft
from agent.core.layout import Layout
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.policy import Limits
from agent.core.price import Price, Prices
from agent.core.proposal import FarSide
from agent.core.quote import Allowance, Call, Meaning, Quote, TypedMessage
from agent.core.simulated import Simulated
from agent.core.verdict import Refusal
from agent.venues._swap_calls import LAYOUTS, swap_call
from agent.venues.wrap import DEPOSIT, WITHDRAW
from agent.wire import erc20
from agent.wire.abi import encode, selector
from agent.wire.calldata import by_selector, meaning, order_meaning
from agent.wire.order import APP_DATA_HASH

Kind = Literal[
    "v2",
    "v3 single",
    "v3 path",
    "mixed",
    "sandwich",
    "split",
    "mixed split",
    "meeting split",
    "wrap",
    "unwrap",
    "bridge",
    "order",
]

CHAIN, OTHER = ChainId(1), ChainId(8453)
NOW = 1_800_000_000
ACCOUNT, ATTACKER = Address("0x" + "a1" * 20), Address("0x" + "bad0" * 10)
ROUTER, BOOK, BRIDGE = (Address("0x" + code * 20) for code in ("68", "69", "6a"))
PIN = "0x" + "c0de" * 16
ETH = Token(CHAIN, NATIVE, 18, "ETH")
WETH = Token(CHAIN, Address("0x" + "e1" * 20), 18, "WETH")
USDC = Token(CHAIN, Address("0x" + "d2" * 20), 6, "USDC")
DAI = Token(CHAIN, Address("0x" + "33" * 20), 18, "DAI")
WBTC = Token(CHAIN, Address("0x" + "44" * 20), 8, "WBTC")
FAR_WETH = Token(OTHER, Address("0x" + "e2" * 20), 18, "WETH")
FAR_ETH = Token(OTHER, NATIVE, 18, "ETH")
ASSETS = dict.fromkeys((ETH, WETH, FAR_ETH, FAR_WETH), "ETH")
ASSETS |= {USDC: "USDC", DAI: "DAI", WBTC: "WBTC"}
VALUES = {"ETH": Decimal(3000), "USDC": Decimal(1), "DAI": Decimal(1), "WBTC": Decimal(60_000)}

SOLD = 2 * 10**18
FAIR = 6000 * 10**6
OFFERED = 5990 * 10**6
MINIMUM = OFFERED * 9950 // 10_000
DEADLINE = NOW + 150

ROUTES: dict[str, tuple[tuple[str, tuple[Token, ...]], ...]] = {
    "v2": (("2", (WETH, USDC)),),
    "v3 single": (("3", (WETH, USDC)),),
    "v3 path": (("333", (WETH, WBTC, DAI, USDC)),),
    "mixed": (("233", (WETH, WBTC, DAI, USDC)),),
    "sandwich": (("323", (WETH, WBTC, DAI, USDC)),),
    "split": (("3", (WETH, USDC)), ("2", (WETH, USDC))),
    "mixed split": (
        ("32", (WETH, DAI, USDC)),
        ("23", (WETH, DAI, USDC)),
        ("33", (WETH, WBTC, USDC)),
    ),
    "meeting split": (
        ("33", (WETH, DAI, USDC)),
        ("23", (WETH, DAI, USDC)),
        ("323", (WETH, WBTC, DAI, USDC)),
    ),
}
"""Kinds of pools and tokens of the shares of routes, all from WETH to USDC; those that meet end in
one pool."""

BRIDGING = Layout(
    signature="send(address,uint256,uint256,address,uint256,address,address,uint256)",
    sell=(0,),
    amount_in=(1,),
    to_chain=(2,),
    buy=(3,),
    min_out=(4,),
    recipient=(5,),
    refund=(6,),
    fill_deadline=(7,),
)
FAR = FarSide(
    chain=OTHER,
    targets={BRIDGE: PIN},
    code_hashes={BRIDGE: PIN},
    account_code_hash="",
    time=NOW,
)


def prices(**sources: tuple[str, ...]) -> Prices:
    """All assets priced by two sources, unless told otherwise by asset."""
    found = {
        name: Price(name, value, value, value, NOW, sources.get(name, ("feed", "pool")))
        for name, value in VALUES.items()
        if sources.get(name) != ()
    }
    return Prices(MappingProxyType(found), asset_of=MappingProxyType(ASSETS))


def hops(kinds: str, tokens: tuple[Token, ...], number: int = 0) -> tuple[Hop, ...]:
    """A path of these versions of pools; *number* tells its pools from those of others."""
    found = []
    for index, (version, sell, buy) in enumerate(zip(kinds, tokens, tokens[1:], strict=False)):
        token0, token1 = sorted((sell.address, buy.address))
        pool = v2_pool(10**12, 10**12) if version == "2" else v3_pool([(-60, 60, 10**20)])
        address = Address(f"0x{10 * number + index + 1:040x}")
        here = replace(pool, address=address, token0=token0, token1=token1)
        found.append(Hop(pool=here, token_in=sell.address, token_out=buy.address))
    return tuple(found)


def shares(kind: str, amount_in: int = SOLD) -> tuple[Share, ...]:
    """The shares of a route: each but the last one sells a quarter."""
    paths, part = ROUTES[kind], amount_in // 4
    last = amount_in - part * (len(paths) - 1)
    amounts = (*[part] * (len(paths) - 1), last)
    ways = [hops(*path, number) for number, path in enumerate(paths)]
    if kind.startswith("meeting"):
        ways = [(*way[:-1], ways[0][-1]) for way in ways]
    return tuple(
        Share(hops=way, amount_in=amount, amount_out=1)
        for way, amount in zip(ways, amounts, strict=True)
    )


def swap_data(kind: str, amount_in: int = SOLD, **changes: Any) -> str:
    """Calldata of an honest swap, by the router's own encoder."""
    fields = {"min_out": MINIMUM, "to": ACCOUNT, "deadline": DEADLINE}
    return swap_call(shares(kind, amount_in), **{**fields, **changes})


def call_data(layout: Layout, *values: Any) -> str:
    return selector(layout.signature) + encode(layout.types, values).hex()


def order(**changes: Any) -> TypedMessage:
    """A signed order's content; *changes* replace fields of its message."""
    import json

    fields = {
        "sellToken": WETH.address,
        "buyToken": USDC.address,
        "receiver": ACCOUNT,
        "sellAmount": str(SOLD),
        "buyAmount": str(MINIMUM),
        "validTo": DEADLINE,
        "appData": APP_DATA_HASH,
        "feeAmount": "0",
        "kind": "sell",
        "partiallyFillable": False,
        "sellTokenBalance": "erc20",
        "buyTokenBalance": "erc20",
    }
    domain = {"verifyingContract": BOOK, "chainId": CHAIN}
    content = json.dumps({"domain": domain, "message": {**fields, **changes}})
    return TypedMessage("cow_order", CHAIN, content, DEADLINE)


def sent(**changes: Any) -> str:
    """Calldata of an honest transfer; *changes* replace what it names."""
    said = {
        "sell": WETH.address,
        "amount_in": SOLD,
        "to_chain": OTHER,
        "buy": FAR_WETH.address,
        "min_out": SOLD * 999 // 1000,
        "recipient": ACCOUNT,
        "refund": ACCOUNT,
        "fill_deadline": NOW + 7_200,
    }
    return call_data(BRIDGING, *{**said, **changes}.values())


def act(kind: str) -> tuple[Call | TypedMessage, Address, Token, Token]:
    """The payload of an honest act, whom it is approved for, and the tokens of its leg."""
    match kind:
        case "wrap":
            return Call(CHAIN, WETH.address, SOLD, call_data(DEPOSIT)), WETH.address, ETH, WETH
        case "unwrap":
            data = call_data(WITHDRAW, SOLD)
            return Call(CHAIN, WETH.address, 0, data), WETH.address, WETH, ETH
        case "bridge":
            return Call(CHAIN, BRIDGE, 0, sent()), BRIDGE, WETH, FAR_WETH
        case "order":
            return order(), BOOK, WETH, USDC
        case _:
            return Call(CHAIN, ROUTER, 0, swap_data(kind)), ROUTER, WETH, USDC


def read(payload: Call | TypedMessage) -> Meaning | Refusal:
    """What a payload means by the layouts of all venues here."""
    if isinstance(payload, TypedMessage):
        return order_meaning(payload)
    layouts = {**LAYOUTS, **by_selector(DEPOSIT, WITHDRAW, BRIDGING)}
    return meaning(payload, layouts, account=ACCOUNT)


def approval(token: Token, spender: Address, raw: int, purpose: Any = "approve") -> Draft:
    return Draft(
        purpose=purpose,
        chain=CHAIN,
        payload=erc20.approve(CHAIN, token.address, spender, raw),
        gas_limit=60_000,
        allowance=Allowance(spender, Amount(token, raw)),
    )


def honest(kind: Kind = "v3 single") -> Proposal:
    """A proposal that no rule has anything against."""
    payload, spender, sell, buy = act(kind)
    is_wrap = kind in {"wrap", "unwrap"}
    leg_kind: Any = kind if kind in {"wrap", "unwrap", "bridge"} else "swap"
    out = SOLD if is_wrap else SOLD * 999 // 1000 if kind == "bridge" else OFFERED
    least = out if is_wrap or kind == "bridge" else MINIMUM
    granted = () if is_wrap else (Allowance(spender, Amount(sell, SOLD)),)
    quote = Quote(
        via="venue",
        sell=Amount(sell, SOLD),
        buy=buy,
        amount_out=out,
        min_amount_out=least,
        allowances=granted,
        payload=payload,
        expires=DEADLINE,
        gas=130_000,
    )
    drafts = (
        *(approval(sell, spender, SOLD) for _ in granted),
        Draft(purpose="swap", chain=CHAIN, payload=payload, gas_limit=165_000, moves=quote.sell),
    )
    return understood(
        Proposal(
            account=ACCOUNT,
            leg=Leg(
                id="1",
                kind=leg_kind,
                via="venue",
                sell=Sell(sell, SOLD),
                buy=buy,
                expected_out=out,
                min_buy=least,
            ),
            sell_raw=SOLD,
            quote=quote,
            drafts=drafts,
            meanings=(),
            simulated=simulated(drafts, changed(kind, sell, buy, out)),
            prices=prices(),
            limits=Limits(),
            min_out=SOLD if is_wrap else 0,
            targets={spender: PIN},
            code_hashes={WETH.address: PIN, spender: PIN},
            account_code_hash="",
            chain_time=NOW,
            clock_time=NOW,
            native=ETH,
            fees=FeeQuote(10**6, 10**5),
            l1_fees=(),
            value=Decimal(6000),
            wrapped={CHAIN: WETH.address, OTHER: FAR_WETH.address},
            far=FAR if kind == "bridge" else None,
        )
    )


def changed(kind: Kind, sell: Token, buy: Token, out: int) -> dict[Token, int]:
    """What a simulation shows: nothing of an order, and of a bridge only the near side."""
    if kind == "order":
        return {}
    return {sell: -SOLD} if kind == "bridge" else {sell: -SOLD, buy: out}


def simulated(drafts: tuple[Draft, ...], deltas: dict[Token, int]) -> Simulated:
    """A run of *drafts* that went as it should."""
    calls = [draft for draft in drafts if isinstance(draft.payload, Call)]
    return Simulated(
        ok=True,
        gas_used=tuple(draft.gas_limit * 4 // 5 for draft in calls),
        deltas=deltas,
        allowances=tuple(0 for draft in drafts if draft.allowance is not None),
    )


def understood(p: Proposal) -> Proposal:
    """The proposal with the meanings that its drafts' bytes have, on a chain without data fees."""
    calls = [draft for draft in p.drafts if isinstance(draft.payload, Call)]
    return replace(
        p,
        meanings=tuple(read(draft.payload) for draft in p.drafts),
        l1_fees=tuple(L1Fee() for _ in calls),
    )


def with_payload(p: Proposal, payload: Call | TypedMessage) -> Proposal:
    """The proposal with another act."""
    last = replace(p.drafts[-1], payload=payload)
    return understood(replace(p, drafts=(*p.drafts[:-1], last)))


def with_data(p: Proposal, data: str) -> Proposal:
    """The proposal with other calldata in its act."""
    payload = p.drafts[-1].payload
    assert isinstance(payload, Call)
    return with_payload(p, replace(payload, data=data))


def with_meaning(p: Proposal, **changes: Any) -> Proposal:
    """The proposal whose act, read as one, means something else, as if its bytes said so."""
    last = p.act
    assert isinstance(last, Meaning)
    return replace(p, meanings=(*p.meanings[:-1], replace(last, **changes)))


def with_approvals(p: Proposal, *approvals: Draft) -> Proposal:
    """The proposal with other approvals, each simulated and used up."""
    drafts = (*approvals, p.drafts[-1])
    return understood(
        replace(p, drafts=drafts, simulated=simulated(drafts, dict(p.simulated.deltas)))
    )


def codes(refusals: tuple[Refusal, ...]) -> list[str]:
    """The codes of refusals, in order, each once."""
    return list(dict.fromkeys(refusal.code for refusal in refusals))


Change = Callable[[Proposal], Proposal]
