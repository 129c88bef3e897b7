"""What a fork's pools pay with another fee than Uniswap's, and how a fork's call is read back."""

from __future__ import annotations

from amm_pools import POOL
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm import v2
from agent.core.amm.path import Hop
from agent.core.amm.v2 import V2Pool
from agent.core.money import Address, ChainId
from agent.core.quote import Call, Meaning
from agent.venues.v2_fork import LAYOUTS, swap_call
from agent.wire.calldata import meaning

A, B, C, WALLET = (Address("0x" + code * 20) for code in ("aa", "bb", "cc", "a1"))
RESERVES = st.integers(1, 2**111)


def pancake_pool(reserve0: int, reserve1: int) -> V2Pool:
    return V2Pool(
        address=POOL,
        token0=A,
        token1=B,
        reserve0=reserve0,
        reserve1=reserve1,
        kept_numerator=9975,
        kept_denominator=10_000,
    )


@given(RESERVES, RESERVES, st.integers(1, 2**110), st.booleans())
def test_pancakeswap_pays_all_that_its_pairs_let_out_and_no_unit_more(
    reserve0: int, reserve1: int, amount: int, zero_for_one: bool
) -> None:
    """The pair's own condition: the product of the balances, the fee of 25 in 10 000 taken off the
    input, must not be below that of the reserves (PancakePair.sol, `swap`)."""
    pool = pancake_pool(reserve0, reserve1)
    paid = v2.amount_out(pool, amount, zero_for_one=zero_for_one)
    reserve_in, reserve_out = (reserve0, reserve1) if zero_for_one else (reserve1, reserve0)

    def lets_out(out: int) -> bool:
        balance_in = (reserve_in + amount) * 10_000 - amount * 25
        balance_out = (reserve_out - out) * 10_000
        return balance_in * balance_out >= reserve_in * reserve_out * 10_000**2

    if isinstance(paid, int):
        assert lets_out(paid)
        assert not lets_out(paid + 1)
    else:
        assert not lets_out(1)


def test_pancakeswap_takes_a_quarter_of_a_percent() -> None:
    deep = pancake_pool(10**30, 10**30)
    assert 997_499_999_999 == v2.amount_out(deep, 10**12, zero_for_one=True)


def test_call_means_what_it_was_made_of() -> None:
    pools = [
        V2Pool(address=POOL, token0=A, token1=B, reserve0=1, reserve1=1),
        V2Pool(address=POOL, token0=B, token1=C, reserve0=1, reserve1=1),
    ]
    hops = [
        Hop(pool=pools[0], token_in=A, token_out=B),
        Hop(pool=pools[1], token_in=B, token_out=C),
    ]
    call = Call(ChainId(1), POOL, 0, swap_call(hops, 7, min_out=5, to=WALLET, deadline=99))
    said = meaning(call, LAYOUTS, account=WALLET)
    assert isinstance(said, Meaning)
    assert (A, 7, C, 5) == (said.sell, said.amount_in, said.buy, said.min_out)
    assert (POOL, WALLET, 99) == (said.target, said.recipient, said.deadline)
