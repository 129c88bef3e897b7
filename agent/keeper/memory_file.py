"""The keeper's memory of a wallet as a file in the state folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agent.core.codec import Undecodable, decode, encode
from agent.core.money import Address
from agent.errors import Broken
from agent.keeper.memory import Memory
from agent.wire.private_file import write_private

FOLDER = "keeper"
_VERSION = 1


def memory_path(state: Path, account: Address) -> Path:
    """Where the memory of *account* is kept, below the *state* folder."""
    return state / FOLDER / f"{account}.json"


def recall(path: Path) -> Memory:
    """What was remembered; nothing where there is no file.

    Raises Broken for a file that cannot be read or meant: to take it for empty would forget
    a stop.
    """
    try:
        raw: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError) as error:
        raise _unreadable(path, type(error).__name__) from None
    if (
        not isinstance(raw, dict)
        or raw.keys() != {"version", "memory"}
        or raw["version"] != _VERSION
    ):
        raise _unreadable(path, "it has another format")
    try:
        found: Memory = decode(raw.get("memory"), Memory)
    except Undecodable as error:
        raise _unreadable(path, str(error)) from None
    return found


def remember(path: Path, memory: Memory) -> None:
    """Write *memory* in place of what was remembered; raises DiskFull."""
    text = json.dumps({"version": _VERSION, "memory": encode(memory)}, indent=1)
    write_private(path, text + "\n")


def _unreadable(path: Path, why: str) -> Broken:
    return Broken(
        f"{path} cannot be read: {why}",
        fix="look whether the keeper had stopped (rebalancer status), then delete that file; "
        "no money depends on it",
    )
