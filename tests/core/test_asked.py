"""What is said of offers that were looked at while a plan was made."""

from dataclasses import replace
from decimal import Decimal

from agent.core.asked import Asked
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.quote import Rival

MAINNET = ChainId(1)
WETH = Token(MAINNET, Address("0x" + "01" * 20), 18, "WETH")
USDC = Token(MAINNET, Address("0x" + "02" * 20), 6, "USDC")
ROUTER = Rival(via="router", answer="offered", out=3_000_000_000, net=2_999_000_000)


def offered(via: str, net: int, why: str = "") -> Rival:
    return Rival(via=via, answer="offered", out=net + 1_000_000, net=net, why=why)


def no(via: str, answer: str, code: str) -> Rival:
    return Rival(via=via, answer=answer, code=code, why=f"{via} has a reason")  # type: ignore[arg-type]


def asked(*rivals: Rival, known: Rival | None = ROUTER, measured: str = "") -> Asked:
    return Asked(
        round=1,
        sell=Amount(WETH, 10**18),
        buy=USDC,
        known=known,
        rivals=rivals,
        measured=measured,
    )


def test_the_best_offer_is_compared_with_what_was_known() -> None:
    each = asked(offered("odos", 2_999_629_790), offered("velora", 2_900_000_000))
    assert (
        "2 asked for 1.0000 WETH → USDC on eip155:1; odos offers 3,000.63 USDC, after gas 2.1 bps"
        " better than router, taken"
    ) == each.sentence(taken=True)
    assert each.sentence(taken=False) == each.sentence(taken=True).removesuffix(", taken")


def test_worse_offers_and_equal_ones_are_told_so() -> None:
    assert "330.1 bps worse than router" in asked(offered("odos", 2_900_000_000)).sentence(
        taken=False
    )
    assert "after gas as good as router" in asked(offered("odos", ROUTER.net)).sentence(taken=False)


def test_where_nothing_was_known_nothing_is_compared() -> None:
    for known in (None, replace(ROUTER, net=0)):
        each = asked(offered("odos", 2_900_000_000), known=known)
        assert None is each.better_bps(each.rivals[0])
        assert each.sentence(taken=False).endswith("odos offers 2,901.00 USDC")


def test_what_spoke_against_others_is_told_with_its_code() -> None:
    each = asked(
        no("kyberswap", "refused", "G105"),
        no("cow", "refused", "G204"),
        no("lifi", "none", "N107"),
        no("zerox", "limited", "N108"),
        no("velora", "down", "N109"),
    )
    assert (
        "5 asked for 1.0000 WETH → USDC on eip155:1; no offer; kyberswap [G105] and cow [G204] "
        "refused; zerox [N108] wants to be asked less; velora [N109] did not answer"
    ) == each.sentence(taken=False)
    assert None is each.better_bps(each.rivals[0])


def test_having_no_way_is_no_news() -> None:
    lost = no("lifi", "none", "N107")
    assert not asked(lost).is_news
    assert asked(lost, no("velora", "down", "N109")).is_news
    assert ("lifi without a way [N107]: lifi has a reason",) == asked(lost).each()


def test_every_answer_has_a_line() -> None:
    each = asked(
        offered("odos", 3_001_998_000, "it promises more"), no("kyberswap", "refused", "G105")
    )
    assert (
        "odos offers 3,003.00 USDC, after gas 10.0 bps better than router (it promises more)",
        "kyberswap refused [G105]: kyberswap has a reason",
    ) == each.each()
    assert Decimal("10.0") == each.better_bps(each.rivals[0])
