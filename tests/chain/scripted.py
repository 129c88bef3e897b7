"""An endpoint on paper: answers by method, counts batches, remembers what it was asked."""

from collections.abc import Callable, Sequence
from typing import Any

from agent.wire.rpc import JSON, RpcError

Answer = JSON | RpcError | Callable[[Sequence[Any]], JSON | RpcError]


class Scripted:
    """Answers each method with a value, or with what a function makes of the parameters.

    A list of answers is used up one batch after the other, its last one again and again.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.batches: list[list[tuple[str, list[Any]]]] = []

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON | RpcError]:
        self.batches.append([(method, list(params)) for method, params in calls])
        return [self._answer(method, params) for method, params in calls]

    def ask(self, method: str, params: Sequence[Any]) -> JSON:
        (answer,) = self.batch([(method, params)])
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        found = self.answers[method]
        return found(params) if callable(found) else found


def header(number: int, *, salt: int = 0, **changes: Any) -> dict[str, Any]:
    """A block header whose hash follows from number and salt; its parent has salt 0."""
    return {
        "number": hex(number),
        "hash": block_hash(number, salt),
        "parentHash": block_hash(number - 1),
        "timestamp": hex(1_700_000_000 + 12 * number),
        "baseFeePerGas": "0x7",
        **changes,
    }


def block_hash(number: int, salt: int = 0) -> str:
    return f"0x{salt + 1:032x}{number:032x}"
