"""The hash of what the owner wants: of its meaning, whatever its spelling and order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from agent.core.policy import Policy
from agent.settings.kinds import plain

_FORMAT = "rebalancer.policy/4"
"""Changes with the form below: a hash of another form attests nothing."""


def policy_hash(policy: Policy, beyond: Mapping[str, object]) -> str:
    """SHA-256 (hex) of *policy* and of the settings *beyond* it that loosen or tighten.

    Comments, spacing, order, spelled-out defaults and `0.50` for `0.5` change nothing; a
    token at another address under the same name does.
    """
    meaning = {"format": _FORMAT, "policy": _plain(policy), "beyond": _plain(beyond)}
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name != "hash"}
    if isinstance(value, Mapping):
        return {_name(key): _plain(below) for key, below in value.items()}
    if isinstance(value, tuple):
        # All lists of a policy are sets; their order is how they were typed.
        return sorted((_plain(item) for item in value), key=json.dumps)
    if isinstance(value, Decimal):
        return plain(value)
    return value


def _name(key: object) -> str:
    return "@".join(map(str, key)) if isinstance(key, tuple) else str(key)
