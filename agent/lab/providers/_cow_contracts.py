"""CoW Protocol's contracts, at the addresses that they have on all chains of the world.

Addresses: deployments/ and networks.json of @cowprotocol/contracts 1.8.0.
"""

from collections.abc import Mapping
from typing import Final

from agent.lab.accounts import ATTENDANT
from agent.lab.contracts import Artifact
from agent.lab.puppet import Puppet, tx

AUTHENTICATION: Final = "0x2c4c28ddbdac9c5e7055b4c863b72ea0149d8afe"
SETTLEMENT: Final = "0x9008d19f58aabd9ed0d60971565aa8510560ab41"
RELAYER: Final = "0xc92e8bdf79f0507f65a392b0ab4667716bfe0110"

VAULT: Final = "0xba12222222228d8ba445958a75a0704d566bf2c8"
"""Balancer's. Nothing stands there: orders of plain balances never call it."""


def put_cow(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    """Put the settlement, which makes its relayer itself, and let the attendant be a solver."""
    treasury.deploy_at(AUTHENTICATION, third["GPv2AllowListAuthentication"])
    treasury.send(
        tx(AUTHENTICATION, "initializeManager(address)", treasury.account),
        tx(AUTHENTICATION, "addSolver(address)", ATTENDANT),
    )
    # What a contract creates has an address by its nonce, which begins at 1 (EIP-161).
    treasury.rpc("anvil_setNonce", SETTLEMENT, "0x1")
    treasury.deploy_at(SETTLEMENT, third["GPv2Settlement"], AUTHENTICATION, VAULT)
    treasury.placed.append(RELAYER)
