"""Across' SpokePool on local chains: how it is put there.

On every chain it is the one of Ethereum, behind its proxy: the rollups' own differ only in who
may administrate them, which on Ethereum is the owner.
"""

from collections.abc import Mapping
from typing import Final

from agent.lab.abi import call_bytes
from agent.lab.accounts import ATTENDANT
from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.puppet import Puppet, tx

QUOTE_TIME_BUFFER_SECONDS: Final = 3_600
FILL_DEADLINE_BUFFER_SECONDS: Final = 21_600
"""How far a deposit's times may be from the block's; as on Ethereum mainnet."""

FIRST_DEPOSIT: Final = 1
"""The same on every chain, so that a number alone tells no deposit from another."""

_NO_GATEWAY: Final = "0x" + "00" * 20


def put_spoke_pool(treasury: Puppet, place: Place, third: Mapping[str, Artifact]) -> None:
    """Put the SpokePool at its address, with the attendant as its owner; raises SetupFailed."""
    implementation = treasury.deploy(
        third["Ethereum_SpokePool"],
        *(place.weth, QUOTE_TIME_BUFFER_SECONDS, FILL_DEADLINE_BUFFER_SECONDS, _NO_GATEWAY),
    )
    start = call_bytes("initialize(uint32,address)", FIRST_DEPOSIT, treasury.account)
    treasury.deploy_at(
        place.spoke_pool,
        third["ERC1967Proxy"],
        *(implementation, bytes.fromhex(start.removeprefix("0x"))),
    )
    treasury.send(tx(place.spoke_pool, "transferOwnership(address)", ATTENDANT))


def let_spend(attendant: Puppet, place: Place) -> None:
    """Let the SpokePool take from the attendant what it fills with; raises SetupFailed."""
    attendant.send(
        *(
            tx(token.address, "approve(address,uint256)", place.spoke_pool, 2**256 - 1)
            for token in place.tokens.values()
        )
    )
