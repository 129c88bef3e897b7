"""The relayer of local chains: real deposits on real SpokePools, filled, left or refunded."""

import time
from typing import Any

import pytest
from lab.bridging import deposit, status
from lab.reading import ALICE, balance, read

from agent.errors import SetupFailed
from agent.lab.accounts import ATTENDANT
from agent.lab.deposits import FILLED
from agent.lab.puppet import Puppet
from agent.lab.relay_fees import RelayFee, is_enough
from agent.lab.worlds import Worlds

USDC = 1000 * 10**6
RELAY_DATA = (
    "(bytes32,bytes32,bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,uint32,uint32,bytes)"
)


def native(worlds: Worlds, chain: int) -> int:
    return int(str(worlds[chain].rpc.call("eth_getBalance", ALICE, "latest")), 16)


@pytest.mark.parametrize(("origin", "destination"), [(1, 8453), (8453, 42161), (42161, 1)])
def test_deposit_is_filled_after_the_relayers_delay(
    chains: Worlds, origin: int, destination: int
) -> None:
    made = deposit(chains, origin, destination, "USDC", USDC, fee=5 * 10**6)
    chains.turn()
    assert 0 == status(chains[destination], made), "it is not due yet"
    chains.jump(2)
    chains.turn()
    assert FILLED == status(chains[destination], made)
    assert USDC - 5 * 10**6 == balance(chains[destination], "USDC")
    chains.jump(700)
    chains.turn()
    assert 0 == balance(chains[origin], "USDC"), "what was filled is not refunded"


def test_relay_hash_is_the_spoke_pools_own(chains: Worlds) -> None:
    made = deposit(chains, 1, 8453, "USDC", USDC, fee=5 * 10**6)
    asked = (f"getV3RelayHash({RELAY_DATA})", "(bytes32)", made.relay_data)
    assert (made.relay_hash,) == read(chains[8453], chains[8453].addresses["spoke_pool"], *asked)


def test_ether_arrives_as_the_coin_itself(chains: Worlds) -> None:
    before = native(chains, 8453)
    deposit(chains, 1, 8453, "WETH", 10**18, fee=10**16, native=True)
    chains.jump(2)
    chains.turn()
    assert before + 10**18 - 10**16 == native(chains, 8453)


def test_late_relayer_fills_late_and_an_absent_one_never(chains: Worlds) -> None:
    chains.relay("late")
    made = deposit(chains, 1, 42161, "DAI", 10**21, fee=10**19)
    chains.jump(30)
    chains.turn()
    assert 0 == status(chains[42161], made)
    chains.relay("never")
    chains.jump(60)
    chains.turn()
    assert 0 == status(chains[42161], made)
    chains.relay("late")
    chains.turn()
    assert FILLED == status(chains[42161], made)


@pytest.mark.parametrize("symbol", ["USDC", "USDT", "WBTC", "WETH"])
def test_deposit_that_nobody_filled_is_refunded_once(chains: Worlds, symbol: str) -> None:
    chains.relay("never")
    amount = 5 * 10**17
    made = deposit(chains, 8453, 1, symbol, amount, fee=amount // 5)
    chains.jump(590)
    chains.turn()
    assert 0 == balance(chains[8453], symbol)
    chains.jump(20)
    for _ in range(2):
        chains.turn()
    assert amount == balance(chains[8453], symbol)
    chains.relay("prompt")
    chains.turn()
    assert (0, 0) == (status(chains[1], made), balance(chains[1], symbol))
    assert "" == chains.state()["fault"]


@pytest.mark.parametrize(
    "twist",
    [
        {"fee": 100_000},
        {"output_token": "0xdac17f958d2ee523a2206206994597c13d831ec7"},
        {"exclusive_relayer": "0x" + "be" * 20},
        {"message": b"\1"},
    ],
    ids=lambda twist: next(iter(twist)),
)
def test_deposit_that_is_nothing_for_the_relayer_is_left(
    chains: Worlds, twist: dict[str, object]
) -> None:
    made = deposit(chains, 42161, 1, "USDC", USDC, **{"fee": 10**7, **twist})
    chains.jump(100)
    chains.turn()
    assert 0 == status(chains[1], made)
    chains.jump(600)
    chains.turn()
    assert USDC == balance(chains[42161], "USDC")


def test_exclusive_relayer_may_be_ours(chains: Worlds) -> None:
    made = deposit(chains, 42161, 8453, "USDC", USDC, fee=10**7, exclusive_relayer=ATTENDANT)
    chains.jump(2)
    chains.turn()
    assert FILLED == status(chains[8453], made)


def test_fill_that_would_revert_is_not_sent_and_is_said(chains: Worlds) -> None:
    made = deposit(chains, 42161, 8453, "USDC", 6_000_000 * 10**6, fee=10**10)
    chains.jump(2)
    chains.turn()
    assert 0 == status(chains[8453], made)
    assert "eth_call" in chains.state()["fault"]


def test_reverted_deposit_is_forgotten(chains: Worlds) -> None:
    snapshot = chains.snapshot()
    made = deposit(chains, 1, 8453, "USDC", USDC, fee=10**7)
    chains[1].revert(snapshot[1])
    chains.jump(2)
    chains.turn()
    assert 0 == status(chains[8453], made)


class Failing:
    """A puppet whose *method* fails on its *turn* and later; the rest is the real one's."""

    def __init__(self, puppet: Puppet, method: str, turn: int = 1) -> None:
        self.puppet, self.method, self.left = puppet, method, turn

    def __getattr__(self, name: str) -> Any:
        if name == self.method:
            self.left -= 1
            if self.left <= 0:
                raise SetupFailed("it is down", fix="none")
        return getattr(self.puppet, name)


@pytest.mark.parametrize(
    ("method", "turn"),
    [("batch", 1), ("batch", 2), ("read", 1), ("rpc", 1), ("send", 1)],
    ids=["the look", "the status", "the price", "the trial", "the fill"],
)
def test_chain_that_does_not_answer_stops_no_other(
    chains: Worlds, monkeypatch: pytest.MonkeyPatch, method: str, turn: int
) -> None:
    attendant = chains._attendant
    assert attendant is not None
    made = deposit(chains, 42161, 8453, "USDC", USDC, fee=10**7)
    lost = deposit(chains, 42161, 1, "USDC", USDC, fee=10**7)
    chains.jump(2)
    branch = attendant.branches[1]
    with monkeypatch.context() as broken:
        broken.setattr(branch, "puppet", Failing(branch.puppet, method, turn))
        chains.turn()
    assert (FILLED, 0) == (status(chains[8453], made), status(chains[1], lost))
    assert "it is down" == chains.state()["fault"]
    chains.turn()
    assert FILLED == status(chains[1], lost)


def test_refund_that_does_not_work_is_made_in_a_later_turn(
    chains: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    attendant = chains._attendant
    assert attendant is not None
    chains.relay("never")
    deposit(chains, 42161, 8453, "USDC", USDC, fee=10**7)
    chains.jump(700)
    branch = attendant.branches[42161]
    with monkeypatch.context() as broken:
        broken.setattr(branch, "puppet", Failing(branch.puppet, "send", 2))
        chains.turn()
    assert "it is down" == chains.state()["fault"]
    chains.halt(42161)
    chains.turn()
    assert 0 == balance(chains[42161], "USDC"), "a halted chain gets no refund"
    chains.go_on(42161)
    chains.turn()
    assert USDC == balance(chains[42161], "USDC")


def test_relayer_works_by_itself_for_as_long_as_it_is_told(chains: Worlds) -> None:
    made = deposit(chains, 1, 8453, "USDC", USDC, fee=10**7)
    with chains.relaying(0.01):
        chains.mine(3)
        deadline = time.monotonic() + 20
        while status(chains[8453], made) != FILLED:
            assert time.monotonic() < deadline
    later = deposit(chains, 1, 8453, "USDC", USDC, fee=10**7)
    chains.mine(3)
    time.sleep(0.1)
    assert 0 == status(chains[8453], later)


def test_halted_chain_gets_no_transaction(chains: Worlds) -> None:
    made = deposit(chains, 1, 8453, "USDC", USDC, fee=10**7)
    chains.jump(2)
    chains.halt(8453)
    chains.turn()
    assert ([8453], 0) == (chains.state()["halted"], status(chains[8453], made))
    chains.go_on(8453)
    chains.turn()
    assert FILLED == status(chains[8453], made)


@pytest.mark.parametrize(("offered", "enough"), [(90, True), (89, False), (101, True)])
def test_relayer_takes_nine_tenths_of_what_it_would_ask(offered: int, enough: bool) -> None:
    assert enough is is_enough(offered, RelayFee(capital=60, gas=40))
