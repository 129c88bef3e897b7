"""Kill the process anywhere, twice: every intent still happens exactly once."""

import pytest
from crash_rig import MODES, DeafNode, balances, deposits, effects, live, once, struck
from paper_world import A, B, World, rich_plan

from agent.engine.loop import Finished

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

REFERENCE = World()
live(REFERENCE, rich_plan())
EFFECTS = effects(World, rich_plan())
BROADCASTS = 10


def test_the_rich_run_has_the_effects_that_are_swept():
    assert EFFECTS > 150


@pytest.mark.parametrize("point", range(EFFECTS + 1))
def test_one_crash_anywhere_changes_nothing(point):
    world = World()
    ended = live(world, rich_plan(), point)
    assert "done" == ended.outcome
    assert balances(REFERENCE) == balances(world)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("start", range(0, EFFECTS + 1, 20))
def test_whatever_strikes_at_any_boundary_every_intent_happens_once(mode, start):
    for point in range(start, min(start + 20, EFFECTS + 1)):
        world = World()
        ended = struck(world, rich_plan(), point, mode)
        found = (ended.outcome, balances(world), deposits(world))
        assert ("done", balances(REFERENCE), 1) == found, point


@pytest.mark.parametrize("first", range(0, EFFECTS, 9))
def test_two_crashes_anywhere_change_nothing(first):
    for second in range(0, EFFECTS - first, 7):
        world = World()
        ended = live(world, rich_plan(), first, second)
        assert ("done", balances(REFERENCE)) == (ended.outcome, balances(world)), second


@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("chain", [A, B])
@pytest.mark.parametrize("at", range(1, BROADCASTS))
def test_a_lost_broadcast_changes_nothing(lost, chain, at):
    world = World()
    io = world.io(nodes={**world.chains, chain: DeafNode(world.chains[chain], lost, at)})
    ended = once(world, io, rich_plan(), "worker")
    assert isinstance(ended, Finished)
    assert ("done", balances(REFERENCE)) == (ended.outcome, balances(world))
