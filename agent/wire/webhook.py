"""Plain HTTP to people: a notice posted as JSON, and a sign of life."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent import __version__
from agent.core.notice import Notice
from agent.errors import NoticeUndelivered
from agent.wire.connection import Connection
from agent.wire.deadline import Deadline
from agent.wire.endpoint import Endpoint, parse_endpoint
from agent.wire.post import failure, tls_context
from agent.wire.response import CutOffError, NotHttpError, TooLongError

TIMEOUT_SECONDS = 10.0
"""For the whole exchange; a tick waits for no more than this."""

_MAX_REPLY_BYTES = 65_536

SCHEMA = 1
"""Version of the body; docs/operations.md describes it."""


def body(notice: Notice) -> dict[str, Any]:
    """A notice as JSON; `text` alone is a whole sentence, as chat webhooks show it."""
    return {
        "schema": SCHEMA,
        "kind": "notice",
        "event": notice.event,
        "portfolio": notice.portfolio,
        "wallet": notice.wallet,
        "run": notice.run or None,
        "code": notice.code or None,
        "why": notice.why,
        "next": notice.next or None,
        "at": datetime.fromtimestamp(notice.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "local": notice.local,
        "text": text(notice),
    }


def text(notice: Notice) -> str:
    """A notice as a sentence for people."""
    local = "LOCAL " if notice.local else ""
    run = f" run {notice.run}" if notice.run else ""
    code = f"[{notice.code}] " if notice.code else ""
    following = f"; next: {notice.next}" if notice.next else ""
    what = notice.event.replace("_", " ")
    return f"{local}{notice.portfolio}:{run} {what}: {code}{notice.why}{following}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts notices to a URL, which is a secret; errors call it by its variable, `name`."""

    url: str = field(repr=False)
    name: str

    def tell(self, notice: Notice) -> None:
        """Post it once; raises NoticeUndelivered unless the answer is a success."""
        _exchange("POST", self.url, self.name, json.dumps(body(notice)).encode())


@dataclass(frozen=True, slots=True)
class DeadMan:
    """A URL to ask for while all is well: its service raises the alarm when nobody does."""

    url: str = field(repr=False)
    name: str

    def ping(self) -> None:
        """Ask for it once; raises NoticeUndelivered unless the answer is a success."""
        _exchange("GET", self.url, self.name, None)


def _exchange(method: str, url: str, name: str, content: bytes | None) -> None:
    try:
        endpoint = parse_endpoint(url)
    except ValueError as error:
        raise _undelivered(name, str(error).replace("RPC URL", "URL")) from None
    deadline = Deadline(TIMEOUT_SECONDS)
    try:
        context = tls_context() if endpoint.tls else None
        connection = Connection(endpoint.host, endpoint.port, deadline, context)
        try:
            request = _request(method, endpoint, content)
            reply = connection.exchange(request, deadline, max_body_bytes=_MAX_REPLY_BYTES)
        finally:
            connection.close()
    except (OSError, NotHttpError, CutOffError, TooLongError) as error:
        reason = failure(error, sent="maybe").reason
        raise _undelivered(name, f"{endpoint.name}: {reason}") from None
    if not 200 <= reply.status < 300:
        raise _undelivered(name, f"{endpoint.name} answered with HTTP {reply.status}")


def _request(method: str, endpoint: Endpoint, content: bytes | None) -> bytes:
    lines = [
        f"{method} {endpoint.target} HTTP/1.1",
        f"Host: {endpoint.authority}",
        f"User-Agent: rebalancer/{__version__}",
        "Accept-Encoding: identity",
        "Connection: close",
        *([f"Authorization: {endpoint.authorization}"] if endpoint.authorization else []),
        *([] if content is None else ["Content-Type: application/json"]),
        *([] if content is None else [f"Content-Length: {len(content)}"]),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + (content or b"")


def _undelivered(name: str, why: str) -> NoticeUndelivered:
    return NoticeUndelivered(f"{name}: {why}", fix="try it by itself: rebalancer notify test")
