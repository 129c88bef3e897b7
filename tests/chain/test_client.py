"""Web3 on our transport: it asks, it never sends, and it says what the node said."""

import subprocess
import sys
from typing import Any

import pytest
from chain.scripted import Scripted, header

from agent.chain.client import read_by_web3, web3_over
from agent.core.money import ChainId
from agent.errors import BadReply, RateLimited
from agent.wire.abi import interface
from agent.wire.keccak import selector
from agent.wire.rpc import RpcError

CHAIN = ChainId(1)
TOKEN = "0x" + "70" * 20


def test_contract_call_is_one_question_without_chain_ids() -> None:
    node = Scripted(eth_call="0x" + "06".rjust(64, "0"))
    web3 = web3_over(node.ask, CHAIN)
    assert 6 == web3.eth.contract(TOKEN, abi=interface("erc20")).functions.decimals().call()
    assert ["eth_call"] == [method for batch in node.batches for method, _ in batch]


def test_chain_id_is_known_without_asking() -> None:
    assert 1 == web3_over(Scripted().ask, CHAIN).eth.chain_id


@pytest.mark.parametrize(
    "send",
    [
        lambda eth: eth.send_raw_transaction("0x02c0"),
        lambda eth: eth.send_transaction({"to": TOKEN, "value": 1}),
        lambda eth: eth.sign("0x" + "ac" * 20, text="x"),
    ],
)
def test_web3_sends_and_signs_nothing(send: Any) -> None:
    node = Scripted()
    with pytest.raises(PermissionError, match=r"RpcNode\.send"):
        send(web3_over(node.ask, CHAIN).eth)
    assert [] == node.batches


def test_contract_cannot_make_us_fetch_a_url() -> None:
    # OffchainLookup(address,string[],bytes,bytes4,bytes) of EIP-3668, on purpose without a body.
    lookup = selector("OffchainLookup(address,string[],bytes,bytes4,bytes)") + "00" * 320
    node = Scripted(eth_call=RpcError(3, "execution reverted", lookup))
    contract = web3_over(node.ask, CHAIN).eth.contract(TOKEN, abi=interface("erc20"))
    with pytest.raises(Exception, match="") as caught:
        contract.functions.decimals().call()
    assert "OffchainLookup" == type(caught.value).__name__
    assert 1 == len(node.batches)


def test_error_of_the_node_keeps_code_words_and_bytes() -> None:
    node = Scripted(eth_getBalance=RpcError(-32000, "missing trie node", "0x1234"))
    with pytest.raises(RpcError) as caught, read_by_web3():
        web3_over(node.ask, CHAIN).eth.get_balance("0x" + "AC" * 20)
    assert (-32000, "missing trie node", "0x1234") == (
        caught.value.code,
        caught.value.message,
        caught.value.data,
    )


def test_nothing_is_said_as_such() -> None:
    node = Scripted(eth_getBlockByNumber=None)
    with pytest.raises(BadReply, match="nothing where"), read_by_web3():
        web3_over(node.ask, CHAIN).eth.get_block(5)


@pytest.mark.parametrize("changes", [{"number": "many"}, {"hash": "0x1g"}, {"timestamp": [1]}])
def test_reply_that_web3_cannot_read_is_a_bad_one(changes: dict[str, Any]) -> None:
    node = Scripted(eth_getBlockByNumber=header(5, **changes))
    with pytest.raises(BadReply, match="web3 cannot read"), read_by_web3():
        block = web3_over(node.ask, CHAIN).eth.get_block(5)
        assert isinstance(block["timestamp"], int), block["missing"]


def test_our_own_errors_pass_through_web3() -> None:
    def limited(*_: Any) -> Any:
        raise RateLimited("slow", fix="wait")

    with pytest.raises(RateLimited), read_by_web3():
        web3_over(limited, CHAIN).eth.get_block(5)


def test_nodes_are_imported_without_web3() -> None:
    code = "import sys, agent.chain.node, agent.chain.fork; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"web3", "eth_account", "eth_abi", "requests", "pydantic"}
    assert set() == heavy & {name.split(".")[0] for name in done.stdout.split()}
