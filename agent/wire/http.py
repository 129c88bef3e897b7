"""The one HTTP client for providers' servers: strict, capped, under a deadline."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from agent import __version__
from agent.errors import BadReply, RateLimited, Rejected, Unavailable, Unreachable
from agent.wire.connection import Connection
from agent.wire.deadline import Deadline
from agent.wire.endpoint import Endpoint, parse_endpoint
from agent.wire.foreign_text import plain
from agent.wire.post import PostError, failure, tls_context
from agent.wire.response import (
    CutOffError,
    NotHttpError,
    Response,
    TooLongError,
    retry_after_seconds,
)
from agent.wire.strict_json import JSON, StrictJsonError, dumps, loads

TIMEOUT_SECONDS = 10.0
"""Time for one question and its repetitions together; a quote that takes longer is old."""

MAX_REPLY_BYTES = 1_048_576
"""Bytes of one answer; the longest honest one (a route over many pools) has some ten thousand."""

RETRIES = 2
"""Repetitions after a fault that may pass; the caller plans without the provider then."""

MAX_SAID_CHARS = 200
"""Characters of a provider's own words that are kept."""

_FIRST_PAUSE_SECONDS = 0.2

_WORDS = ("message", "description", "error", "detail", "reason")
"""Where providers' errors say what is wrong: the first of these fields is read."""

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

_CHECK = "check the network; the provider may be out of order"


class HttpClient:
    """The port `Http`: GET and POST over https, or plain http to this machine; safe to share.

    It is built on our own connections: `requests` restarts its time limit with every byte, and
    takes proxies and keys from the environment unless told otherwise. Redirects are not followed,
    nothing is unpacked, and no cookie is kept.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_reply_bytes = max_reply_bytes
        self._retries = retries
        self._sleep = sleep

    def get(
        self, url: str, query: Mapping[str, str], *, headers: Mapping[str, str] = _NO_HEADERS
    ) -> JSON:
        """The answer to one question; raises RateLimited, Unreachable, Rejected or BadReply.

        Errors name the host and nothing else of the URL; ``ValueError`` for a URL that cannot be.
        """
        endpoint = parse_endpoint(f"{url}?{urlencode(query)}" if query else url)
        return self._asked(endpoint, _request(endpoint, "GET", headers, None), headers)

    def post(self, url: str, body: JSON, *, headers: Mapping[str, str] = _NO_HEADERS) -> JSON:
        """The answer to a question with a *body*, raising as `get`.

        It may arrive more than once, so it must be one that does no harm twice.
        """
        endpoint = parse_endpoint(url)
        return self._asked(endpoint, _request(endpoint, "POST", headers, dumps(body)), headers)

    def _asked(self, endpoint: Endpoint, request: bytes, headers: Mapping[str, str]) -> JSON:
        secrets = _secrets(headers)
        deadline = Deadline(self._timeout_seconds)
        repetition = 0
        while True:
            try:
                return self._answer(endpoint, request, deadline, secrets)
            except _Passing as fault:
                pause = max(_pause_seconds(repetition), fault.wish_seconds)
                if not (repetition < self._retries and deadline.allows(pause)):
                    raise fault.error from None
            self._sleep(pause)
            repetition += 1

    def _answer(
        self, endpoint: Endpoint, request: bytes, deadline: Deadline, secrets: tuple[str, ...]
    ) -> JSON:
        try:
            reply = self._exchange(endpoint, request, deadline)
        except PostError as fault:
            error = _silence(f"{endpoint.name}: {fault.reason}", fault)
            raise _Passing(error) if fault.transient else error from None
        if 200 <= reply.status < 300:
            try:
                return loads(reply.body)
            except StrictJsonError as fault:
                raise _nonsense(endpoint, str(fault)) from None
        raise _refusal(endpoint, reply, secrets)

    def _exchange(self, endpoint: Endpoint, request: bytes, deadline: Deadline) -> Response:
        try:
            context = tls_context() if endpoint.tls else None
            connection = Connection(endpoint.host, endpoint.port, deadline, context)
        except OSError as fault:
            raise failure(fault, sent="no") from fault
        try:
            return connection.exchange(request, deadline, max_body_bytes=self._max_reply_bytes)
        except (OSError, NotHttpError, CutOffError, TooLongError) as fault:
            raise failure(fault, sent="maybe") from fault
        finally:
            connection.close()


class _Passing(Exception):  # noqa: N818  never leaves this file
    """A fault that may pass, and how long the provider wants to be left alone."""

    def __init__(self, error: Unavailable, wish_seconds: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.wish_seconds = wish_seconds


def _request(
    endpoint: Endpoint, method: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """The whole request; raises ``ValueError`` for a header that could begin another line."""
    for name, text in headers.items():
        if not (name.isascii() and name.isprintable() and text.isascii() and text.isprintable()):
            raise ValueError(f"the header {plain(name, at_most=40)} cannot be sent")
    lines = [
        f"{method} {endpoint.target} HTTP/1.1",
        f"Host: {endpoint.authority}",
        f"User-Agent: rebalancer/{__version__}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Connection: close",
        *([f"Authorization: {endpoint.authorization}"] if endpoint.authorization else []),
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (body or b"")


def _silence(what: str, fault: PostError) -> Unavailable:
    """A fault on the way; an answer that is no HTTP, or far too long, is nonsense."""
    if isinstance(fault.__cause__, NotHttpError | TooLongError):
        return BadReply(what, fix=_CHECK)
    return Unreachable(what, fix=_CHECK)


def _nonsense(endpoint: Endpoint, what: str) -> BadReply:
    return BadReply(f"{endpoint.name}: malformed reply: {what}", fix=_CHECK)


def _refusal(
    endpoint: Endpoint, reply: Response, secrets: tuple[str, ...]
) -> Unavailable | _Passing:
    """What a status that is no success means."""
    what = f"{endpoint.name}: HTTP status {reply.status}"
    wish = retry_after_seconds(reply) or 0.0
    if reply.status == 429:
        pause = f"wait {wish:.0f} seconds" if wish else "wait a little"
        return _Passing(RateLimited(what, fix=pause, seconds=wish), wish)
    if reply.status >= 500:
        return _Passing(Unreachable(what, fix=_CHECK), wish)
    if reply.status < 400:
        return BadReply(f"{what}, which is not followed", fix=_CHECK)
    body = _body(reply)
    said = _said(endpoint, body, secrets)
    return Rejected(
        f"{what}: {said}" if said else what,
        fix="see what it says",
        status=reply.status,
        reply=body,
    )


def _body(reply: Response) -> JSON:
    """What a refusal's body holds, None when that is no JSON."""
    try:
        return loads(reply.body)
    except StrictJsonError:
        return None


def _said(endpoint: Endpoint, body: JSON, secrets: tuple[str, ...]) -> str:
    """The provider's own words, from the usual fields of an error; without what may be a key."""
    words = body if isinstance(body, dict) else {}
    found = next((words[k] for k in _WORDS if k in words), "")
    text = endpoint.redact(found) if isinstance(found, str) else ""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return plain(text, at_most=MAX_SAID_CHARS)


def _secrets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What headers carry, whole and word by word: a server may repeat a key without its scheme."""
    words = {part for text in headers.values() for part in (text, *text.split())} - {""}
    return tuple(sorted(words, key=len, reverse=True))


def _pause_seconds(repetition: int) -> float:
    jitter = 1 + random.random()  # noqa: S311 - keeps callers apart, guards nothing
    return _FIRST_PAUSE_SECONDS * float(2**repetition) * jitter
