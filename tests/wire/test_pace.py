"""A provider's own limit of questions, kept without being told off."""

from __future__ import annotations

from typing import Any

import pytest

from agent.errors import BadReply, ProviderSilent, RateLimited, Rejected, Unreachable
from agent.wire.pace import PATIENCE_SECONDS, Bucket, ProviderHttp, bucket_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def bucket(calls: int, seconds: float) -> tuple[Bucket, Clock]:
    clock = Clock()
    return Bucket(calls=calls, seconds=seconds, clock=clock), clock


def test_as_many_turns_as_allowed_come_at_once() -> None:
    turns, _ = bucket(3, 1)
    assert [0.0, 0.0, 0.0] == [turns.take(9) for _ in range(3)]


def test_next_turn_comes_when_the_provider_allows_it() -> None:
    turns, clock = bucket(2, 1)
    assert [0.0, 0.0, 0.5, 1.0] == [turns.take(9) for _ in range(4)]
    clock.now += 10
    assert [0.0, 0.0, 0.5] == [turns.take(9) for _ in range(3)]


def test_turn_that_is_too_far_away_is_not_taken() -> None:
    turns, clock = bucket(1, 10)
    assert 0.0 == turns.take(1)
    with pytest.raises(RateLimited) as caught:
        turns.take(1)
    assert 10.0 == caught.value.seconds
    clock.now += 10
    assert 0.0 == turns.take(1)


def test_provider_that_asks_for_a_pause_is_left_alone() -> None:
    turns, clock = bucket(5, 1)
    turns.close(30)
    with pytest.raises(RateLimited, match="30 s"):
        turns.take(PATIENCE_SECONDS)
    clock.now += 30
    assert 0.0 == turns.take(PATIENCE_SECONDS)


def test_all_adapters_of_a_provider_share_its_bucket() -> None:
    assert bucket_of("shared", calls=1, seconds=1) is bucket_of("shared", calls=9, seconds=9)
    assert bucket_of("shared", calls=1, seconds=1) is not bucket_of("other", calls=1, seconds=1)


class Server:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), []

    def get(self, url: str, query: Any, *, headers: Any = None) -> Any:
        self.asked.append(("GET", url, query, headers))
        return self._next()

    def post(self, url: str, body: Any, *, headers: Any = None) -> Any:
        self.asked.append(("POST", url, body, headers))
        return self._next()

    def _next(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_questions_go_through_in_their_turn() -> None:
    turns, _ = bucket(1, 2)
    server, slept = Server("a", "b"), []
    http = ProviderHttp(server, turns, slept.append)
    assert "a" == http.get("u", {"q": "1"}, headers={"K": "v"})
    assert "b" == http.post("u", {"q": 2}, headers={"K": "v"})
    assert [2.0] == slept
    assert [("GET", "u", {"q": "1"}, {"K": "v"}), ("POST", "u", {"q": 2}, {"K": "v"})] == (
        server.asked
    )


def test_refusal_to_answer_so_often_ends_all_questions_for_its_time() -> None:
    turns, clock = bucket(5, 1)
    server = Server(RateLimited("slow down", fix="wait", seconds=20), "later")
    http = ProviderHttp(server, turns, lambda _: None)
    for _ in range(2):
        with pytest.raises(ProviderSilent) as caught:
            http.get("u", {})
        assert "N103" == caught.value.code
    assert 1 == len(server.asked)
    clock.now += 20
    assert "later" == http.get("u", {})


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Unreachable("away", fix="wait"), "N101"),
        (BadReply("nonsense", fix="wait"), "N104"),
        (RateLimited("slow down", fix="wait"), "N103"),
    ],
)
def test_faults_of_a_provider_are_its_silence(fault: Exception, code: str) -> None:
    http = ProviderHttp(Server(fault), None)
    with pytest.raises(ProviderSilent) as caught:
        http.get("u", {})
    assert (code, fault.message, "wait") == (
        caught.value.code,
        caught.value.message,
        caught.value.fix,
    )


def test_no_of_a_provider_stays_a_no() -> None:
    http = ProviderHttp(Server(Rejected("no", fix="see", status=404, reply={"code": 7})), None)
    with pytest.raises(Rejected) as caught:
        http.post("u", {})
    assert (404, {"code": 7}) == (caught.value.status, caught.value.reply)
