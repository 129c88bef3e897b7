"""Our quotes against those of the contracts themselves, on the local chain.

Reference of a v3 hop is QuoterV2, of a v2 hop `getAmountsOut` of Router02. Each hop is asked with
what the contracts said of the hop before it; paths within one version are asked as a whole too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from contract_quotes import contract_quotes

from agent.chain.multicall import aggregating
from agent.core.amm import v3
from agent.core.amm.outcome import OutOfKnownLiquidity, OutOfLiquidity, Refusal, Swapped
from agent.core.amm.path import Hop, PathQuote, PathRefusal, Pool, quote_path, quote_pool
from agent.core.amm.sqrt_price import amount0_up, amount1_up
from agent.core.amm.tick_map import TickMap
from agent.core.amm.tick_price import MAX_TICK, sqrt_ratio_at_tick
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.lab import mainnet
from agent.lab.abi import call_bytes
from agent.lab.build import FOREVER
from agent.lab.mainnet import TOKENS
from agent.lab.pools import SPACING
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.saved import TREASURY
from agent.lab.world import World
from agent.ports import Read
from agent.venues._pools import Place, V2Place, V3Place, extended, read_pools
from agent.wire.abi import decode

SINGLE_IN = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
SINGLE_OUT = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))"

# Pools that the world has not: pair, fee, tick of the first price. Around zero, where the words of
# the bitmap change sign, far from it, and near the ends of the scale.
EXTRA_POOLS = (
    ("DAI", "USDT", 100, 0),
    ("DAI", "USDT", 500, -7),
    ("DAI", "USDT", 3000, -276_324),
    ("DAI", "USDT", 10_000, 886_000),
    ("WBTC", "DAI", 100, 300_000),
    ("WBTC", "DAI", 500, 12_345),
    ("WBTC", "DAI", 3000, -15_360),
    ("WBTC", "DAI", 10_000, -50_000),
    ("WBTC", "USDT", 100, -880_000),
    ("WBTC", "USDT", 500, 2560),
    ("WBTC", "USDT", 3000, -1),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One question: a path and an amount; `wants_out` asks for the input of an exact output."""

    hops: tuple[Hop, ...]
    amount: int
    wants_out: bool = False

    @property
    def kind(self) -> str:
        if self.wants_out:
            return "v3 exact output"
        versions = {type(hop.pool) for hop in self.hops}
        name = "mixed" if len(versions) > 1 else "v2" if V2Pool in versions else "v3"
        return f"{name}, {len(self.hops)} hop{'s' * (len(self.hops) > 1)}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a contract said of one hop: the amount, and the price after it if it tells."""

    amount: int
    sqrt_price_after_x96: int | None = None


@dataclass(slots=True)
class Score:
    """Agreement by kind of question and by outcome, and what differs."""

    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)
    extensions: int = 0


@dataclass(frozen=True, slots=True)
class Speed:
    """Median microseconds for one v3 hop: ours by crossed ticks, QuoterV2 alone and in batches."""

    ours: float
    ours_by_crossings: dict[str, float]
    quoter_alone: float
    quoter_batched: float


class Duel:
    """Random questions to both sides, about one block of one chain."""

    def __init__(self, world: World, seed: int, *, span_ticks: int = 1500) -> None:
        self.rng = random.Random(seed)
        self.score = Score()
        self._world = world
        self._aggregated = aggregating(Address(mainnet.MULTICALL3))
        self._places = world_places(world) + make_pools(world, self.rng)
        self._at = world.head()[0]
        state = read_pools(self.read, self._places, self._at, span_ticks=span_ticks)
        assert state.missing == {}
        self.pools: dict[Address, Pool] = state.found

    def read(self, calls: Sequence[Read], at: Any) -> list[bytes | None]:
        """Pool state, through Multicall3."""
        return self._aggregated(self._world.rpc, calls, hex(at))

    def ask(self, calls: Sequence[Read]) -> list[bytes | None]:
        """Quotes of the contracts."""
        return contract_quotes(self._world, calls, self._at)

    def run(self, count: int) -> Score:
        """Ask *count* random questions and compare."""
        self.score = Score()
        cases = [self._case() for _ in range(count)]
        ours = [self._ours(case) for case in cases]
        said = self._contracts(cases)
        for case, answer, reference in zip(cases, ours, said, strict=True):
            outcome = self._judge(case, answer, reference)
            self.score.kinds[case.kind] += 1
            self.score.outcomes[outcome] += 1
            if outcome == "differs":
                self.score.mismatches.append(f"{_named(case)}: {answer} but {reference}")
        self._compare_whole_paths(cases, ours)
        return self.score

    def swap_for_real(self, count: int) -> list[tuple[Pool, Pool]]:
        """Swap once in each of *count* pools; the pools as the chain and as we say they are."""
        treasury = Puppet(self._world.rpc, TREASURY)
        swaps: dict[Address, tuple[Hop, PathQuote]] = {}
        while len(swaps) < count:
            case = self._case()
            quote = self._ours(case)
            if len(case.hops) == 1 and isinstance(quote, PathQuote) and _is_funded(case):
                swaps[case.hops[0].pool.address] = case.hops[0], quote
        treasury.send(*(_real_swap(hop, quote.amount_in) for hop, quote in swaps.values()))
        moved = {address: quote.hops[0].pool for address, (_, quote) in swaps.items()}
        places = [place for place in self._places if place.address in swaps]
        state = read_pools(self.read, places, self._world.head()[0], span_ticks=0)
        assert state.missing == {}
        return [(_head(pool), _head(moved[address])) for address, pool in state.found.items()]

    def speed(self, count: int) -> Speed:
        """Time about *count* single v3 hops that quote, on both sides."""
        cases = [self._case() for _ in range(count * 4)]
        v3_cases = [case for case in cases if case.kind == "v3, 1 hop"]
        answers = [(case, self._ours(case)) for case in v3_cases]
        quoted = [(case, quote) for case, quote in answers if isinstance(quote, PathQuote)]
        ours: dict[str, list[float]] = {}
        for case, quote in quoted:
            (hop,) = self._current(case.hops)
            took = _microseconds(
                lambda hop=hop, case=case: quote_pool(
                    hop.pool, case.amount, zero_for_one=hop.zero_for_one
                )
            )
            crossed = quote.hops[0].ticks_crossed
            name = "0" if crossed == 0 else "1 to 5" if crossed <= 5 else "more"
            ours.setdefault(name, []).append(took)
        calls = [_question(case, 0, []) for case, _ in quoted]
        alone = [_microseconds(lambda call=call: self.ask([call])) for call in calls]
        batched = _microseconds(lambda: self.ask(calls)) / len(calls)
        return Speed(
            ours=median(took for group in ours.values() for took in group),
            ours_by_crossings={name: median(group) for name, group in sorted(ours.items())},
            quoter_alone=median(alone),
            quoter_batched=batched,
        )

    def _case(self) -> Case:
        count = self.rng.choice((1, 1, 1, 2, 2, 3, 3))
        pools = list(self.pools.values())
        first = self.rng.choice(pools)
        start = token = self.rng.choice((first.token0, first.token1))
        hops: list[Hop] = []
        while len(hops) < count:
            met = {hop.pool.address for hop in hops}
            after = [
                pool
                for pool in ([first] if not hops else pools)
                if token in {pool.token0, pool.token1} and pool.address not in met
            ]
            pool = self.rng.choice(after)
            token_out = pool.token1 if token == pool.token0 else pool.token0
            hops.append(Hop(pool=pool, token_in=token, token_out=token_out))
            token = token_out
        wants_out = count == 1 and isinstance(first, V3Pool) and self.rng.random() < 0.25
        most = self._most(first, is_token0=(start == first.token0) != wants_out)
        return Case(tuple(hops), int(2 ** (self.rng.random() * (most * 8).bit_length())), wants_out)

    def _most(self, pool: Pool, *, is_token0: bool) -> int:
        """A size beyond what the pool can do, or as near as there are tokens."""
        if isinstance(pool, V2Pool):
            return pool.reserve0 if is_token0 else pool.reserve1
        here = max(9000 - MAX_TICK, min(pool.tick, MAX_TICK - 9000))
        low, high = sqrt_ratio_at_tick(here - 9000), sqrt_ratio_at_tick(here + 9000)
        deepest = max(pool.liquidity, 1 << 40)
        amount = amount0_up if is_token0 else amount1_up
        return amount(low, high, deepest)

    def _ours(self, case: Case) -> PathQuote | PathRefusal | Swapped:
        while True:
            hops = [replace(hop, pool=self.pools[hop.pool.address]) for hop in case.hops]
            if case.wants_out:
                answer: Any = v3.quote_exact_out(
                    hops[0].pool, case.amount, zero_for_one=hops[0].zero_for_one
                )
                if not isinstance(answer, Swapped):
                    answer = PathRefusal(hop=0, why=answer)
            else:
                answer = quote_path(hops, case.amount)
            why = answer.why if isinstance(answer, PathRefusal) else None
            if not isinstance(why, OutOfKnownLiquidity):
                return answer
            self.score.extensions += 1
            pool = self.pools[why.pool]
            assert isinstance(pool, V3Pool)
            (place,) = [each for each in self._places if each.address == why.pool]
            assert isinstance(place, V3Place)
            self.pools[why.pool] = extended(self.read, place, pool, why.word, self._at)

    def _contracts(self, cases: Sequence[Case]) -> list[list[Said]]:
        """What the contracts say hop by hop; a list that is too short ends in a revert."""
        said: list[list[Said]] = [[] for _ in cases]
        for step in range(3):
            going = [
                number
                for number, case in enumerate(cases)
                if step < len(case.hops) and len(said[number]) == step
            ]
            calls = [_question(cases[number], step, said[number]) for number in going]
            for number, answer in zip(going, self.ask(calls), strict=True):
                if answer is not None:
                    said[number].append(_said(cases[number].hops[step].pool, answer))
        return said

    def _judge(
        self, case: Case, answer: PathQuote | PathRefusal | Swapped, reference: list[Said]
    ) -> str:
        if isinstance(answer, Swapped):
            expected = Said(answer.amount_in, answer.sqrt_price_after_x96)
            return "quoted" if [expected] == reference else "differs"
        if isinstance(answer, PathQuote):
            return "quoted" if _as_said(answer) == reference else "differs"
        before = (
            quote_path(self._current(case.hops[: answer.hop]), case.amount) if answer.hop else None
        )
        done = _as_said(before) if isinstance(before, PathQuote) else []
        rest = reference[answer.hop :]
        if done != reference[: answer.hop]:
            return "differs"
        return self._judge_refusal(answer.why, rest, is_exact_out=case.wants_out)

    def _judge_refusal(self, why: Refusal, rest: list[Said], *, is_exact_out: bool) -> str:
        filled = why.filled if isinstance(why, OutOfLiquidity) else None
        if filled is not None and filled.amount_in > 0 and not is_exact_out:
            # QuoterV2 quotes the part that the pool can do; we refuse to do a part.
            partly = Said(filled.amount_out, filled.sqrt_price_after_x96)
            return "refused, only a part can be swapped" if rest[:1] == [partly] else "differs"
        if not rest:
            return "refused, as the contract does"
        # getAmountsOut answers zero, and the pair refuses to pay nothing.
        return "refused, pays nothing" if rest[0] == Said(0) else "differs"

    def _current(self, hops: Sequence[Hop]) -> list[Hop]:
        return [replace(hop, pool=self.pools[hop.pool.address]) for hop in hops]

    def _compare_whole_paths(self, cases: Sequence[Case], ours: Sequence[Any]) -> None:
        whole = [
            (case, answer)
            for case, answer in zip(cases, ours, strict=True)
            if len(case.hops) > 1 and isinstance(answer, PathQuote) and "mixed" not in case.kind
        ]
        answers = self.ask([_path_question(case) for case, _ in whole])
        for (case, quote), answer in zip(whole, answers, strict=True):
            amount = None if answer is None else _path_amount(case, answer)
            self.score.outcomes["quoted, and as a whole path"] += amount == quote.amount_out
            if amount != quote.amount_out:
                self.score.mismatches.append(f"{_named(case)}: {quote.amount_out} but {amount}")


def _microseconds(act: Callable[[], Any]) -> float:
    started = time.perf_counter_ns()
    act()
    return (time.perf_counter_ns() - started) / 1000


def world_places(world: World) -> list[Place]:
    """Where the pools of the local world are."""
    return [
        _place(world, pool.address, *(TOKENS[symbol].address for symbol in pool.symbols), pool.fee)
        for pool in world.pools
    ]


def make_pools(world: World, rng: random.Random) -> list[Place]:
    """Open pools with many random positions: narrow and wide, apart and on top of each other."""
    tokens = {symbol: 2**110 for pair in EXTRA_POOLS for symbol in pair[:2]}
    world.fund(TREASURY, tokens)
    treasury = Puppet(world.rpc, TREASURY)
    places: list[Place] = []
    for one, other, fee, tick in EXTRA_POOLS:
        token0, token1 = sorted((TOKENS[one].address, TOKENS[other].address))
        span = sqrt_ratio_at_tick(tick + 1) - sqrt_ratio_at_tick(tick)
        price = sqrt_ratio_at_tick(tick) + rng.randrange(span)
        create = tx(
            mainnet.V3_POSITIONS,
            "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
            *(token0, token1, fee, price),
        )
        mints = [
            _random_position(rng, (token0, token1, fee), tick=tick, price=price) for _ in range(14)
        ]
        treasury.send(create, *mints)
        (pool,) = treasury.read(
            mainnet.V3_FACTORY,
            "getPool(address,address,uint24)",
            "(address)",
            *(token0, token1, fee),
        )
        places.append(_place(world, pool, token0, token1, fee))
    return places


def _random_position(
    rng: random.Random, pool: tuple[str, str, int], *, tick: int, price: int
) -> Any:
    token0, token1, fee = pool
    spacing = SPACING[fee]
    end = MAX_TICK // spacing
    while True:
        reach = rng.choice((5, 50, 400, 3000))
        lower = tick // spacing + rng.randint(-reach, reach)
        upper = lower + rng.randint(1, reach)
        if rng.random() < 0.1:
            lower, upper = -end, end
        if not -end <= lower < upper <= end:
            continue
        low, high = sqrt_ratio_at_tick(lower * spacing), sqrt_ratio_at_tick(upper * spacing)
        here = min(max(price, low), high)
        liquidity = int(2 ** rng.uniform(20, 80))
        wanted = amount0_up(here, high, liquidity), amount1_up(low, here, liquidity)
        # Near the lowest prices the position manager cannot turn token0 into liquidity.
        if max(wanted) < 2**104 and (price >= high or low * high >> 96):
            break
    return tx(
        mainnet.V3_POSITIONS,
        "mint((address,address,uint24,int24,int24,"
        "uint256,uint256,uint256,uint256,address,uint256))",
        (
            *(token0, token1, fee, lower * spacing, upper * spacing),
            *(wanted[0] + 1, wanted[1] + 1, 0, 0, TREASURY, FOREVER),
        ),
    )


def _place(world: World, pool: str, token0: str, token1: str, fee: int) -> Place:
    tokens = {"token0": Address(token0), "token1": Address(token1)}
    if fee == 0:
        return V2Place(address=Address(pool), **tokens)
    return V3Place(address=Address(pool), **tokens, fee=fee, tick_spacing=SPACING[fee])


def _is_funded(case: Case) -> bool:
    return case.amount < 2**100 and case.hops[0].token_in in {
        TOKENS[symbol].address for pair in EXTRA_POOLS for symbol in pair[:2]
    }


def _real_swap(hop: Hop, amount: int) -> Tx:
    if isinstance(hop.pool, V2Pool):
        path = [hop.token_in, hop.token_out]
        return tx(
            mainnet.SWAP_ROUTER02,
            "swapExactTokensForTokens(uint256,uint256,address[],address)",
            *(amount, 0, path, TREASURY),
        )
    return tx(
        mainnet.SWAP_ROUTER02,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
        (hop.token_in, hop.token_out, hop.pool.fee, TREASURY, amount, 0, 0),
    )


def _head(pool: Pool) -> Pool:
    """The pool without what a swap does not change."""
    if isinstance(pool, V2Pool):
        return pool
    nothing = TickMap(spacing=pool.tick_map.spacing, lowest_word=0, highest_word=0, ticks=())
    return replace(pool, tick_map=nothing)


def _question(case: Case, step: int, said: Sequence[Said]) -> Read:
    hop, amount = case.hops[step], said[-1].amount if said else case.amount
    if isinstance(hop.pool, V2Pool):
        return _v2_question([hop.token_in, hop.token_out], amount)
    signature = SINGLE_OUT if case.wants_out else SINGLE_IN
    asked = (hop.token_in, hop.token_out, amount, hop.pool.fee, 0)
    return Read(Address(mainnet.QUOTER_V2), call_bytes(signature, asked))


def _path_question(case: Case) -> Read:
    tokens = [case.hops[0].token_in, *(hop.token_out for hop in case.hops)]
    if isinstance(case.hops[0].pool, V2Pool):
        return _v2_question(tokens, case.amount)
    path = bytes.fromhex(tokens[0][2:])
    for hop in case.hops:
        assert isinstance(hop.pool, V3Pool)
        path += hop.pool.fee.to_bytes(3, "big") + bytes.fromhex(hop.token_out[2:])
    return Read(
        Address(mainnet.QUOTER_V2), call_bytes("quoteExactInput(bytes,uint256)", path, case.amount)
    )


def _v2_question(tokens: Sequence[str], amount: int) -> Read:
    calldata = call_bytes("getAmountsOut(uint256,address[])", amount, tokens)
    return Read(Address(mainnet.V2_ROUTER02), calldata)


def _said(pool: Pool, answer: bytes) -> Said:
    if isinstance(pool, V2Pool):
        return Said(decode(["uint256[]"], answer)[0][-1])
    amount, sqrt_price_after, *_ = decode(["uint256", "uint160", "uint32", "uint256"], answer)
    return Said(amount, sqrt_price_after)


def _path_amount(case: Case, answer: bytes) -> int:
    if isinstance(case.hops[0].pool, V2Pool):
        return int(decode(["uint256[]"], answer)[0][-1])
    return int.from_bytes(answer[:32], "big")


def _as_said(quote: PathQuote) -> list[Said]:
    return [
        Said(hop.amount_out, hop.pool.sqrt_price_x96 if isinstance(hop.pool, V3Pool) else None)
        for hop in quote.hops
    ]


def _named(case: Case) -> str:
    route = " > ".join(
        f"{hop.pool.address}{'' if hop.zero_for_one else ' backwards'}" for hop in case.hops
    )
    return f"{case.amount} through {route}{' as output' * case.wants_out}"
