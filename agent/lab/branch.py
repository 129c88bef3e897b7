"""One chain as the attendant works on it, through accounts of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from agent.errors import SetupFailed
from agent.lab.accounts import ATTENDANT
from agent.lab.places import FEED_DECIMALS, PLACES, LabToken, Place
from agent.lab.puppet import Puppet, tx
from agent.wire.rpc import Rpc

_NEWEST: Final = ("eth_getBlockByNumber", "latest", False)


class Head(NamedTuple):
    """The newest block's number and time (unix seconds)."""

    number: int
    time: int


@dataclass(slots=True, kw_only=True)
class Branch:
    """A running chain, its publisher, and the account that attends to it.

    All methods raise SetupFailed when the node does not do what it is told. ``halted`` is true
    while nobody may wait for a block of it.
    """

    place: Place
    publisher: str
    puppet: Puppet
    halted: bool = field(default=False)
    _told: tuple[str, dict[tuple[str, str], str]] = field(default=("", {}), init=False)

    def head(self) -> Head:
        """The newest block."""
        return read_head(self.puppet.rpc(*_NEWEST))

    def told(self, calls: Sequence[tuple[str, str]]) -> list[str]:
        """What contracts answer to (address, calldata) as of the newest block.

        A quoter walks its pools for each answer, so those of the newest block are kept.
        """
        block = _hash(self.puppet.rpc(*_NEWEST))
        at, known = self._told
        if at != block:
            at, known = self._told = (block, {})
        fresh = [call for call in dict.fromkeys(calls) if call not in known]
        asked = [("eth_call", [{"to": to, "data": data}, "latest"]) for to, data in fresh]
        *found, now = self.puppet.batch([*asked, (_NEWEST[0], _NEWEST[1:])])
        answers = known | dict(zip(fresh, map(str, found), strict=True))
        if _hash(now) == block:
            known.update(answers)
        return [answers[call] for call in calls]

    def mine(self) -> None:
        """Mine a block, and let the next one cost what gas is meant to cost here."""
        self.puppet.rpc("evm_mine")
        self.steady()

    def steady(self) -> None:
        """Let the next block have the place's base fee: empty blocks would let it decay."""
        self.puppet.rpc("anvil_setNextBlockBaseFeePerGas", hex(self.place.base_fee))

    def publish(self) -> None:
        """Repeat the latest answer of every feed as of now."""
        self.puppet.send(tx(self.publisher, "refresh(uint256)", 0))

    def price(self, asset: str) -> Decimal:
        """USD for one whole token, as the feed says."""
        feed = self.place.feeds[asset].address
        (answer,) = self.puppet.read(feed, "latestAnswer()", "(int256)")
        return Decimal(answer).scaleb(-FEED_DECIMALS)

    def held(self, token: LabToken) -> int:
        """Base units of a token that the attendant has left."""
        (raw,) = self.puppet.read(
            token.address, "balanceOf(address)", "(uint256)", self.puppet.account
        )
        return int(raw)


def make_branch(chain_id: int, rpc: Rpc, publisher: str) -> Branch:
    """The chain behind *rpc*; raises SetupFailed when it does not answer."""
    place = PLACES[chain_id]
    puppet = Puppet(rpc, ATTENDANT, tip=place.tip)
    return Branch(place=place, publisher=publisher, puppet=puppet)


def _hash(block: Any) -> str:
    return str(block["hash"])


def read_head(block: Any) -> Head:
    """The head in a block as nodes write it; raises SetupFailed."""
    if not isinstance(block, dict):
        raise SetupFailed("the local chain has no block", fix="start the local chain again")
    return Head(int(str(block["number"]), 16), int(str(block["timestamp"]), 16))
