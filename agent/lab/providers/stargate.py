"""Stargate v2 on local chains: its real pools over LayerZero's real endpoint, and who delivers.

Between the chains stands LayerZero's own simple message library, which believes one account. That
account, the attendant, verifies messages and executes them, as others do on mainnet.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from agent.errors import SetupFailed
from agent.lab.accounts import ATTENDANT
from agent.lab.branch import Branch, Head, read_head
from agent.lab.contracts import Artifact
from agent.lab.places import LabToken, Place
from agent.lab.providers._stargate_packets import PACKET_SENT, Packet, read_packet
from agent.lab.providers._stargate_places import (
    ASSET_IDS,
    ENDPOINT,
    SHARED_DECIMALS,
    STARGATE_PLACES,
    LabStargatePool,
    StargatePlace,
)
from agent.lab.puppet import Puppet, Tx, tx

Mode = Literal["prompt", "late", "verified", "never"]
"""``verified`` leaves the execution to whoever wants it; with ``never`` nothing is verified."""

PROMPT_SECONDS: Final = 2
LATE_SECONDS: Final = 60
"""From a transfer to its verification, by the time of the chain that it left."""

DEPTH: Final = Decimal(30_000_000)
"""USD that a provider of liquidity deposits in each pool."""

CREDIT: Final = Decimal(12_000_000)
"""USD of a pool that each other chain may pay out of it: two fifths, so that all of it is there."""

MESSAGE_FEE: Final = 10**14
"""Wei for each message, 0.30 USD at first: as much as a cheap path costs on mainnet."""

FEE_MILLIONTHS: Final = 600
"""Six basis points at every size, no reward."""

GAS_LIMITS: Final = (200_000, 100_000)
"""Gas of a delivery, and of a drop of coins with it; the simple library charges for none."""

QUEUE: Final = 512
"""Seats of the bus that nobody rides here; as on mainnet."""

_NOBODY: Final = "0x" + "00" * 20

_ADDRESSES: Final = "setAddressConfig((address,address,address,address,address,address))"
_RECEIVE: Final = "receiveCredits(uint32,(uint32,uint64)[])"
_SEND: Final = "sendCredits(uint32,(uint32,uint64,uint64)[])"
_FEES: Final = "setFeeConfig(uint32,uint64,uint64,uint24,uint24,uint24,uint24)"


def put(
    treasury: Puppet,
    place: Place,
    third: Mapping[str, Artifact],
    own: Mapping[str, Artifact],
) -> None:
    """Put endpoint, messaging and pools where they are, wired and filled; raises SetupFailed."""
    me, here = treasury.account, STARGATE_PLACES[place.chain_id]
    others = [each for each in STARGATE_PLACES.values() if each != here]
    treasury.deploy_at(ENDPOINT, third["EndpointV2"], here.eid, me)
    library = treasury.deploy(third["SimpleMessageLib"], ENDPOINT, me)
    treasury.deploy_at(here.messaging, third["TokenMessaging"], ENDPOINT, me, QUEUE)
    treasury.send(
        tx(ENDPOINT, "registerLibrary(address)", library),
        tx(library, "setWhitelistCaller(address)", ATTENDANT),
        tx(library, "setMessagingFee(uint256,uint256)", MESSAGE_FEE, 0),
        tx(here.messaging, "setMaxAssetId(uint16)", max(ASSET_IDS.values())),
        *(each for other in others for each in _path(here, other, library)),
    )
    for asset, pool in here.pools.items():
        token = place.tokens["WETH" if asset == "ETH" else asset]
        _put_pool(treasury, third, asset, pool, token)
        _fill_pool(treasury, asset, pool, token)
        treasury.send(
            *_lend(here, [other for other in others if asset in other.pools], asset, token),
            *(_fee(pool, other.eid, FEE_MILLIONTHS, 0) for other in others),
            tx(pool.address, _ADDRESSES, _roles(here, pool, ATTENDANT)),
            tx(pool.fee_library, "transferOwnership(address)", ATTENDANT),
        )


def _path(here: StargatePlace, other: StargatePlace, library: str) -> tuple[Tx, ...]:
    """How messages go to another chain, and come from there."""
    peer = bytes.fromhex(other.messaging[2:]).rjust(32, b"\0")
    return (
        tx(ENDPOINT, "setDefaultSendLibrary(uint32,address)", other.eid, library),
        tx(ENDPOINT, "setDefaultReceiveLibrary(uint32,address,uint256)", other.eid, library, 0),
        tx(here.messaging, "setPeer(uint32,bytes32)", other.eid, peer),
        tx(here.messaging, "setGasLimit(uint32,uint128,uint128)", other.eid, *GAS_LIMITS),
    )


def _put_pool(
    treasury: Puppet,
    third: Mapping[str, Artifact],
    asset: str,
    pool: LabStargatePool,
    token: LabToken,
) -> None:
    kind = {"ETH": "StargatePoolNative", "USDC": "StargatePoolUSDC"}.get(asset, "StargatePool")
    named = (f"{asset}-LP", f"S*{asset}", *(() if asset == "ETH" else (token.address,)))
    numbers = (token.decimals, SHARED_DECIMALS, ENDPOINT, treasury.account)
    treasury.deploy_at(pool.address, third[kind], *named, *numbers)
    treasury.deploy_at(pool.fee_library, third["FeeLibV1"], pool.address)


def _fill_pool(treasury: Puppet, asset: str, pool: LabStargatePool, token: LabToken) -> None:
    """Let the treasury be the pool's provider of liquidity, and the one who moves its credit."""
    me, here = treasury.account, _place_of(pool)
    raw = token.raw(DEPTH)
    approve = tx(token.address, "approve(address,uint256)", pool.address, raw)
    treasury.send(
        tx(here.messaging, "setAssetId(address,uint16)", pool.address, ASSET_IDS[asset]),
        tx(pool.address, _ADDRESSES, _roles(here, pool, me)),
        *(() if asset == "ETH" else (approve,)),
        tx(
            pool.address,
            "deposit(address,uint256)",
            *(me, raw),
            value=raw if asset == "ETH" else 0,
        ),
    )


def _lend(
    here: StargatePlace, others: Iterable[StargatePlace], asset: str, token: LabToken
) -> list[Tx]:
    """Give each other chain a part of the pool to pay out, and have as much of each of theirs."""
    shared = token.raw(CREDIT) // 10 ** (token.decimals - SHARED_DECIMALS)
    pool = here.pools[asset].address
    return [
        each
        for other in others
        for each in (
            tx(pool, _SEND, other.eid, [(here.eid, shared, 0)]),
            tx(pool, _RECEIVE, other.eid, [(other.eid, shared)]),
        )
    ]


def _fee(pool: LabStargatePool, eid: int, millionths: int, reward: int) -> Tx:
    """The same fee at all sizes, in millionths, and what is given for filling the pool up."""
    return tx(pool.fee_library, _FEES, eid, 0, 0, *(millionths,) * 3, reward)


def _roles(here: StargatePlace, pool: LabStargatePool, who: str) -> tuple[str, ...]:
    """The struct AddressConfig with one account as planner, treasurer and mover of credit."""
    return (pool.fee_library, who, who, here.messaging, who, _NOBODY)


def _place_of(pool: LabStargatePool) -> StargatePlace:
    (found,) = [each for each in STARGATE_PLACES.values() if pool in each.pools.values()]
    return found


class Desk:
    """Delivers messages between *branches*; keeps nothing in mind between two turns."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self.mode: str = "prompt"
        self._branches = branches
        self._chains = {STARGATE_PLACES[chain].eid: chain for chain in branches}
        self._orders: Mapping[str, Callable[..., None]] = {
            "mode": self._set_mode,
            "credit": self._take_credit,
            "fee": self._set_fee,
            "pause": lambda chain, asset: self._pause(chain, asset, paused=True),
            "go_on": lambda chain, asset: self._pause(chain, asset, paused=False),
        }

    def answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
    ) -> tuple[int, Any]:
        """Nothing: Stargate has no server that anybody must ask."""
        return 404, {"message": f"there is no {path}"}

    def order(self, name: str, *arguments: Any) -> None:
        """``mode MODE``, ``credit CHAIN ASSET FAR LEFT``, ``fee CHAIN ASSET FAR MILLIONTHS
        REWARD``, ``pause CHAIN ASSET`` or ``go_on CHAIN ASSET``; LEFT is in shared decimals.
        """
        self._orders[name](*arguments)

    def turn(self) -> None:
        """Verify and execute all messages that are due, and wait until it is mined."""
        if self.mode == "never":
            return
        seen = {chain: _look(branch) for chain, branch in self._branches.items()}
        for head, packets in seen.values():
            delay = LATE_SECONDS if self.mode == "late" else PROMPT_SECONDS
            for packet in packets:
                if packet.destination in self._chains and head.time >= packet.sent_at + delay:
                    self._deliver(self._branches[self._chains[packet.destination]], packet)

    def _deliver(self, branch: Branch, packet: Packet) -> None:
        if branch.halted:
            return
        waiting, done = branch.puppet.batch(
            [
                ("eth_call", [{"to": ENDPOINT, "data": asked}, "latest"])
                for asked in (packet.waiting_call(), packet.done_call())
            ]
        )
        if not int(str(waiting), 16):
            if packet.nonce <= int(str(done), 16):
                return
            (library,) = branch.puppet.read(
                ENDPOINT, "defaultReceiveLibrary(uint32)", "(address)", packet.source
            )
            branch.puppet.send(packet.verify(library))
        if self.mode != "verified" and _would_work(branch, packet.execute()):
            branch.puppet.send(packet.execute())

    def _set_mode(self, mode: str) -> None:
        if mode not in get_args(Mode):
            raise ValueError(mode)
        self.mode = mode

    def _take_credit(self, chain: int, asset: str, far: int, left: int) -> None:
        """Let a path pay out no more than what is *left*."""
        pool, eid = STARGATE_PLACES[chain].pools[asset], STARGATE_PLACES[far].eid
        all_of_it = 2**64 - 1
        self._branches[chain].puppet.send(
            tx(pool.address, _SEND, eid, [(eid, all_of_it, left)]),
        )

    def _set_fee(self, chain: int, asset: str, far: int, millionths: int, reward: int = 0) -> None:
        pool, eid = STARGATE_PLACES[chain].pools[asset], STARGATE_PLACES[far].eid
        self._branches[chain].puppet.send(_fee(pool, eid, millionths, reward))

    def _pause(self, chain: int, asset: str, *, paused: bool) -> None:
        pool = STARGATE_PLACES[chain].pools[asset].address
        self._branches[chain].puppet.send(tx(pool, "setPause(bool)", paused))


def _look(branch: Branch) -> tuple[Head, list[Packet]]:
    """The chain's head, and all messages that ever left it."""
    wanted = {"address": ENDPOINT, "topics": [PACKET_SENT], "fromBlock": "0x0"}
    block, logs = branch.puppet.batch(
        [("eth_getBlockByNumber", ["latest", False]), ("eth_getLogs", [wanted])]
    )
    found = logs if isinstance(logs, list) else []
    return read_head(block), [read_packet(log) for log in found if isinstance(log, dict)]


def _would_work(branch: Branch, execution: Tx) -> bool:
    call = {"from": branch.puppet.account, "to": execution.to, "data": execution.input}
    try:
        branch.puppet.rpc("eth_call", call, "latest")
    except SetupFailed:
        return False
    return True
