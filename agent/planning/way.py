"""An edge that may be used, with what it is worth and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from agent.core.market import Edge
from agent.core.money import Amount
from agent.core.wording import chain_name
from agent.planning.goals import Cell


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """An edge with the cells it leads from and to, and the prices of its two ends.

    There is one object per edge, and it is compared as such; `index` is its place among all of
    a board, `place` names its chain where there are several. `fair` is base units of what is
    bought for one base unit sold, by independent prices; `gas_cost` the value of its gas, and
    `gas_cap` the most wei that a node asks for.
    """

    edge: Edge
    index: int
    sell: Cell
    buy: Cell
    sell_price: Decimal
    buy_price: Decimal
    fair: Fraction
    gas_cost: Decimal
    gas_cap: int
    place: str = ""

    @property
    def is_bridge(self) -> bool:
        """Whether it leads to another chain."""
        return self.sell[1] != self.buy[1]

    @property
    def name(self) -> str:
        """The edge in a sentence."""
        sold, bought = self.edge.sell.symbol, self.edge.buy.symbol
        if self.is_bridge:
            places = (chain_name(self.sell[1]), chain_name(self.buy[1]))
            return f"{sold} from {places[0]} to {places[1]} by {self.edge.via}"
        return f"{sold} to {bought} by {self.edge.via}{self.place}"

    def sold_value(self, raw: int) -> Decimal:
        """The value of *raw* base units of what is sold."""
        return self.sell_price * Amount(self.edge.sell, raw).whole

    def bought_value(self, raw: int) -> Decimal:
        """The value of *raw* base units of what is bought."""
        return self.buy_price * Amount(self.edge.buy, raw).whole

    def fair_out(self, raw: int) -> int:
        """Base units that *raw* is worth, rounded down."""
        return raw * self.fair.numerator // self.fair.denominator
