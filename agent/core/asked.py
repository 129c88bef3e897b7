"""What venues that are only asked offered for a swap while it was planned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from agent.core.money import WHOLE_BPS, Amount, Token
from agent.core.quote import Rival
from agent.core.wording import chain_name, listed, whole

_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The answers for one swap of a plan that was made in an earlier round.

    `known` is what the best edge brings that was known before, None where nobody surveys the
    pair. `rivals` are those who were asked, the best offer first; the offer of `measured` was
    simulated whole and accepted, and its figures are what the simulation brought. It is '' where
    no offer was both better than what was known and true.
    """

    round: int
    sell: Amount
    buy: Token
    known: Rival | None
    rivals: tuple[Rival, ...]
    measured: str = ""

    def better_bps(self, rival: Rival) -> Decimal | None:
        """By how many bps an offer nets more than what was known; None where that is not said."""
        if self.known is None or self.known.net <= 0 or rival.answer != "offered":
            return None
        more = Decimal(rival.net - self.known.net) * WHOLE_BPS / self.known.net
        return more.quantize(_TENTH)

    @property
    def is_news(self) -> bool:
        """Whether anybody said more than having no way."""
        return any(rival.answer != "none" for rival in self.rivals)

    @property
    def what(self) -> str:
        """The swap in a few words."""
        place = chain_name(self.sell.token.chain)
        return f"{whole(self.sell)} → {self.buy.symbol} on {place}"

    def sentence(self, *, taken: bool) -> str:
        """The best answer and what spoke against others, in one line for people."""
        offered = [each for each in self.rivals if each.answer == "offered"]
        best = [each for each in offered if each.via == self.measured] or offered[:1]
        told = self._told(best[0]) + (", taken" if taken else "") if best else "no offer"
        return "; ".join((f"{len(self.rivals)} asked for {self.what}", told, *self._against()))

    def each(self) -> tuple[str, ...]:
        """Every answer, in a line of its own."""
        return tuple(self._told(rival) for rival in self.rivals)

    def _told(self, rival: Rival) -> str:
        if rival.answer != "offered":
            return f"{rival.via} {_NO[rival.answer]} [{rival.code}]: {rival.why}"
        told = f"{rival.via} offers {whole(Amount(self.buy, rival.out))}"
        more = self.better_bps(rival)
        if more is not None and self.known is not None:
            side = "better" if more > 0 else "worse"
            than = f"{abs(more)} bps {side} than" if more else "as good as"
            told = f"{told}, after gas {than} {self.known.via}"
        return f"{told} ({rival.why})" if rival.why else told

    def _against(self) -> Iterator[str]:
        """Who offered nothing that counts, by what spoke against it; having no way is no news."""
        for answer, said in _NO.items():
            if answer == "none":
                continue
            found = [f"{each.via} [{each.code}]" for each in self.rivals if each.answer == answer]
            if found:
                yield f"{listed(found)} {said}"


_NO = {
    "refused": "refused",
    "none": "without a way",
    "limited": "wants to be asked less",
    "down": "did not answer",
}
