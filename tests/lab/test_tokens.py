"""The tokens of the local world: real ones, stand-ins with their habits, and liars."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.reading import ALICE, BOB, QUOTE, balance, read

from agent.errors import SetupFailed
from agent.lab import mainnet, saved
from agent.lab.abi import call_bytes
from agent.lab.mainnet import TOKENS
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.world import World
from agent.wire.rpc import RpcError


def test_usdc_signs_for_the_domain_that_it_has_on_mainnet(world: World) -> None:
    (domain,) = read(world, mainnet.USDC, "DOMAIN_SEPARATOR()", "(bytes32)")
    assert "06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335" == domain.hex()


@pytest.mark.parametrize("symbol", TOKENS)
def test_token_says_its_symbol_and_decimals(world: World, symbol: str) -> None:
    token = TOKENS[symbol]
    assert (symbol,) == read(world, token.address, "symbol()", "(string)")
    assert (token.decimals,) == read(world, token.address, "decimals()", "(uint256)")


def test_airdrop_differs_from_usdc_by_its_address_only(world: World) -> None:
    for signature, types in (
        ("name()", "(string)"),
        ("symbol()", "(string)"),
        ("decimals()", "(uint8)"),
    ):
        real = read(world, world.addresses["USDC"], signature, types)
        assert real == read(world, world.addresses["AIRDROP"], signature, types)


def test_quote_is_what_the_router_then_pays(chain: World) -> None:
    alice, amount = Puppet(chain.rpc, ALICE), 2 * 10**18
    chain.fund(ALICE, {"WETH": amount})
    question = (mainnet.WETH, mainnet.USDC, amount, 500, 0)
    expected = read(chain, mainnet.QUOTER_V2, QUOTE, "(uint256,uint160,uint32,uint256)", question)[
        0
    ]
    alice.send(
        tx(mainnet.WETH, "approve(address,uint256)", mainnet.SWAP_ROUTER02, amount),
        tx(
            mainnet.SWAP_ROUTER02,
            "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
            (mainnet.WETH, mainnet.USDC, 500, ALICE, amount, expected, 0),
        ),
    )
    assert expected == balance(chain, "USDC")
    assert 0 == balance(chain, "WETH")


def test_multicall_reads_several_contracts_at_one_block(world: World) -> None:
    calls = [
        (mainnet.USDC, False, bytes.fromhex(call_bytes("decimals()")[2:])),
        (mainnet.AIRDROP, True, b"\1\2\3\4"),
    ]
    (results,) = read(
        world, mainnet.MULTICALL3, "aggregate3((address,bool,bytes)[])", "((bool,bytes)[])", calls
    )
    assert [(True, 6), (False, 0)] == [(ok, int.from_bytes(raw, "big")) for ok, raw in results]


def test_fund_adds_what_it_is_told(chain: World) -> None:
    amounts = {
        "ETH": 1,
        "WETH": 2,
        "USDC": 3,
        "USDT": 4,
        "WBTC": 5,
        "DAI": 6,
        "AIRDROP": 7,
        "TAXED": 8,
    }
    chain.fund(ALICE, amounts)
    chain.fund(ALICE, amounts)
    chain.fund(ALICE, {})
    assert "0x2" == chain.rpc.call("eth_getBalance", ALICE, "latest")
    found = {symbol: balance(chain, symbol) for symbol in amounts if symbol != "ETH"}
    assert {symbol: 2 * raw for symbol, raw in amounts.items() if symbol != "ETH"} == found


def test_treasury_serves_many_threads_at_once(chain: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda _: chain.fund(ALICE, {"USDC": 1, "USDT": 2}), range(24)):
            pass
    assert (24, 48) == (balance(chain, "USDC"), balance(chain, "USDT"))


def test_fund_refuses_a_symbol_that_it_does_not_know(world: World) -> None:
    with pytest.raises(SetupFailed, match="has no DOGE") as problem:
        world.fund(ALICE, {"DOGE": 1})
    assert (
        "choose from ETH, WETH, USDC, USDT, WBTC, DAI, wstETH, AIRDROP, TAXED" == problem.value.fix
    )


def test_usdt_returns_nothing(chain: World) -> None:
    chain.fund(ALICE, {"USDT": 10})
    for signature, arguments in (
        ("transfer(address,uint256)", (BOB, 1)),
        ("approve(address,uint256)", (BOB, 1)),
        ("transferFrom(address,address,uint256)", (ALICE, BOB, 0)),
    ):
        call = {"from": ALICE, "to": mainnet.USDT, "data": call_bytes(signature, *arguments)}
        assert "0x" == chain.rpc.call("eth_call", call, "latest")


def test_usdt_changes_an_allowance_only_to_and_from_zero(chain: World) -> None:
    alice = Puppet(chain.rpc, ALICE)
    approve = "approve(address,uint256)"
    alice.send(tx(mainnet.USDT, approve, BOB, 5))
    with pytest.raises(SetupFailed, match="reverted"):
        alice.send(tx(mainnet.USDT, approve, BOB, 6))
    alice.send(tx(mainnet.USDT, approve, BOB, 0), tx(mainnet.USDT, approve, BOB, 6))
    assert (6,) == read(chain, mainnet.USDT, "allowance(address,address)", "(uint256)", ALICE, BOB)


def test_usdt_can_charge_and_block_as_on_mainnet(chain: World) -> None:
    alice, treasury = Puppet(chain.rpc, ALICE), Puppet(chain.rpc, saved.TREASURY)
    chain.fund(ALICE, {"USDT": 30_000})
    treasury.send(tx(mainnet.USDT, "setParams(uint256,uint256)", 10, 1))
    alice.send(tx(mainnet.USDT, "transfer(address,uint256)", BOB, 10_000))
    assert 9_990 == balance(chain, "USDT", BOB)
    treasury.send(tx(mainnet.USDT, "addBlackList(address)", ALICE))
    with pytest.raises(SetupFailed, match="reverted"):
        alice.send(tx(mainnet.USDT, "transfer(address,uint256)", BOB, 1))


def test_taxed_token_delivers_less_than_was_sent(chain: World) -> None:
    chain.fund(ALICE, {"TAXED": 1000})
    Puppet(chain.rpc, ALICE).send(tx(mainnet.TAXED, "transfer(address,uint256)", BOB, 1000))
    assert 990 == balance(chain, "TAXED", BOB)


def test_hostile_token_lies_and_burns_gas(chain: World) -> None:
    Puppet(chain.rpc, ALICE).send(tx(mainnet.HOSTILE, "transfer(address,uint256)", BOB, 1))
    assert 10**30 == balance(chain, "HOSTILE", BOB)
    Puppet(chain.rpc, saved.TREASURY).send(tx(mainnet.HOSTILE, "set_burns_gas(bool)", True))
    call = {
        "to": mainnet.HOSTILE,
        "data": call_bytes("balanceOf(address)", BOB),
        "gas": hex(3_000_000),
    }
    with pytest.raises(RpcError, match=r"(?i)gas"):
        chain.rpc.call("eth_call", call, "latest")


def test_puppet_reports_a_node_that_does_not_mine(
    chain: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.lab.puppet.TIMEOUT_SECONDS", 0.2)
    chain.rpc.call("evm_setAutomine", False)
    with pytest.raises(SetupFailed, match="1 transactions are not mined"):
        Puppet(chain.rpc, ALICE).send(Tx(to=BOB, input="0x", what="nothing"))
