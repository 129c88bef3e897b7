"""Claims are paid exactly when some way to pay them all exists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.claims import Claim, first_unpaid

NAMES = "abcd"
claims = st.lists(
    st.builds(
        Claim,
        st.integers(0, 9),
        st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
    ),
    max_size=5,
)
supplies = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 9)))


def test_a_claim_moves_to_another_supply_of_its_own_for_one_that_has_only_this():
    first, second, third = Claim(5, ("a", "b")), Claim(5, ("a", "c")), Claim(5, ("a",))
    assert first_unpaid([first, second, third], {"a": 5, "b": 5, "c": 5}) is None
    assert (2, 3) == first_unpaid([first, second, third], {"a": 5, "b": 4, "c": 4})


def test_a_chain_of_moves_pays_the_last():
    row = [Claim(1, ("a", "b")), Claim(1, ("b", "c")), Claim(1, ("c", "d")), Claim(1, ("a",))]
    assert first_unpaid(row, dict.fromkeys("abcd", 1)) is None
    assert (3, 0) == first_unpaid(row, dict.fromkeys("abc", 1))


def test_nobody_and_nothing_is_paid_by_nothing():
    assert first_unpaid([], {}) is None
    assert first_unpaid([Claim(0, ())], {}) is None
    assert (0, 0) == first_unpaid([Claim(1, ("a",))], {})


@given(claims, supplies)
def test_all_are_paid_exactly_when_no_group_wants_more_than_it_can_draw_on(wanted, there):
    # Hall's condition, group by group.
    groups = range(1, 2 ** len(wanted))
    picked = [[c for i, c in enumerate(wanted) if group >> i & 1] for group in groups]
    payable = all(
        sum(claim.raw for claim in group)
        <= sum(there[name] for name in {name for claim in group for name in claim.sources})
        for group in picked
    )
    assert payable == (first_unpaid(wanted, there) is None)


@given(claims, supplies)
def test_the_first_unpaid_claim_says_what_it_could_get(wanted, there):
    found = first_unpaid(wanted, there)
    if found is None:
        return
    number, got = found
    before, claim = wanted[:number], wanted[number]
    assert got < claim.raw
    assert first_unpaid([*before, Claim(got, claim.sources)], there) is None
    assert (number, got) == first_unpaid([*before, Claim(got + 1, claim.sources)], there)
