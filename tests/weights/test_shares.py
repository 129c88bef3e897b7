"""Shares in proportion inside bounds, and their rounding to basis points."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import WHOLE_BPS, Bps
from agent.errors import WrongValue
from agent.weights import Bounds, by_size, equally
from agent.weights.proportional import proportional
from agent.weights.rounding import rounded

NAMES = tuple("abcdefgh")


@st.composite
def bounded(draw: st.DrawFn) -> tuple[dict[str, Fraction], Bounds]:
    """Sizes, and bounds between which there are weights."""
    names = NAMES[: draw(st.integers(2, 8))]
    sizes = {name: Fraction(draw(st.integers(1, 10**12)), 1000) for name in names}
    # Weights that exist, and bounds around them.
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(names) - 1, max_size=7)))
    ends = [0, *cuts[: len(names) - 1], 10_000]
    inner = [high - low for low, high in pairwise(ends)]
    least = {n: Bps(draw(st.integers(0, w))) for n, w in zip(names, inner, strict=True)}
    most = {n: Bps(draw(st.integers(max(1, w), 10_000))) for n, w in zip(names, inner, strict=True)}
    return sizes, Bounds(least=least, most=most)


@given(bounded())
def test_weights_by_size_are_the_whole_and_inside_their_bounds(
    case: tuple[dict[str, Fraction], Bounds],
) -> None:
    sizes, bounds = case
    found = by_size(sizes, bounds)
    assert WHOLE_BPS == sum(found.values())
    assert tuple(sizes) == tuple(found)
    assert all(bounds.least[name] <= found[name] <= bounds.most[name] for name in found)


@given(bounded())
def test_whoever_is_above_its_least_has_no_more_in_proportion_than_who_is_below_its_most(
    case: tuple[dict[str, Fraction], Bounds],
) -> None:
    sizes, bounds = case
    shares = proportional(sizes, bounds)
    assert 1 == sum(shares.values())
    scale = {name: shares[name] / sizes[name] for name in sizes}
    could_give = [scale[n] for n in sizes if shares[n] * WHOLE_BPS > bounds.least[n]]
    could_take = [scale[n] for n in sizes if shares[n] * WHOLE_BPS < bounds.most[n]]
    assert max(could_give, default=0) <= min(could_take, default=max(scale.values()))


@given(bounded(), st.randoms(use_true_random=False))
def test_order_of_assets_decides_nothing(
    case: tuple[dict[str, Fraction], Bounds], random: Random
) -> None:
    sizes, bounds = case
    names = list(sizes)
    random.shuffle(names)
    assert by_size(sizes, bounds) == by_size({name: sizes[name] for name in names}, bounds)


def capped_again_and_again(sizes: dict[str, Fraction], cap: Fraction) -> dict[str, Fraction]:
    """Capping as indices do it: cut, divide what is left among the others, until none is above."""
    shares = {name: size / sum(sizes.values()) for name, size in sizes.items()}
    capped: set[str] = set()
    while above := {name for name in shares if name not in capped and shares[name] > cap}:
        capped |= above
        free = sum(size for name, size in sizes.items() if name not in capped)
        left = 1 - cap * len(capped)
        shares = {n: cap if n in capped else s / free * left for n, s in sizes.items()}
    return shares


@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10**9).map(Fraction), min_size=3),
    st.integers(3_400, 10_000),
)
def test_one_scale_is_where_repeated_capping_ends(sizes: dict[str, Fraction], cap: int) -> None:
    bounds = Bounds(least=dict.fromkeys(sizes, Bps(0)), most=dict.fromkeys(sizes, Bps(cap)))
    expected = capped_again_and_again(sizes, Fraction(cap, WHOLE_BPS))
    assert expected == proportional(sizes, bounds)


def test_floors_that_are_the_whole_are_the_weights() -> None:
    bounds = Bounds(least={"a": Bps(9_000), "b": Bps(1_000)}, most=dict.fromkeys("ab", WHOLE_BPS))
    assert {"a": 9_000, "b": 1_000} == by_size({"a": Fraction(1), "b": Fraction(5)}, bounds)


def test_equal_weights_give_the_rest_to_the_first_by_name() -> None:
    names = ("USDC", "ETH", "WBTC")
    assert {"USDC": 3_333, "ETH": 3_334, "WBTC": 3_333} == equally(names, Bounds.none(names))


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=8).filter(any))
def test_rounding_moves_no_share_by_a_basis_point(parts: list[int]) -> None:
    shares = {n: Fraction(part, sum(parts)) for n, part in zip(NAMES, parts, strict=False)}
    found = rounded(shares, Bounds.none(tuple(shares)))
    assert WHOLE_BPS == sum(found.values())
    assert all(abs(found[name] - shares[name] * WHOLE_BPS) < 1 for name in shares)


def test_rounding_takes_back_what_a_floor_adds() -> None:
    bounds = Bounds(
        least={"a": Bps(1), "b": Bps(0), "c": Bps(0)}, most=dict.fromkeys("abc", WHOLE_BPS)
    )
    shares = {"a": Fraction(0), "b": Fraction(3, 4), "c": Fraction(1, 4)}
    assert {"a": 1, "b": 7_499, "c": 2_500} == rounded(shares, bounds)


def test_rounding_takes_back_from_who_has_most_above_its_share() -> None:
    bounds = Bounds(
        least={"a": Bps(2), "b": Bps(0), "c": Bps(0)}, most=dict.fromkeys("abc", WHOLE_BPS)
    )
    shares = {"a": Fraction(0), "b": Fraction(49_997, 100_000), "c": Fraction(50_003, 100_000)}
    assert {"a": 2, "b": 4_999, "c": 4_999} == rounded(shares, bounds)


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (
            (6_000, 5_000),
            (10_000, 10_000),
            "all weights at their least sum to 110 percent, above 100",
        ),
        ((0, 0), (4_999, 5_000), "all weights at their most sum to 99.99 percent, below 100"),
        ((0, 2_001), (10_000, 2_000), "b shall be at least 20.01 and at most 20 percent"),
        ((0, 0), (10_000, 0), "b may be at most 0"),
    ],
)
def test_bounds_without_weights_between_them_are_refused(
    least: tuple[int, int], most: tuple[int, int], said: str
) -> None:
    with pytest.raises(WrongValue) as refused:
        Bounds(
            least=dict(zip("ab", map(Bps, least), strict=True)),
            most=dict(zip("ab", map(Bps, most), strict=True)),
        )
    assert said == refused.value.message
