"""What a wrong portfolio file says: the exact text for each mistake."""

from pathlib import Path

import pytest
from settings.conftest import about

from agent import resources
from agent.core.policy import PolicyError
from agent.errors import ConfigError
from agent.settings import load_chains_only

ASSETS = "AVAX, BNB, DAI, ETH, POL, USDC, USDT, WBTC, XDAI"
KNOWN = ", ".join(facts.caip2 for facts in load_chains_only(environ={}).chains.values())

# Each case: what to replace in the minimal portfolio, by what, and what is said.
IN_MINIMAL = [
    # Unknown keys.
    (
        "[targets]",
        "[targts]",
        'C102 portfolio.toml:7: targts: unknown key, did you mean "targets"?',
    ),
    ("ETH  =", "ETHH =", 'C102 portfolio.toml:8: targets.ETHH: unknown key, did you mean "ETH"?'),
    (
        "ETH  =",
        '"eip:1" =',
        f'C102 portfolio.toml:8: targets."eip:1": unknown key; known here: {ASSETS}',
    ),
    (
        'weight = "0.60"',
        'wieght = "0.60"',
        'C102 portfolio.toml:8: targets.ETH.wieght: unknown key, did you mean "weight"?',
    ),
    (
        'weight = "0.60"',
        'x = "0.60"',
        "C102 portfolio.toml:8: targets.ETH.x: unknown key; known here: band, weight",
    ),
    (
        "[targets]",
        '[limits]\nmax_run_valu = "5"\n[targets]',
        'C102 portfolio.toml:8: limits.max_run_valu: unknown key, did you mean "max_run_value"?',
    ),
    (
        "[targets]",
        "[safe]\n[targets]",
        "C102 portfolio.toml:7: safe: unknown key; known here: assets, base, bridges, canary, confirm, flows, gas, holdings, limits, name, notify, schema, targets, targets_by_asset_on_chain, targets_by_chain, tracking, trigger, venues, wallet",
    ),
    (
        "[targets]",
        "[assets.SHIB]\n[targets]",
        f"C102 portfolio.toml:7: assets.SHIB: unknown key; known here: {ASSETS}",
    ),
    (
        "[targets]",
        '[gas]\nreserve = { "eip155:11" = "1" }\n[targets]',
        'C102 portfolio.toml:8: gas.reserve."eip155:11": unknown key, did you mean "eip155:1"?',
    ),
    (
        "[targets]",
        '[targets_by_asset_on_chain]\n"ETHH@eip155:1" = {}\n[targets]',
        'C102 portfolio.toml:8: targets_by_asset_on_chain."ETHH@eip155:1": unknown key, did you mean "ETH@eip155:1"?',
    ),
    (
        "[targets]",
        '[tracking]\nvolatility = { ETHH = "1" }\n[targets]',
        'C102 portfolio.toml:8: tracking.volatility.ETHH: unknown key, did you mean "ETH"?',
    ),
    (
        "[targets]",
        '[tracking]\nvolatility = { WBTC = "1" }\n[targets]',
        "C104 portfolio.toml:8: tracking.volatility.WBTC: WBTC has no target to be away from",
    ),
    (
        "[targets]",
        '[tracking]\nvolatility = { ETH = "65" }\n[targets]',
        "C104 portfolio.toml:8: tracking.volatility.ETH: 65 is not between 0 and 10",
    ),
    (
        "[targets]",
        '[tracking]\nrisk_aversion = "101"\n[targets]',
        "C104 portfolio.toml:8: tracking.risk_aversion: 101 is not between 0 and 100",
    ),
    # Missing keys.
    ("schema = 1", "", "C104 portfolio.toml:1: needs the key schema"),
    (
        'address = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"',
        "",
        "C104 portfolio.toml:3: wallet: needs the key address",
    ),
    (
        '[wallet]\naddress = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"\nchains  = ["eip155:1"]\n',
        "",
        "C104 portfolio.toml:1: needs the key wallet.address",
    ),
    ('chains  = ["eip155:1"]', "", "C104 portfolio.toml:3: wallet: needs the key chains"),
    (
        ', band = "0.05" }\nUSDC',
        " }\nUSDC",
        "C104 portfolio.toml:8: targets.ETH: needs the key band",
    ),
    (
        '[targets]\nETH  = { weight = "0.60", band = "0.05" }\nUSDC = { weight = "0.40", band = "0.05" }\n',
        "",
        "C104 portfolio.toml:1: needs the key targets",
    ),
    (
        'ETH  = { weight = "0.60", band = "0.05" }\nUSDC = { weight = "0.40", band = "0.05" }\n',
        "",
        "C104 portfolio.toml:7: targets: names no asset",
    ),
    # Wrong types.
    (
        "schema = 1",
        'schema = "1"',
        "C103 portfolio.toml:1: schema: a whole number is wanted, not text",
    ),
    (
        "schema = 1",
        "schema = true",
        "C103 portfolio.toml:1: schema: a whole number is wanted, not true or false",
    ),
    (
        '"0.60"',
        "0.60",
        'C103 portfolio.toml:8: targets.ETH.weight: a number in quotes is wanted, not a number with a point; quote it: "0.60"',
    ),
    (
        '"0.60"',
        "1",
        'C103 portfolio.toml:8: targets.ETH.weight: a number in quotes is wanted, not a whole number; quote it: "1"',
    ),
    (
        '"0.60"',
        "1979-05-27",
        "C103 portfolio.toml:8: targets.ETH.weight: a number in quotes is wanted, not a date or time",
    ),
    (
        '["eip155:1"]',
        '"eip155:1"',
        "C103 portfolio.toml:5: wallet.chains: a list is wanted, not text",
    ),
    (
        '["eip155:1"]',
        "[1]",
        "C103 portfolio.toml:5: wallet.chains: text in quotes is wanted, not a whole number",
    ),
    (
        '{ weight = "0.60", band = "0.05" }',
        '"0.60"',
        "C103 portfolio.toml:8: targets.ETH: a table is wanted, not text",
    ),
    (
        "[targets]",
        '[limits]\nmax_cost_bps = "80"\n[targets]',
        "C103 portfolio.toml:8: limits.max_cost_bps: a whole number is wanted, not text",
    ),
    (
        "[targets]",
        "[trigger]\nevery = 7\n[targets]",
        'C103 portfolio.toml:8: trigger.every: a duration in quotes such as "6h" is wanted, not a whole number',
    ),
    (
        "[targets]",
        "[limits]\nmin_trade = [\n1,\n]\n[targets]",
        "C103 portfolio.toml:8: limits.min_trade: a number in quotes is wanted, not a list",
    ),
    (
        "[targets]",
        "[limits]\nmin_trade = { a = 1 }\n[targets]",
        "C103 portfolio.toml:8: limits.min_trade: a number in quotes is wanted, not a table",
    ),
    # Weights and shares.
    (
        '"0.40"',
        '"0.39"',
        'C104 portfolio.toml:7: targets: weights sum to 0.99, not to exactly 1: 0.01 is missing; ETH = "0.61" would do',
    ),
    (
        '"0.40"',
        '"0.4001"',
        'C104 portfolio.toml:7: targets: weights sum to 1.0001, not to exactly 1: 0.0001 is too much; ETH = "0.5999" would do',
    ),
    (
        '"0.40"',
        '"1"',
        'C104 portfolio.toml:7: targets: weights sum to 1.6, not to exactly 1: 0.6 is too much; USDC = "0.4" would do',
    ),
    (
        '"0.60"',
        '"0.60005"',
        'C104 portfolio.toml:8: targets.ETH.weight: "0.60005" is finer than 1 bp (0.0001); the nearest is "0.6"',
    ),
    (
        '"0.60"',
        '"60"',
        'C104 portfolio.toml:8: targets.ETH.weight: "60" is more than the whole, "1"; for 60 % write "0.6"',
    ),
    (
        '"0.60"',
        '"600"',
        'C104 portfolio.toml:8: targets.ETH.weight: "600" is more than the whole, "1"',
    ),
    ('"0.60"', '"-0.1"', 'C104 portfolio.toml:8: targets.ETH.weight: "-0.1" is below 0'),
    (
        '"0.60"',
        '"60%"',
        'C104 portfolio.toml:8: targets.ETH.weight: "60%" is no plain number such as "1250.50"',
    ),
    (
        '"0.60"',
        '"NaN"',
        'C104 portfolio.toml:8: targets.ETH.weight: "NaN" is no plain number such as "1250.50"',
    ),
    (
        "[targets]",
        '[targets_by_chain]\n"eip155:1" = { min = "0.7", max = "0.6" }\n[targets]',
        'C104 portfolio.toml:8: targets_by_chain."eip155:1": min 0.7 is above max 0.6',
    ),
    (
        "[targets]",
        '[targets_by_chain]\n"eip155:1" = { max = "0.60" }\n[targets]',
        "C104 portfolio.toml:7: targets_by_chain: the largest shares of the wallet's chains sum to 0.6, below 1",
    ),
    (
        "[targets]",
        '[targets_by_asset_on_chain]\n"DAI@eip155:1" = { max = "0.6" }\n[targets]',
        'C104 portfolio.toml:8: targets_by_asset_on_chain."DAI@eip155:1": DAI has no target',
    ),
    # Addresses and chains.
    (
        "0x71C7",
        "0x71c7",
        "C104 portfolio.toml:4: wallet.address: 0x71c7656EC7ab88b098defB751B7401B5f6d8976F has a wrong checksum, so a character may be wrong: copy it again from its source (as it stands it would be 0x71C7656EC7ab88b098defB751B7401B5f6d8976F)",
    ),
    (
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "vitalik.eth",
        "C104 portfolio.toml:4: wallet.address: 'vitalik.eth' is not an address: 0x and 40 hex digits",
    ),
    (
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "0x" + "ab" * 32,
        "C104 portfolio.toml:4: wallet.address: looks like a private key, which must never stand here",
    ),
    (
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "",
        "C104 portfolio.toml:4: wallet.address: must be 1 to 512 printable characters",
    ),
    (
        '"eip155:1"]',
        '"eip155:1", "eip155:5"]',
        f"C104 portfolio.toml:5: wallet.chains: chains.toml has no eip155:5; it has {KNOWN}",
    ),
    (
        '"eip155:1"]',
        '"mainnet"]',
        "C104 portfolio.toml:5: wallet.chains: 'mainnet' is not a chain: write it like eip155:1",
    ),
    (
        '"eip155:1"]',
        '"eip155:1", "eip155:1"]',
        "C104 portfolio.toml:5: wallet.chains: eip155:1 is named twice",
    ),
    ('["eip155:1"]', "[]", "C104 portfolio.toml:5: wallet.chains: names no chain"),
    (
        'chains  = ["eip155:1"]',
        'chains = [\n  "eip155:1",\n  "eip155:5",\n]',
        f"C104 portfolio.toml:7: wallet.chains: chains.toml has no eip155:5; it has {KNOWN}",
    ),
    # Tokens and assets.
    (
        "[targets]",
        '[assets.ETH]\nspend = ["WETHH"]\n[targets]',
        'C104 portfolio.toml:8: assets.ETH.spend: "WETHH" is no known token of eip155:1, did you mean "WETH"?',
    ),
    (
        "[targets]",
        '[assets.ETH]\nspend = ["ETH"]\n[targets]',
        'C104 portfolio.toml:8: assets.ETH.spend: "ETH" is no known token of eip155:1, did you mean "native", the gas coin?',
    ),
    (
        "[targets]",
        '[assets.ETH]\nspend = ["SHIB"]\n[targets]',
        'C104 portfolio.toml:8: assets.ETH.spend: "SHIB" is no known token of eip155:1',
    ),
    (
        "[targets]",
        f'[assets.ETH]\nspend = ["0x{"ab" * 20}"]\n[targets]',
        f'C104 portfolio.toml:8: assets.ETH.spend: "0x{"ab" * 20}" is no known token of eip155:1',
    ),
    (
        "[targets]",
        '[assets.ETH]\nspend = ["WETH"]\ncount = ["WETH"]\n[targets]',
        "C104 portfolio.toml:9: assets.ETH.count: WETH is listed twice",
    ),
    (
        "[targets]",
        '[assets.USDC]\nspend = ["USDC", "USDT"]\n[targets]',
        "C104 portfolio.toml:8: assets.USDC.spend: USDT is a form of USDT, not of USDC",
    ),
    (
        "[targets]",
        '[assets.ETH]\nspend = ["wstETH"]\n[targets]',
        "C104 portfolio.toml:8: assets.ETH.spend: wstETH can only be counted: its price is not that of ETH, so it would be sold at a wrong one",
    ),
    ("[targets]", "[assets.ETH]\n[targets]", "C104 portfolio.toml:7: assets.ETH: lists no token"),
    (
        "[targets]",
        '[assets.DAI]\nspend = ["DAI"]\n[targets]',
        'C104 portfolio.toml:7: assets.DAI: DAI has no target; to sell all of it, give it the weight "0"',
    ),
    (
        "[targets]",
        '[assets.ETH]\ncount = ["WETH"]\n[targets]',
        "C104 portfolio.toml:10: targets.ETH: no form of ETH may be traded on the wallet's chains",
    ),
    (
        "[targets]",
        '[flows]\nkeep = { DAI = "1" }\n[targets]',
        "C104 portfolio.toml:8: flows.keep.DAI: DAI has no target, so all of it stays anyway",
    ),
    # Words, numbers, durations.
    ("schema = 1", "schema = 2", "C104 portfolio.toml:1: schema: 2 is not between 1 and 1"),
    (
        "schema = 1",
        'schema = 1\nbase = "EUR"',
        'C104 portfolio.toml:2: base: "EUR" is not possible; known here: USD',
    ),
    (
        "schema = 1",
        'schema = 1\nname = "a\\u001bb"',
        "C104 portfolio.toml:2: name: must be 1 to 512 printable characters",
    ),
    (
        "[targets]",
        'signer = "keystre:main"\n[targets]',
        'C104 portfolio.toml:7: wallet.signer: no such kind of signer, did you mean "keystore"?',
    ),
    (
        "[targets]",
        'signer = "keystore"\n[targets]',
        "C104 portfolio.toml:7: wallet.signer: needs the name of a key store, such as keystore:main",
    ),
    (
        "[targets]",
        'signer = "remote:"\n[targets]',
        "C104 portfolio.toml:7: wallet.signer: needs a URL, such as remote:https://signer.example",
    ),
    (
        "[targets]",
        'signer = "remote:http://signer.example/secret"\n[targets]',
        "C104 portfolio.toml:7: wallet.signer: the URL of the signer of signer.example must use https: plain http is for loopback only",
    ),
    (
        "[targets]",
        'signer = "watch:it"\n[targets]',
        "C104 portfolio.toml:7: wallet.signer: nothing may follow watch",
    ),
    (
        "[targets]",
        "[limits]\nmax_cost_bps = 10001\n[targets]",
        "C104 portfolio.toml:8: limits.max_cost_bps: 10001 is not between 0 and 10000",
    ),
    (
        "[targets]",
        '[limits]\nmin_trade = "1_000"\n[targets]',
        'C104 portfolio.toml:8: limits.min_trade: "1_000" is no plain number such as "1250.50"',
    ),
    (
        "[targets]",
        '[limits]\nmax_price_age = "soon"\n[targets]',
        'C104 portfolio.toml:8: limits.max_price_age: "soon" is no duration such as "7d", "6h", "10m" or "30s"',
    ),
    (
        "[targets]",
        '[trigger]\nevery = "1.5h"\n[targets]',
        'C104 portfolio.toml:8: trigger.every: "1.5h" is no duration such as "7d", "6h", "10m" or "30s"',
    ),
    (
        "[targets]",
        '[trigger]\nmode = "hybird"\n[targets]',
        'C104 portfolio.toml:8: trigger.mode: "hybird" is not possible, did you mean "hybrid"?',
    ),
    (
        "[targets]",
        '[confirm]\nmode = "sometimes"\n[targets]',
        'C104 portfolio.toml:8: confirm.mode: "sometimes" is not possible; known here: always, never, over',
    ),
    (
        "[targets]",
        '[flows]\ndeposits = "ignore"\n[targets]',
        'C104 portfolio.toml:8: flows.deposits: "ignore" is not available; `flows.keep` leaves an amount of an asset alone',
    ),
    (
        '[targets]\nETH  = { weight = "0.60", band = "0.05" }\nUSDC = { weight = "0.40", band = "0.05" }\n',
        '[targets]\nETH = { weight = "1", band = "0.05" }\n[flows]\ndeposits = "buy-only"\n',
        "C104 portfolio.toml:10: flows.deposits: no asset of the targets is pegged to the unit of account: buy with what",
    ),
    (
        "[targets]",
        '[flows]\ndeposits = "rebalnce"\n[targets]',
        'C104 portfolio.toml:8: flows.deposits: "rebalnce" is not possible, did you mean "rebalance"?',
    ),
    (
        "[targets]",
        '[venues]\nallow = ["uniswop"]\n[targets]',
        'C104 portfolio.toml:8: venues.allow: "uniswop" is no venue; known here: cow, kyberswap, lifi, odos, oneinch, openocean, pancakeswap_v2, quickswap_v2, router, sushiswap_v2, traderjoe_v1, velora, zerox',
    ),
    (
        "[targets]",
        '[venues]\nallow = ["routr"]\n[targets]',
        'C104 portfolio.toml:8: venues.allow: "routr" is no venue, did you mean "router"?',
    ),
    (
        "[targets]",
        '[venues]\nallow = ["router", "router"]\n[targets]',
        'C104 portfolio.toml:8: venues.allow: "router" is named twice',
    ),
    (
        "[targets]",
        '[bridges]\nallow = ["accross"]\n[targets]',
        'C104 portfolio.toml:8: bridges.allow: "accross" is no bridge, did you mean "across"?',
    ),
    (
        "[targets]",
        '[bridges.across]\napi = "of"\n[targets]',
        'C104 portfolio.toml:8: bridges.across.api: "of" is not possible, did you mean "off"?',
    ),
    (
        "[targets]",
        "[bridges.across]\nrelayer_fee_bps = 10001\n[targets]",
        "C104 portfolio.toml:8: bridges.across.relayer_fee_bps: 10001 is not between 0 and 10000",
    ),
    (
        "[targets]",
        "[bridges.across]\nrelayer_fee_fixed = 1\n[targets]",
        "C103 portfolio.toml:8: bridges.across.relayer_fee_fixed: "
        'a number in quotes is wanted, not a whole number; quote it: "1"',
    ),
    (
        "[targets]",
        '[gas]\nreserve = { "eip155:1" = "0.0000000000000000001" }\n[targets]',
        'C104 portfolio.toml:8: gas.reserve."eip155:1": "0.0000000000000000001" is no plain number such as "1250.50"',
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), IN_MINIMAL)
def test_each_mistake_is_told_with_file_line_and_key(minimal, error_of, old, new, expected):
    assert old in minimal
    assert expected == error_of(minimal.replace(old, new, 1))


def test_fix_names_the_line_and_the_document(load_text, minimal):
    with pytest.raises(ConfigError) as caught:
        load_text(minimal.replace('"0.60"', "0.60"))
    assert (
        caught.value.fix
        == "correct portfolio.toml, line 8; docs/configuration.md explains every key"
    )
    assert caught.value.exit == 2


def test_a_missing_portfolio_says_how_to_name_one(load_text):
    with pytest.raises(ConfigError) as caught:
        load_text(config=Path("none.toml"))
    assert caught.value.message == "none.toml is not there"
    assert caught.value.code == "C101"
    assert caught.value.fix == (
        "name the portfolio with --config FILE or REBALANCER_CONFIG; "
        "docs/configuration.md has one to start from"
    )


@pytest.fixture
def two_chains(folder) -> Path:
    """A chains.toml with a second chain, whose gas coin has few decimals."""
    second = about("eip155:1").replace("eip155:1", "eip155:1001")
    Path("two.toml").write_text(
        resources.text("chains.toml")
        + second.replace('symbol = "ETH", decimals = 18', 'symbol = "ETH", decimals = 6')
    )
    return Path("two.toml")


BEYOND = [
    (
        '[targets_by_chain]\n"eip155:1001" = { max = "1" }\n',
        'targets_by_chain."eip155:1001": eip155:1001 is not one of wallet.chains',
    ),
    (
        '[targets_by_asset_on_chain]\n"ETH@eip155:1001" = { max = "1" }\n',
        'targets_by_asset_on_chain."ETH@eip155:1001": eip155:1001 is not one of wallet.chains',
    ),
    (
        '[gas]\nreserve = { "eip155:1001" = "1" }\n',
        'gas.reserve."eip155:1001": eip155:1001 is not one of wallet.chains',
    ),
]


@pytest.mark.parametrize(("more", "expected"), BEYOND)
def test_a_chain_that_is_known_but_not_the_wallets_is_refused(
    minimal, error_of, two_chains, more, expected
):
    assert f"C104 portfolio.toml:12: {expected}" == error_of(
        minimal + "\n" + more, chains=two_chains
    )


def on_both(minimal: str) -> str:
    return minimal.replace('["eip155:1"]', '["eip155:1", "eip155:1001"]')


def test_a_reserve_finer_than_the_gas_coin_is_refused(minimal, error_of, two_chains):
    text = on_both(minimal) + '\n[gas]\nreserve = { "eip155:1001" = "0.0000001" }\n'
    expected = 'C104 portfolio.toml:12: gas.reserve."eip155:1001": ETH has only 6 decimals'
    assert expected == error_of(text, chains=two_chains)


def test_least_shares_above_the_whole_are_refused(minimal, error_of, two_chains):
    text = (
        on_both(minimal)
        + '\n[targets_by_chain]\n"eip155:1" = { min = "0.6" }\n"eip155:1001" = { min = "0.5" }\n'
    )
    expected = "C104 portfolio.toml:11: targets_by_chain: the least shares of the wallet's chains sum to 1.1, above 1"
    assert expected == error_of(text, chains=two_chains)


def test_a_contract_at_one_address_on_two_chains_is_two_tokens(minimal, load_text, two_chains):
    text = (
        on_both(minimal)
        + '\n[assets.USDC]\nspend = ["0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"]\n'
    )
    instances = load_text(text, chains=two_chains).policy.assets[1].instances
    assert [instance.token.chain for instance in instances] == [1, 1001]


def test_a_rule_that_only_the_core_knows_is_an_error_of_the_file_too(error_of, monkeypatch):
    def refuse(**_fields):
        raise PolicyError("limits.min_trade", "is odd")

    monkeypatch.setattr("agent.settings.portfolio.Policy", refuse)
    assert error_of() == "C104 portfolio.toml:1: limits.min_trade: is odd"
