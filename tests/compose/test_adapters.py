"""Adapters made from settings: nothing is asked, read or unlocked by making them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from compose.conftest import SOMEBODY, PlainSettings
from eth_account import Account as EthAccount

from agent.compose.adapters import (
    POOL_DEPTH,
    KeyAccess,
    feed_options,
    impersonator,
    key_folders,
    make_node,
    make_oracles,
    make_signer,
    make_venues,
)
from agent.compose.local import THROWAWAY_SCRYPT_N
from agent.core.money import ChainId
from agent.errors import KeyMismatch, KeyMissing, KeyNotAllowed
from agent.oracles import chainlink
from agent.ports import AdapterIo
from agent.settings import Settings, SignerSpec
from agent.signers import keystore
from agent.sim.clock import PaperClock
from agent.wire.address import checksum

KEY = "0x" + "0f" * 32
ADDRESS = EthAccount.from_key(KEY).address
PASSWORD = "correct horse"
CHAIN = ChainId(1)
IO = AdapterIo({}, PaperClock(1_800_000_000))


def nobody() -> str:
    raise AssertionError("nobody may be asked")


NO_ACCESS = KeyAccess(ask=nobody)


# Signers


def test_watch_has_the_wallet_s_address_and_no_key(plain: PlainSettings) -> None:
    signer = make_signer(plain("watch"), NO_ACCESS)
    assert ("watch", SOMEBODY.lower()) == (signer.kind, signer.address)
    with pytest.raises(KeyMissing, match="only watched"):
        signer.unlock()


def test_keystore_asks_for_its_password_once_and_late(plain: PlainSettings) -> None:
    settings = plain("keystore:main")
    folders = key_folders(settings.paths.state)
    made = keystore.new("main", PASSWORD, folders=folders, scrypt_n=THROWAWAY_SCRYPT_N)
    assert made.address is not None
    asked = []

    def ask() -> str:
        asked.append(1)
        return PASSWORD

    signer = make_signer(plain("keystore:main", checksum(made.address)), KeyAccess(ask=ask))
    assert ("keystore", made.address, []) == (signer.kind, signer.address, asked)
    for _ in range(2):
        signer.unlock()
    assert [1] == asked


def test_keystore_of_local_chains_signs_with_generated_keys_only(plain: PlainSettings) -> None:
    settings = plain("keystore:main")
    folders = key_folders(settings.paths.state)
    made = keystore.new("main", PASSWORD, folders=folders, scrypt_n=THROWAWAY_SCRYPT_N)
    assert made.address is not None
    own = plain("keystore:main", checksum(made.address))
    local = replace(own, world=replace(own.world, local=True))
    with pytest.raises(KeyNotAllowed):
        make_signer(local, NO_ACCESS).unlock()
    known = replace(local, world=replace(local.world, generated=frozenset({made.address})))
    make_signer(known, KeyAccess(ask=lambda: PASSWORD)).unlock()


def env_key(plain: PlainSettings, key: str, address: str = ADDRESS) -> Settings:
    return plain("env_key", address, environ={"REBALANCER_PRIVATE_KEY": key} if key else {})


def test_key_in_the_environment_signs_when_that_was_accepted(plain: PlainSettings) -> None:
    settings = env_key(plain, KEY)
    accepted = make_signer(settings, replace(NO_ACCESS, accept_plain_key=True))
    accepted.unlock()
    assert ("env_key", ADDRESS.lower()) == (accepted.kind, accepted.address)
    with pytest.raises(KeyNotAllowed, match="nobody accepted"):
        make_signer(settings, NO_ACCESS).unlock()
    for shown in (repr(accepted), repr(settings), repr(NO_ACCESS)):
        assert KEY[2:] not in shown


def test_key_in_the_environment_moves_no_more_than_its_limit(plain: PlainSettings) -> None:
    settings = replace(env_key(plain, KEY), env_key_max_value=Decimal(7))
    signer = make_signer(settings, replace(NO_ACCESS, accept_plain_key=True))
    signer.permit(Decimal(7))
    with pytest.raises(KeyNotAllowed, match="moves at most 7"):
        signer.permit(Decimal("7.01"))


def test_key_that_is_missing_or_another_account_s_is_told_apart(plain: PlainSettings) -> None:
    access = replace(NO_ACCESS, accept_plain_key=True)
    with pytest.raises(KeyMissing):
        make_signer(env_key(plain, ""), access).unlock()
    with pytest.raises(KeyMismatch):
        make_signer(env_key(plain, KEY, SOMEBODY), access).unlock()


@pytest.mark.parametrize("spec", ["ledger", "remote:https://user:secret@signer.example"])
def test_signer_that_this_version_does_not_have_is_refused_by_its_kind(
    plain: PlainSettings, spec: str
) -> None:
    kind, _, name = spec.partition(":")
    settings = replace(plain("watch"), signer=SignerSpec(kind=kind, name=name))
    with pytest.raises(KeyNotAllowed, match=f"no signer of the kind '{kind}'") as caught:
        make_signer(settings, NO_ACCESS)
    assert "keystore:NAME" in caught.value.fix
    assert "secret" not in f"{caught.value.message} {caught.value.fix}"


def test_impersonator_is_never_locked(plain: PlainSettings) -> None:
    signer = impersonator(plain("watch"))
    signer.unlock()
    assert ("impersonate", SOMEBODY.lower()) == (signer.kind, signer.address)


def test_own_keys_are_in_the_state_folder(tmp_path: Path) -> None:
    assert tmp_path / "keystore" == key_folders(tmp_path).own


# Venues, oracles, nodes


def test_venues_are_the_allowed_ones_that_this_version_has_and_wraps(plain: PlainSettings) -> None:
    settings = plain()
    assert ("router", "cow") == settings.venues
    made = make_venues(settings, IO)
    assert ["wrap", "router", "cow"] == list(made)
    assert list(made) == [venue.name for venue in made.values()]
    assert ["wrap"] == list(make_venues(replace(settings, venues=()), IO))


def test_venues_call_the_contracts_of_chains_toml(plain: PlainSettings) -> None:
    settings = plain()
    facts = settings.chains[CHAIN]
    assert facts.uniswap is not None
    made = make_venues(settings, IO)
    assert {facts.wrapped.address} == set(made["wrap"].targets(CHAIN))
    v4 = facts.uniswap_v4
    assert v4 is not None
    wanted = {facts.uniswap.swap_router_02, v4.universal_router, v4.permit2}
    assert wanted == set(made["router"].targets(CHAIN))
    bare = replace(settings.chains[CHAIN], uniswap_v4=None)
    without = replace(settings, world=replace(settings.world, chains={CHAIN: bare}))
    only = make_venues(without, IO)["router"]
    assert {facts.uniswap.swap_router_02} == set(only.targets(CHAIN))
    assert only.layouts.keys() < made["router"].layouts.keys()


def test_chain_without_pools_has_feeds_and_no_router(plain: PlainSettings) -> None:
    settings = plain()
    bare = replace(settings.chains[CHAIN], uniswap=None)
    without = replace(settings, world=replace(settings.world, chains={CHAIN: bare}))
    assert {} == dict(make_venues(without, IO)["router"].targets(CHAIN))
    feeds, pools = make_oracles(without, IO)
    assert ("chainlink", ()) == (feeds.name, pools.opinions({}, 1_800_000_000))


def test_oracles_are_feeds_and_pools_in_this_order(plain: PlainSettings) -> None:
    settings = plain()
    assert ["chainlink", "pool_twap"] == [oracle.name for oracle in make_oracles(settings, IO)]
    known = {row.asset for facts in settings.world.chains.values() for row in facts.listings}
    # Gnosis has no pools of Uniswap, so its coin has no depth to ask for.
    assert known - {"XDAI"} == set(POOL_DEPTH)


def test_feeds_of_the_wallets_first_chain_come_first(plain: PlainSettings) -> None:
    settings = plain(flags={"wallet.chains": "eip155:42161,eip155:1,eip155:8453"})
    made = feed_options(settings)
    assert [42161, 1, 8453] == [feed.chain for feed in made.feeds["ETH"]]
    assert [1755, 3600, 1200] == [feed.heartbeat_seconds for feed in made.feeds["ETH"]]


def test_feed_of_what_counts_knows_the_token_that_tells_its_rate(plain: PlainSettings) -> None:
    settings = plain()
    (feed,) = feed_options(settings).feeds["wstETH"]
    wsteth = settings.chains[CHAIN].named("wstETH")
    assert wsteth is not None
    assert (wsteth.address, "stEthPerToken()") == feed.rate


def test_sequencers_go_with_the_feeds_of_their_chains(plain: PlainSettings) -> None:
    settings = plain(flags={"wallet.chains": "eip155:1,eip155:8453"})
    base = settings.chains[ChainId(8453)].sequencer
    assert base is not None
    expected = {ChainId(8453): chainlink.Sequencer(base.feed, base.grace_seconds)}
    assert expected == feed_options(settings).sequencers


def test_node_of_a_chain_or_of_its_fork_asks_nothing_before_it_is_used(
    plain: PlainSettings,
) -> None:
    facts = plain().chains[CHAIN]
    for fork in (None, "http://127.0.0.1:9"):
        node = make_node(facts, IO.clock, fork=fork)
        assert (CHAIN, 0) == (node.chain, node.requests)
        node.close()
