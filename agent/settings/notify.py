"""Reads who is told what the keeper does: names of variables, never the URLs in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.settings import kinds
from agent.settings.choices import Choices
from agent.settings.environment import PREFIX
from agent.settings.value import Value

EVENTS = ("started", "late", "refused", "needs_human", "done")
"""What notices may be about."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Variables that hold the URLs, None where there is none, and the events told of."""

    webhook_env: str | None = None
    apprise_env: str | None = None
    dead_man_env: str | None = None
    events: tuple[str, ...] = EVENTS


def read_notify(choose: Choices) -> Notify:
    """The `[notify]` table; raises WrongType and WrongValue without what was written for a name."""
    return Notify(
        webhook_env=choose("notify.webhook_env", _variable),
        apprise_env=choose("notify.apprise_env", _variable),
        dead_man_env=choose("notify.dead_man_env", _variable),
        events=choose("notify.events", kinds.names(EVENTS, "event")),
    )


def _variable(value: Value) -> str | None:
    """The name of a variable; None when the key is absent. A URL put here is not repeated."""
    if value.raw is None:
        return None
    name = kinds.text(value)
    if not _VARIABLE.fullmatch(name):
        raise value.wrong(
            "names the variable that holds the URL, such as NOTIFY_WEBHOOK; a URL is a secret "
            "and belongs into the environment or .env"
        )
    if name.startswith(PREFIX):
        raise value.wrong(f"{name} begins with {PREFIX}, which is for our own variables")
    return name
