"""Notices over plain HTTP: what is sent, and what is said when it does not arrive."""

import socket
import types
from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar

import pytest
from hook_server import SECRET, Hook, hook_server

from agent.core.notice import Notice
from agent.errors import NoticeUndelivered
from agent.wire.apprise_notices import AppriseNotifier
from agent.wire.webhook import DeadMan, Webhook, body, text

NOTICE = Notice(
    event="refused",
    portfolio="core",
    wallet="eip155:1:0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
    why="the price of ETH is 2 h old",
    at=1_800_000_000,
    run="01ab23cd",
    code="G201",
    next="rebalancer explain G201",
)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_server() as found:
        yield found


def test_a_notice_is_posted_as_json(hook: Hook) -> None:
    Webhook(hook.url, "HOOK").tell(NOTICE)
    assert [
        (
            "POST",
            f"/{SECRET}",
            {
                "schema": 1,
                "kind": "notice",
                "event": "refused",
                "portfolio": "core",
                "wallet": "eip155:1:0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
                "run": "01ab23cd",
                "code": "G201",
                "why": "the price of ETH is 2 h old",
                "next": "rebalancer explain G201",
                "at": "2027-01-15T08:00:00Z",
                "local": False,
                "text": "core: run 01ab23cd refused: [G201] the price of ETH is 2 h old; "
                "next: rebalancer explain G201",
            },
        )
    ] == hook.came


def test_what_is_not_there_is_null_and_not_in_the_sentence() -> None:
    bare = Notice(event="needs_human", portfolio="core", wallet="w", why="look", at=0, local=True)
    found = body(bare)
    assert (None, None, None, True) == tuple(found[k] for k in ("run", "code", "next", "local"))
    assert "LOCAL core: needs human: look" == text(bare)


def test_a_sign_of_life_is_one_get(hook: Hook) -> None:
    DeadMan(hook.url, "ALIVE").ping()
    assert [("GET", f"/{SECRET}", None)] == hook.came


@pytest.mark.parametrize("status", [301, 404, 500])
def test_an_answer_that_is_no_success_is_an_error_without_the_secret(
    hook: Hook, status: int
) -> None:
    hook.status = status
    for send in (lambda: Webhook(hook.url, "HOOK").tell(NOTICE), DeadMan(hook.url, "HOOK").ping):
        with pytest.raises(NoticeUndelivered) as met:
            send()
        assert f"HOOK: 127.0.0.1:{hook.port} answered with HTTP {status}" == met.value.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://elsewhere.example/{SECRET}", "must use https: plain http is for loopback only"),
        (f"ftp://127.0.0.1/{SECRET}", "must start with https://"),
        (f"nonsense {SECRET}", "spaces, control or non-ASCII"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_by_its_variable(url: str, says: str) -> None:
    with pytest.raises(NoticeUndelivered) as met:
        Webhook(url, "HOOK").tell(NOTICE)
    assert (True, True, False) == (
        met.value.message.startswith("HOOK: the URL"),
        says in met.value.message,
        SECRET in met.value.message,
    )
    assert SECRET not in repr(Webhook(url, "HOOK"))


def test_nobody_there_is_an_error_without_the_secret() -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NoticeUndelivered) as met:
        Webhook(f"http://127.0.0.1:{port}/{SECRET}", "HOOK").tell(NOTICE)
    assert f"HOOK: 127.0.0.1:{port}: connection refused" == met.value.message


def test_a_server_that_says_nothing_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.wire.webhook.TIMEOUT_SECONDS", 0.2)
    with closing(socket.socket()) as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        with pytest.raises(NoticeUndelivered) as met:
            Webhook(f"http://127.0.0.1:{port}/{SECRET}", "HOOK").tell(NOTICE)
    assert f"HOOK: 127.0.0.1:{port}: timed out" == met.value.message


def test_no_http_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Garbled:
        def __init__(self, *_: object) -> None: ...

        def exchange(self, *_: object, **__: object) -> None:
            raise OSError(SECRET)

        def close(self) -> None: ...

    monkeypatch.setattr("agent.wire.webhook.Connection", Garbled)
    with pytest.raises(NoticeUndelivered) as met:
        Webhook(f"https://user:{SECRET}@hook.example/", "HOOK").tell(NOTICE)
    assert "HOOK: hook.example:443: network fault (OSError)" == met.value.message


class Services:
    """Stands in for apprise: takes URLs, and tells or fails as its class is told."""

    told: ClassVar[list[dict[str, str]]] = []
    works: object = True

    def __init__(self) -> None:
        self.urls: list[str] = []

    def add(self, url: str) -> bool:
        self.urls.append(url)
        return "://" in url

    def notify(self, **words: str) -> object:
        if isinstance(self.works, Exception):
            raise self.works
        type(self).told.append({**words, "urls": " ".join(self.urls)})
        return self.works


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    monkeypatch.setattr(Services, "told", [])
    monkeypatch.setattr(Services, "works", True)
    return types.SimpleNamespace(Apprise=Services)


def test_apprise_is_told_with_its_own_word_for_how_bad_it_is(
    library: types.SimpleNamespace,
) -> None:
    AppriseNotifier(("mailto://a", "tgram://b"), "HOOKS", library).tell(NOTICE)
    assert [
        {
            "body": text(NOTICE),
            "title": "rebalancer core: refused",
            "notify_type": "warning",
            "urls": "mailto://a tgram://b",
        }
    ] == Services.told


@pytest.mark.parametrize(
    ("url", "works", "says"),
    [
        ("json://x", False, "HOOKS: a service did not take it"),
        (SECRET, True, "HOOKS: holds something that is no apprise URL"),
        ("json://x", RuntimeError(SECRET), "HOOKS: apprise failed (RuntimeError)"),
    ],
)
def test_apprise_that_fails_is_an_error_without_the_secret(
    library: types.SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    works: object,
    says: str,
) -> None:
    monkeypatch.setattr(Services, "works", works)
    with pytest.raises(NoticeUndelivered) as met:
        AppriseNotifier((url,), "HOOKS", library).tell(NOTICE)
    assert says == met.value.message


def test_apprise_itself_delivers_and_keeps_the_secret(
    hook: Hook, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    import apprise as library

    url = f"json://127.0.0.1:{hook.port}/{SECRET}"
    notifier = AppriseNotifier((url,), "HOOKS", library)
    notifier.tell(NOTICE)
    (notice,) = hook.notices
    assert ("rebalancer core: refused", text(NOTICE), "warning") == tuple(
        notice[key] for key in ("title", "message", "type")
    )
    hook.status = 500
    with pytest.raises(NoticeUndelivered):
        notifier.tell(NOTICE)
    with pytest.raises(NoticeUndelivered):
        AppriseNotifier((f"{SECRET}://x",), "HOOKS", library).tell(NOTICE)
    out, err = capfd.readouterr()
    assert [] == [word for word in (out, err, caplog.text) if SECRET in word]
