"""The file that tells the agent of local chains, beside the facts about the real ones."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import SetupFailed
from agent.lab.world import World
from agent.lab.worlds import Worlds

HEARTBEAT_SECONDS = 60
"""Seconds after which a local feed is stale; its publisher writes three times as often."""

SEQUENCER_GRACE_SECONDS = 5
"""Seconds that a local sequencer must have been up; an hour is usual, and nobody waits so long."""


def write_overlay(
    world: World | Worlds,
    path: Path,
    keys: Sequence[str],
    *,
    confirmations: int | None = None,
    max_head_age_seconds: int | None = None,
) -> None:
    """Write the overlay of *world*, whole or not at all, for its owner's eyes only.

    *keys* are the addresses that the lab generated: under an overlay no other key signs. The other
    two replace what chains.toml says, if given: a chain without a timer has an old head. Raises
    SetupFailed when the file cannot be written.
    """
    text = overlay_text(
        world, keys, confirmations=confirmations, max_head_age_seconds=max_head_age_seconds
    )
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except OSError as fault:
        raise SetupFailed(
            f"the overlay {path} cannot be written: {fault.strerror}",
            fix="free disk space or fix the folder's permissions, then run the command again",
        ) from None


def overlay_text(
    world: World | Worlds,
    keys: Sequence[str],
    *,
    confirmations: int | None = None,
    max_head_age_seconds: int | None = None,
) -> str:
    """The overlay as TOML; between several chains there is a bridge with a fee API.

    One chain alone has nobody who attends to it, and so none of the providers' servers.
    """
    chains = list(world.values()) if isinstance(world, Worlds) else [world]
    servers: list[str] = []
    if isinstance(world, Worlds):
        if len(chains) > 1:
            servers += _table("bridges.across", {"api": world.fee_api})
        for name, api in world.provider_apis.items():
            servers += _table(f"providers.{name}", {"api": api})
    told = {"confirmations": confirmations, "max_head_age_seconds": max_head_age_seconds}
    return "\n".join(
        [
            "# LOCAL: private chains of this machine. Written by the lab, not for real money.",
            *_lines({"schema": 1, "local": True}),
            *servers,
            *(line for chain in chains for line in _chain(chain, told)),
            *_table("keys", {"generated": [key.lower() for key in keys]}),
            "",
        ]
    )


def _chain(world: World, told: Mapping[str, int | None]) -> list[str]:
    name = f'chains."eip155:{world.chain_id}"'
    grace = None if world.place.sequencer is None else SEQUENCER_GRACE_SECONDS
    facts = {
        "rpc": [world.url],
        "genesis": world.genesis,
        "block_seconds": world.block_seconds or 1,
        **told,
        "sequencer_grace_seconds": grace,
    }
    heartbeats = {feed.address: HEARTBEAT_SECONDS for feed in world.place.feeds.values()}
    return [
        *_table(name, {key: value for key, value in facts.items() if value is not None}),
        *_table(f"{name}.code_hashes", world.code_hashes),
        *_table(f"{name}.heartbeats", heartbeats),
    ]


def _table(name: str, entries: Mapping[str, Any]) -> list[str]:
    return [f"\n[{name}]", *_lines(entries)]


def _lines(entries: Mapping[str, Any]) -> list[str]:
    # JSON's plain strings, integers, truth values and their lists are TOML too.
    return [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in entries.items()]
