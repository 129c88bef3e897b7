"""ABI words: equal to eth_abi wherever both answer, and as strict as it is."""

import subprocess
import sys
from typing import Any

import eth_abi
import pytest
from eth_abi.exceptions import DecodingError
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.abi import AbiError, Function, decode, encode, functions, interface, selector
from agent.wire.words import word

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
_BITS = st.integers(1, 32).map(lambda n: 8 * n)


@st.composite
def typed(draw: st.DrawFn) -> tuple[str, Any]:
    match draw(st.sampled_from(["bool", "address", "uint", "int", "bytes"])):
        case "bool":
            return "bool", draw(st.booleans())
        case "address":
            return "address", draw(ADDRESSES)
        case "uint":
            bits = draw(_BITS)
            return f"uint{bits}", draw(st.integers(0, 2**bits - 1))
        case "int":
            bits = draw(_BITS)
            return f"int{bits}", draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        case _:
            length = draw(st.integers(1, 32))
            return f"bytes{length}", draw(st.binary(min_size=length, max_size=length))


@given(st.lists(typed(), max_size=6))
def test_words_are_written_and_read_as_eth_abi_does(pairs: list[tuple[str, Any]]) -> None:
    types, values = [kind for kind, _ in pairs], tuple(value for _, value in pairs)
    raw = encode(types, values)
    assert eth_abi.encode(types, values) == raw
    assert values == decode(types, raw)
    assert values == decode(types, raw + b"more")


@given(typed(), st.binary(max_size=40))
def test_bytes_that_eth_abi_refuses_are_refused(pair: tuple[str, Any], raw: bytes) -> None:
    kind = pair[0]
    try:
        expected = eth_abi.decode([kind], raw)
    except DecodingError:
        with pytest.raises(AbiError):
            decode([kind], raw)
    else:
        assert expected == decode([kind], raw)


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("uint8", 256, "a number of 9 bits does not fit uint8"),
        ("uint256", -1, "a number of 1 bits does not fit uint256"),
        ("int24", 2**23, "a number of 24 bits does not fit int24"),
        ("uint256", True, "bool does not fit uint256"),
        ("uint256", 1.0, "float does not fit uint256"),
        ("uint256", "1", "str does not fit uint256"),
        ("bool", 1, "a number of 1 bits does not fit bool"),
        ("address", "0x12", "str does not fit address"),
        ("address", b"\0" * 20, "bytes does not fit address"),
        ("bytes32", b"\0" * 31, "bytes does not fit bytes32"),
    ],
)
def test_value_that_does_not_fit_its_type_is_refused(kind: str, value: Any, why: str) -> None:
    with pytest.raises(AbiError) as refused:
        encode([kind], [value])
    assert why == str(refused.value)


@pytest.mark.parametrize(
    ("types", "values"),
    [(["uint256"], []), (["uint256"], [1, 2]), (["bytes"], [3]), (["string", "uint8"], ["a", 256])],
)
def test_values_that_do_not_fit_are_refused(types: list[str], values: list[Any]) -> None:
    with pytest.raises(AbiError):
        encode(types, values)


@pytest.mark.parametrize(
    "raw", [b"", b"\xff" * 32, b"\0" * 31 + b"\x20", b"\0" * 31 + b"\x20" + b"\xff" * 32]
)
@pytest.mark.parametrize("kind", ["string", "bytes", "(bool,bytes)[]", "uint256[]"])
def test_dynamic_answer_that_is_cut_or_forged_is_refused(kind: str, raw: bytes) -> None:
    with pytest.raises(AbiError):
        decode([kind], raw)


def test_string_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(AbiError):
        decode(["string"], eth_abi.encode(["bytes"], [b"\xff\xfe"]))


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=5))
def test_dynamic_types_come_back_unchanged(results: list[tuple[bool, bytes]]) -> None:
    assert (tuple(results),) == decode(["(bool,bytes)[]"], encode(["(bool,bytes)[]"], [results]))


@pytest.mark.parametrize(
    "kind",
    [
        "uint256[]",
        "string",
        "bytes",
        "(uint256)",
        "function",
        "uint2560",
        "uint7",
        "int264",
        "bytes33",
        "bytes0",
        "",
    ],
)
def test_type_of_more_or_less_than_a_word_has_no_word(kind: str) -> None:
    assert word(kind) is None


# Selectors as published by the contracts' own interfaces.
@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("approve(address,uint256)", "0x095ea7b3"),
        ("balanceOf(address)", "0x70a08231"),
        ("allowance(address,address)", "0xdd62ed3e"),
        ("aggregate3((address,bool,bytes)[])", "0x82ad56cb"),
        ("getReserves()", "0x0902f1ac"),
        ("slot0()", "0x3850c7bd"),
        (
            "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
            "0x04e45aaf",
        ),
        ("multicall(uint256,bytes[])", "0x5ae401dc"),
        ("latestRoundData()", "0xfeaf968c"),
    ],
)
def test_selector_is_the_published_one(signature: str, expected: str) -> None:
    assert expected == selector(signature)


def test_function_of_an_interface_encodes_its_call() -> None:
    approve = functions("erc20")["approve(address,uint256)"]
    assert Function("approve", ("address", "uint256"), ("bool",)) == approve
    assert "0x095ea7b3" + "0" * 24 + "ab" * 20 + f"{5:064x}" == approve.encode("0x" + "ab" * 20, 5)
    assert (True,) == approve.decode(encode(["bool"], [True]))


def test_interface_is_a_fresh_copy_each_time() -> None:
    interface("erc20").clear()
    assert interface("erc20")


def test_tuples_of_an_interface_are_written_out() -> None:
    assert {"aggregate3((address,bool,bytes)[])", "getEthBalance(address)"} == set(
        functions("multicall3")
    )
    aggregate = functions("multicall3")["aggregate3((address,bool,bytes)[])"]
    assert ("(bool,bytes)[]",) == aggregate.outputs


def test_words_are_written_without_the_big_packages() -> None:
    script = (
        "import sys\n"
        "from agent.wire.abi import functions\n"
        "functions('erc20')['approve(address,uint256)'].encode('0x' + '0' * 40, 1)\n"
        "print(sorted({'eth_abi', 'eth_utils', 'web3', 'requests'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "[]\n" == done.stdout


@pytest.mark.parametrize(
    ("kind", "hexadecimal", "why"),
    [
        ("bool", "02", "a word is no bool"),
        ("uint8", "0100", "a word is no uint8"),
        ("int8", "80", "a word is no int8"),
        ("address", "01" + "00" * 20, "a word is no address"),
        ("bytes4", "01", "a word is no bytes4"),
    ],
)
def test_word_with_forbidden_padding_is_refused(kind: str, hexadecimal: str, why: str) -> None:
    raw = bytes.fromhex(hexadecimal).rjust(32, b"\0")
    with pytest.raises(DecodingError):
        eth_abi.decode([kind], raw)
    with pytest.raises(AbiError) as refused:
        decode([kind], raw)
    assert why == str(refused.value)


def test_answer_that_is_too_short_says_so() -> None:
    with pytest.raises(AbiError, match=r"^63 bytes are too few for uint256,bool$"):
        decode(["uint256", "bool"], bytes(63))
