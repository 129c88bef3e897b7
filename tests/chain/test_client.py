"""Web3 on our transport: it asks, it never sends, and it says what the node said."""

import socket
import subprocess
import sys
from typing import Any

import pytest
from chain.scripted import Scripted, header
from web3.exceptions import OffchainLookup

from agent.chain.client import read_by_web3, web3_over
from agent.core.money import Address, ChainId
from agent.errors import BadReply, RateLimited
from agent.wire.abi import encode, interface
from agent.wire.address import checksum
from agent.wire.keccak import selector
from agent.wire.rpc import RpcError

CHAIN = ChainId(1)
TOKEN = "0x" + "70" * 20
ACCOUNT = checksum(Address("0x" + "ac" * 20))
LOOKUP = "OffchainLookup(address,string[],bytes,bytes4,bytes)"


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
        lambda eth: eth.sign(ACCOUNT, text="x"),
    ],
)
def test_web3_sends_and_signs_nothing(send: Any) -> None:
    node = Scripted()
    with pytest.raises(PermissionError, match=r"RpcNode\.send"):
        send(web3_over(node.ask, CHAIN).eth)
    assert [] == node.batches


def test_contract_cannot_make_us_fetch_a_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/{{data}}"
        types = LOOKUP[len("OffchainLookup(") : -1].split(",")
        body = encode(types, (TOKEN, (url,), b"", b"abcd", b"")).hex()
        node = Scripted(eth_call=RpcError(3, "execution reverted", selector(LOOKUP) + body))
        contract = web3_over(node.ask, CHAIN).eth.contract(TOKEN, abi=interface("erc20"))
        with pytest.raises(OffchainLookup):
            contract.functions.decimals().call()
        with pytest.raises(TimeoutError):
            trap.accept()
    assert 1 == len(node.batches)


def test_error_of_the_node_keeps_code_words_and_bytes() -> None:
    node = Scripted(eth_getBalance=RpcError(-32000, "missing trie node", "0x1234"))
    with pytest.raises(RpcError) as caught, read_by_web3():
        web3_over(node.ask, CHAIN).eth.get_balance(ACCOUNT)
    assert (-32000, "missing trie node", "0x1234") == (
        caught.value.code,
        caught.value.message,
        caught.value.data,
    )


def test_nothing_is_said_as_such() -> None:
    node = Scripted(eth_getBlockByNumber=None)
    with pytest.raises(BadReply, match="nothing where"), read_by_web3():
        web3_over(node.ask, CHAIN).eth.get_block(5)


@pytest.mark.parametrize("changes", [{"hash": "0x1g"}, {"timestamp": "late"}, {"number": "0xg"}])
def test_reply_that_web3_cannot_read_is_a_bad_one(changes: dict[str, Any]) -> None:
    node = Scripted(eth_getBlockByNumber={**header(5), **changes})
    with pytest.raises(BadReply, match="web3 cannot read") as caught, read_by_web3():
        web3_over(node.ask, CHAIN).eth.get_block(5)
    assert (None, True) == (caught.value.__cause__, caught.value.__suppress_context__)


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
