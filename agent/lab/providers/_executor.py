"""The executor that all stand-ins of aggregators share, and how they are put on a chain."""

from collections.abc import Mapping
from typing import Any, Final

from agent.lab.contracts import Artifact
from agent.lab.places import Place
from agent.lab.puppet import Puppet

EXECUTOR: Final = "0xe8ec00000000000000000000000000000000c0de"
"""An address of the lab: the aggregators' own executors change from week to week."""


def put_stand_in(
    treasury: Puppet,
    place: Place,
    own: Mapping[str, Artifact],
    *placed: tuple[str, str, tuple[Any, ...]],
) -> None:
    """Put contracts of ours, each as address, name and arguments, beside the executor.

    Raises SetupFailed.
    """
    if treasury.rpc("eth_getCode", EXECUTOR, "latest") == "0x":
        router = place.exchanges.swap_router02
        treasury.deploy_at(EXECUTOR, own["route_executor"], place.weth, router)
    for address, name, arguments in placed:
        treasury.deploy_at(address, own[name], *arguments)
