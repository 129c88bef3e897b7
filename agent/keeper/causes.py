"""Why a tick could not do its work, by the deed that helps, and how long to leave it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Cause = Literal[
    "node",
    "provider",
    "prices",
    "fees",
    "guard",
    "limit",
    "simulation",
    "key",
    "person",
    "settings",
    "machine",
    "human",
    "busy",
]

_BY_CODE: Mapping[str, Cause] = {
    "N107": "provider",
    "G112": "settings",
    "G204": "guard",
    "G205": "guard",
    "G207": "settings",
    "G304": "fees",
    "G306": "guard",
    "G402": "machine",
    "G403": "fees",
    "G404": "settings",
}
"""Codes whose cause is another than that of their neighbours."""

_BY_START: Mapping[str, Cause] = {
    "G2": "prices",
    "G3": "limit",
    "G": "guard",
    "S": "simulation",
    "N": "node",
    "K": "key",
    "D": "person",
    "C": "settings",
    "H": "human",
    "P": "busy",
    "L": "busy",
}


def cause_of(code: str) -> Cause:
    """The cause that an error code or a refusal's code stands for.

    >>> cause_of("N101"), cause_of("G201"), cause_of("G105"), cause_of("X101")
    ('node', 'prices', 'guard', 'machine')
    """
    return _BY_CODE.get(code) or _BY_START.get(code[:2]) or _BY_START.get(code[:1], "machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How long a cause keeps new runs from beginning: doubling from `first` to `cap` seconds.

    After `stops_after` failures in a row the keeper begins nothing more until a person has
    looked; None where waiting is all that helps.
    """

    first: int
    cap: int
    stops_after: int | None = None

    def seconds(self, failures: int) -> int:
        """The pause after the *failures*-th failure in a row.

        >>> [Pause(first=60, cap=600).seconds(n) for n in (1, 2, 3, 4, 5)]
        [60, 120, 240, 480, 600]
        """
        # More doublings than this are beyond every cap.
        return min(self.cap, self.first << min(failures - 1, 20))


_MINUTE, _HOUR = 60, 3_600

PAUSES: Mapping[Cause, Pause] = {
    # Nodes come back within minutes; a look costs one request per chain.
    "node": Pause(first=_MINUTE, cap=_HOUR),
    "provider": Pause(first=5 * _MINUTE, cap=6 * _HOUR),
    # A feed is fresh again with its next round, at the latest a heartbeat later.
    "prices": Pause(first=5 * _MINUTE, cap=_HOUR),
    # Gas is dear for hours, seldom for days.
    "fees": Pause(first=10 * _MINUTE, cap=6 * _HOUR),
    # Windows of a day and of a month do not move faster.
    "limit": Pause(first=_HOUR, cap=24 * _HOUR),
    # Honest venues are not refused again and again: that needs eyes.
    "guard": Pause(first=10 * _MINUTE, cap=6 * _HOUR, stops_after=5),
    "simulation": Pause(first=10 * _MINUTE, cap=6 * _HOUR, stops_after=5),
    # Each try costs a password derivation, and a third wrong one is no typing error.
    "key": Pause(first=10 * _MINUTE, cap=6 * _HOUR, stops_after=3),
    "person": Pause(first=_HOUR, cap=24 * _HOUR),
    "settings": Pause(first=10 * _MINUTE, cap=6 * _HOUR),
    "machine": Pause(first=_MINUTE, cap=_HOUR),
}
"""Causes that are not here (a run that waits for a person, another process at work) need no
pause: to look again costs nothing, and the deed that helps must take effect at once."""
