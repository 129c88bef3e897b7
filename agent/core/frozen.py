"""Mappings that cannot be changed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def empty() -> Mapping[Any, Any]:
    """A read-only mapping with nothing in it, the default of frozen fields."""
    return MappingProxyType({})
