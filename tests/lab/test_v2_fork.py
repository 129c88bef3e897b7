"""A fork of Uniswap V2 by its real contracts: what it quotes is what the wallet gets, or it reverts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import router_rig
from contract_quotes import contract_quotes
from fork_rig import INIT_CODE_HASH, NAME, ROUTER, THERE, fork_options, fork_trader, put_sushi
from lab.reading import read
from router_rig import CHAIN, SYMBOLS, lab_node, swap_leg, token, worth
from swap_runs import WALLET, SwapRun
from venue_rigs import api_token, api_worth

from agent.chain.fork import ForkNode
from agent.core.fact import Closed, Mined, Quoted, Refused, Signed
from agent.core.fees import ENVELOPE_BYTES
from agent.core.market import Edge
from agent.core.money import Address
from agent.core.quote import Call, Quote
from agent.engine.loop import Finished
from agent.errors import NoRoute
from agent.lab.abi import call_bytes
from agent.lab.packages import artifacts
from agent.lab.pins import sushiswap_v2_pins
from agent.lab.world import World
from agent.ports import AdapterIo, Read
from agent.venues import v2_fork
from agent.venues._ladder import APPROVAL_BYTES, APPROVAL_GAS, LADDER_STEPS
from agent.venues._split import Filler
from agent.wire.abi import decode, encode
from agent.wire.clock import SystemClock
from agent.wire.keccak import keccak256

RESERVES_SLOT = 8
"""Of a pair: both reserves and a time in one word (UniswapV2Pair.sol, after the ERC-20's slots)."""

PAIR_CODE = slice(1_959, -53)
"""Where the creation code of pairs is in that of the factory: it ends with the factory's metadata."""

SWAPS = [
    # what is sold and for how many USD, what is bought, through how many pairs
    ("WETH", 20_000, "USDC", 1),
    ("USDT", 2_000, "WETH", 1),
    ("USDC", 9_000, "WBTC", 2),
    ("WBTC", 3_000, "DAI", 3),
]


@pytest.mark.parametrize(("sell", "usd", "buy", "hops"), SWAPS)
def test_executed_swap_pays_exactly_what_was_quoted(
    sushi_chain: World, sell: str, usd: int, buy: str, hops: int
) -> None:
    with fork_trader(sushi_chain) as on:
        quote = on.quote(sell, buy, worth(sell, usd))
        assert " > ".join(["V2"] * hops) == quote.route
        assert {sell: -quote.sell.raw, buy: quote.amount_out} == on.send(quote)
        assert 0 == on.allowance(sell)
        assert {0} == on.in_router()
        # The estimate chooses between paths and feeds the plan's cost: near is enough.
        assert on.gas_used // 2 < quote.gas < on.gas_used * 4 // 3


def test_calldata_is_what_the_contract_s_own_encoding_of_it_is(sushi_chain: World) -> None:
    with fork_trader(sushi_chain) as on:
        raw = worth("WETH", 2000)
        quote = on.quote("WETH", "USDC", raw)
        assert isinstance(quote.payload, Call)
        path = [token("WETH").address, token("USDC").address]
        arguments = encode(
            ["uint256", "uint256", "address[]", "address", "uint256"],
            [raw, quote.min_amount_out, path, router_rig.WALLET, quote.expires],
        )
        assert ("0x38ed1739" + arguments.hex(), ROUTER) == (quote.payload.data, quote.payload.to)
        assert quote.min_amount_out == quote.amount_out * 9950 // 10_000


def test_all_pairs_are_surveyed_in_one_request_and_another_a_minute_for_fees(
    sushi_chain: World,
) -> None:
    with fork_trader(sushi_chain) as on:
        pairs = [(token(one), token(other)) for one, other in permutations(SYMBOLS, 2)]
        sizes = {token(symbol): worth(symbol, 20_000) for symbol in SYMBOLS}
        asked = []
        for mined in (0, 0, 1):
            sushi_chain.mine(mined) if mined else None
            before = on.node.requests
            edges = on.router.survey(CHAIN, pairs, sizes)
            asked.append(on.node.requests - before)
        assert [2, 1, 1] == asked
        assert {(edge.sell, edge.buy) for edge in edges} == set(pairs)
        assert LADDER_STEPS < min(len(edge.ladder) for edge in edges)
        leg, before = swap_leg(token("WETH"), token("USDC"), 10**18), on.node.requests
        on.router.quote(leg, 10**18, WALLET, 1, 0)
        assert 1 == on.node.requests - before


def test_edges_say_whose_pools_they_share_how_they_fill_and_how_long_the_call_is(
    sushi_chain: World,
) -> None:
    with fork_trader(sushi_chain) as on:
        raw = worth("WBTC", 3_000)
        pair, sizes = (token("WBTC"), token("DAI")), {token("WBTC"): raw}
        (edge,) = on.router.survey(CHAIN, [pair], sizes)
        assert isinstance(edge, Edge)
        assert [out for _, out in edge.ladder] == [split.amount_out for split in edge.splits]
        hops = [hop for split in edge.splits for share in split.shares for hop in share.hops]
        assert {hop.pool.address for hop in hops} == edge.pools
        quote = on.quote("WBTC", "DAI", raw)
        assert isinstance(quote.payload, Call)
        call = len(quote.payload.data) // 2 - 1
        assert APPROVAL_BYTES + ENVELOPE_BYTES + call == edge.data_bytes
        assert APPROVAL_GAS + quote.gas == edge.gas


def test_longer_way_is_taken_where_it_brings_more_than_its_gas_costs(
    chain: World, lab_cache: Path
) -> None:
    """By USDT a dollar brings a twentieth of a percent more, after the fee of one pair more."""
    deep = 5 * 10**8
    sushi = put_sushi(chain, lab_cache, (("WETH", "USDC", deep), ("USDC", "USDT", deep)))
    more = worth("USDT", deep) * 10_035 // 10_000
    sushi.open_pair({token("WETH").address: worth("WETH", deep), token("USDT").address: more})
    chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10 * 10**9))
    with fork_trader(chain) as on:
        routes = [on.quote("WETH", "USDC", worth("WETH", usd)).route for usd in (50, 50_000)]
        assert ["V2", "V2 > V2"] == routes
        (edge,) = on.router.survey(
            CHAIN, [(token("WETH"), token("USDC"))], {token("WETH"): worth("WETH", 50_000)}
        )
        assert [1, 2] == sorted({len(split.swaps) for split in edge.splits})


def test_pairs_of_its_factory_are_where_the_venue_looks_for_them(
    sushi_chain: World, lab_cache: Path
) -> None:
    options = fork_options().chains[CHAIN]
    with fork_trader(sushi_chain) as on:
        for key, pools in on.router._search(CHAIN, ()).pools.items():
            (pool,) = pools
            place = options.places(key)[key]
            (said,) = read(
                sushi_chain, THERE.factory, "getPair(address,address)", "(address)", *key
            )
            assert (said, said) == (place.address, pool.address)
    # The deployed factory holds the code whose hash SushiSwap's own packages say.
    code = artifacts(lab_cache, sushiswap_v2_pins())["SushiV2Factory"].bytecode
    assert INIT_CODE_HASH == "0x" + keccak256(bytes.fromhex(code)[PAIR_CODE]).hex()


def test_quotes_are_those_of_the_router_itself_at_random_reserves(sushi_chain: World) -> None:
    """No way through up to three pairs brings more, by the contract's own word."""
    rng = random.Random(20_26)
    with fork_trader(sushi_chain) as on:
        found = on.router._search(CHAIN, ()).pools
        for pools in found.values():
            words = [rng.randrange(1, 1 << rng.randrange(20, 112)) for _ in range(2)]
            word = words[1] << 112 | words[0]
            sushi_chain.rpc.call(
                "anvil_setStorageAt", pools[0].address, hex(RESERVES_SLOT), f"0x{word:064x}"
            )
        sushi_chain.mine()
        search = on.router._search(CHAIN, ())
        filler, addresses = Filler(search), [token(symbol).address for symbol in SYMBOLS]
        compared = 0
        for sell, buy in permutations(addresses, 2):
            between = [each for each in addresses if each not in {sell, buy}]
            paths = [
                (sell, *middle, buy)
                for count in range(3)
                for middle in permutations(between, count)
            ]
            for amount in [rng.randrange(1, 1 << rng.randrange(10, 100)) for _ in range(4)]:
                ours = filler.alone(sell, buy, amount)
                outs = list(amounts_out(sushi_chain, amount, paths))
                assert (0 if ours is None else ours.split.amount_out) == max(outs, default=0)
                compared += ours is not None
        assert compared > 40


def amounts_out(world: World, amount: int, paths: list[tuple[Address, ...]]) -> Iterator[int]:
    """What the router's own `getAmountsOut` says of each path, but for those that it refuses."""
    asked = "getAmountsOut(uint256,address[])"
    calls = [Read(ROUTER, call_bytes(asked, amount, list(path))) for path in paths]
    for answer in contract_quotes(world, calls, world.head()[0]):
        if answer is not None:
            yield decode(["uint256[]"], answer)[0][-1]


def test_swap_whose_pools_moved_beyond_its_minimum_reverts_and_costs_gas_only(
    chain: World, lab_cache: Path
) -> None:
    sushi = put_sushi(chain, lab_cache)
    with fork_run(chain) as run:

        def observe(fact: object) -> None:
            run.facts.append(fact)  # type: ignore[arg-type]
            # Somebody else is mined between the swap's signature and the swap itself.
            if isinstance(fact, Signed) and len(run.of(Signed)) == 2:
                raw = worth("USDC", 200_000)
                sushi.trade(token("USDC").address, token("WETH").address, raw)

        io = run.io
        run.io = lambda: replace(io(), observe=observe)  # type: ignore[method-assign]
        ended = run.go("USDC", "WETH", api_worth("USDC", 4_000))
        assert isinstance(ended, Finished)
        assert ("aborted", ["approve", "swap", "revoke"]) == (ended.outcome, run.purposes())
        assert [True, False, True] == [fact.receipt.ok for fact in run.of(Mined)]
        gas, after = sum(fact.receipt.fee for fact in run.of(Mined)), run.holdings()
        expected = dict.fromkeys(after, 0)
        expected[api_token("ETH")] = 10**18 - gas
        expected[api_token("USDC")] = api_worth("USDC", 4_000)
        assert expected == after
        assert 0 == allowed(chain, "USDC")


def test_swap_runs_to_its_end_with_every_base_unit_explained(sushi_chain: World) -> None:
    with fork_run(sushi_chain) as run:
        ended = run.go("USDC", "WBTC", api_worth("USDC", 3_000))
        assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
        assert isinstance(ended, Finished)
        assert ("done", ["approve", "swap"]) == (ended.outcome, run.purposes())
        (closed,), (quoted,) = run.of(Closed), run.of(Quoted)
        assert ("done", ()) == (closed.outcome, closed.unexplained)
        assert quoted.quote.amount_out == run.holdings()[api_token("WBTC")]
        assert 0 == allowed(sushi_chain, "USDC")


class Thief(v2_fork.V2Fork):
    """The fork, but the money goes to somebody else."""

    def quote(self, *asked: Any, **named: Any) -> Quote:
        return with_bytes(super().quote(*asked, **named), WALLET[2:], "bad0" * 10)


class Careless(v2_fork.V2Fork):
    """The fork, but its bytes accept any amount."""

    def quote(self, *asked: Any, **named: Any) -> Quote:
        quote = super().quote(*asked, **named)
        return with_bytes(quote, f"{quote.min_amount_out:064x}", f"{1:064x}")


class Greedy(v2_fork.V2Fork):
    """The fork, but it sells a little more than it was asked to."""

    def quote(self, *asked: Any, **named: Any) -> Quote:
        quote = super().quote(*asked, **named)
        return with_bytes(quote, f"{quote.sell.raw:064x}", f"{quote.sell.raw + 1:064x}")


class Patient(v2_fork.V2Fork):
    """The fork, but its bytes are good for ever."""

    def quote(self, *asked: Any, **named: Any) -> Quote:
        quote = super().quote(*asked, **named)
        return with_bytes(quote, f"{quote.expires:064x}", f"{2**40:064x}")


def with_bytes(quote: Quote, said: str, other: str) -> Quote:
    assert isinstance(quote.payload, Call)
    assert 1 == quote.payload.data.count(said)
    data = quote.payload.data.replace(said, other)
    return replace(quote, payload=replace(quote.payload, data=data))


@pytest.mark.parametrize(
    ("venue", "code"), [(Thief, "G105"), (Careless, "G109"), (Greedy, "G107"), (Patient, "G110")]
)
def test_other_recipient_minimum_amount_or_deadline_is_refused_before_anything_is_signed(
    sushi_chain: World, venue: type[v2_fork.V2Fork], code: str
) -> None:
    with fork_run(sushi_chain, venue) as run:
        ended = run.go("USDC", "WETH", api_worth("USDC", 4_000))
        assert isinstance(ended, Finished)
        assert ended.outcome != "done"
        assert code in run.refusals()
        assert 0 == run.signed()


def test_pair_that_no_pairs_lead_to_has_no_route(sushi_chain: World) -> None:
    with fork_trader(sushi_chain, fork_options(hubs=())) as on:
        assert () == on.router.survey(CHAIN, [(token("WBTC"), token("DAI"))], {token("WBTC"): 1})
        with pytest.raises(NoRoute, match=f"no pools of {NAME} take this much WBTC for DAI"):
            on.quote("WBTC", "DAI", 10**8)


@contextmanager
def fork_run(world: World, venue: type[v2_fork.V2Fork] = v2_fork.V2Fork) -> Iterator[SwapRun]:
    with lab_node(world) as inner:
        node = ForkNode(inner, world.url)
        yield SwapRun(world, node, venue(fork_options(), AdapterIo({CHAIN: node}, SystemClock())))


def allowed(world: World, symbol: str) -> int:
    where, signature = world.addresses[symbol], "allowance(address,address)"
    return int(read(world, where, signature, "(uint256)", WALLET, ROUTER)[0])
