"""HTTP responses: equal to the standard library's reading where it is strict, refused elsewhere."""

import http.client
import io
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.wire.response import (
    CutOffError,
    NotHttpError,
    Response,
    TooLongError,
    read_response,
)

CAP = 1000
OK = b"HTTP/1.1 200 OK\r\n"


def source(*pieces: bytes) -> Callable[[], bytes]:
    waiting = [piece for piece in pieces if piece]
    return lambda: waiting.pop(0) if waiting else b""


def read(*pieces: bytes) -> Response:
    return read_response(source(*pieces), max_body_bytes=CAP)


def by_http_client(raw: bytes) -> tuple[int, bytes]:
    class Sock:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(Sock(), method="POST")  # type: ignore[arg-type]
    response.begin()
    return response.status, response.read()


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A whole response in one of the three framings."""
    body = draw(st.binary(max_size=300))
    status = draw(st.sampled_from([200, 201, 302, 400, 404, 429, 500, 503]))
    reason = draw(st.sampled_from([" OK", " ", "", " Too Many Requests"]))
    extra = draw(
        st.sampled_from(["", "Server: x\r\n", "A:\r\n", "B:  spaced out \t\r\nB: again\r\n"])
    )
    interim = draw(st.sampled_from(["", "HTTP/1.1 100 Continue\r\n\r\n"]))
    head = f"{interim}HTTP/1.1 {status}{reason}\r\n{extra}".encode()
    match draw(st.sampled_from(["length", "chunked", "close"])):
        case "length":
            name = draw(st.sampled_from(["Content-Length", "content-length"]))
            return head + f"{name}: {len(body)}\r\n\r\n".encode() + body
        case "chunked":
            cuts = sorted([0, *draw(st.lists(st.integers(0, len(body)), max_size=4)), len(body)])
            chunks = [body[a:b] for a, b in pairwise(cuts) if a != b]
            note = draw(st.sampled_from(["", ";a=b", " ;x"]))
            coded = b"".join(b"%x%b\r\n%b\r\n" % (len(c), note.encode(), c) for c in chunks)
            trailer = draw(st.sampled_from([b"", b"Trailer: x\r\n"]))
            return (
                head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n" + trailer + b"\r\n"
            )
        case _:
            return head + b"\r\n" + body


@given(responses(), st.lists(st.integers(0, 600), max_size=8))
def test_response_in_any_pieces_is_read_as_the_standard_library_reads_it(
    raw: bytes, cuts: list[int]
) -> None:
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    found = read(*(raw[a:b] for a, b in pairwise(places)))
    assert by_http_client(raw) == (found.status, found.body)


@given(responses(), st.data())
def test_response_that_is_cut_off_is_never_taken_for_a_whole_one(
    raw: bytes, data: st.DataObject
) -> None:
    whole = read(raw)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    try:
        found = read(cut)
    except (CutOffError, ConnectionResetError):
        return
    # Without a length the end of the connection is the end of the body.
    assert not found.reusable
    assert whole.body.startswith(found.body)


@given(st.binary(max_size=400), st.binary(max_size=40))
@example(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"")
@example(b"\r\n", b"x" * 2000)
def test_any_bytes_are_a_response_or_one_of_the_errors(raw: bytes, more: bytes) -> None:
    for pieces in ((raw, more), (OK + raw, more), (OK, raw, more)):
        try:
            assert len(read(*pieces).body) <= CAP
        except (NotHttpError, CutOffError, TooLongError, ConnectionResetError):
            continue


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 600 High\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        OK + b" folded: 1\r\n\r\n",
        OK + b"A: 1\r\n folded\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"spaced : 1\r\n\r\n",
        OK + b": 1\r\n\r\n",
        OK + b"A: \0\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\nx",
        OK + b"Content-Length: 0x1\r\n\r\nx",
        OK + b"Content-Length: 1, 1\r\n\r\nx",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        OK + b"Content-Length: \r\n\r\n",
        OK + b"Content-Length: 9999999999999999\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: identity\r\n\r\nx",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 5000 + b"\r\nx\r\n0\r\n\r\n",
        OK + b"X: y\r\n" * 20_000,
        b"\0" * 100_000,
    ],
)
def test_response_that_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(NotHttpError):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"Content-Length: 1001\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
        OK + b"\r\n" + b"x" * 1001,
    ],
)
def test_body_above_the_cap_is_refused_before_it_is_read(raw: bytes) -> None:
    def endless() -> Callable[[], bytes]:
        receive = source(raw)
        return lambda: receive() or pytest.fail("read on after the cap was passed")

    with pytest.raises(TooLongError) as refused:
        read_response(endless(), max_body_bytes=CAP)
    assert CAP == refused.value.cap_bytes


@pytest.mark.parametrize(
    ("raw", "reusable"),
    [
        (OK + b"Content-Length: 1\r\n\r\nx", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", True),
        (OK + b"Content-Length: 1\r\nConnection: keep-alive\r\n\r\nx", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (OK + b"Content-Length: 1\r\nConnection: Close\r\n\r\nx", False),
        (OK + b"Content-Length: 1\r\nConnection: te, close\r\n\r\nx", False),
        (OK + b"Content-Length: 1\r\n\r\nx and more", False),
        (OK + b"\r\nx", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False),
    ],
)
def test_connection_is_reusable_only_at_a_certain_end(raw: bytes, reusable: bool) -> None:
    assert reusable == read(raw).reusable


@pytest.mark.parametrize("status", [204, 304])
def test_response_without_a_body_has_none(status: int) -> None:
    assert b"" == read(f"HTTP/1.1 {status} \r\nContent-Length: 5\r\n\r\n".encode()).body


def test_end_before_the_first_byte_is_told_from_a_cut() -> None:
    with pytest.raises(ConnectionResetError):
        read()
    with pytest.raises(CutOffError):
        read(b"H")


def test_fault_of_the_source_goes_through() -> None:
    def receive() -> Any:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        read_response(receive, max_body_bytes=CAP)


def test_headers_of_one_name_are_joined() -> None:
    found = read(OK + b"Via: a\r\nVIA:  b \r\nContent-Length: 0\r\n\r\n")
    assert {"via": "a, b", "content-length": "0"} == found.headers
