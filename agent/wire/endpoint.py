"""Where a node listens: its URL taken apart once, and never shown again."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

_VISIBLE_ASCII = re.compile(r"[!-~]+")

_SHORTEST_SECRET = 6
"""Characters; shorter path parts such as ``v2`` are words of the provider, not keys."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One HTTP endpoint; only ``host`` and ``port`` may be shown, so only they are in its repr."""

    host: str
    port: int
    tls: bool = field(repr=False)
    target: str = field(repr=False)
    authorization: str | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """``host:port``, the only form that messages may carry."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """What the Host header says: the port is left out where it is the scheme's own."""
        return self.name.removesuffix(":443" if self.tls else ":80")

    def redact(self, text: str) -> str:
        """Return foreign text without the parts of the URL that may be keys."""
        for secret in self.secrets:
            text = text.replace(secret, "[redacted]")
        return text


def parse_endpoint(url: str) -> Endpoint:
    """Take an http(s) URL apart; ``ValueError`` names the fault and never quotes the URL.

    Plain http is accepted for loopback hosts only: elsewhere anyone on the way could read keys
    and change balances.

    >>> parse_endpoint("https://node.example/v2/secret-key")
    Endpoint(host='node.example', port=443)
    """
    parts, port = _split(url)
    host = parts.hostname
    if not host:
        raise ValueError("the RPC URL has no host")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"the RPC URL of {host} must start with https://")
    tls = parts.scheme == "https"
    if not (tls or is_loopback(host)):
        raise ValueError(f"the RPC URL of {host} must use https: plain http is for loopback only")
    return Endpoint(
        host=host,
        port=port or (443 if tls else 80),
        tls=tls,
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        authorization=_authorization(parts),
        secrets=_secrets(parts),
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address literal is this machine's own loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> tuple[SplitResult, int | None]:
    if not _VISIBLE_ASCII.fullmatch(url):
        raise ValueError("the RPC URL has spaces, control or non-ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the RPC URL is malformed") from None
    return parts, port


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    pieces = [parts.path, parts.query, parts.username or "", parts.password or ""]
    pieces += parts.path.split("/")
    pieces += re.split("[&=]", parts.query)
    found = {form for piece in pieces for form in (piece, unquote(piece))}
    # Longest first, so that a key that contains another one leaves no rest behind.
    return tuple(sorted((s for s in found if len(s) >= _SHORTEST_SECRET), key=len, reverse=True))
