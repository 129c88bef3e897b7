"""A private world with a throwaway wallet: files that every command works with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from agent.compose import open_account
from agent.compose.adapters import KeyAccess
from agent.compose.local import OFF_TARGET, OFF_TARGET_BY_CHAIN, local_wallet, sources
from agent.core.decide import Rebalance
from agent.core.state import State
from agent.engine.survey import look
from agent.lab.overlay import SEQUENCER_GRACE_SECONDS
from agent.lab.pins import NODE_BINARY
from agent.lab.places import MARKETS, PLACES
from agent.settings import load
from agent.wire.rpc import Rpc, RpcUnavailable


def test_local_wallet_is_off_its_target_and_gone_afterwards(
    lab_cache: Path, tmp_path: Path
) -> None:
    with local_wallet(lab_cache, tmp_path) as wallet:
        environ = {"HOME": str(tmp_path), **wallet.variables}
        settings = load(environ=environ)
        assert (True, frozenset({wallet.address})) == (settings.local, settings.generated)
        account = open_account(settings, KeyAccess(ask=lambda: wallet.password))
        account.io.signer.unlock()
        seen = look(account.io, State())
        account.close()
        held = {token.symbol: raw for token, raw in seen.snapshot.balances.items() if raw}
        assert {name: raw for name, raw in OFF_TARGET.items() if name != "AIRDROP"} == held
        assert isinstance(seen.decision, Rebalance)
        assert wallet.password not in repr(wallet)
    with pytest.raises(RpcUnavailable):
        Rpc(wallet.url).call("eth_chainId")


def worth(chain: int, funds: dict[str, int]) -> Decimal:
    """USD at the world's first prices; the airdrop has none."""
    tokens = PLACES[chain].tokens
    return sum(
        (
            MARKETS[tokens[name].asset].price * raw / 10 ** tokens[name].decimals
            for name, raw in funds.items()
        ),
        Decimal(0),
    )


def test_wallet_on_three_chains_is_off_its_targets_and_over_its_limit() -> None:
    values: dict[int, Decimal] = {}
    assets = {"ETH": Decimal(0), "WBTC": Decimal(0), "USDC": Decimal(0)}
    for chain, funds in OFF_TARGET_BY_CHAIN.items():
        by_asset = {
            "ETH": {"WETH": funds["ETH"] + funds["WETH"]},
            "WBTC": {"WBTC": funds["WBTC"]},
            "USDC": {"USDC": funds["USDC"]},
        }
        worths = {name: worth(chain, held) for name, held in by_asset.items()}
        values[chain] = sum(worths.values(), Decimal(0))
        assets = {name: total + worths[name] for name, total in assets.items()}
    assert {"ETH": 48_000, "WBTC": 12_000, "USDC": 20_000} == assets
    assert Decimal("0.64") == values[1] / sum(values.values())


def test_local_wallet_on_three_chains_has_its_funds_and_its_files(
    lab_cache: Path, tmp_path: Path
) -> None:
    with local_wallet(lab_cache, tmp_path, chains=(1, 8453, 42161)) as wallet:
        settings = load(environ={"HOME": str(tmp_path), **wallet.variables})
        assert wallet.worlds.fee_api == settings.world.across_api
        assert wallet.urls == {chain: facts.rpc[0] for chain, facts in settings.chains.items()}
        graces = [
            chain.sequencer and chain.sequencer.grace_seconds for chain in settings.chains.values()
        ]
        assert [None, SEQUENCER_GRACE_SECONDS, SEQUENCER_GRACE_SECONDS] == graces
        assert ("across",) == settings.bridges
        account = open_account(settings, KeyAccess(ask=lambda: wallet.password))
        account.io.signer.unlock()
        seen = look(account.io, State())
        account.close()
        held = {chain: {} for chain in OFF_TARGET_BY_CHAIN}
        for token, raw in seen.snapshot.balances.items():
            if raw:
                held[token.chain][token.symbol] = raw
        listed = {chain: dict(funds) for chain, funds in OFF_TARGET_BY_CHAIN.items()}
        del listed[8453]["AIRDROP"]
        assert listed == held
        assert isinstance(seen.decision, Rebalance)
        drifts = {drift.chain or drift.asset for drift in seen.decision.drifts if drift.excess}
        assert {"ETH", "WBTC", 1} == drifts
        assert 3 == len(set(wallet.pids))


@pytest.mark.parametrize("chain", [8453, 42161])
def test_one_rollup_alone_is_enough_to_agree_on_every_price(
    lab_cache: Path, tmp_path: Path, chain: int
) -> None:
    with local_wallet(lab_cache, tmp_path, chains=(chain,)) as wallet:
        settings = load(environ={"HOME": str(tmp_path), **wallet.variables})
        account = open_account(settings, KeyAccess(ask=lambda: wallet.password))
        account.io.signer.unlock()
        seen = look(account.io, State())
        account.close()
        prices = seen.prices.by_asset
        assert {"ETH", "WBTC", "USDC", "USDT", "DAI"} == set(prices)
        assert {2} == {len(price.sources) for price in prices.values()}
        assert not seen.prices.refused


def test_sources_are_the_pinned_node_and_the_pinned_contracts() -> None:
    node, *contracts = sources()
    assert NODE_BINARY in node.name
    assert contracts
    assert all(pin.version and pin.integrity.startswith("sha512-") for pin in contracts)
