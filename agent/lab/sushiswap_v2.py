"""SushiSwap V2 on a running local chain: the real contracts of a fork of Uniswap V2, and pairs.

Addresses: npm sushi 7.3.15, evm/config/features/sushiswap-v2.ts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from agent.lab.build import FOREVER, MAX_UINT
from agent.lab.packages import artifacts
from agent.lab.pins import sushiswap_v2_pins
from agent.lab.places import Place
from agent.lab.puppet import Puppet, tx


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPlaces:
    """Where a fork's factory and router are on a chain."""

    factory: str
    router: str


SUSHISWAP_V2: Final = MappingProxyType(
    {
        1: ForkPlaces(
            factory="0xc0aee478e3658e2610c5f7a4a2e1777ce9e4f2ac",
            router="0xd9e1ce17f2641f24ae83637ab66a2cca9c378b9f",
        ),
        8453: ForkPlaces(
            factory="0x71524b4f93c58fcbf659783284e38825f0622859",
            router="0x6bded42c6da8fbf0d2ba55b2fa120c5e0c8d7891",
        ),
        42161: ForkPlaces(
            factory="0xc35dadb65012ec5796536bd9864ed8773abc74c4",
            router="0x1b02da8cb0d097eb8d57a175b88c7d8b47997506",
        ),
    }
)
"""By chain."""


@dataclass(frozen=True, slots=True)
class SushiSwapV2:
    """SushiSwap V2 on a running chain; methods raise SetupFailed when the chain refuses."""

    places: ForkPlaces
    _treasury: Puppet

    def open_pair(self, reserves: Mapping[str, int]) -> None:
        """Add liquidity of the treasury's, base units by the addresses of two tokens."""
        (one, first), (other, second) = reserves.items()
        self._treasury.send(
            tx(
                self.places.router,
                "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
                *(one, other, first, second, 0, 0, self._treasury.account, FOREVER),
            )
        )

    def trade(self, sell: str, buy: str, amount: int) -> None:
        """Sell base units of the treasury's for whatever the pair of two tokens pays."""
        self._treasury.send(
            tx(
                self.places.router,
                "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
                *(amount, 0, [sell, buy], self._treasury.account, FOREVER),
            )
        )


def put_sushiswap_v2(treasury: Puppet, place: Place, cache: Path) -> SushiSwapV2:
    """Put SushiSwap V2 on the chain; raises SetupFailed."""
    there, new = SUSHISWAP_V2[place.chain_id], artifacts(cache, sushiswap_v2_pins())
    treasury.deploy_at(there.factory, new["SushiV2Factory"], treasury.account)
    treasury.deploy_at(there.router, new["SushiV2Router02"], there.factory, place.weth)
    treasury.send(
        *(
            tx(token.address, "approve(address,uint256)", there.router, MAX_UINT)
            for token in place.tokens.values()
        )
    )
    return SushiSwapV2(there, treasury)
