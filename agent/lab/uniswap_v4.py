"""Uniswap v4 on a running local chain: contracts at their mainnet addresses, pools without hooks.

Addresses: npm @uniswap/sdk-core 7.19.4 (v4PoolManagerAddress, v4StateView, v4QuoterAddress) and
@uniswap/universal-router-sdk 5.13.0 (version 2.0); Permit2's is the same on every chain.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab.contracts import Artifact
from agent.lab.packages import artifacts
from agent.lab.pins import uniswap_v4_pins
from agent.lab.places import Place
from agent.lab.puppet import Puppet, tx
from agent.wire.abi import encode
from agent.wire.keccak import keccak256

NATIVE: Final = "0x" + "00" * 20
"""The gas coin as a currency of a pool; it comes before every token."""

PERMIT2: Final = "0x000000000022d473030f116ddee9f6b43ac78ba3"

PERMIT2_BYTES: Final = 9152
PERMIT2_START: Final = "6040608081526004"
"""How the code of Permit2 begins inside the contract that deploys it."""

PERMIT2_HASH: Final = "0xa1ad0529565c25202190d4ae7f75d4ca08dc432cc760544ee7d0313b68e82ecd"

MAX_UINT: Final = 2**256 - 1

LENT_WEI: Final = 10**24
"""Sent along with liquidity that holds the gas coin; what is too much comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class V4Places:
    """Where Uniswap v4 is on a chain."""

    pool_manager: str
    state_view: str
    quoter: str
    universal_router: str


UNISWAP_V4: Final = MappingProxyType(
    {
        1: V4Places(
            pool_manager="0x000000000004444c5dc75cb358380d2e3de08a90",
            state_view="0x7ffe42c4a5deea5b0fec41c94c136cf115597227",
            quoter="0x52f0e24d1c21c8a0cb1e5a5dd6198556bd9e1203",
            universal_router="0x66a9893cc07d91d95644aedd05d03f95e1dba8af",
        ),
        8453: V4Places(
            pool_manager="0x498581ff718922c3f8e6a244956af099b2652b2b",
            state_view="0xa3c0c9b65bad0b08107aa264b0f3db444b867a71",
            quoter="0x0d5e0f971ed27fbff6c2837bf31316121532048d",
            universal_router="0x6ff5693b99212da76ad316178a184ab56d299b43",
        ),
        42161: V4Places(
            pool_manager="0x360e68faccca8ca495c1b759fd9eee466db9fb32",
            state_view="0x76fd297e2d437cd7f76d50f01afe6160f86e9990",
            quoter="0x3972c00f7ed4885e145823eb7c655375d275a1c5",
            universal_router="0xa51afafe0263b40edaef0df8781ea9aa03e381a3",
        ),
    }
)
"""By chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolKey:
    """What a pool is known by; `fee` is in millionths."""

    currency0: str
    currency1: str
    fee: int
    tick_spacing: int

    @property
    def fields(self) -> tuple[str, str, int, int, str]:
        """As the contracts take it; the last is the address of its hooks."""
        return self.currency0, self.currency1, self.fee, self.tick_spacing, NATIVE

    @property
    def id(self) -> str:
        """The pool's id."""
        kinds = ("address", "address", "uint24", "int24", "address")
        return "0x" + keccak256(encode(kinds, self.fields)).hex()


@dataclass(frozen=True, slots=True)
class UniswapV4:
    """Uniswap v4 on a running chain; methods raise SetupFailed when the chain refuses."""

    places: V4Places
    _treasury: Puppet
    _lender: str

    def open_pool(
        self, key: PoolKey, sqrt_price_x96: int, positions: Iterable[tuple[int, int, int]]
    ) -> None:
        """Make the pool with liquidity in *positions*: from tick, to tick, how much."""
        create = tx(
            self.places.pool_manager,
            "initialize((address,address,uint24,int24,address),uint160)",
            *(key.fields, sqrt_price_x96),
        )
        tokens = [each for each in (key.currency0, key.currency1) if each != NATIVE]
        allowed = [
            tx(token, "approve(address,uint256)", self._lender, MAX_UINT) for token in tokens
        ]
        added = [
            tx(
                self._lender,
                "modifyLiquidity((address,address,uint24,int24,address),"
                "(int24,int24,int256,bytes32),bytes)",
                *(key.fields, (lower, upper, liquidity, bytes(32)), b""),
                value=LENT_WEI if key.currency0 == NATIVE else 0,
            )
            for lower, upper, liquidity in positions
        ]
        self._treasury.send(create, *allowed, *added)

    def set_protocol_fee(self, key: PoolKey, *, zero_for_one: int, one_for_zero: int) -> None:
        """Let the protocol take these millionths of what comes in, by direction."""
        manager = self.places.pool_manager
        self._treasury.send(
            tx(manager, "setProtocolFeeController(address)", self._treasury.account),
            tx(
                manager,
                "setProtocolFee((address,address,uint24,int24,address),uint24)",
                *(key.fields, one_for_zero << 12 | zero_for_one),
            ),
        )


def put_uniswap_v4(treasury: Puppet, place: Place, cache: Path) -> UniswapV4:
    """Put Uniswap v4, its router and Permit2 on the chain; raises SetupFailed."""
    there, third, new = UNISWAP_V4[place.chain_id], artifacts(cache), _contracts(cache)
    treasury.rpc("anvil_setCode", PERMIT2, _permit2(new["DeployPermit2"]))
    treasury.deploy_at(there.pool_manager, new["PoolManager"], treasury.account)
    treasury.deploy_at(there.state_view, new["StateView"], there.pool_manager)
    treasury.deploy_at(there.quoter, new["V4Quoter"], there.pool_manager)
    treasury.deploy_at(
        there.universal_router, new["UniversalRouter"], _router_parameters(place, there, third)
    )
    lender = treasury.deploy(new["PoolModifyLiquidityTest"], there.pool_manager)
    return UniswapV4(there, treasury, lender)


def _contracts(cache: Path) -> Mapping[str, Artifact]:
    return artifacts(cache, uniswap_v4_pins())


def _permit2(deployer: Artifact) -> str:
    start = deployer.bytecode.find(PERMIT2_START)
    code = deployer.bytecode[start : start + 2 * PERMIT2_BYTES]
    found = "0x" + keccak256(bytes.fromhex(code)).hex()
    if found != PERMIT2_HASH:
        raise SetupFailed(
            f"the code of Permit2 is not that of mainnet (its hash is {found})",
            fix="report it: the package has the right hash, so where it is looked for is wrong",
        )
    return "0x" + code


def _router_parameters(
    place: Place, there: V4Places, third: Mapping[str, Artifact]
) -> tuple[Any, ...]:
    """What the router is constructed with; it is not to touch positions of v4."""
    was = place.exchanges
    pair, pool = (
        keccak256(bytes.fromhex(third[name].bytecode))
        for name in ("UniswapV2Pair", "UniswapV3Pool")
    )
    factories = (was.v2_factory, was.v3_factory, pair, pool, there.pool_manager)
    return (PERMIT2, place.weth, *factories, was.v3_positions, NATIVE, place.spoke_pool)
