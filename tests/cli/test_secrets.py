"""No secret gets out: not by an error, not by -v, not into a file."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chain.relay import Error, Relay, relay
from cli.commands import Command
from cli_fixtures import PASSWORD, CliWallet, Ended
from error_cases import serve_from
from eth_account import Account

from agent import resources

URL_KEY = "secret-canary-key"
"""Stands in the path of each relay's URL."""

WORKING = (
    ("balances",),
    ("prices",),
    ("drift",),
    ("plan", "--explain", "-o", "plan.json"),
    ("plan", "show", "plan.json"),
    ("simulate", "plan.json"),
    ("config", "show", "--origin"),
    ("accounts", "list"),
    ("accounts", "show", "demo", "--unlock"),
    ("doctor",),
    ("run", "--no-rehearsal"),
    ("resume",),
    ("watch", "--once", "--no-rehearsal"),
    ("notify", "test"),
    ("status",),
    ("approvals", "list"),
    ("cancel", "nothing"),
    ("explain", "K102"),
)

Faults = dict[str, Callable[[Relay], None]]


def _says(found: object) -> Callable[[Relay], None]:
    def spoil(way: Relay) -> None:
        way.changes = dict.fromkeys(
            ("eth_chainId", "eth_call", "eth_getBlockByNumber"), lambda _params, _result: found
        )

    return spoil


def _status(code: int) -> Callable[[Relay], None]:
    def spoil(way: Relay) -> None:
        way.status = code

    return spoil


FAULTS: Faults = {
    "server error": _status(500),
    "not authorised": _status(401),
    "too many requests": _status(429),
    "echoes the key": _says(Error(-32_000, f"no credit left for /v3/{URL_KEY}")),
    "key as an answer": _says(URL_KEY),
}


@pytest.fixture
def way(wallet: CliWallet) -> Iterator[Relay]:
    """The wallet's node behind a URL with a key."""
    with relay(wallet.world.url) as found:
        assert found.url.endswith(URL_KEY)
        serve_from(wallet, found.url)
        yield found


@pytest.fixture
def secrets(wallet: CliWallet) -> tuple[str, ...]:
    """The password, the private key, and what of the URL nobody must see."""
    (file,) = (wallet.state / "keystore").glob("*.json")
    key = Account.decrypt(json.loads(file.read_text()), PASSWORD).hex()
    return (PASSWORD, key.removeprefix("0x"), URL_KEY)


def leaks(told: Ended, secrets: tuple[str, ...]) -> list[str]:
    printed = (told.stdout + told.stderr).lower()
    return [secret for secret in secrets if secret.lower() in printed]


def test_no_command_that_works_shows_or_stores_a_secret(
    command: Command, way: Relay, wallet: CliWallet, secrets: tuple[str, ...]
) -> None:
    for words in WORKING:
        # The chain has no timer, and on a chain of yesterday nothing would work.
        wallet.world.publish(max(int(time.time()), wallet.world.head()[1] + 1))
        for more in (("-v",), ("-v", "--json")):
            told = command(*words, *more)
            assert [] == leaks(told, secrets), f"{words} {more}"
            assert told.code in {0, 2}, f"{words}: {told.stderr}"
    assert way.requests
    assert [wallet.overlay] == files_with(secrets, wallet.home)


def files_with(secrets: tuple[str, ...], folder: Path) -> list[Path]:
    """Files that hold one of *secrets*; the overlay holds the URL that it was given."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        path
        for path in files
        if any(secret.encode() in path.read_bytes().lower() for secret in secrets)
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_of_a_node_shows_a_secret(
    command: Command, way: Relay, secrets: tuple[str, ...], fault: str
) -> None:
    FAULTS[fault](way)
    for words in (("balances",), ("prices",), ("plan",), ("run",), ("doctor",)):
        for more in (("-v",), ("-v", "--json")):
            told = command(*words, *more)
            assert [] == leaks(told, secrets), f"{words} {more}: {told.stdout}{told.stderr}"


RAW_KEY = "0x" + "5ec7e7" * 10 + "c0de"
URL = f"https://node.example/v3/{URL_KEY}"

MISTAKES = {
    "no list": f'"rpc" = "{URL}"',
    "unknown key": f'"rpcs" = ["{URL}"]',
    "key as a key": f'"rpc" = ["{URL}"]\n"{URL}" = 1',
    "key as a bare key": f'"rpc" = ["{URL}"]\n{RAW_KEY} = 1',
    "another scheme": f'"rpc" = ["{URL.replace("https", "ftp")}"]',
    "plain http": f'"rpc" = ["{URL.replace("https", "http")}"]',
    "odd variable": f'"rpc" = ["${URL}"]',
    "user in the URL": f'"rpc" = ["https://somebody:{URL_KEY}@node.example:port/"]',
    "no TOML": f'"rpc" = ["{URL}',
}


@pytest.mark.parametrize("file", ["overlay", "chains"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_no_error_of_a_file_shows_a_secret(
    command: Command, wallet: CliWallet, mistake: str, file: str
) -> None:
    """A URL with a key, put wrongly into the overlay or into chains.toml."""
    path = wallet.home / "chains.toml"
    path.write_text(resources.text("chains.toml"))
    path = wallet.overlay if file == "overlay" else path
    text, count = re.subn(
        r'^"?rpc"? = \[.*?\]$', lambda _: MISTAKES[mistake], path.read_text(), flags=re.M | re.S
    )
    assert count >= 1
    path.write_text(text)
    overlay = str(wallet.overlay) if file == "overlay" else None
    for more in (("-v",), ("-v", "--json")):
        told = command(
            "balances", "--chains", "chains.toml", *more, environ={"REBALANCER_OVERLAY": overlay}
        )
        assert 2 == told.code
        assert [] == leaks(told, (URL_KEY, RAW_KEY)), f"{told.stdout}{told.stderr}"


def test_fault_of_the_program_tells_its_kind_and_no_text(
    command: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"while using {PASSWORD}")

    monkeypatch.setattr("agent.keeper.begin.look", broken)
    told = command("plan", "--json")
    assert (1, "X100", False) == (
        told.code,
        told.document["code"],
        told.document["nothing_signed"],
    )
    assert [] == leaks(told, (PASSWORD,))


def test_wrong_password_is_not_repeated(wallet: CliWallet) -> None:
    told = wallet.command(
        "run", "-v", "--no-rehearsal", environ={"REBALANCER_PASSWORD": "almost-right-canary"}
    )
    assert (4, []) == (told.code, leaks(told, ("almost-right-canary", PASSWORD)))
