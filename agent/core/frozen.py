"""Mappings that cannot be changed, and the mark of fields that are new in old forms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def empty() -> Mapping[Any, Any]:
    """A read-only mapping with nothing in it, the default of frozen fields."""
    return MappingProxyType({})


LEFT_OUT: Mapping[str, bool] = MappingProxyType({"left out": True})
"""Metadata of a field that is not written while it has its default: what was written before there
was such a field reads as before, and stays the one spelling of it."""
