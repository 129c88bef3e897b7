"""Who decides a value: flag, environment, portfolio, user config, default; and who said so."""

import re
from decimal import Decimal

import pytest

from agent.errors import ConfigError
from agent.settings import Origin

VARIABLE = "REBALANCER_LIMITS__MAX_RUN_VALUE"
IN_PORTFOLIO = '\n[limits]\nmax_run_value = "300"\n'
USER = 'schema = 1\n[limits]\nmax_run_value = "200"\nmin_trade = "7"\n'


@pytest.fixture
def user_config(folder):
    path = folder.parent / "home" / "config" / "rebalancer" / "config.toml"
    path.parent.mkdir(parents=True)

    def write(text: str = USER):
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("voices", "expected"),
    [
        ("flag environment portfolio user", "500"),
        ("environment portfolio user", "400"),
        ("portfolio user", "300"),
        ("user", "200"),
        ("", "10000"),
        ("flag", "500"),
        ("environment user", "400"),
    ],
)
def test_the_strongest_voice_decides(load_text, minimal, user_config, voices, expected):
    if "user" in voices:
        user_config()
    settings = load_text(
        minimal + (IN_PORTFOLIO if "portfolio" in voices else ""),
        environ={VARIABLE: "400"} if "environment" in voices else {},
        flags={"limits.max_run_value": "500"} if "flag" in voices else {},
    )
    assert Decimal(expected) == settings.policy.limits.max_run_value


def test_origin_tells_who_decided(load_text, minimal, user_config):
    path = user_config()
    settings = load_text(
        minimal + '\n[venues]\nallow = ["router", "cow"]\n',
        environ={"REBALANCER_TRIGGER__EVERY": "2d"},
        flags={"limits.max_run_value": "500"},
    )
    expected = [
        Origin(key="limits.max_run_value", value="500", source="flag", place="flag"),
        Origin(
            key="trigger.every", value="2d", source="environment", place="REBALANCER_TRIGGER__EVERY"
        ),
        Origin(
            key="venues.allow", value="router, cow", source="portfolio", place="portfolio.toml:12"
        ),
        Origin(
            key="targets.ETH.weight", value="0.60", source="portfolio", place="portfolio.toml:8"
        ),
        Origin(key="limits.min_trade", value="7", source="user config", place=f"{path}:4"),
        Origin(key="limits.max_cost_bps", value="80", source="default", place="default"),
    ]
    assert expected == [settings.origin[origin.key] for origin in expected]


def test_origin_of_a_node_names_the_variable_and_never_the_key_in_its_url(load_text):
    settings = load_text(environ={"ETH_RPC_URL": "https://node.example/v2/s3cr3t-key"})
    origin = settings.origin['chains."eip155:1".rpc']
    assert origin.value == "node.example:443, eth.drpc.org:443"
    assert origin.source == "environment"
    assert re.fullmatch(r"chains\.toml:\d+ by ETH_RPC_URL", origin.place)
    assert "s3cr3t" not in repr(settings)
    assert "s3cr3t" not in repr(settings.origin)


def test_origin_covers_every_key_that_the_portfolio_says(load_text):
    from settings.example import EXAMPLE

    settings = load_text(EXAMPLE)
    said = {key for key, origin in settings.origin.items() if origin.source == "portfolio"}
    assert {
        "assets.ETH.spend",
        "assets.ETH.count",
        "flows.keep.USDC",
        'gas.reserve."eip155:1"',
    } <= said
    assert {
        'targets_by_chain."eip155:1".max',
        'targets_by_asset_on_chain."ETH@eip155:1".min',
    } <= said


def test_numbers_and_lists_can_be_said_by_variables(load_text):
    settings = load_text(
        environ={
            "REBALANCER_LIMITS__MAX_COST_BPS": "42",
            "REBALANCER_VENUES__ALLOW": "router, cow",
            "REBALANCER_BRIDGES__ALLOW": "cctp",
            "REBALANCER_NAME": "ci",
            "REBALANCER_WALLET__SIGNER": "keystore:ci",
        }
    )
    assert settings.policy.limits.max_cost_bps == 42
    assert settings.venues == ("router", "cow")
    assert settings.bridges == ("cctp",)
    assert settings.name == "ci"
    assert settings.signer.name == "ci"


def test_an_empty_variable_says_nothing(load_text):
    assert load_text(environ={VARIABLE: ""}).policy.limits.max_run_value == 10_000


def test_environment_decides_for_a_key_that_the_portfolio_lacks(load_text, minimal):
    address = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
    settings = load_text(
        minimal.replace(f'address = "{address}"', ""),
        environ={"REBALANCER_WALLET__ADDRESS": address},
    )
    assert address.lower() == settings.account


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"environ": {VARIABLE: "lots"}},
            f'C104 environment: {VARIABLE}: "lots" is no plain number such as "1250.50"',
        ),
        (
            {"environ": {"REBALANCER_LIMITS__MAX_COST_BPS": "1.5"}},
            "C103 environment: REBALANCER_LIMITS__MAX_COST_BPS: a whole number is wanted, not text",
        ),
        (
            {"environ": {"REBALANCER_LIMITS__MAX_RUN_VALU": "1"}},
            "C102 environment: REBALANCER_LIMITS__MAX_RUN_VALU: unknown variable, "
            'did you mean "REBALANCER_LIMITS__MAX_RUN_VALUE"?',
        ),
        (
            {"environ": {"REBALANCER_TARGETS__ETH__WEIGHT": "1"}},
            "C102 environment: REBALANCER_TARGETS__ETH__WEIGHT: unknown variable",
        ),
        (
            {"flags": {"limits.max_run_value": "-1"}},
            'C104 flag: limits.max_run_value: "-1" is below 0',
        ),
        (
            {"flags": {"limits.max_run_valu": "1"}},
            'C102 flag: limits.max_run_valu: unknown key, did you mean "limits.max_run_value"?',
        ),
        (
            {"flags": {"targets.<asset>.weight": "1"}},
            "C102 flag: targets.<asset>.weight: unknown key",
        ),
    ],
)
def test_a_wrong_variable_or_flag_is_named(error_of, more, expected):
    assert expected == error_of(**more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[limits]\n", "C104 {path}:1: needs the key schema"),
        (
            'schema = 1\n[limits]\nmin_trade = "x"\n',
            'C104 {path}:3: limits.min_trade: "x" is no plain number such as "1250.50"',
        ),
        ("a = 1\na = 2\n", "C100 {path}:2: not TOML: Cannot overwrite a value, column 6"),
    ],
)
def test_a_wrong_user_config_is_told_with_its_line(error_of, user_config, text, expected):
    path = user_config(text)
    assert expected.format(path=path) == error_of()


def test_user_config_cannot_say_what_only_a_portfolio_says(error_of, user_config):
    path = user_config('schema = 1\n[targets]\nETH = { weight = "1", band = "0" }\n')
    assert error_of().startswith(f"C102 {path}:2: targets: unknown key")


def test_user_config_says_nothing_for_the_schema_of_the_portfolio(error_of, minimal, user_config):
    user_config()
    assert (
        error_of(minimal.replace("schema = 1", "")) == "C104 portfolio.toml:1: needs the key schema"
    )


def test_files_are_named_by_flags_before_variables(folder, load_text, minimal):
    from pathlib import Path

    from agent.settings import load

    (folder / "other.toml").write_text("name = 'other'\n" + minimal)
    load_text()
    assert load(environ={"REBALANCER_CONFIG": "other.toml"}).name == "other"
    assert (
        load(config=Path("portfolio.toml"), environ={"REBALANCER_CONFIG": "other.toml"}).name
        == "portfolio"
    )
    with pytest.raises(ConfigError, match=r"none\.toml is not there"):
        load(environ={"REBALANCER_CHAINS": "none.toml"})
    with pytest.raises(ConfigError, match=r"none\.toml is not there"):
        load(environ={"REBALANCER_OVERLAY": "none.toml"})
