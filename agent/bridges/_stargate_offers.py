"""What Stargate's pools and its messaging say now: what comes out, the fee, whether it is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.bridges._stargate_chains import SEND, SHARED_DECIMALS, Route, StargateChain
from agent.core.money import NATIVE, Address, ChainId
from agent.errors import BadReply, Contradicted, NoRoute
from agent.ports import Node, Read
from agent.wire.abi import AbiError, Function, functions

POOL, MESSAGING = functions("stargate_pool"), functions("stargate_messaging")

SEND_CALL = POOL[SEND.signature]
_PARAMETERS = "(uint32,bytes32,uint256,uint256,bytes,bytes,bytes)"
_AMOUNTS = POOL[f"quoteOFT({_PARAMETERS})"]
_FEE = POOL[f"quoteSend({_PARAMETERS},bool)"]
_TOKEN, _SHARED = POOL["token()"], POOL["sharedDecimals()"]
_STATUS, _EID, _ENDPOINT = POOL["status()"], POOL["localEid()"], POOL["endpoint()"]
_ROLES = POOL["getAddressConfig()"]
_ASSET, _PEER = MESSAGING["assetIds(address)"], MESSAGING["peers(uint32)"]
_POOL_OF = MESSAGING["stargateImpls(uint16)"]

PAUSED = 3
"""Of a pool's `status`; 1 is open, 2 is in the middle of a call (StargateBase)."""

TAXI = b""
"""The mode of a message that leaves at once and alone; anything longer waits for a bus
(docs.stargate.finance, "How to swap": `oftCmd`)."""

NOBODY = Address("0x" + "00" * 20)
"""Also how a pool of the gas coin names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a pool says of one amount, in base units of what is sold.

    `asked` is what it was asked for, of which `sent` would be taken: what is beyond the decimals of
    messages, or beyond `most`, would not. `received` comes out.
    """

    asked: int
    most: int
    sent: int
    received: int


def parameters(
    found: Route, account: Address, raw: int, least: int
) -> tuple[int, bytes, int, int, bytes, bytes, bytes]:
    """The struct SendParam: *raw* to *account* for at least *least*, by taxi, and nothing else."""
    return (found.far.eid, word(account), raw, least, b"", b"", TAXI)


def word(address: Address) -> bytes:
    """An address as messages carry it: 32 bytes, the first twelve empty."""
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


class Offers:
    """Asks the chains themselves; every method raises Unavailable."""

    def __init__(self, nodes: Mapping[ChainId, Node]) -> None:
        self._nodes = nodes

    def ladder(self, found: Route, raws: Sequence[int]) -> tuple[list[Offer], int]:
        """What comes out of each of *raws*, and the message fee in the gas coin; one request.

        Raises NoRoute while the path is closed.
        """
        asked = [parameters(found, NOBODY, raw, 0) for raw in raws]
        calls = [(found.pool, _AMOUNTS, (each,)) for each in asked]
        *amounts, fee, status = self._ask(
            found.near.chain,
            [*calls, (found.pool, _FEE, (asked[-1], False)), (found.pool, _STATUS, ())],
        )
        if None in amounts or fee is None or status is None or status[0] == PAUSED:
            raise closed(found, "does not send this way now")
        ((wei, other),) = fee
        if other:
            raise _contradicted(found.near, found.pool, "wants a fee in another token")
        return [_offer(raw, told) for raw, told in zip(raws, amounts, strict=True)], wei

    def check(self, found: Route) -> None:
        """Both pools are what chains.toml says, messages go from one to the other, and it is open.

        Raises Contradicted, NoRoute and BadReply.
        """
        asset = self._check_side(found.near, found.pool, found.sell.address, found.far)
        there = self._check_side(found.far, found.far_pool, found.buy.address, found.near)
        if asset != there or not asset:
            why = f"calls the asset {there}, the near one {asset}"
            raise _contradicted(found.far, found.far_pool, why)
        ((pool,),) = self._ask(found.far.chain, [(found.far.messaging, _POOL_OF, (asset,))])
        if pool != found.far_pool:
            raise _contradicted(found.far, found.far_pool, f"is not what pays asset {asset} out")

    def _check_side(
        self, known: StargateChain, pool: Address, token: Address, other: StargateChain
    ) -> int:
        """The number of a pool's asset, if all that it says of itself is as it must be."""
        told = self._ask(
            known.chain,
            [
                (pool, _TOKEN, ()),
                (pool, _SHARED, ()),
                (pool, _EID, ()),
                (pool, _ENDPOINT, ()),
                (pool, _ROLES, ()),
                (pool, _STATUS, ()),
                (known.messaging, _PEER, (other.eid,)),
                (known.messaging, _ASSET, (pool,)),
            ],
        )
        (held,), (shared,), (eid,), (endpoint,), (roles,), (status,), (peer,), (asset,) = told
        _, _, _, messaging, _, _ = roles
        if held != (NOBODY if token == NATIVE else token):
            raise _contradicted(known, pool, f"holds {held}, not {token}")
        if (shared, eid) != (SHARED_DECIMALS, known.eid):
            raise _contradicted(known, pool, f"has {shared} shared decimals and the number {eid}")
        if (endpoint, messaging) != (known.endpoint, known.messaging):
            raise _contradicted(known, pool, f"sends by {messaging} over {endpoint}")
        if peer != word(other.messaging):
            raise _contradicted(known, known.messaging, f"has another peer for {other.chain}")
        if status == PAUSED:
            raise NoRoute(
                f"Stargate's pool {pool} on chain {known.chain} is paused",
                fix="use another bridge, or wait",
            )
        return int(asset)

    def _ask(
        self, chain: ChainId, asked: Sequence[tuple[Address, Function, tuple[Any, ...]]]
    ) -> list[Any]:
        """The values of each answer, None for a call that reverted; one request."""
        reads = [Read(to, function.encode(*values)) for to, function, values in asked]
        return [
            None if told is None else read(function.decode, told)
            for (_, function, _), told in zip(asked, self._nodes[chain].read(reads), strict=True)
        ]


def _offer(raw: int, told: Any) -> Offer:
    (_, most), _, (sent, received) = told
    return Offer(asked=raw, most=most, sent=sent, received=received)


def read(decode: Callable[[bytes], Any], told: bytes) -> Any:
    """What *decode* makes of an answer; raises BadReply when it is none."""
    try:
        return decode(told)
    except AbiError as fault:
        raise BadReply(
            f"what a contract of Stargate says cannot be read: {fault}",
            fix="check its address in chains.toml, and whether it is a newer one",
        ) from None


def closed(found: Route, why: str) -> NoRoute:
    """Stargate has this way, and does not go it now or at this size."""
    way = f"{found.sell.symbol} to {found.buy.symbol} on chain {found.far.chain}"
    return NoRoute(f"Stargate {why}: {way}", fix="use another bridge, or another amount")


def _contradicted(known: StargateChain, address: Address, why: str) -> Contradicted:
    return Contradicted(
        f"{address} of Stargate on chain {known.chain} {why}",
        fix="check its table in chains.toml",
    )
