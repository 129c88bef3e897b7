"""What rollups have beside Ethereum's rules: their fee contracts, and a feed of the sequencer.

Sources: Optimism specs, "Ecotone L1 attributes" and "Fjord" (L1Block's storage, the fee); scalars
as Base sets them since the Ecotone upgrade; addresses of Arbitrum's precompiles from
docs.arbitrum.io, "Precompiles reference".
"""

from collections.abc import Mapping
from typing import Final

from agent.lab.contracts import Artifact
from agent.lab.places import ETHEREUM, Place
from agent.lab.puppet import Puppet

L1_BLOCK: Final = "0x4200000000000000000000000000000000000015"
GAS_PRICE_ORACLE: Final = "0x420000000000000000000000000000000000000f"

ARB_SYS: Final = "0x0000000000000000000000000000000000000064"
ARB_GAS_INFO: Final = "0x000000000000000000000000000000000000006c"
NODE_INTERFACE: Final = "0x00000000000000000000000000000000000000c8"

BASE_FEE_SCALAR: Final = 2_269
BLOB_BASE_FEE_SCALAR: Final = 1_055_762
"""Millionths of Ethereum's base fee and blob base fee that a compressed byte pays on Base."""

BLOB_BASE_FEE: Final = 2_000_000_000
"""Wei; with it a swap on Base pays about a fifth of its fee for Ethereum's part."""

ARBITRUM_L1_PRICE: Final = 10_000_000
"""Wei for one gas of Ethereum, as ArbGasInfo says: it makes Ethereum's part about 2 % of a swap's
fee. It must be small because a local node cannot charge it at all."""

_ASKER: Final = "0x" + "00" * 20
"""From whom a call comes that names nobody."""

_UPGRADES: Final = 0x0101
"""isEcotone and isFjord of GasPriceOracle, the first two bytes of slot 0."""


def put_rollup(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put what *place* has of this; nothing on Ethereum. Raises SetupFailed."""
    if place.kind == "op_stack":
        _put_op_stack(treasury, third)
    elif place.kind == "arbitrum":
        _put_arbitrum(treasury, place, own)
    if place.sequencer is not None:
        treasury.deploy_at(place.sequencer, own["sequencer_feed"], treasury.account)


def rollup_addresses(place: Place) -> dict[str, str]:
    """By name, what `put_rollup` puts there."""
    found = {} if place.sequencer is None else {"sequencer": place.sequencer}
    if place.kind == "op_stack":
        return {**found, "l1_block": L1_BLOCK, "gas_price_oracle": GAS_PRICE_ORACLE}
    if place.kind == "arbitrum":
        return {
            **found,
            "arb_sys": ARB_SYS,
            "arb_gas_info": ARB_GAS_INFO,
            "node_interface": NODE_INTERFACE,
        }
    return found


def _put_op_stack(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    treasury.deploy_at(L1_BLOCK, third["L1Block"])
    treasury.deploy_at(GAS_PRICE_ORACLE, third["GasPriceOracle"])
    # Only the rollup itself may call what writes these, so the slots are written as they are.
    _write(treasury, GAS_PRICE_ORACLE, 0, _UPGRADES)
    _write(treasury, L1_BLOCK, 1, ETHEREUM.base_fee)
    _write(treasury, L1_BLOCK, 3, BASE_FEE_SCALAR << 96 | BLOB_BASE_FEE_SCALAR << 64)
    _write(treasury, L1_BLOCK, 7, BLOB_BASE_FEE)
    # A local node takes Ethereum's part of the fee even from an `eth_call`, and refuses one from
    # an account that has no ether; real nodes do not.
    treasury.rpc("anvil_setBalance", _ASKER, hex(10**18))


def _write(treasury: Puppet, address: str, slot: int, value: int) -> None:
    treasury.rpc("anvil_setStorageAt", address, hex(slot), f"0x{value:064x}")


def _put_arbitrum(treasury: Puppet, place: Place, own: Mapping[str, Artifact]) -> None:
    prices = (ARBITRUM_L1_PRICE, place.base_fee)
    treasury.deploy_at(ARB_SYS, own["arb_sys"])
    treasury.deploy_at(ARB_GAS_INFO, own["arb_gas_info"], *prices)
    treasury.deploy_at(NODE_INTERFACE, own["node_interface"], *prices)
