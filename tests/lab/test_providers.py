"""The plug-ins of the local world: found by name, put on the chains, asked, told, and moved."""

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from lab.reading import read

from agent.errors import SetupFailed
from agent.lab import desk as desks
from agent.lab import providers, saved
from agent.lab.overlay import overlay_text
from agent.lab.worlds import Worlds, open_worlds

ECHO_AT = "0xec00000000000000000000000000000000000001"
ECHO = """
from agent.errors import SetupFailed
from agent.lab.reply import Reply

def put(treasury, place, third, own):
    treasury.deploy_at(
        "0xec00000000000000000000000000000000000001",
        own["plain_token"], place.name, "ECHO", 18, treasury.account)

class Desk:
    def __init__(self, branches):
        self.branches, self.turns, self.word = branches, 0, "hello"

    def answer(self, method, path, query, headers, body):
        if path == "/odd":
            return Reply(status=429, content=b"<html>", headers={"Retry-After": "7"})
        if path == "/short":
            return Reply(body={}, announced=99)
        if path == "/down":
            raise SetupFailed("the chain is down", fix="none")
        if path == "/broken":
            return 200, query["amount"]
        return 200, [self.word, method, path, query, headers.get("x-key"), body]

    def turn(self):
        self.turns += 1
        if self.word == "tired":
            raise SetupFailed("no turn today", fix="none")

    def order(self, name, *arguments):
        if name == "say":
            (self.word,) = arguments
        return [self.turns, sorted(self.branches)]
"""
MUTE = """
class Desk:
    def __init__(self, branches): pass
"""


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("providers")
    for name, text in {"echo": ECHO, "mute": MUTE, "_part": "raise ValueError", "idle": ""}.items():
        (folder / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "__path__", [str(folder)])
        yield
    for name in ("echo", "mute", "idle"):
        del sys.modules[f"agent.lab.providers.{name}"]
        delattr(providers, name)


@pytest.fixture(scope="module")
def opened(lab_cache: Path, plugged: None) -> Iterator[Worlds]:
    with open_worlds(lab_cache, chains=(1, 8453), block_seconds=None) as found:
        yield found


def ask(
    worlds: Worlds, path: str, method: str = "GET", body: bytes | None = None
) -> tuple[int, bytes, dict[str, str]]:
    request = Request(f"{worlds.desk_url}{path}", body, {"X-Key": "k"}, method=method)
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, response.read(), dict(response.headers)
    except HTTPError as refused:
        return refused.code, refused.read(), dict(refused.headers)


def test_plug_in_is_asked_by_its_path_with_all_that_was_sent(opened: Worlds) -> None:
    for method, body in [("GET", None), ("POST", b'{"a": 1.5}'), ("PUT", b"7"), ("DELETE", b"[]")]:
        status, text, headers = ask(opened, "/providers/echo/v1/quote?a=1&b=", method, body)
        asked: list[Any] = ["hello", method, "/v1/quote", {"a": "1", "b": ""}, "k"]
        assert (200, [*asked, json.loads(body or b"null")]) == (status, json.loads(text))
        assert "application/json" == headers["Content-Type"]
    assert ["/"] == json.loads(ask(opened, "/providers/echo")[1])[2:3]


def test_plug_in_may_answer_what_is_no_json(opened: Worlds) -> None:
    status, text, headers = ask(opened, "/providers/echo/odd")
    assert (429, b"<html>", "7") == (status, text, headers["Retry-After"])
    assert 99 == int(ask_short(opened).headers["Content-Length"])


def ask_short(worlds: Worlds) -> Any:
    return urlopen(f"{worlds.desk_url}/providers/echo/short", timeout=10)


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "said"),
    [
        ("/down", "GET", None, 502, b"the chain is down"),
        ("/broken", "GET", None, 500, b"KeyError: 'amount'"),
        ("/quote", "POST", b"{", 500, b"JSONDecodeError"),
    ],
)
def test_plug_in_that_fails_is_a_server_error(
    opened: Worlds, path: str, method: str, body: bytes | None, status: int, said: bytes
) -> None:
    found, text, _ = ask(opened, f"/providers/echo{path}", method, body)
    assert (status, True) == (found, said in text)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/providers/nobody/quote", "/providers/idle/x", "/providers/"])
def test_provider_that_has_no_desk_is_not_there(opened: Worlds, method: str, path: str) -> None:
    assert 404 == ask(opened, path, method, None if method == "GET" else b"{}")[0]


def test_body_that_is_too_large_is_refused(opened: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MAX_BODY_BYTES", 3)
    assert 200 == ask(opened, "/providers/echo/x", "POST", b"123")[0]
    assert 413 == ask(opened, "/providers/echo/x", "POST", b"1234")[0]
    assert 413 == ask(opened, "/providers/echo/x", "PUT", b"1234")[0]


def test_plug_in_obeys_and_has_its_turns(opened: Worlds) -> None:
    (turns, chains) = opened.tell("echo", "count")
    opened.turn()
    assert ([turns + 1, chains], [1, 8453]) == (opened.tell("echo", "count"), chains)
    opened.tell("echo", "say", "good evening")
    assert "good evening" == json.loads(ask(opened, "/providers/echo/")[1])[0]


def test_turn_that_fails_is_told_and_stops_nobody(opened: Worlds) -> None:
    opened.tell("echo", "say", "tired")
    opened.turn()
    assert "no turn today" == opened.state()["fault"]
    opened.tell("echo", "say", "hello")


@pytest.mark.parametrize("told", [("nobody", "x"), ("echo", "say"), ("mute", "say", "x")])
def test_order_that_no_plug_in_takes_is_an_error(opened: Worlds, told: tuple[str, ...]) -> None:
    with pytest.raises(SetupFailed, match="did not take the order provider"):
        opened.tell(*told)


def test_overlay_names_the_servers_of_the_plug_ins(opened: Worlds) -> None:
    named = tomllib.loads(overlay_text(opened, []))["providers"]
    expected = {name: {"api": f"{opened.desk_url}/providers/{name}"} for name in ("echo", "mute")}
    assert expected == named
    assert "providers" not in tomllib.loads(overlay_text(opened[1], []))


def test_plug_in_puts_its_contracts_and_their_code_is_known(opened: Worlds) -> None:
    for world in opened.values():
        assert (world.place.name,) == read(world, ECHO_AT, "name()", "(string)")
        assert ECHO_AT in world.code_hashes


def test_world_of_other_plug_ins_is_another_world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(providers, "__path__", [str(tmp_path)])
    before = saved._origin()
    (tmp_path / "echo.py").write_text("a")
    assert before != saved._origin()
