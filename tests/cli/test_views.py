"""`balances`, `prices` and `drift`: what they print, for people and for programs."""

from __future__ import annotations

import textwrap

import pytest
from cli.commands import Command, plain, use
from cli_fixtures import CliWallet, NewWallet

from agent.lab.puppet import tx
from agent.lab.world import World
from agent.wire.address import checksum

LOCAL = "LOCAL chains: nothing here is on any public chain\n"
WBTC = "eip155:1/erc20:0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"
USDC = "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "eip155:1/erc20:0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
WSTETH = "eip155:1/erc20:0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0"
WHY = (
    "ETH is 60.0 %, 4,010.57 above its band of 45.0 % to 55.0 %; "
    "WBTC is 15.0 %, 805.13 below its band of 16.0 % to 24.0 %; "
    "USDC is 25.0 %, 6.20 below its band of 25.0 % to 35.0 %; no run yet"
)


def block(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def let_feeds_be_old(world: World, seconds: int) -> None:
    """Every feed says that it was updated that long before the chain's newest block."""
    publisher = world.saved.publisher
    world._treasury.send(tx(publisher, "refresh(uint256)", world.head()[1] - seconds))


def test_balances_are_told_to_people(command: Command, wallet: CliWallet) -> None:
    told = command("balances")
    wanted = """
        WALLET 0xWALLET   79,980.79 USD   Ethereum block N   5 requests
          Ethereum  ETH     13.0000  39,000.00  spend
          Ethereum  USDC  20,000.00  19,988.99  spend
          Ethereum  WBTC     0.2000  11,991.79  spend
          Ethereum  WETH     3.0000   9,000.00  spend
          counted 79,980.79 · outside 0.00 · unpriced: none
        """
    assert (0, block(wanted), LOCAL) == (told.code, plain(told.stdout, wallet), told.stderr)


def test_balances_are_told_to_programs_as_the_contract_says(
    command: Command, wallet: CliWallet
) -> None:
    told = command("balances", "--json", "-q")

    def row(token: str, symbol: str, asset: str, role: str, raw: int, decimals: int, value: str):
        return {
            "token": token,
            "symbol": symbol,
            "amount": str(raw),
            "decimals": decimals,
            "asset": asset,
            "role": role,
            "value": value,
        }

    rows = [
        row(WBTC, "WBTC", "WBTC", "spend", 20_000_000, 8, "11991.79"),
        row(WSTETH, "wstETH", "ETH", "count", 0, 18, "0.00"),
        row(USDC, "USDC", "USDC", "spend", 20_000 * 10**6, 6, "19988.99"),
        row(WETH, "WETH", "ETH", "spend", 3 * 10**18, 18, "9000.00"),
        row("eip155:1/slip44:60", "ETH", "ETH", "spend", 13 * 10**18, 18, "39000.00"),
    ]
    wanted = {
        "schema": 1,
        "kind": "balances",
        "wallet": f"eip155:1:{checksum(wallet.address)}",
        "blocks": {"eip155:1": wallet.world.head()[0]},
        "balances": rows,
        "in_flight": [],
        "value": "79980.79",
        "coverage": {"counted": "79980.79", "outside": "0.00", "unpriced": []},
        "currency": "USD",
        "unknown": [],
        "local": True,
        "requests": 5,
    }
    assert (0, wanted, "") == (told.code, told.document, told.stderr)


def test_balances_without_a_price_have_no_value_and_say_why(
    command: Command, wallet: CliWallet
) -> None:
    let_feeds_be_old(wallet.world, 9000)
    told = command("balances", "--json").document
    assert (None, None) == (told["value"], told["coverage"]["counted"])
    assert {"unpriced"} == {row["role"] for row in told["balances"]} - {"count"}
    assert {"G201"} == {no["code"] for no in told["unknown"]}
    shown = command("balances").stdout
    assert "value unknown USD" in shown
    assert "Ethereum  WETH     3.0000  no price  unpriced" in shown
    assert "[G201] price of ETH is stale: chainlink 3,000.00 is 2 h old (limit 2 min)" in shown


def test_an_empty_wallet_is_shown_as_such(
    bare: Command, new_wallet: NewWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(new_wallet({}), monkeypatch)
    told = bare("balances")
    assert (0, True) == (told.code, "  nothing that is known here\n" in told.stdout)
    drift = bare("drift", "--json")
    assert (0, "0.00", [], "rest") == (
        drift.code,
        *(drift.document[key] for key in ("value", "assets", "decision")),
    )
    assert "   0.00 USD\n" in bare("drift").stdout


def test_prices_are_told_to_people(command: Command, wallet: CliWallet) -> None:
    told = command("prices")
    wanted = """
        PRICES in USD, the lower of two sources, the median of more
          DAI      0.9990  10 bps apart  AGE old  chainlink, pool
          ETH    3,000.00  7 bps apart   AGE old  chainlink, pool
          USDC     0.9994  6 bps apart   AGE old  chainlink, pool
          USDT     0.9994  6 bps apart   AGE old  chainlink, pool
          WBTC  59,958.96  7 bps apart   AGE old  chainlink, pool
        """
    assert (0, block(wanted)) == (told.code, plain(told.stdout, wallet))


def test_prices_are_told_to_programs(command: Command) -> None:
    told = command("prices", "--json").document
    assert ("prices", "USD", True, 4) == tuple(
        told[key] for key in ("kind", "currency", "local", "requests")
    )
    (ether,) = [row for row in told["prices"] if row["asset"] == "ETH"]
    ether["high"], ether["at"] = ether["high"][:7], ether["at"][-1]
    wanted = {
        "asset": "ETH",
        "target": True,
        "value": "3000.00000000",
        "low": "3000.00000000",
        "high": "3002.05",
        "at": "Z",
        "sources": ["chainlink", "pool"],
        "refused": None,
    }
    assert wanted == ether


def test_prices_that_do_not_count_say_why(command: Command, wallet: CliWallet) -> None:
    let_feeds_be_old(wallet.world, 9000)
    told = command("prices", "--json").document["prices"]
    assert {("G201", None)} == {(row["refused"]["code"], row["value"]) for row in told}
    shown = command("prices").stdout
    assert "  ETH   no price" in shown
    assert "  [G201] price of ETH is stale" in shown


def test_drift_is_told_to_people(command: Command, wallet: CliWallet) -> None:
    told = command("drift")
    wanted = """
        WALLET 0xWALLET   79,980.79 USD
                   now  target  band                  value
          ETH   60.0 %  50.0 %  45.0 % to 55.0 %  48,000.00  above by 4,010.57
          USDC  25.0 %  30.0 %  25.0 % to 35.0 %  19,988.99  below by 6.20
          WBTC  15.0 %  20.0 %  16.0 % to 24.0 %  11,991.79  below by 805.13
        """
    assert (0, block(wanted) + WHY + "\n") == (told.code, plain(told.stdout, wallet))


def test_drift_is_told_to_programs_as_the_contract_says(command: Command) -> None:
    told = command("drift", "--json")

    def row(asset: str, *values: str) -> dict[str, str]:
        names = ("weight", "target", "low", "high", "value", "excess")
        return {"asset": asset, **dict(zip(names, values, strict=True))}

    wanted = {
        "schema": 1,
        "kind": "drift",
        "value": "79980.79",
        "currency": "USD",
        "assets": [
            row("ETH", "0.600144", "0.5", "0.45", "0.55", "48000.00", "4010.57"),
            row("USDC", "0.249922", "0.3", "0.25", "0.35", "19988.99", "-6.20"),
            row("WBTC", "0.149933", "0.2", "0.16", "0.24", "11991.79", "-805.13"),
        ],
        "chains": [],
        "decision": "rebalance",
        "why": WHY,
        "local": True,
    }
    assert (0, wanted) == (told.code, told.document)


def test_drift_tells_of_chains_and_of_assets_on_chains(command: Command, wallet: CliWallet) -> None:
    wallet.edit(
        "[trigger]",
        '[targets_by_chain]\n"eip155:1" = { min = "0.40" }\n'
        '[targets_by_asset_on_chain]\n"ETH@eip155:1" = { max = "0.59" }\n[trigger]',
    )
    told = command("drift", "--json").document["chains"]
    assert [
        ("eip155:1", None, None, "1", "0.00"),
        ("eip155:1", "ETH", None, "0.59", "811.34"),
    ] == [
        (row["chain"], row.get("asset"), row["target"], row["high"], row["excess"]) for row in told
    ]
    assert "  Ethereum         100.0 %" in command("drift").stdout


def test_drift_ends_with_3_outside_a_band_only_when_asked(
    command: Command, wallet: CliWallet
) -> None:
    assert (0, 3) == (command("drift").code, command("drift", "--exit-code").code)
    wallet.edit('"0.50", band = "0.05"', '"0.50", band = "0.20"')
    wallet.edit('"0.20", band = "0.04"', '"0.20", band = "0.20"')
    wallet.edit('"0.30", band = "0.05"', '"0.30", band = "0.20"')
    inside = command("drift", "--exit-code", "--json")
    assert (0, "rest") == (inside.code, inside.document["decision"])
    assert "no part is outside its band" in inside.document["why"]


def test_drift_is_refused_when_the_value_is_not_known(command: Command, wallet: CliWallet) -> None:
    let_feeds_be_old(wallet.world, 9000)
    told = command("drift", "--exit-code", "--json")
    assert (6, 6, "G201", True) == (
        told.code,
        *(told.document[key] for key in ("exit", "code", "nothing_signed")),
    )
