"""Calls of the UniversalRouter: what its commands mean together, and what nobody signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from amm_pools import v2_pool, v3_pool
from hypothesis import given, settings
from hypothesis import strategies as st
from proposals import (
    ACCOUNT,
    ATTACKER,
    CHAIN,
    DAI,
    DEADLINE,
    MINIMUM,
    NOW,
    OTHER,
    PIN,
    SOLD,
    USDC,
    WBTC,
    WETH,
    approval,
    honest,
    simulated,
)
from splices import Edits, edits, spliced

from agent.core.amm.path import Hop
from agent.core.amm.split import Share
from agent.core.amm.v4 import GAS_COIN, V4Key, V4Pool
from agent.core.guard import Proposal, check
from agent.core.intent import Draft
from agent.core.layout import Layout
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.quote import Call, Meaning, Permit
from agent.core.verdict import Refusal
from agent.core.whole import whole
from agent.venues._universal_calls import universal_bytes, universal_call, universal_layouts
from agent.wire import permit2
from agent.wire.abi import decode, encode, selector
from agent.wire.calldata import meaning

ROUTER, PERMIT2 = (Address("0x" + code * 20) for code in ("66", "22"))
LAYOUTS = universal_layouts({(CHAIN, ROUTER): WETH.address})
(EXECUTE,) = LAYOUTS.values()
WORD, SELECTOR_BYTES = 32, 4
TYPES = ("bytes", "bytes[]", "uint256")

ROUTES: dict[str, tuple[tuple[str, tuple[Token, ...]], ...]] = {
    # Kinds of pools, N being one of V4 with the gas coin itself, and the tokens between them.
    "V4": (("4", (WETH, USDC)),),
    "gas coin": (("N", (WETH, USDC)),),
    "all kinds": (
        ("N43", (WETH, WBTC, DAI, USDC)),
        ("3", (WETH, USDC)),
        ("24", (WETH, DAI, USDC)),
        ("N", (WETH, USDC)),
    ),
    "meeting": (
        ("44", (WETH, DAI, USDC)),
        ("N4", (WETH, DAI, USDC)),
        ("24", (WETH, DAI, USDC)),
    ),
}


def v4_pool(one: Token, other: Token, *, has_coin: bool) -> V4Pool:
    token0, token1 = sorted((one.address, other.address))
    if has_coin:
        token0, token1 = WETH.address, other.address if one == WETH else one.address
    curve = replace(v3_pool([(-60, 60, 10**20)]), token0=token0, token1=token1)
    first = GAS_COIN if has_coin else token0
    key = V4Key(currency0=first, currency1=token1, fee=3000, tick_spacing=60)
    return V4Pool(key=key, curve=curve)


def hops(kinds: str, tokens: Sequence[Token]) -> tuple[Hop, ...]:
    found = []
    for kind, one, other in zip(kinds, tokens, tokens[1:], strict=False):
        token0, token1 = sorted((one.address, other.address))
        pool: Any = v2_pool(10**12, 10**12) if kind == "2" else v3_pool([(-60, 60, 10**20)])
        pool = replace(pool, token0=token0, token1=token1)
        if kind in "4N":
            pool = v4_pool(one, other, has_coin=kind == "N")
        found.append(Hop(pool=pool, token_in=one.address, token_out=other.address))
    return tuple(found)


def shares(route: str) -> tuple[Share, ...]:
    paths = ROUTES[route]
    part = SOLD // 8
    amounts = (*[part] * (len(paths) - 1), SOLD - part * (len(paths) - 1))
    ways = [hops(*path) for path in paths]
    if route == "meeting":
        ways = [(*way[:-1], ways[0][-1]) for way in ways]
    return tuple(
        Share(hops=way, amount_in=amount, amount_out=1)
        for way, amount in zip(ways, amounts, strict=True)
    )


def call(route: str, **changes: Any) -> str:
    fields: dict[str, Any] = {"min_out": MINIMUM, "to": ACCOUNT, "deadline": DEADLINE}
    return universal_call(shares(route), **{**fields, **changes})


def meant(data: str, to: Address = ROUTER, chain: ChainId = CHAIN) -> Meaning | Refusal:
    return meaning(Call(chain, to, 0, data), LAYOUTS, account=ACCOUNT)


def permit(**changes: Any) -> Draft:
    said = replace(Permit(PERMIT2, ROUTER, Amount(WETH, SOLD), DEADLINE), **changes)
    granting = permit2.approve(CHAIN, said)
    return Draft(purpose="approve", chain=CHAIN, payload=granting, gas_limit=60_000)


def proposal(data: str, *, granting: Draft | None = None, spender: Address = PERMIT2) -> Proposal:
    """A proposal to do this, after an allowance for Permit2 and a permit for the router."""
    p = honest("v3 single")
    payload = Call(CHAIN, ROUTER, 0, data)
    drafts = (
        approval(WETH, spender, SOLD),
        granting or permit(),
        replace(p.drafts[-1], payload=payload),
    )
    done = dict.fromkeys((ROUTER, PERMIT2), PIN)
    meanings = tuple(
        meaning(draft.payload, LAYOUTS, account=ACCOUNT)
        for draft in drafts
        if isinstance(draft.payload, Call)
    )
    return replace(
        p,
        drafts=drafts,
        meanings=meanings,
        quote=replace(p.quote, payload=payload),
        simulated=simulated(drafts, dict(p.simulated.deltas)),
        targets=done,
        code_hashes={WETH.address: PIN, **done},
        l1_fees=(*p.l1_fees, p.l1_fees[0]),
    )


def codes(p: Proposal) -> list[str]:
    return [f"{each.code} {each.why}" for each in check(p).refusals]


def program(data: str) -> tuple[bytes, list[bytes]]:
    commands, inputs, _ = decode(TYPES, bytes.fromhex(data[10:]))
    return commands, list(inputs)


def executed(commands: bytes, inputs: Sequence[bytes], deadline: int = DEADLINE) -> str:
    return selector(EXECUTE.signature) + encode(TYPES, (commands, inputs, deadline)).hex()


@pytest.mark.parametrize("route", ROUTES)
def test_swap_means_its_sum_for_one_minimum(route: str) -> None:
    assert [] == codes(proposal(call(route)))
    said = meant(call(route))
    assert isinstance(said, Meaning)
    as_one = whole(said)
    assert isinstance(as_one, Meaning)
    assert (WETH.address, SOLD, USDC.address) == (as_one.sell, as_one.amount_in, as_one.buy)
    assert (ACCOUNT, MINIMUM, DEADLINE) == (as_one.recipient, as_one.min_out, as_one.deadline)


def test_gas_coin_is_unwrapped_before_a_pool_that_has_it_and_wrapped_behind_one() -> None:
    there, back = hops("N", (WETH, USDC)), hops("N", (USDC, WETH))
    through = hops("N3", (WETH, DAI, USDC)), hops("3NN3", (USDC, DAI, WETH, WBTC, USDC))[1:3]
    wanted = [
        (there, "020c1004"),
        (back, "02100b04"),
        (through[0], "020c100004"),
        # From one pool with the coin into the next it stays what it is.
        (through[1], "02101004"),
    ]
    for path, expected in wanted:
        share = Share(hops=path, amount_in=1, amount_out=1)
        commands, _ = program(universal_call([share], min_out=1, to=ACCOUNT, deadline=9))
        assert expected == commands.hex()


def test_wrapped_coin_of_a_command_is_that_of_the_chain_and_router() -> None:
    said = meant(call("gas coin"))
    assert isinstance(said, Meaning)
    assert (WETH.address, NATIVE) == (said.inner[1].sell, said.inner[1].buy)
    for elsewhere in (meant(call("gas coin"), to=ATTACKER), meant(call("gas coin"), chain=OTHER)):
        assert isinstance(elsewhere, Meaning)
        assert isinstance(whole(elsewhere), Refusal)


@pytest.mark.parametrize("route", ROUTES)
def test_length_of_a_call_is_known(route: str) -> None:
    expected = len(call(route)) // 2 - 1
    assert expected == universal_bytes([share.hops for share in shares(route)])


def test_shares_that_are_of_two_swaps_or_sell_others_money_are_no_call() -> None:
    one, *_ = shares("V4")
    for parts in (
        (replace(one, amount_in=0),),
        (one, replace(one, hops=hops("4", (WETH, DAI)))),
        (one, replace(one, hops=hops("444", (WETH, USDC, DAI, USDC)))),
    ):
        with pytest.raises(ValueError, match=r"shares of one swap|what the router holds"):
            universal_call(parts, min_out=1, to=ACCOUNT, deadline=9)


# What is refused.


def test_command_that_may_fail_and_be_passed_over_is_refused() -> None:
    commands, inputs = program(call("all kinds"))
    for index, code in enumerate(commands):
        bad = commands[:index] + bytes([code | 0x80]) + commands[index + 1 :]
        said = meant(executed(bad, inputs))
        assert Refusal("G111", f"the unknown command 0x{code | 0x80:02x} on {ROUTER}") == said


@pytest.mark.parametrize("code", sorted(set(range(256)) - {0, 2, 4, 8, 0x0B, 0x0C, 0x10}))
def test_command_that_we_do_not_use_is_refused(code: int) -> None:
    commands, inputs = program(call("V4"))
    said = meant(executed(bytes([code]) + commands[1:], inputs))
    assert Refusal("G111", f"the unknown command 0x{code:02x} on {ROUTER}") == said


def test_program_with_more_inputs_than_commands_or_none_is_refused() -> None:
    commands, inputs = program(call("V4"))
    why = f"execute on {ROUTER} cannot be decoded: it "
    for bad, what in (
        ((commands[:-1], inputs), "has another number of commands than of their inputs"),
        ((commands, inputs[:-1]), "has another number of commands than of their inputs"),
        ((b"", []), "nests no calls"),
    ):
        assert Refusal("G101", why + what) == meant(executed(*bad))


def changed(route: str, place: int, layout: Layout, path: tuple[int, ...], value: Any) -> str:
    """The call with one argument of one command replaced."""
    commands, inputs = program(call(route))

    def put(values: Any, steps: tuple[int, ...]) -> Any:
        first, *rest = steps
        inner = put(values[first], tuple(rest)) if rest else value
        return (*values[:first], inner, *values[first + 1 :])

    inputs[place] = encode(layout.types, put(decode(layout.types, inputs[place]), path))
    return executed(commands, inputs)


def action(place: int, path: tuple[int, ...], value: Any) -> str:
    """The call with one field of one action of a swap in V4 replaced."""
    layout = EXECUTE.by_command[0x10]
    kinds = dict(layout.encoded)[1, place]
    _, (*params,) = decode(layout.types, program(call("V4"))[1][1])

    def put(values: Any, steps: tuple[int, ...]) -> Any:
        first, *rest = steps
        inner = put(values[first], tuple(rest)) if rest else value
        return (*values[:first], inner, *values[first + 1 :])

    params[place] = encode(kinds, put(decode(kinds, params[place]), path))
    return changed("V4", 1, layout, (1,), params)


TAKE, V3, V2, SWEEP = (EXECUTE.by_command[code] for code in (0x02, 0x00, 0x08, 0x04))
V4 = EXECUTE.by_command[0x10]
UNWRAP = EXECUTE.by_command[0x0C]
ROUTER_STAND = "0x" + "00" * 19 + "02"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        # More or less is fetched, another token, or to somebody else's hands.
        (changed("V4", 0, TAKE, (2,), SOLD + 1), "G107"),
        (changed("V4", 0, TAKE, (2,), SOLD - 1), "G107"),
        (changed("V4", 0, TAKE, (2,), 0), "G111"),
        (changed("V4", 0, TAKE, (0,), DAI.address), "G111"),
        (changed("V4", 0, TAKE, (1,), ATTACKER), "G111"),
        # It is paid out to somebody else, for less, or in another token.
        (changed("V4", 2, SWEEP, (1,), ATTACKER), "G105"),
        (changed("V4", 2, SWEEP, (1,), ROUTER_STAND), "G105"),
        (changed("V4", 2, SWEEP, (2,), MINIMUM - 1), "G109"),
        (changed("V4", 2, SWEEP, (0,), DAI.address), "G111"),
        # The wallet itself is to pay once more.
        (action(0, (2,), True), "G101"),
        (changed("all kinds", 6, V3, (4,), True), "G101"),
        (changed("all kinds", 8, V2, (4,), True), "G101"),
        # A part is sold, or nothing, or what the pool is paid is not what it swaps.
        (action(0, (1,), SOLD), "G111"),
        (action(0, (1,), 0), "G101"),
        (action(1, (0, 2), 7), "G101"),
        (action(1, (0, 3), 9), "G101"),
        (changed("gas coin", 1, UNWRAP, (1,), 9), "G101"),
        (changed("all kinds", 6, V3, (1,), 0), "G101"),
        (changed("all kinds", 6, V3, (1,), SOLD // 8), "G111"),
        # Hooks, and what hooks are told.
        (action(1, (0, 0, 4), ATTACKER), "G101"),
        (action(1, (0, 4), b"\1"), "G101"),
        # Other tokens go in and out, or to somebody else, or not all.
        (action(0, (0,), DAI.address), "G111"),
        (action(2, (0,), DAI.address), "G111"),
        (action(2, (1,), ATTACKER), "G111"),
        (action(2, (1,), ACCOUNT), "G111"),
        (action(2, (2,), 5), "G101"),
        # Other actions, or more.
        (changed("V4", 1, V4, (0,), bytes.fromhex("0b070e")), "G101"),
        (changed("V4", 1, V4, (0,), bytes.fromhex("0b060e0e")), "G101"),
        (changed("V4", 1, V4, (0,), bytes.fromhex("0b06")), "G101"),
        (changed("V4", 1, V4, (1,), []), "G101"),
        # The coin goes to somebody else.
        (changed("gas coin", 1, UNWRAP, (0,), ATTACKER), "G111"),
        (call("V4", deadline=NOW + 301), "G110"),
    ],
)
def test_call_that_does_anything_else_is_refused(data: str, code: str) -> None:
    assert code in {each.partition(" ")[0] for each in codes(proposal(data))}


def test_bytes_behind_the_fields_of_an_action_are_refused() -> None:
    _, inputs = program(call("V4"))
    actions, params = decode(V4.types, inputs[1])
    said = meant(changed("V4", 1, V4, (1,), [*params[:2], params[2] + bytes(WORD)]))
    assert isinstance(said, Refusal)
    assert said.why.endswith("it carries bytes that no field explains")
    assert "0b060e" == actions.hex()


@pytest.mark.parametrize(
    ("drop", "why"),
    [
        (0, "V4_SWAP would sell what no share before it brought"),
        (1, f"SWEEP leaves {WETH.address} behind"),
        (2, "V4_SWAP does not continue PERMIT2_TRANSFER_FROM"),
    ],
)
def test_program_without_one_of_its_commands_is_refused(drop: int, why: str) -> None:
    commands, inputs = program(call("V4"))
    del inputs[drop]
    said = meant(executed(commands[:drop] + commands[drop + 1 :], inputs))
    assert isinstance(said, Meaning)
    assert Refusal("G111", why) == whole(said)


def test_money_is_fetched_once_for_each_share_and_never_in_between() -> None:
    commands, inputs = program(call("V4"))
    for doubled in (
        executed(b"\x02" + commands, [inputs[0], *inputs]),
        executed(commands[:2] + b"\x02\x04", [*inputs[:2], inputs[0], inputs[2]]),
    ):
        said = meant(doubled)
        assert isinstance(said, Meaning)
        assert isinstance(whole(said), Refusal)


def test_share_of_the_router_s_own_money_is_no_share_beside_one_that_is_fetched() -> None:
    said = meant(call("V4"))
    assert isinstance(said, Meaning)
    take, swap, sweep = said.inner
    own = replace(swap, sell=WETH.address, amount_in=7)
    for parts, why in (
        ((own, take, swap, sweep), "PERMIT2_TRANSFER_FROM begins a share"),
        ((take, swap, own, sweep), "V4_SWAP begins a share"),
        ((take, own, sweep), "V4_SWAP begins a share"),
        ((replace(take, buy=DAI.address), swap, sweep), "PERMIT2_TRANSFER_FROM is no share"),
        ((replace(take, amount_in=None), swap, sweep), "PERMIT2_TRANSFER_FROM is no share"),
        ((take, replace(take, amount_in=0), swap, swap, sweep), "V4_SWAP would sell what no share"),
    ):
        refused = whole(replace(said, inner=parts))
        assert isinstance(refused, Refusal), why
        assert refused.why.startswith(why), refused.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"spender": ATTACKER}, f"{ATTACKER} must not spend {WETH.address}"),
        ({"keeper": ATTACKER}, f"{ROUTER} must not spend {WETH.address}"),
        ({"amount": Amount(DAI, SOLD)}, f"{ROUTER} must not spend {DAI.address}"),
        ({"amount": Amount(WETH, SOLD + 1)}, f"an allowance of {SOLD + 1} base units"),
        ({"amount": Amount(WETH, SOLD - 1)}, f"an allowance of {SOLD - 1} base units"),
        ({"until": NOW}, f"a permit until {NOW} lasts too long or ended"),
        ({"until": NOW + 301}, f"a permit until {NOW + 301} lasts too long or ended"),
        ({"until": 2**48 - 1}, f"a permit until {2**48 - 1} lasts too long or ended"),
    ],
)
def test_permit_that_is_not_the_exact_and_short_one_is_refused(
    changes: dict[str, Any], why: str
) -> None:
    found = codes(proposal(call("V4"), granting=permit(**changes)))
    assert any(each.startswith(f"G103 {why}") for each in found), found


def test_permit_up_to_five_minutes_long_passes() -> None:
    for until in (NOW + 1, NOW + 300):
        assert [] == codes(proposal(call("V4"), granting=permit(until=until)))


def test_allowance_for_somebody_else_than_permit2_is_refused() -> None:
    found = codes(proposal(call("V4"), spender=ATTACKER))
    assert f"G103 {ATTACKER} must not spend {WETH.address}" in found


def mutants(data: str) -> Iterator[str]:
    """Every word replaced by what an attacker would like there, every byte changed in two ways."""
    honest_bytes = bytes.fromhex(data[2:])
    liked = [bytes(WORD), b"\xff" * WORD, bytes(31) + b"\1", bytes(31) + b"\2"]
    liked += [bytes.fromhex(address[2:]).rjust(WORD, b"\0") for address in (ATTACKER, DAI.address)]
    for start in range(SELECTOR_BYTES, len(honest_bytes), WORD):
        for other in (*liked, honest_bytes[start : start + WORD][::-1]):
            yield "0x" + (honest_bytes[:start] + other + honest_bytes[start + WORD :]).hex()
    for index, byte in enumerate(honest_bytes):
        for mask in (0x01, 0x80):
            changed = honest_bytes[:index] + bytes([byte ^ mask]) + honest_bytes[index + 1 :]
            yield "0x" + changed.hex()


def assert_no_worse(said: Meaning | Refusal) -> None:
    assert isinstance(said, Meaning)
    assert (ROUTER, ACCOUNT, 0) == (said.target, said.recipient, said.value)
    assert (WETH.address, SOLD, USDC.address) == (said.sell, said.amount_in, said.buy)
    assert said.min_out is not None
    assert said.min_out >= MINIMUM
    assert said.deadline is not None
    assert DEADLINE <= said.deadline <= NOW + 300


@pytest.mark.parametrize("route", ["V4", "gas coin"])
def test_every_mutant_of_every_word_is_refused_or_means_no_worse(route: str) -> None:
    data = call(route)
    p = proposal(data)
    counted = passed = 0
    for mutant in mutants(data):
        counted += mutant != data
        said = meant(mutant)
        act = (*p.meanings[:-1], said)
        if mutant == data or isinstance(said, Refusal) or not check(replace(p, meanings=act)).ok:
            continue
        passed += 1
        assert_no_worse(whole(said))
    # What passes goes through other pools, which the chain refuses or the minimum covers.
    assert 0 < passed < counted // 6


@settings(max_examples=200)
@given(
    route=st.sampled_from(sorted(ROUTES)),
    changes=edits(3000),
)
def test_calldata_spliced_at_random_is_refused_or_means_no_worse(
    route: str, changes: Edits
) -> None:
    bad = proposal(spliced(call(route), changes))
    if check(bad).ok:
        assert_no_worse(bad.act)
