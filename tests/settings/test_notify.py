"""`[notify]`: variables by name, and never the URLs in them."""

import pytest

from agent.errors import WrongType, WrongValue
from agent.settings import Notify
from agent.settings.notify import EVENTS


def test_without_the_table_nobody_is_told(minimal, load_text):
    assert Notify() == load_text(minimal).notify
    assert Notify(events=EVENTS) == Notify()


def test_variables_and_events_are_read(minimal, load_text):
    text = '\n[notify]\nwebhook_env = "HOOK"\ndead_man_env = "ALIVE"\nevents = ["done"]\n'
    assert Notify(webhook_env="HOOK", dead_man_env="ALIVE", events=("done",)) == (
        load_text(minimal + text).notify
    )


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ('webhook_env = "https://hooks.example/secret-canary"', WrongValue, "a URL is a secret"),
        ('apprise_env = "REBALANCER_HOOK"', WrongValue, "begins with REBALANCER_"),
        ("dead_man_env = 1", WrongType, "text in quotes"),
        ('events = ["begun"]', WrongValue, '"begun" is no event'),
        ('events = ["done", "done"]', WrongValue, "named twice"),
    ],
)
def test_what_cannot_be_meant_is_said_without_repeating_a_url(minimal, load_text, line, kind, says):
    with pytest.raises(kind) as met:
        load_text(f"{minimal}\n[notify]\n{line}\n")
    assert says in met.value.message
    assert "secret-canary" not in met.value.message


def test_who_is_told_does_not_change_the_policy(minimal, load_text):
    with_notify = load_text(f'{minimal}\n[notify]\nwebhook_env = "HOOK"\n')
    assert load_text(minimal).policy.hash == with_notify.policy.hash
