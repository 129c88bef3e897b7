"""`config show`: what takes effect, and who decided it."""

from __future__ import annotations

from cli.commands import Command, plain
from cli_fixtures import PASSWORD, CliWallet


def test_config_shows_every_key_that_takes_effect(command: Command, wallet: CliWallet) -> None:
    told = plain(command("config", "show").stdout, wallet)
    assert "trigger.mode                      threshold\n" in told
    assert "targets.ETH.weight                0.50\n" in told
    assert "limits.max_run_value              10000\n" in told
    assert "policy hash HASH\n" in told


def test_config_says_where_a_value_came_from(command: Command, wallet: CliWallet) -> None:
    told = command(
        "config",
        "show",
        "--origin",
        "--json",
        environ={"REBALANCER_LIMITS__MAX_SLIPPAGE_BPS": "20"},
    ).document
    rows = {row.pop("key"): row for row in told["values"]}
    overlay = f"{wallet.overlay}:6"
    port = wallet.world.url.removeprefix("http://")
    assert {
        "limits.max_slippage_bps": ("20", "environment", "REBALANCER_LIMITS__MAX_SLIPPAGE_BPS"),
        "limits.max_cost_bps": ("80", "default", "default"),
        "targets.ETH.band": ("0.05", "portfolio", f"{wallet.portfolio}:11"),
        'chains."eip155:1".rpc': (port, "overlay", overlay),
        "state": (str(wallet.state), "environment", "REBALANCER_HOME"),
    } == {
        name: tuple(rows[name].values())
        for name in (
            "limits.max_slippage_bps",
            "limits.max_cost_bps",
            "targets.ETH.band",
            'chains."eip155:1".rpc',
            "state",
        )
    }
    assert ("config", True, 64) == (told["kind"], told["local"], len(told["policy_hash"]))
    assert str(wallet.portfolio) in told["files"]


def test_config_without_origin_names_no_place(command: Command) -> None:
    told = command("config", "show", "--json").document
    assert {("key", "value")} == {tuple(row) for row in told["values"]}


def test_config_shows_no_secret(command: Command, wallet: CliWallet) -> None:
    told = command(
        "config",
        "show",
        "--origin",
        environ={"ETH_RPC_URL": "http://127.0.0.1:1/v3/canary-key", "REBALANCER_OVERLAY": None},
    )
    assert 0 == told.code, told.stderr
    assert "canary-key" not in told.stdout + told.stderr
    assert PASSWORD not in told.stdout + told.stderr


def test_config_alone_shows_its_help(bare: Command) -> None:
    assert "show  Print every effective key" in bare("config").stdout + bare("config").stderr
