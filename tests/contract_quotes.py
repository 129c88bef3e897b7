"""Quotes of the contracts themselves, many at once."""

from collections.abc import Sequence

from agent.lab.world import World
from agent.ports import Read
from agent.wire.rpc import RpcError

QUESTIONS_AT_ONCE = 250
TIMEOUT_SECONDS = 120.0
CALL_GAS = hex(2**40)  # a walk through all words of a fine map takes tens of millions


def contract_quotes(world: World, calls: Sequence[Read], block: int) -> list[bytes | None]:
    """Answers at *block*, None for a revert; each has more gas than a whole multicall would get."""
    asked = [{"to": call.to, "data": call.data, "gas": CALL_GAS} for call in calls]
    answers: list[bytes | None] = []
    for start in range(0, len(asked), QUESTIONS_AT_ONCE):
        part = asked[start : start + QUESTIONS_AT_ONCE]
        replies = world.rpc.batch(
            [("eth_call", [one, hex(block)]) for one in part],
            timeout_seconds=TIMEOUT_SECONDS,
        )
        for reply in replies:
            reverted = isinstance(reply, RpcError)
            answers.append(None if reverted else bytes.fromhex(str(reply)[2:]))
    return answers
