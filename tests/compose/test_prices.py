"""The price desk: whom it asks, how often, and what is too old for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from compose.conftest import PlainSettings

from agent.compose.adapters import PRICE_SECONDS, PriceDesk
from agent.core.money import Amount, ChainId, Token
from agent.core.price import Opinion
from agent.settings import Settings
from agent.sim.clock import PaperClock

START = 1_800_000_000
ETHEREUM = ChainId(1)
VALUES = {"ETH": Decimal(3000), "USDC": Decimal(1)}


class Voice:
    """An oracle that says the same of every asset that it knows, `age` seconds ago."""

    def __init__(self, name: str, age: int = 0, values: Mapping[str, Decimal] = VALUES) -> None:
        self.name, self.age, self.values = name, age, values
        self.asked: list[Mapping[str, Sequence[Token]]] = []

    def opinions(self, assets: Mapping[str, Sequence[Token]], now: int) -> tuple[Opinion, ...]:
        self.asked.append(assets)
        return tuple(
            Opinion(self.name, asset, value, now - self.age, now + 3600)
            for asset, value in self.values.items()
        )


def desk(settings: Settings, *voices: Voice) -> tuple[PriceDesk, PaperClock]:
    clock = PaperClock(START)
    return PriceDesk(settings, voices, clock), clock


def test_all_oracles_are_asked_and_must_agree(plain: PlainSettings) -> None:
    ask, _ = desk(plain(), Voice("one"), Voice("two"))
    price = ask().by_asset["ETH"]
    assert (Decimal(3000), ("one", "two"), True) == (price.value, price.sources, price.independent)


def test_spread_of_the_policy_decides_who_agrees(plain: PlainSettings) -> None:
    far = Voice("two", values={"ETH": Decimal(3030), "USDC": Decimal("1.007")})
    ask, _ = desk(plain(), Voice("one"), far)
    assert {"USDC"} == set(ask().by_asset)
    assert "G203" == ask().refused["ETH"].code


def test_answer_serves_some_seconds_and_no_longer(plain: PlainSettings) -> None:
    voice = Voice("one")
    ask, clock = desk(plain(), voice)
    first = ask()
    clock.sleep(PRICE_SECONDS - 1)
    assert first is ask()
    assert 1 == len(voice.asked)
    clock.sleep(1)
    assert first is not ask()
    assert 2 == len(voice.asked)


def test_tokens_of_an_asset_are_those_that_share_its_price(plain: PlainSettings) -> None:
    voice = Voice("one")
    desk(plain(), voice)[0]()
    (asked,) = voice.asked
    assert ["ETH", "WETH"] == [token.symbol for token in asked["ETH"]]
    assert {"ETH", "USDC"} <= set(asked)


@pytest.mark.parametrize(("age", "sources"), [(60, ("one", "two")), (61, ("one",))])
def test_opinion_above_the_highest_age_is_not_heard(
    plain: PlainSettings, age: int, sources: tuple[str, ...]
) -> None:
    settings = plain(flags={"limits.max_price_age": "60s"})
    ask, _ = desk(settings, Voice("one"), Voice("two", age))
    assert sources == ask().by_asset["ETH"].sources


def test_without_a_highest_age_only_the_feed_s_own_rule_counts(plain: PlainSettings) -> None:
    ask, _ = desk(plain(), Voice("one"), Voice("two", 3000))
    assert ("one", "two") == ask().by_asset["ETH"].sources


def test_only_the_feeds_are_asked_for_what_merely_counts(plain: PlainSettings) -> None:
    feeds, pools = Voice("feeds"), Voice("pools")
    ask, _ = desk(plain(flags={"wallet.chains": "eip155:8453,eip155:1"}), feeds, pools)
    ask()
    assert "wstETH" not in pools.asked[0]
    assert [8453, 1] == [token.chain for token in feeds.asked[0]["wstETH"]]


def test_what_counts_has_a_price_of_its_own(plain: PlainSettings) -> None:
    settings = plain()
    ask, _ = desk(settings, Voice("feeds", values=VALUES | {"wstETH": Decimal(3600)}))
    prices = ask()
    wsteth = settings.chains[ETHEREUM].named("wstETH")
    assert wsteth is not None
    assert Decimal(3600) == prices.worth(Amount(wsteth, 10**18))
    assert "G206" == prices.refused["wstETH"].code


def test_what_counts_is_not_priced_where_no_chain_of_the_wallet_has_a_feed(
    plain: PlainSettings,
) -> None:
    feeds = Voice("feeds")
    ask, _ = desk(plain(flags={"wallet.chains": "eip155:8453"}), feeds)
    ask()
    assert "wstETH" not in feeds.asked[0]
