"""What oracles are given to read with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agent.core.money import ChainId
from agent.ports import Node


class Io(Protocol):
    """The part of the world that an oracle may touch."""

    @property
    def nodes(self) -> Mapping[ChainId, Node]:
        """One node per chain."""
