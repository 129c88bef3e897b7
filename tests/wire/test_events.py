"""Events by name: topics to look for, and values that are all that a log says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.log import Log
from agent.core.money import Address
from agent.wire.abi import AbiError, encode
from agent.wire.events import events

TRANSFER = events("erc20")["Transfer"]
ALICE, BOB = Address("0x" + "a1" * 20), Address("0x" + "b0" * 20)


def padded(address: Address) -> str:
    return "0x" + "00" * 12 + address[2:]


LOG = Log(
    address=Address("0x" + "11" * 20),
    topics=(TRANSFER.topic, padded(ALICE), padded(BOB)),
    data=encode(["uint256"], [7]),
    block_number=1,
    block_hash="0x" + "22" * 32,
    transaction="0x" + "33" * 32,
    index=0,
)


def test_topic_is_the_hash_of_the_signature() -> None:
    filled = events("across_spoke_pool")["FilledRelay"]
    assert "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef" == TRANSFER.topic
    assert "0x44b559f101f8fbcc8a0ea43fa91a05a729a5ea6e14a7c75aa750374690137208" == filled.topic


def test_topics_name_what_is_wanted_and_leave_the_rest_open() -> None:
    assert (TRANSFER.topic, None, padded(BOB)) == TRANSFER.topics(to=BOB)
    assert (TRANSFER.topic, None, None) == TRANSFER.topics()
    with pytest.raises(ValueError, match="Transfer has no indexed value"):
        TRANSFER.topics(value=7)


def test_log_says_its_values_by_name() -> None:
    assert {"from": ALICE, "to": BOB, "value": 7} == TRANSFER.decode(LOG)


@pytest.mark.parametrize(
    "log",
    [
        replace(LOG, topics=()),
        replace(LOG, topics=LOG.topics[:2]),
        replace(LOG, topics=("0x" + "00" * 32, *LOG.topics[1:])),
        replace(LOG, topics=(*LOG.topics[:2], "0x" + "ff" * 32)),
        replace(LOG, data=b""),
        replace(LOG, data=LOG.data + b"\0"),
        replace(LOG, data=LOG.data * 2),
    ],
)
def test_log_that_says_anything_else_is_refused(log: Log) -> None:
    with pytest.raises(AbiError):
        TRANSFER.decode(log)
