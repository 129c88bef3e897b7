"""Keys of `[tracking]`: what distance from the targets counts beside costs."""

from __future__ import annotations

from collections.abc import Sequence

from agent.settings.key import Key

TRACKING: Sequence[Key] = (
    Key(
        "tracking.risk_aversion",
        "number",
        "How much it counts, beside costs, to end near the targets where `rebalance_to` is "
        "cheapest: 0 nothing, 1 the growth that distance loses, more for who is more careful.",
        "0",
    ),
    Key(
        "tracking.horizon",
        "duration",
        "How long a distance is supposed to last; without it `trigger.every` in the modes time "
        "and hybrid, else 30 days.",
    ),
    Key(
        "tracking.volatility.<asset>",
        "number",
        "Its price's volatility over a year, such as 0.6; without it 0 for an asset with a peg, "
        "0.7 for any other.",
    ),
)
