"""One chain as the attendant works on it, through accounts of its own."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from agent.errors import SetupFailed
from agent.lab.accounts import ATTENDANT
from agent.lab.places import FEED_DECIMALS, PLACES, LabToken, Place
from agent.lab.puppet import Puppet, tx
from agent.wire.rpc import Rpc


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

    def head(self) -> Head:
        """The newest block."""
        block = self.puppet.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - RPC's
        return read_head(block)

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


def read_head(block: Any) -> Head:
    """The head in a block as nodes write it; raises SetupFailed."""
    if not isinstance(block, dict):
        raise SetupFailed("the local chain has no block", fix="start the local chain again")
    return Head(int(str(block["number"]), 16), int(str(block["timestamp"]), 16))
