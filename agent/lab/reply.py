"""What a server of the local world answers, well formed or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer: *body* as JSON, or *content* as it stands.

    ``after_seconds`` is how long it lets wait; ``announced`` is the length that its header says,
    where that is a lie.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    after_seconds: float = 0.0
    announced: int | None = None
