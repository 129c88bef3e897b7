"""Notices through apprise, which speaks to some hundred services."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from agent.core.notice import Notice
from agent.errors import NoticeUndelivered
from agent.wire.webhook import text

KINDS = {"done": "success", "late": "warning", "refused": "warning", "needs_human": "failure"}
"""apprise's own words for how bad something is; the others are `info`."""


@dataclass(frozen=True, slots=True)
class AppriseNotifier:
    """Tells all services in `urls`, which are secrets; errors call them by their variable.

    `library` is the module apprise, imported by whoever has it.
    """

    urls: tuple[str, ...] = field(repr=False)
    name: str
    library: Any = field(repr=False)

    def tell(self, notice: Notice) -> None:
        """Hand it to every service once; raises NoticeUndelivered when one does not take it."""
        log = logging.getLogger("apprise")
        # What it logs of its troubles may hold parts of the URLs.
        before, log.disabled = log.disabled, True
        try:
            told = self._told(notice)
        except NoticeUndelivered:
            raise
        except Exception as error:  # noqa: BLE001  a foreign library; its text may hold secrets
            raise self._undelivered(f"apprise failed ({type(error).__name__})") from None
        finally:
            log.disabled = before
        if not told:
            raise self._undelivered("a service did not take it")

    def _told(self, notice: Notice) -> bool:
        services = self.library.Apprise()
        for url in self.urls:
            if not services.add(url):
                raise self._undelivered("holds something that is no apprise URL")
        title = f"rebalancer {notice.portfolio}: {notice.event.replace('_', ' ')}"
        kind = KINDS.get(notice.event, "info")
        return bool(services.notify(body=text(notice), title=title, notify_type=kind))

    def _undelivered(self, why: str) -> NoticeUndelivered:
        return NoticeUndelivered(
            f"{self.name}: {why}", fix="try it by itself: rebalancer notify test"
        )
