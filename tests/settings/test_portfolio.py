"""What a portfolio file comes to: policy, defaults, grouping of tokens."""

from decimal import Decimal

import pytest
from settings.example import EXAMPLE

from agent.core.money import NATIVE, Bps, ChainId, Token
from agent.core.policy import Asset, Instance, Limits, Policy, Range, Target, Tracking, Trigger
from agent.settings import AcrossWish, Confirm, RelayerFee, SignerSpec

ETHEREUM = ChainId(1)
ETH = Token(ETHEREUM, NATIVE, 18, "ETH")
WETH = Token(ETHEREUM, "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", 18, "WETH")
WSTETH = Token(ETHEREUM, "0x7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0", 18, "wstETH")
WBTC = Token(ETHEREUM, "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599", 8, "WBTC")
USDC = Token(ETHEREUM, "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6, "USDC")

ETH_ASSET = Asset(
    "ETH", (Instance(ETH, "spend"), Instance(WETH, "spend"), Instance(WSTETH, "count"))
)


def test_example_of_the_contract_comes_to_this_policy(load_text):
    settings = load_text(EXAMPLE)
    expected = Policy(
        account="0x71c7656ec7ab88b098defb751b7401b5f6d8976f",
        chains=(ETHEREUM,),
        assets=(
            ETH_ASSET,
            Asset("WBTC", (Instance(WBTC, "spend"),)),
            Asset("USDC", (Instance(USDC, "spend"),)),
        ),
        targets={
            "ETH": Target(Bps(5000), Bps(500)),
            "WBTC": Target(Bps(2000), Bps(400)),
            "USDC": Target(Bps(3000), Bps(500)),
        },
        by_chain={ETHEREUM: Range(Bps(0), Bps(10_000))},
        by_asset_on_chain={("ETH", ETHEREUM): Range(Bps(1000), Bps(9000))},
        trigger=Trigger("hybrid", 604_800, 21_600, "cheapest"),
        limits=Limits(),
        gas_reserve={ETHEREUM: 30_000_000_000_000_000},
        dust=Decimal(5),
        keep={"USDC": Decimal(3000)},
        unlisted="outside",
        pegs={"USDC": Decimal(1)},
        hash=settings.policy.hash,
    )
    assert expected == settings.policy


def test_example_of_the_contract_comes_to_these_settings(load_text):
    settings = load_text(EXAMPLE)
    assert settings.name == "core"
    assert settings.base == "USD"
    assert settings.signer == SignerSpec(kind="keystore", name="main")
    assert settings.confirm == Confirm(mode="always", over=Decimal(1000))
    assert settings.canary_value == Decimal(50)
    assert settings.policy.deposits == "rebalance"
    assert settings.policy.pegs == {"USDC": Decimal(1)}
    assert settings.max_price_age_seconds is None
    assert settings.venues == ("router", "cow", "kyberswap", "velora", "zerox", "oneinch")
    assert settings.bridges == ("cctp", "across")
    assert settings.local is False
    assert settings.generated == frozenset()
    assert settings.warnings == ()
    assert settings.account == settings.policy.account
    assert settings.paths is settings.world.paths
    assert [asset.name for asset in settings.assets] == ["ETH", "WBTC", "USDC", "USDT", "DAI"]


def test_what_is_not_said_has_the_defaults_of_the_core(load_text):
    policy = load_text().policy
    assert policy.limits == Limits()
    assert policy.trigger == Trigger()
    assert policy.tracking == Tracking()
    assert policy.dust == Decimal(5)
    assert policy.unlisted == "outside"
    assert policy.keep == {}
    assert policy.by_chain == {}
    assert policy.gas_reserve == {ETHEREUM: 20_000_000_000_000_000}


def test_what_is_not_said_signs_nothing_and_asks_always(load_text):
    settings = load_text()
    assert settings.signer == SignerSpec(kind="watch")
    assert settings.confirm == Confirm(mode="always", over=Decimal(0))
    assert settings.venues == ("router",)
    assert settings.bridges == ()
    assert settings.env_key_max_value == Decimal(1000)
    assert settings.name == "portfolio"


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("always", "0", True),
        ("over", "1000.01", True),
        ("over", "1000", False),
        ("never", "1000000", False),
    ],
)
def test_a_person_is_asked_when_the_mode_says_so(mode, value, expected):
    assert expected is Confirm(mode=mode, over=Decimal(1000)).needed(Decimal(value))


def test_policy_knows_only_assets_with_a_target(load_text):
    settings = load_text()
    assert [asset.name for asset in settings.policy.assets] == ["ETH", "USDC"]
    assert settings.policy.role(WBTC) is None
    assert WBTC in settings.tokens(ETHEREUM)


def test_a_table_for_an_asset_replaces_what_chains_toml_groups_under_it(load_text, minimal):
    settings = load_text(
        minimal + '\n[assets.ETH]\nspend = ["0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"]\n'
    )
    assert settings.policy.assets[0] == Asset("ETH", (Instance(WETH, "spend"),))
    assert settings.policy.role(ETH) is None


def test_a_token_that_may_be_sold_can_be_counted_only(load_text, minimal):
    settings = load_text(minimal + '\n[assets.ETH]\nspend = ["native"]\ncount = ["WETH"]\n')
    assert settings.policy.role(WETH) == "count"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("watch", SignerSpec(kind="watch")),
        ("ledger", SignerSpec(kind="ledger")),
        ("keystore:my key", SignerSpec(kind="keystore", name="my key")),
        (
            "remote:https://signer.example/secret",
            SignerSpec(kind="remote", name="https://signer.example/secret"),
        ),
        ("remote:http://127.0.0.1:9000", SignerSpec(kind="remote", name="http://127.0.0.1:9000")),
        ("env_key", SignerSpec(kind="env_key", name="REBALANCER_PRIVATE_KEY")),
        ("env_key:MY_KEY", SignerSpec(kind="env_key", name="MY_KEY")),
    ],
)
def test_each_kind_of_signer_is_read(load_text, minimal, written, expected):
    settings = load_text(minimal.replace("[targets]", f'signer = "{written}"\n[targets]'))
    assert expected == settings.signer
    assert "secret" not in repr(settings)
    assert "secret" not in settings.origin["wallet.signer"].value


def test_a_shorter_price_age_than_the_heartbeat_is_read(load_text, minimal):
    assert load_text(minimal + '[limits]\nmax_price_age = "10m"\n').max_price_age_seconds == 600


def test_an_address_without_checksum_is_taken_with_a_warning(load_text, minimal):
    settings = load_text(
        minimal.replace("0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "0x" + "ab" * 20)
    )
    assert settings.account == "0x" + "ab" * 20
    expected = (
        "portfolio.toml:4: wallet.address has no checksum, so a typo would pass: "
        "write 0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
    )
    assert settings.warnings == (expected,)


def test_files_that_were_read_are_named(load_text):
    assert [file.name for file in load_text().world.files] == ["chains.toml", "portfolio.toml"]


def test_settings_are_frozen(load_text):
    settings = load_text()
    with pytest.raises(AttributeError):
        settings.name = "other"
    with pytest.raises(TypeError):
        settings.policy.targets["DAI"] = Target(Bps(0), Bps(0))
    with pytest.raises(TypeError):
        settings.world.chains[ChainId(5)] = settings.chains[ETHEREUM]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", AcrossWish(ask_api=True, fee=None)),
        ('api = "off"', AcrossWish(ask_api=False, fee=None)),
        (
            'relayer_fee_bps = 8\nrelayer_fee_fixed = "0.50"',
            AcrossWish(ask_api=True, fee=RelayerFee(bps=Bps(8), fixed=Decimal("0.50"))),
        ),
        (
            "relayer_fee_bps = 0",
            AcrossWish(ask_api=True, fee=RelayerFee(bps=Bps(0), fixed=Decimal(0))),
        ),
        (
            'relayer_fee_fixed = "1"',
            AcrossWish(ask_api=True, fee=RelayerFee(bps=Bps(0), fixed=Decimal(1))),
        ),
    ],
)
def test_an_offer_to_relayers_stands_where_the_owner_makes_one(load_text, minimal, said, expected):
    settings = load_text(minimal + f"\n[bridges.across]\n{said}\n")
    assert expected == settings.across
    told = settings.origin["bridges.across.relayer_fee_bps"]
    assert ("not set" if "bps" not in said else said[18:19]) == told.value


def test_plans_may_only_buy_where_something_is_pegged_to_the_unit_of_account(load_text, minimal):
    settings = load_text(minimal + '[flows]\ndeposits = "buy-only"\n')
    assert ("buy-only", {"USDC": Decimal(1)}) == (settings.policy.deposits, settings.policy.pegs)


def test_what_distance_from_the_targets_counts_is_read(load_text, minimal):
    said = '[tracking]\nrisk_aversion = "2.5"\nhorizon = "30d"\nvolatility = { ETH = "0.65" }\n'
    expected = Tracking(
        risk_aversion=Decimal("2.5"),
        horizon_seconds=30 * 86_400,
        volatility={"ETH": Decimal("0.65")},
    )
    settings = load_text(minimal + said)
    assert expected == settings.policy.tracking
    assert {"tracking.risk_aversion", "tracking.volatility.ETH"} <= set(settings.origin)
