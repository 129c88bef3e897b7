"""Stargate's transfers and LayerZero's messages as bytes: what they mean, and no others pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.bridges._stargate_chains import (
    EXECUTE,
    RETRY,
    SEND,
    StargateChain,
    layouts,
    stargate_chain,
)
from agent.bridges._stargate_messages import (
    PACKET,
    SENT,
    Packet,
    Sent,
    passage,
    read_packet,
    read_sent,
)
from agent.core.log import Log
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.provider import ProviderChain
from agent.wire.abi import AbiError, encode, selector
from agent.wire.calldata import meaning

NEAR, FAR = ChainId(1), ChainId(8453)
ACCOUNT, ATTACKER = Address("0x" + "a1" * 20), Address("0x" + "bad0" * 10)
NOBODY = "0x" + "00" * 20
SOLD, LEAST, FEE = 4_150 * 10**6, 4_147 * 10**6, 10**14
GUID, SENDER = b"\x01" * 32, b"\x00" * 12 + b"\x02" * 20


def chain(chain: ChainId, eid: int, digit: str) -> StargateChain:
    def address(number: int) -> Address:
        return Address("0x" + f"{digit}{number}" * 20)

    return stargate_chain(
        ProviderChain(
            chain=chain,
            native=Token(chain, NATIVE, 18, "ETH"),
            wrapped=Token(chain, address(1), 18, "WETH"),
            tokens={
                "ETH": Token(chain, address(1), 18, "WETH"),
                "USDC": Token(chain, address(2), 6, "USDC"),
                "GUSD": Token(chain, address(3), 2, "GUSD"),
            },
            facts={
                "eid": eid,
                "endpoint": address(9),
                "messaging": address(8),
                "verify_seconds": 1,
                "pools": {"native": address(4), "USDC": address(5), "GUSD": address(6)},
            },
        )
    )


CHAINS = {NEAR: chain(NEAR, 30101, "c"), FAR: chain(FAR, 30184, "d")}
LAYOUTS = layouts(CHAINS)
POOL = CHAINS[NEAR].pools["USDC"]
PARAMETERS: dict[str, Any] = {
    "eid": 30184,
    "to": b"\0" * 12 + bytes.fromhex(ACCOUNT[2:]),
    "amount": SOLD,
    "least": LEAST,
    "options": b"",
    "message": b"",
    "command": b"",
}


def sending(*, fee: tuple[int, int] = (FEE, 0), refund: str = ACCOUNT, **changes: Any) -> str:
    values = (tuple({**PARAMETERS, **changes}.values()), fee, refund)
    return selector(SEND.signature) + encode(SEND.types, values).hex()


def meant(data: str, to: Address = POOL, value: int = FEE) -> Meaning | Refusal:
    return meaning(Call(NEAR, to, value, data), LAYOUTS, account=ACCOUNT)


def test_transfer_means_its_fields_and_what_the_pool_implies() -> None:
    assert Meaning(
        target=POOL,
        selector="0xc7c7f5b3",
        name="send",
        recipient=ACCOUNT,
        sell=CHAINS[NEAR].tokens["USDC"].address,
        amount_in=SOLD,
        buy=CHAINS[FAR].tokens["USDC"].address,
        min_out=LEAST,
        value=FEE,
        to_chain=FAR,
        refund=ACCOUNT,
        fee=FEE,
        lasting=True,
    ) == meant(sending())


def test_pool_of_the_coin_implies_the_coin() -> None:
    said = meant(sending(), CHAINS[NEAR].pools["ETH"])
    assert isinstance(said, Meaning)
    assert (NATIVE, NATIVE) == (said.sell, said.buy)


def test_other_contract_implies_nothing() -> None:
    for to in (CHAINS[NEAR].endpoint, CHAINS[FAR].pools["USDC"], ATTACKER):
        said = meant(sending(), to)
        assert isinstance(said, Meaning)
        assert (None, None) == (said.sell, said.buy)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"options": b"\x00\x03"}, "must be empty"),
        ({"message": b"\x01"}, "must be empty"),
        ({"command": b"\x00"}, "must be empty"),
        ({"fee": (FEE, 1)}, "must be empty"),
        ({"eid": 30110}, "nobody knows a chain of the number 30110"),
        ({"to": b"\x01" + PARAMETERS["to"][1:]}, "more than twenty bytes"),
    ],
)
def test_transfer_that_does_more_is_refused(changes: Any, why: str) -> None:
    said = meant(sending(**changes))
    assert isinstance(said, Refusal)
    assert ("G101", True) == (said.code, why in said.why)


@given(st.integers(0, len(sending()) // 2 - 6), st.integers(1, 255))
@settings(max_examples=600, deadline=None)
def test_no_changed_byte_is_the_same_transfer(at: int, flip: int) -> None:
    raw = bytearray.fromhex(sending()[2:])
    raw[4 + at] ^= flip
    assert meant(sending()) != meant("0x" + raw.hex())


def test_pools_of_tokens_with_few_decimals_are_left_out() -> None:
    assert {"ETH", "USDC"} == set(CHAINS[NEAR].pools)
    assert {*CHAINS[NEAR].pools.values(), CHAINS[NEAR].endpoint} == set(CHAINS[NEAR].targets)


def test_claims_name_the_recipient_or_pay_whom_the_message_names() -> None:
    values = (GUID, 0, 30101, ATTACKER, LEAST, b"")
    retry = selector(RETRY.signature) + encode(RETRY.types, values).hex()
    said = meant(retry, value=0)
    assert isinstance(said, Meaning)
    assert ATTACKER == said.recipient
    for changed in ((GUID, 1, *values[2:]), (*values[:5], b"\x01")):
        other = selector(RETRY.signature) + encode(RETRY.types, changed).hex()
        assert isinstance(meant(other, value=0), Refusal)
    origin = (30101, SENDER, 7)
    plain = (origin, ATTACKER, GUID, b"message", b"")
    execute = selector(EXECUTE.signature) + encode(EXECUTE.types, plain).hex()
    assert isinstance(meant(execute, value=0), Meaning)
    extra = selector(EXECUTE.signature) + encode(EXECUTE.types, (*plain[:4], b"\x01")).hex()
    assert isinstance(meant(extra, value=0), Refusal)


# Messages.

MESSAGE = b"\x01\x00\x01" + b"\0" * 12 + bytes.fromhex(ACCOUNT[2:]) + LEAST.to_bytes(8, "big")
HEADER = b"\x01" + (7).to_bytes(8, "big") + (30101).to_bytes(4, "big") + SENDER
HEADER += (30184).to_bytes(4, "big") + SENDER


def log(topics: tuple[str | None, ...], data: bytes) -> Log:
    return Log(
        address=POOL,
        topics=tuple(topic or "" for topic in topics),
        data=data,
        block_number=1,
        block_hash="0x",
        transaction="0x",
        index=0,
    )


def packet_log(encoded: bytes) -> Log:
    return log((PACKET.topic,), encode(["bytes", "bytes", "address"], [encoded, b"", NOBODY]))


PACKET_READ = read_packet(packet_log(HEADER + GUID + MESSAGE))
SENT_READ = read_sent(
    log(
        SENT.topics(guid=GUID, fromAddress=ACCOUNT),
        encode(["uint32", "uint256", "uint256"], [30184, SOLD, LEAST]),
    )
)


def test_packet_is_read_field_by_field() -> None:
    assert (
        Packet(
            nonce=7,
            source=30101,
            sender=SENDER,
            destination=30184,
            receiver=SENDER,
            guid=GUID,
            message=MESSAGE,
        )
        == PACKET_READ
    )
    assert (30101, SENDER, 7) == PACKET_READ.origin
    assert (GUID, 30184, ACCOUNT, SOLD) == (
        SENT_READ.guid,
        SENT_READ.destination,
        SENT_READ.account,
        SENT_READ.raw,
    )


@pytest.mark.parametrize("encoded", [b"", HEADER + GUID[1:], b"\x02" + HEADER[1:] + GUID])
def test_packet_of_another_version_is_refused(encoded: bytes) -> None:
    with pytest.raises(AbiError, match="a packet of another version"):
        read_packet(packet_log(encoded))


def test_passage_is_what_both_logs_say() -> None:
    made = passage(CHAINS[NEAR], "USDC", SENT_READ, PACKET_READ)
    assert made is not None
    assert (NEAR, "USDC", ACCOUNT, LEAST, "0x" + GUID.hex()) == (
        made.origin,
        made.asset,
        made.account,
        made.shared,
        made.id,
    )


@pytest.mark.parametrize(
    ("packet", "sent"),
    [
        (replace(PACKET_READ, message=b"\x02" + MESSAGE[1:]), SENT_READ),
        (replace(PACKET_READ, message=MESSAGE + b"\x01"), SENT_READ),
        (replace(PACKET_READ, message=MESSAGE[:3] + b"\x01" + MESSAGE[4:]), SENT_READ),
        (replace(PACKET_READ, source=30102), SENT_READ),
        (PACKET_READ, replace(SENT_READ, destination=30110)),
    ],
)
def test_message_that_is_no_plain_transfer_is_none(packet: Packet, sent: Sent) -> None:
    assert None is passage(CHAINS[NEAR], "USDC", sent, packet)
