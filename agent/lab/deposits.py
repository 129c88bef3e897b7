"""Deposits on local SpokePools: found in the logs, with the calls that fill or refund them.

Source: across-protocol/contracts 5.0.27, V3SpokePoolInterface.sol and SpokePoolInterface.sol.
"""

from dataclasses import dataclass
from typing import Any, Final

from agent.lab.abi import answer, call_bytes
from agent.lab.puppet import Tx, tx
from agent.wire.abi import encode
from agent.wire.keccak import keccak256


def _topic(event: str) -> str:
    return "0x" + keccak256(event.encode()).hex()


DEPOSITED: Final = _topic(
    "FundsDeposited(bytes32,bytes32,uint256,uint256,uint256,uint256,uint32,uint32,uint32,"
    "bytes32,bytes32,bytes32,bytes)"
)
REFUNDED: Final = _topic(
    "ExecutedRelayerRefundRoot(uint256,uint256,uint256[],uint32,uint32,address,address[],bool,"
    "address)"
)

_RELAYED: Final = _topic("RelayedRootBundle(uint32,bytes32,bytes32)")

_RELAY_DATA: Final = (
    "(bytes32,bytes32,bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,uint32,uint32,bytes)"
)
_DEPOSITED_DATA: Final = (
    "(bytes32,bytes32,uint256,uint256,uint32,uint32,uint32,bytes32,bytes32,bytes)"
)
_REFUND_LEAF: Final = "(uint256,uint256,uint256[],uint32,address,address[])"

FILLED: Final = 2
"""Of a deposit's status on the far SpokePool, FillStatus.Filled."""

NOBODY: Final = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """One deposit as its event tells it; accounts and tokens as 32 bytes, times in unix seconds.

    ``made_at`` is its block's time.
    """

    origin: int
    destination: int
    number: int
    made_at: int
    depositor: bytes
    recipient: bytes
    input_token: bytes
    output_token: bytes
    input_amount: int
    output_amount: int
    fill_deadline: int
    exclusivity_deadline: int
    exclusive_relayer: bytes
    message: bytes

    @property
    def relay_data(self) -> tuple[Any, ...]:
        """The struct V3RelayData."""
        return (
            self.depositor,
            self.recipient,
            self.exclusive_relayer,
            self.input_token,
            self.output_token,
            self.input_amount,
            self.output_amount,
            self.origin,
            self.number,
            self.fill_deadline,
            self.exclusivity_deadline,
            self.message,
        )

    @property
    def relay_hash(self) -> bytes:
        """Under which the far SpokePool keeps its status."""
        return keccak256(encode([_RELAY_DATA, "uint256"], [self.relay_data, self.destination]))

    def fill(self, spoke_pool: str, relayer: str) -> Tx:
        """The relayer's call on the far chain; repaid on the first one, as most are."""
        return tx(
            spoke_pool,
            f"fillRelay({_RELAY_DATA},uint256,bytes32)",
            *(self.relay_data, self.origin, as_bytes32(relayer)),
        )

    @property
    def _leaf(self) -> tuple[Any, ...]:
        """A refund of this deposit; its number tells which, for the pool itself does not care."""
        return (
            *(0, self.origin, [self.input_amount], self.number),
            *(as_address(self.input_token), [as_address(self.depositor)]),
        )

    def announce_refund(self, spoke_pool: str) -> Tx:
        """The hub's first call on the near chain: a tree of one leaf, whose hash is the root."""
        root = keccak256(encode([_REFUND_LEAF], [self._leaf]))
        return tx(spoke_pool, "relayRootBundle(bytes32,bytes32)", root, bytes(32))

    def execute_refund(self, spoke_pool: str, announced: dict[str, Any]) -> Tx:
        """Its second call; *announced* is the receipt of the first."""
        (bundle,) = [
            int(log["topics"][1], 16) for log in announced["logs"] if log["topics"][0] == _RELAYED
        ]
        return tx(
            spoke_pool,
            f"executeRelayerRefundLeaf(uint32,{_REFUND_LEAF},bytes32[])",
            *(bundle, self._leaf, []),
        )


def read_deposit(origin: int, log: dict[str, Any]) -> Deposit:
    """The deposit in a log of `DEPOSITED`."""
    _, destination, number, depositor = log["topics"]
    (
        input_token,
        output_token,
        input_amount,
        output_amount,
        _,
        fill_deadline,
        exclusivity_deadline,
        recipient,
        exclusive_relayer,
        message,
    ) = answer(_DEPOSITED_DATA, log["data"])
    return Deposit(
        origin=origin,
        destination=int(destination, 16),
        number=int(number, 16),
        made_at=int(log["blockTimestamp"], 16),
        depositor=bytes.fromhex(depositor[2:]),
        recipient=recipient,
        input_token=input_token,
        output_token=output_token,
        input_amount=input_amount,
        output_amount=output_amount,
        fill_deadline=fill_deadline,
        exclusivity_deadline=exclusivity_deadline,
        exclusive_relayer=exclusive_relayer,
        message=message,
    )


def refunded_number(log: dict[str, Any]) -> int:
    """Which deposit a log of `REFUNDED` is about: the leaf's id."""
    return int(log["topics"][3], 16)


def status_call(deposit: Deposit) -> str:
    """Calldata that asks the far SpokePool for the deposit's status."""
    return call_bytes("fillStatuses(bytes32)", deposit.relay_hash)


def as_bytes32(address: str) -> bytes:
    """An address as Across' events carry it."""
    return bytes(12) + bytes.fromhex(address.removeprefix("0x"))


def as_address(word: bytes) -> str:
    """The address in 32 bytes, lower-case."""
    return "0x" + word[12:].hex()
