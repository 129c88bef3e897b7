"""Reads one HTTP/1.1 response to a POST request, by the narrow part of RFC 9112 that nodes use."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_MAX_HEAD_BYTES = 65_536
"""Bytes of status line and headers; honest servers stay below 8 kB."""

_MAX_CHUNK_LINE_BYTES = 1_024

_BLANK_LINE = b"\r\n\r\n"

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?")


class NotHttpError(Exception):
    """The bytes are not a response that can be understood in one way only."""


class CutOffError(Exception):
    """The connection ended in the middle of a response."""


class TooLongError(Exception):
    """The body exceeds ``cap_bytes``; the rest of it was not read."""

    def __init__(self, cap_bytes: int) -> None:
        super().__init__(cap_bytes)
        self.cap_bytes = cap_bytes


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; header names are lower-case.

    ``reusable`` tells whether the connection may carry another exchange.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    reusable: bool


def read_response(receive: Callable[[], bytes], *, max_body_bytes: int) -> Response:
    """Read a response from ``receive``, which returns the next bytes and b"" at the end.

    Interim responses are skipped. Raises ``ConnectionResetError`` when not a single byte comes,
    ``CutOffError`` when the end comes too early, ``TooLongError`` before a body larger than the
    cap is held in memory, ``NotHttpError``, and whatever ``receive`` raises.
    """
    stream = _Stream(receive)
    status = 100
    while status < 200:
        version, status, headers = _head(stream.until(_BLANK_LINE, _MAX_HEAD_BYTES))
        # Nobody asked for another protocol, so that nobody may switch to one.
        if status == 101:
            raise NotHttpError
    body = _body(stream, status, headers, max_body_bytes)
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    framed = status in _BODILESS or "content-length" in headers or "transfer-encoding" in headers
    return Response(
        status=status,
        headers=headers,
        body=body,
        reusable=version == "1" and framed and "close" not in options and stream.is_empty,
    )


def retry_after_seconds(reply: Response) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date by the server's own clock."""
    wish = reply.headers.get("retry-after", "")
    if wish.isascii() and wish.isdecimal() and len(wish) <= 9:
        return float(wish)
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(wish).timestamp()
        now = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, until - now)


_BODILESS = (204, 304)


def _head(raw: bytes) -> tuple[str, int, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    found = _STATUS.fullmatch(first)
    if not found:
        raise NotHttpError
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if not field:
            raise NotHttpError
        name, text = field[1].lower(), field[2]
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return found[1], int(found[2]), headers


def _body(stream: "_Stream", status: int, headers: Mapping[str, str], cap: int) -> bytes:
    """Read the body as RFC 9112, section 6.3, frames it; what it calls ambiguous is refused."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if status in _BODILESS:
        return b""
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise NotHttpError
        return _chunks(stream, cap)
    if length is None:
        return stream.rest(cap)
    if not _LENGTH.fullmatch(length):
        raise NotHttpError
    if not (int(length) <= cap):
        raise TooLongError(cap)
    return stream.exactly(int(length))


def _chunks(stream: "_Stream", cap: int) -> bytes:
    pieces: list[bytes] = []
    total = 0
    while True:
        found = _CHUNK.fullmatch(stream.until(b"\r\n", _MAX_CHUNK_LINE_BYTES))
        if not found:
            raise NotHttpError
        size = int(found[1], 16)
        if size == 0:
            break
        total += size
        if not (total <= cap):
            raise TooLongError(cap)
        pieces.append(stream.exactly(size))
        if stream.exactly(2) != b"\r\n":
            raise NotHttpError
    while stream.until(b"\r\n", _MAX_CHUNK_LINE_BYTES):
        pass  # trailers say nothing that is needed
    return b"".join(pieces)


class _Stream:
    """Bytes that came and were not used yet, and more on demand."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._held = b""
        self._begun = False

    @property
    def is_empty(self) -> bool:
        """Whether all that came was used."""
        return not self._held

    def until(self, mark: bytes, limit: int) -> bytes:
        """Return what stands before the next mark, which is used up too."""
        searched = 0
        while (end := self._held.find(mark, searched)) < 0:
            if not (len(self._held) <= limit):
                raise NotHttpError
            searched = max(0, len(self._held) - len(mark) + 1)
            self._held += self._more()
        if not (end <= limit):
            raise NotHttpError
        found, self._held = self._held[:end], self._held[end + len(mark) :]
        return found

    def exactly(self, count: int) -> bytes:
        """Return that many bytes."""
        pieces = [self._held]
        missing = count - len(self._held)
        while missing > 0:
            pieces.append(self._more())
            missing -= len(pieces[-1])
        whole = b"".join(pieces)
        found, self._held = whole[:count], whole[count:]
        return found

    def rest(self, cap: int) -> bytes:
        """Return all bytes up to the end of the connection."""
        pieces = [self._held]
        total = len(self._held)
        while total <= cap and (more := self._receive()):
            pieces.append(more)
            total += len(more)
        if not (total <= cap):
            raise TooLongError(cap)
        self._held = b""
        return b"".join(pieces)

    def _more(self) -> bytes:
        more = self._receive()
        if not more:
            if self._begun:
                raise CutOffError
            raise ConnectionResetError("no reply")
        self._begun = True
        return more
