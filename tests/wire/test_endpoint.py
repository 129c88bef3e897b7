"""Endpoints: plain http for loopback only, and no part of a URL but its host is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.endpoint import is_loopback, parse_endpoint


@pytest.mark.parametrize(
    ("url", "name", "target"),
    [
        ("http://127.0.0.1:8545", "127.0.0.1:8545", "/"),
        ("http://127.9.9.9", "127.9.9.9:80", "/"),
        ("http://localhost/rpc", "localhost:80", "/rpc"),
        ("http://[::1]:8545/", "[::1]:8545", "/"),
        ("https://node.example/v2/key?a=b", "node.example:443", "/v2/key?a=b"),
        ("HTTPS://Node.Example:8443", "node.example:8443", "/"),
    ],
)
def test_endpoint_of_a_good_url_is_taken_apart(url: str, name: str, target: str) -> None:
    endpoint = parse_endpoint(url)
    assert (name, target) == (endpoint.name, endpoint.target)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (
            "http://node.example/secretsecret",
            "the RPC URL of node.example must use https: plain http is for loopback only",
        ),
        (
            "http://10.0.0.1/secretsecret",
            "the RPC URL of 10.0.0.1 must use https: plain http is for loopback only",
        ),
        (
            "http://127.0.0.1.evil.example/",
            "the RPC URL of 127.0.0.1.evil.example must use https: plain http is for loopback only",
        ),
        (
            "http://localhost@evil.example/",
            "the RPC URL of evil.example must use https: plain http is for loopback only",
        ),
        ("ws://node.example/secretsecret", "the RPC URL of node.example must start with https://"),
        ("node.example/secretsecret", "the RPC URL has no host"),
        ("https:///secretsecret", "the RPC URL has no host"),
        ("https://node.example:99999/secretsecret", "the RPC URL is malformed"),
        ("https://[::1/secretsecret", "the RPC URL is malformed"),
        (
            "https://node.example/secret secret",
            "the RPC URL has spaces, control or non-ASCII characters",
        ),
        (
            "https://node.example/secret\r\nX: secret",
            "the RPC URL has spaces, control or non-ASCII characters",
        ),
        ("", "the RPC URL has spaces, control or non-ASCII characters"),
    ],
)
def test_endpoint_of_a_bad_url_is_refused_without_showing_it(url: str, why: str) -> None:
    with pytest.raises(ValueError, match="RPC URL") as refused:
        parse_endpoint(url)
    assert why == str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@given(st.from_regex(r"[A-Za-z0-9_-]{20}", fullmatch=True))
def test_endpoint_shows_no_part_of_a_key(key: str) -> None:
    url = f"https://user:{key}@node.example/v2/{key}?apikey={key}"
    endpoint = parse_endpoint(url)
    assert "Endpoint(host='node.example', port=443)" == repr(endpoint)
    assert key not in endpoint.redact(f"bad key {key}, at {url}")


def test_endpoint_redacts_a_key_that_was_written_in_percent_form() -> None:
    endpoint = parse_endpoint("https://node.example/?key=abc%2Fdef%2Fghi")
    assert "no [redacted] [redacted]" == endpoint.redact("no abc/def/ghi abc%2Fdef%2Fghi")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_hosts_are_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["10.1.1.1", "10.0.0.1", "example.com", "localhost.example", "::", ""]
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
