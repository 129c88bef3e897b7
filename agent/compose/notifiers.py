"""Ways to reach a person, made from the settings."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from agent.core.notice import Notice
from agent.errors import ExtraMissing, NoticeUndelivered
from agent.ports import Notifier
from agent.settings import Settings
from agent.wire.apprise_notices import AppriseNotifier
from agent.wire.webhook import DeadMan, Webhook


def make_notifiers(settings: Settings) -> tuple[Notifier, ...]:
    """All notifiers that are configured; one that cannot work says so when it is used."""
    found: list[Notifier] = []
    if settings.notify.webhook_env is not None:
        found.append(_Late(settings.notify.webhook_env, lambda name: _webhook(settings, name)))
    if settings.notify.apprise_env is not None:
        found.append(_Late(settings.notify.apprise_env, lambda name: _apprise(settings, name)))
    return tuple(found)


def make_dead_man(settings: Settings) -> Callable[[], None] | None:
    """Gives a sign of life, None where no URL is configured; raises NoticeUndelivered."""
    name = settings.notify.dead_man_env
    if name is None:
        return None
    return lambda: DeadMan(_url(settings, name), name).ping()


class _Late:
    """A notifier that is made when it is first needed: most ticks have nothing to tell."""

    def __init__(self, name: str, make: Callable[[str], Notifier]) -> None:
        self.name = name
        self._make = make

    def tell(self, notice: Notice) -> None:
        self._make(self.name).tell(notice)


def _webhook(settings: Settings, name: str) -> Notifier:
    return Webhook(_url(settings, name), name)


def _apprise(settings: Settings, name: str) -> Notifier:
    return AppriseNotifier(tuple(_url(settings, name).split()), name, _library())


def _library() -> Any:
    try:
        return import_module("apprise")
    except ImportError:
        raise ExtraMissing(
            "notify.apprise_env is configured and apprise is not installed",
            fix="install it: pip install 'rebalancer[notify]'",
        ) from None


def _url(settings: Settings, name: str) -> str:
    secret = settings.secret(name)
    if secret is None:
        raise NoticeUndelivered(
            f"{name} is not set, and [notify] names it",
            fix=f"set {name} where the keeper runs, or in .env beside the portfolio",
        )
    return secret.reveal()
