"""A private world with a throwaway wallet: files that every command works with."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.compose import open_account
from agent.compose.adapters import KeyAccess
from agent.compose.local import OFF_TARGET, local_wallet, sources
from agent.core.decide import Rebalance
from agent.core.state import State
from agent.engine.survey import look
from agent.lab.pins import NODE_BINARY
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


def test_sources_are_the_pinned_node_and_the_pinned_contracts() -> None:
    node, *contracts = sources()
    assert NODE_BINARY in node.name
    assert contracts
    assert all(pin.version and pin.integrity.startswith("sha512-") for pin in contracts)
