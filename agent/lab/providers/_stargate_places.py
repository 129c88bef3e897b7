"""Where Stargate v2 and LayerZero stand on each chain of the local world.

Sources: @stargatefinance/stg-evm-v2 2.0.6, deployments of each mainnet (addresses of pools, fee
libraries and messaging; the endpoint and decimals among the pools' constructor arguments); asset
ids from stargateprotocol.gitbook.io, "Stargate V2 mainnet contracts"; endpoint ids from
@layerzerolabs/lz-definitions 3.1.13.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ENDPOINT: Final = "0x1a44076050125825900e736c501f859c50fe728c"
"""LayerZero's EndpointV2, the same on all of these chains."""

SHARED_DECIMALS: Final = 6
"""Of every asset's amounts in messages, whatever a chain's token has."""

ASSET_IDS: Final = MappingProxyType({"USDC": 1, "USDT": 2, "ETH": 13})
"""How messages name an asset, the same on all chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStargatePool:
    """A pool and the library that prices its transfers."""

    address: str
    fee_library: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StargatePlace:
    """Stargate on one chain: ``eid`` is LayerZero's number for it; ``pools`` are by asset."""

    eid: int
    messaging: str
    pools: Mapping[str, LabStargatePool]


STARGATE_PLACES: Final = MappingProxyType(
    {
        1: StargatePlace(
            eid=30101,
            messaging="0x6d6620efa72948c5f68a3c8646d58c00d3f4a980",
            pools={
                "ETH": LabStargatePool(
                    address="0x77b2043768d28e9c9ab44e1abfc95944bce57931",
                    fee_library="0x3e368b6c95c6fefb7a16dcc0d756389f3c658a06",
                ),
                "USDC": LabStargatePool(
                    address="0xc026395860db2d07ee33e05fe50ed7bd583189c7",
                    fee_library="0x52b35406cb2fb5e0038edecfc129a152a1f74087",
                ),
                "USDT": LabStargatePool(
                    address="0x933597a323eb81cae705c5bc29985172fd5a3973",
                    fee_library="0xe171afcd1e0394b3312e68ca823d5bc87f3db311",
                ),
            },
        ),
        8453: StargatePlace(
            eid=30184,
            messaging="0x5634c4a5fed09819e3c46d86a965dd9447d86e47",
            pools={
                "ETH": LabStargatePool(
                    address="0xdc181bd607330aeebef6ea62e03e5e1fb4b6f7c7",
                    fee_library="0x17e450be3ba9557f2378e20d64ad417e59ef9a34",
                ),
                "USDC": LabStargatePool(
                    address="0x27a16dc786820b16e5c9028b75b99f6f604b5d26",
                    fee_library="0x08ed1d79d509a6f1020685535028ae60c144441e",
                ),
            },
        ),
        42161: StargatePlace(
            eid=30110,
            messaging="0x19cfce47ed54a88614648dc3f19a5980097007dd",
            pools={
                "ETH": LabStargatePool(
                    address="0xa45b5130f36cdca45667738e2a258ab09f4a5f7f",
                    fee_library="0xda82a31df339bfdf0123661134b4db63cb1706f5",
                ),
                "USDC": LabStargatePool(
                    address="0xe8cdf27acd73a434d661c84887215f7598e7d0d3",
                    fee_library="0x80f755e3091b2ad99c08da8d13e9c7635c1b8161",
                ),
                "USDT": LabStargatePool(
                    address="0xce8cca271ebc0533920c83d39f417ed6a0abb7d0",
                    fee_library="0x1f605162282570dfa6255d27895587f4117f52fa",
                ),
            },
        ),
    }
)
"""By chain id."""
