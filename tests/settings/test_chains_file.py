"""chains.toml: the facts that travel with the program, and what a wrong file says."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from agent import resources
from agent.core.money import NATIVE, ChainId
from agent.errors import AgentError
from agent.settings import load_chains_only
from agent.wire.address import checksum

ETHEREUM = ChainId(1)

ADDRESSES = {
    "WETH": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    "wstETH": "0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0",
    "WBTC": "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599",
    "USDC": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    "USDT": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
    "DAI": "0x6B175474E89094C44Da98b954EedeAC495271d0F",
}
FEEDS = {
    "ETH": ("0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419", 3_600, "ETH / USD"),
    "WBTC": ("0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c", 3_600, "BTC / USD"),
    "USDC": ("0x8fFfFfd4AfB6115b954Bd326cbe7B4BA576818f6", 82_800, "USDC / USD"),
    "USDT": ("0x3E7d1eAB13ad0104d2750B8863b489D65364e32D", 86_400, "USDT / USD"),
    "DAI": ("0xAed0c38402a5d19df6E4c03F4E2DceD6e29c1ee9", 3_600, "DAI / USD"),
    "wstETH": ("0xCfE54B5cD566aB89272946F602D76Ea879CAb4a8", 3_600, "STETH / USD"),
}


@pytest.fixture
def ethereum():
    return load_chains_only(environ={}).chains[ETHEREUM]


def test_ethereum_has_the_known_tokens(ethereum):
    assert ADDRESSES == {token.symbol: checksum(token.address) for token in ethereum.tokens[1:]}
    assert [token.decimals for token in ethereum.tokens] == [18, 18, 18, 8, 6, 6, 18]
    assert ethereum.native.address == NATIVE
    assert ethereum.wrapped.symbol == "WETH"


def test_ethereum_groups_its_tokens_into_assets(ethereum):
    groups = [(listing.token.symbol, listing.asset, listing.role) for listing in ethereum.listings]
    assert groups == [
        ("ETH", "ETH", "spend"),
        ("WETH", "ETH", "spend"),
        ("wstETH", "ETH", "count"),
        ("WBTC", "WBTC", "spend"),
        ("USDC", "USDC", "spend"),
        ("USDT", "USDT", "spend"),
        ("DAI", "DAI", "spend"),
    ]


def test_ethereum_has_a_feed_for_each_asset(ethereum):
    feeds = {
        asset: (checksum(feed.address), feed.heartbeat_seconds, feed.description)
        for asset, feed in ethereum.feeds.items()
    }
    assert FEEDS == feeds
    assert {(feed.decimals, feed.unbounded) for feed in ethereum.feeds.values()} == {(8, False)}
    rates = {name: feed.rate for name, feed in ethereum.feeds.items() if feed.rate}
    assert rates == {"wstETH": "stEthPerToken()"}


def test_ethereum_has_the_contracts_that_the_router_works_with(ethereum):
    uniswap = ethereum.uniswap
    assert checksum(uniswap.v2_factory) == "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"
    assert checksum(uniswap.v3_factory) == "0x1F98431c8aD98523631AE4a59f267346ea31F984"
    assert checksum(uniswap.swap_router_02) == "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
    assert checksum(uniswap.quoter_v2) == "0x61fFE014bA17989E743c5F6cB21bF9697530B21e"
    assert uniswap.v3_fee_tiers == ((100, 1), (500, 10), (3_000, 60), (10_000, 200))
    assert [token.symbol for token in uniswap.hub_tokens] == ["WETH", "USDC", "USDT", "DAI", "WBTC"]
    assert checksum(ethereum.multicall3) == "0xcA11bde05977b3631167028862bE2a173976CA11"
    assert list(ethereum.code_hashes) == [ethereum.multicall3]


def test_ethereum_has_the_contracts_of_v4(ethereum):
    v4 = ethereum.uniswap_v4
    assert checksum(v4.state_view) == "0x7fFE42C4a5DEeA5b0feC41C94C136Cf115597227"
    assert checksum(v4.universal_router) == "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af"
    assert checksum(v4.permit2) == "0x000000000022D473030F116dDEE9F6B43aC78BA3"
    assert v4.fee_tiers == ((100, 1), (500, 10), (3_000, 60), (10_000, 200))


def test_ethereum_is_told_apart_and_reached(ethereum):
    assert ethereum.caip2 == "eip155:1"
    assert ethereum.name == "Ethereum"
    assert ethereum.short_name == "eth"
    assert ethereum.explorer == "https://etherscan.io"
    assert ethereum.fee_model == "eip1559"
    assert ethereum.genesis == "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    assert ethereum.endpoints == ("ethereum-rpc.publicnode.com:443", "eth.drpc.org:443")
    assert ethereum.loopback is False
    assert ethereum.block_seconds == Decimal(12)
    assert (ethereum.confirmations, ethereum.max_head_age_seconds) == (6, 60)


def test_a_token_is_found_by_symbol_and_in_its_listing(ethereum):
    assert ethereum.named("WETH") == ethereum.wrapped
    assert ethereum.named("ETH") is None
    assert ethereum.named("weth") is None
    assert ethereum.listing(ethereum.wrapped).asset == "ETH"
    other = type(ethereum.wrapped)(ChainId(2), ethereum.wrapped.address, 18, "WETH")
    assert ethereum.listing(other) is None


def test_settings_without_a_portfolio_know_chains_and_folders(folder):
    world = load_chains_only(environ={})
    assert next(iter(world.chains)) == ETHEREUM
    assert world.local is False
    assert world.across_api == "https://app.across.to/api"
    assert world.files == (resources.path("chains.toml"),)


REAL = resources.text("chains.toml")


@pytest.fixture
def say(folder):
    """What a changed chains.toml says."""

    def said(text: str, environ: dict[str, str] | None = None) -> str:
        Path("c.toml").write_text(text)
        with pytest.raises(AgentError) as caught:
            load_chains_only(chains=Path("c.toml"), environ=environ or {})
        return f"{caught.value.code} {caught.value.message}"

    return said


CHAIN = 'chains."eip155:1"'

MISTAKES = [
    ("schema = 1", "schema = 9", "C104 c.toml:{line}: schema: 9 is not between 1 and 1"),
    (
        'name = "Ethereum"',
        'naem = "Ethereum"',
        "C102 c.toml:{line}: " + CHAIN + '.naem: unknown key, did you mean "name"?',
    ),
    (
        '[chains."eip155:1"]',
        "[chains.mainnet]",
        "C104 c.toml:{line}: chains.mainnet: 'mainnet' is not a chain: write it like eip155:1",
    ),
    (
        'wrapped = "WETH"',
        'wrapped = "WETC"',
        "C104 c.toml:{line}: " + CHAIN + '.wrapped: "WETC" is not possible, did you mean "WETH"?',
    ),
    (
        '"0xcA11bde05977b3631167028862bE2a173976CA11"',
        '"0xca11bde05977b3631167028862be2a173976ca11"',
        "C104 c.toml:{line}: "
        + CHAIN
        + ".multicall3: write it with its checksum: 0xcA11bde05977b3631167028862bE2a173976CA11",
    ),
    (
        '"https://etherscan.io"',
        '"http://etherscan.io"',
        "C104 c.toml:{line}: " + CHAIN + ".explorer: must start with https:// and not end with /",
    ),
    (
        '"eip1559"',
        '"optimism"',
        "C104 c.toml:{line}: "
        + CHAIN
        + '.fee_model: "optimism" is not possible; known here: arbitrum, eip1559, legacy, op_stack',
    ),
    (
        'finality = "finalized"',
        'finality = "safe"',
        "C104 c.toml:{line}: " + CHAIN + '.finality: "safe" is not possible; known here: finalized',
    ),
    (
        "slip44 = 60",
        "slip44 = -1",
        "C104 c.toml:{line}: " + CHAIN + ".native.slip44: -1 is not between 0 and 2147483647",
    ),
    (
        'says = "USD₮0"',
        'says = ""',
        'C104 c.toml:{line}: chains."eip155:42161".tokens.USDT.says: '
        "must be 1 to 512 printable characters",
    ),
    (
        "grace_seconds = 3600",
        "grace_seconds = 90000",
        'C104 c.toml:{line}: chains."eip155:8453".sequencer.grace_seconds: '
        "90000 is not between 0 and 86400",
    ),
    (
        '"https://app.across.to/api"',
        '"http://app.across.to/api"',
        "C104 c.toml:{line}: bridges.across.api: must start with https:// and not end with /",
    ),
    (
        "block_seconds = 12",
        "block_seconds = 0.25",
        "C103 c.toml:{line}: "
        + CHAIN
        + '.block_seconds: a number in quotes is wanted, not a number with a point; quote it: "0.25"',
    ),
    (
        "confirmations = 6",
        "confirmations = 0",
        "C104 c.toml:{line}: " + CHAIN + ".confirmations: 0 is not between 1 and 10000",
    ),
    (
        'genesis = "0xd4e5',
        'genesis = "d4e5',
        "C104 c.toml:{line}: " + CHAIN + ".genesis: must be 0x and 64 lower-case hex digits",
    ),
    (
        'native = { symbol = "ETH", decimals = 18,',
        'native = { symbol = "ETH", decimals = 255,',
        "C104 c.toml:{line}: " + CHAIN + ".native.decimals: 255 is not between 0 and 36",
    ),
    (
        "decimals = 6",
        "decimals = 255",
        "C104 c.toml:{line}: " + CHAIN + ".tokens.USDC.decimals: 255 is not between 0 and 36",
    ),
    (
        "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        "C104 c.toml:{line-1}: " + CHAIN + ".tokens.USDT: has the address of USDC",
    ),
    (
        '[chains."eip155:1".tokens.DAI]',
        '[chains."eip155:1".tokens.native]',
        "C104 c.toml:{line}: "
        + CHAIN
        + '.tokens.native: "native" is the gas coin, which has no contract',
    ),
    (
        '[chains."eip155:1".feeds.DAI]',
        '[chains."eip155:1".feeds.DAY]',
        "C104 c.toml:{line}: "
        + CHAIN
        + '.feeds.DAY: no token is a form of "DAY", did you mean "DAI"?',
    ),
    (
        "heartbeat_seconds = 82800",
        "heartbeat_seconds = 0",
        "C104 c.toml:{line}: "
        + CHAIN
        + ".feeds.USDC.heartbeat_seconds: 0 is not between 1 and 604800",
    ),
    (
        'hub_tokens = ["WETH",',
        'hub_tokens = ["WETC",',
        "C104 c.toml:{line}: "
        + CHAIN
        + '.uniswap.hub_tokens: "WETC" is no token of this chain, did you mean "WETH"?',
    ),
    (
        "[[100, 1]",
        "[[0, 1]",
        "C104 c.toml:{line}: " + CHAIN + ".uniswap.v3_fee_tiers: 0 is not between 1 and 999999",
    ),
    (
        "[[100, 1]",
        "[[100, 1, 1]",
        "C104 c.toml:{line}: "
        + CHAIN
        + ".uniswap.v3_fee_tiers: a fee and its tick spacing are wanted, such as [3000, 60]",
    ),
    (
        'description = "DAI / USD"',
        'description = "DAI / USD"\nunbounded = 1',
        "C103 c.toml:{line+1}: "
        + CHAIN
        + ".feeds.DAI.unbounded: true or false is wanted, not a whole number",
    ),
    (
        'rate = "stEthPerToken()"',
        'rate = "stEthPerToken"',
        "C104 c.toml:{line}: "
        + CHAIN
        + '.feeds.wstETH.rate: a function without arguments is wanted, such as "stEthPerToken()"',
    ),
    (
        'rate = "stEthPerToken()"\n',
        "",
        "C104 c.toml:{line-5}: " + CHAIN + ".feeds.wstETH: needs the key rate",
    ),
    (
        'description = "BTC / USD"',
        'description = "BTC / USD"\nrate = "rate()"',
        "C104 c.toml:{line+1}: "
        + CHAIN
        + ".feeds.WBTC.rate: an asset is what its feed prices; only a counted token has a rate",
    ),
    (
        'role = "count"',
        'role = "hold"',
        "C104 c.toml:{line}: "
        + CHAIN
        + '.tokens.wstETH.role: "hold" is not possible; known here: count, spend',
    ),
    (
        'https://eth.drpc.org"',
        'http://eth.drpc.org/s3cr3t"',
        "C104 c.toml:{line}: "
        + CHAIN
        + ".rpc: the RPC URL of eth.drpc.org must use https: plain http is for loopback only",
    ),
    (
        "${ETH_RPC_URL:-",
        "${ETH_RPC_URL-",
        "C104 c.toml:{line}: "
        + CHAIN
        + ".rpc: a variable is written ${{NAME}} or ${{NAME:-default}}",
    ),
    (
        "${ETH_RPC_URL:-https://ethereum-rpc.publicnode.com}",
        "${MY_NODE}",
        "C104 c.toml:{line}: " + CHAIN + ".rpc: the variable MY_NODE is not set and has no default",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES)
def test_each_mistake_is_told_with_file_line_and_key(say, old, new, expected):
    line = REAL[: REAL.index(old)].count("\n") + 1
    for away in (-5, -1, 1):
        expected = expected.replace(f"{{line{away:+}}}", str(line + away))
    expected = expected.format(line=line)
    assert expected == say(REAL.replace(old, new, 1))


HEAD, *TABLES = re.split(r"^(?=\[)", REAL, flags=re.MULTILINE)
CHAINS = re.findall(r'^\[(chains\."eip155:\d+")\]', REAL, flags=re.MULTILINE)


@pytest.mark.parametrize("chain", CHAINS)
def test_no_entry_goes_without_its_source(say, chain):
    """Each table of facts loses its source, then its check, and is refused by name.

    The other chains are left out of the file: reading it takes its time.
    """
    tables = [table for table in TABLES if table.startswith(f"[{chain}")]
    tables += [table for table in TABLES if not table.startswith("[chains.")]
    for number, table in enumerate(tables):
        for key in ("source", "checked"):
            less, count = re.subn(rf"^{key} = .*\n", "", table, flags=re.MULTILINE)
            said = say(HEAD + "".join([*tables[:number], less, *tables[number + 1 :]]))
            named = table[1 : table.index("]")]
            assert (1, True) == (count, said.endswith(f": {named}: needs the key {key}")), said


def test_a_hash_is_one_only_where_a_fact_is_named_so(say):
    """Anywhere else 32 bytes could be somebody's private key."""
    known = re.search(r'init_code_hash = "(0x[0-9a-f]{64})"', REAL)
    assert known is not None
    told = "must be 0x and 64 lower-case hex digits"
    assert told in say(REAL.replace(known[1], known[1][:-1], 1))
    assert "looks like a private key" in say(REAL.replace("init_code_hash =", "init_code =", 1))


@pytest.mark.parametrize("word", ["yes", "Live", ""])
def test_a_check_is_live_or_document(say, word):
    assert "checked" in say(REAL.replace('checked = "document"', f'checked = "{word}"', 1))


@pytest.mark.parametrize("table", ["tokens", "rpc", "native", "genesis"])
def test_a_chain_without_what_all_chains_have_is_refused(say, table):
    rows = REAL.replace("rpc = [\n", "rpc = [").splitlines()
    text = "\n".join(
        row for row in rows if f".{table}" not in row and not row.startswith(f"{table} =")
    )
    assert say(text).startswith("C10")


def test_a_chain_may_go_without_feeds_router_and_code_hashes(folder):
    text = REAL[: REAL.index('[chains."eip155:1".feeds.ETH]')]
    Path("c.toml").write_text(text)
    facts = load_chains_only(chains=Path("c.toml"), environ={}).chains[ETHEREUM]
    assert facts.feeds == {}
    assert facts.uniswap is None
    assert facts.code_hashes == {}


def test_a_feed_without_bounds_says_so(folder):
    Path("c.toml").write_text(
        REAL.replace('description = "DAI / USD"', 'description = "D"\nunbounded = true')
    )
    feeds = load_chains_only(chains=Path("c.toml"), environ={}).chains[ETHEREUM].feeds
    assert {asset for asset, feed in feeds.items() if feed.unbounded} == {"DAI"}


def with_rpc(text: str) -> str:
    start, end = REAL.index("rpc = ["), REAL.index("]", REAL.index("rpc = ["))
    return REAL[:start] + f"rpc = [{text}" + REAL[end:]


@pytest.mark.parametrize(
    ("rpc", "environ", "expected"),
    [
        ('"${A:-https://a.example}"', {}, ("https://a.example",)),
        ('"${A:-https://a.example}"', {"A": ""}, ("https://a.example",)),
        ('"${A:-https://a.example}"', {"A": "https://b.example/key"}, ("https://b.example/key",)),
        ('"https://a.example/${KEY}"', {"KEY": "k"}, ("https://a.example/k",)),
        ('"https://a.example/${KEY:-}"', {}, ("https://a.example/",)),
        ('"${A:-}", "https://b.example"', {}, ("https://b.example",)),
        ('"${A:-https://b.example}", "https://b.example"', {}, ("https://b.example",)),
        ('"http://127.0.0.1:8545"', {}, ("http://127.0.0.1:8545",)),
    ],
)
def test_nodes_are_taken_from_variables_or_their_defaults(folder, rpc, environ, expected):
    Path("c.toml").write_text(with_rpc(rpc))
    facts = load_chains_only(chains=Path("c.toml"), environ=environ).chains[ETHEREUM]
    assert expected == facts.rpc
    assert facts.loopback is ("127.0.0.1" in expected[0])


def test_a_chain_without_any_node_is_refused(say):
    assert say(with_rpc('"${A:-}"')).endswith(f": {CHAIN}.rpc: names no node")
    assert say(with_rpc("")).endswith(f": {CHAIN}.rpc: names no node")


def test_a_url_that_cannot_be_meant_is_not_shown(say):
    said = say(with_rpc('"${A}"'), {"A": "wss://node.example/s3cr3t"})
    assert said.endswith(f": {CHAIN}.rpc: the RPC URL of node.example must start with https://")
    said = say(with_rpc('"${A}"'), {"A": "https://node.example/s3cr3t key"})
    assert "s3cr3t" not in said


def test_variables_are_put_into_nothing_but_nodes(folder):
    Path("c.toml").write_text(REAL.replace('name = "Ethereum"', 'name = "${HOME}"'))
    facts = load_chains_only(chains=Path("c.toml"), environ={"HOME": "x"}).chains[ETHEREUM]
    assert facts.name == "${HOME}"


def test_a_file_without_bridges_asks_nobody_for_fees(folder):
    Path("c.toml").write_text(
        REAL[: REAL.index("[bridges.across]")] + REAL[REAL.index('[chains."eip155:1"]') :]
    )
    assert load_chains_only(chains=Path("c.toml"), environ={}).across_api == ""


def test_what_stands_for_a_dollar_is_a_fact_with_its_source(folder, say):
    known = load_chains_only(environ={})
    assert {"USDC": "USD", "USDT": "USD", "DAI": "USD"} == known.pegs
    line = REAL[: REAL.index('to = "USD"')].count("\n") + 1
    said = say(REAL.replace('to = "USD"', 'to = "EUR"', 1))
    assert f'C104 c.toml:{line}: pegs.USDC.to: "EUR" is not possible; known here: USD' == said
    none = re.sub(r"^\[pegs\.\w+\]\n(.+\n)+", "", REAL, flags=re.MULTILINE)
    Path("c.toml").write_text(none)
    assert {} == load_chains_only(chains=Path("c.toml"), environ={}).pegs
