"""The OP stack's bridge on local chains: which contracts, where they stand, how they are put there.

All are those of @eth-optimism/contracts-bedrock 0.17.3, each behind that package's `Proxy`, at the
addresses of Base: superchain-registry, superchain/configs/mainnet/base.toml, and the specs'
"Predeploys". On mainnet the two oldest stand behind proxies of another kind, which forward the
same. A dispute is never fought to its last step here, so the machine that would decide that step
is missing.
"""

from collections.abc import Mapping
from typing import Any, Final

from agent.lab.abi import call_bytes
from agent.lab.accounts import ATTENDANT
from agent.lab.contracts import Artifact
from agent.lab.places import BASE, Place
from agent.lab.puppet import Puppet, tx
from agent.wire.keccak import keccak256

PORTAL: Final = "0x49048044d57e1c92a77f79988d21fa8faf74e97e"
L1_BRIDGE: Final = "0x3154cf16ccdb4c6d922629664174b904d80f2c35"
L1_MESSENGER: Final = "0x866e82a600a1414e583f7f13623f1ac5d58b0afa"
GAME_FACTORY: Final = "0x43edb88c4b80fdd2adff2412a7bebf9df42cb40e"
ANCHORS: Final = "0xdb9091e48b1c42992a1213e6916184f9ebdbfedf"
BONDS: Final = "0xa2f2ac6f5af72e494a227d79db20473cf7a1ffe8"
SYSTEM_CONFIG: Final = "0x73a79fab69143498ed3712e519a88a918e1f4072"
SUPERCHAIN_CONFIG: Final = "0x95703e0982140d16f8eba6d158fccede42f04a4c"

L2_MESSENGER: Final = "0x4200000000000000000000000000000000000007"
L2_BRIDGE: Final = "0x4200000000000000000000000000000000000010"
MESSAGE_PASSER: Final = "0x4200000000000000000000000000000000000016"

GAME_TYPE: Final = 0
"""CANNON, the type that anybody may propose in."""

PROOF_MATURITY_SECONDS: Final = 8
AIR_GAP_SECONDS: Final = 4
CLOCK_SECONDS: Final = 6
"""From a proof to the payment, from a game's end to the payment, and for a challenge; on mainnet
they are 7 days, 3.5 days and 3.5 days."""

_CLOCK_EXTENSION_SECONDS: Final = 1
_GAME_DEPTH, _SPLIT_DEPTH = 73, 30
"""As on mainnet; no local game gets deeper than its second claim."""

_ADMIN: Final = "0x000000000000000000000000000000000000ad03"
"""May upgrade the proxies; nobody who uses them, because a proxy's admin cannot call through it."""

_HELD: Final = 10**24
"""Wei; what others have deposited before, which withdrawals are paid from."""

_NOBODY: Final = "0x" + "00" * 20
_RESOURCES: Final = (20_000_000, 10, 8, 1_000_000_000, 1_000_000, 2**128 - 1)
"""What deposits may burn (`ResourceConfig`): Constants.sol, DEFAULT_RESOURCE_CONFIG."""


def put_bridge(treasury: Puppet, place: Place, third: Mapping[str, Artifact]) -> None:
    """Put what *place* has of the bridge between Ethereum and Base; raises SetupFailed."""
    if place.kind == "ethereum":
        _put_ethereum(treasury, third)
    elif place.chain_id == BASE.chain_id:
        _put_rollup(treasury, third)


def _put_ethereum(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    put = _Proxies(treasury, third)
    unpaused = False
    put.at(SUPERCHAIN_CONFIG, "SuperchainConfig", "initialize(address,bool)", ATTENDANT, unpaused)
    put.at(
        SYSTEM_CONFIG,
        "SystemConfig",
        "initialize(address,uint32,uint32,bytes32,uint64,address,"
        "(uint32,uint8,uint8,uint32,uint32,uint128),address,"
        "(address,address,address,address,address,address,address))",
        *(ATTENDANT, 0, 0, bytes(32), _RESOURCES[0] * 2, _NOBODY, _RESOURCES, _NOBODY),
        (L1_MESSENGER, _NOBODY, L1_BRIDGE, GAME_FACTORY, PORTAL, _NOBODY, _NOBODY),
    )
    put.at(GAME_FACTORY, "DisputeGameFactory", "initialize(address)", treasury.account)
    put.at(
        PORTAL,
        "OptimismPortal2",
        "initialize(address,address,address,uint32)",
        *(GAME_FACTORY, SYSTEM_CONFIG, SUPERCHAIN_CONFIG, GAME_TYPE),
        made_with=(PROOF_MATURITY_SECONDS, AIR_GAP_SECONDS),
    )
    treasury.rpc("anvil_setBalance", PORTAL, hex(_HELD))
    start = "initialize(address,address,address)"
    put.at(L1_MESSENGER, "L1CrossDomainMessenger", start, SUPERCHAIN_CONFIG, PORTAL, SYSTEM_CONFIG)
    put.at(L1_BRIDGE, "L1StandardBridge", start, L1_MESSENGER, SUPERCHAIN_CONFIG, SYSTEM_CONFIG)
    put.at(
        ANCHORS,
        "AnchorStateRegistry",
        "initialize((uint32,(bytes32,uint256))[])",
        # A root that nothing stands for: every first proposal is above it.
        [(GAME_TYPE, (keccak256(b"rebalancer lab anchor"), 0))],
        made_with=(GAME_FACTORY,),
    )
    put.at(
        BONDS,
        "DelayedWETH",
        "initialize(address,address)",
        *(treasury.account, SUPERCHAIN_CONFIG),
        made_with=(0,),
    )
    game = treasury.deploy(
        third["FaultDisputeGame"],
        *(GAME_TYPE, keccak256(b"rebalancer lab prestate"), _GAME_DEPTH, _SPLIT_DEPTH),
        *(_CLOCK_EXTENSION_SECONDS, CLOCK_SECONDS, _NOBODY, BONDS, ANCHORS, BASE.chain_id),
    )
    treasury.send(tx(GAME_FACTORY, "setImplementation(uint32,address)", GAME_TYPE, game))


def _put_rollup(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    put = _Proxies(treasury, third)
    put.at(L2_MESSENGER, "L2CrossDomainMessenger", "initialize(address)", L1_MESSENGER)
    put.at(L2_BRIDGE, "L2StandardBridge", "initialize(address)", L1_BRIDGE)
    treasury.deploy_at(MESSAGE_PASSER, third["L2ToL1MessagePasser"])


class _Proxies:
    """Puts contracts behind proxies; raises SetupFailed."""

    def __init__(self, treasury: Puppet, third: Mapping[str, Artifact]) -> None:
        self._treasury = treasury
        self._third = third

    def at(
        self, address: str, name: str, start: str, *arguments: Any, made_with: tuple[Any, ...] = ()
    ) -> None:
        """Put the contract of that name there, started by the function *start*."""
        code = self._treasury.deploy(self._third[name], *made_with)
        begin = bytes.fromhex(call_bytes(start, *arguments)[2:])
        self._treasury.deploy_at(address, self._third["Proxy"], self._treasury.account)
        self._treasury.send(
            tx(address, "upgradeToAndCall(address,bytes)", code, begin),
            tx(address, "changeAdmin(address)", _ADMIN),
        )
