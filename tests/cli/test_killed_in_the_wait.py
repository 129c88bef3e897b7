"""A transfer by each bridge, killed under way, followed by another process; more of it is in
scripts/bench/waits.py.
"""

from __future__ import annotations

from pathlib import Path

from wait_variants import Variant, in_the_wait, lived

from agent.compose.providers import provider_names
from agent.lab.worlds import open_worlds

ONE_OF_EACH = ("across", "lifi", "cctp standard", "stargate", "op deposit", "arbitrum deposit")


def test_transfers_of_a_killed_process_arrive_once_by_every_bridge(lab_cache: Path) -> None:
    """One deposit of each, one claim, and every base unit explained; raises otherwise."""
    variant = Variant(name="comes late", passages=ONE_OF_EACH, live=in_the_wait)
    with open_worlds(lab_cache) as worlds:
        found = lived(worlds, lab_cache, variant)
    assert {"across", *provider_names("bridges")} == {each.via for each in found.passages.values()}
    assert (["waits"], 2) == (found.kills, len(found.processes))
