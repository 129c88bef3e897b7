"""The names of the composition root are found when they are used."""

import pytest

import agent.compose


def test_every_public_name_is_there() -> None:
    for name in agent.compose.__all__:
        assert name == getattr(agent.compose, name).__name__


def test_unknown_name_is_an_error_that_says_whose() -> None:
    with pytest.raises(AttributeError, match=r"module 'agent\.compose' has no attribute 'nothing'"):
        agent.compose.nothing  # noqa: B018 - to ask is the test
