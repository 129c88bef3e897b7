"""docs/fees.md says what fees really are: expected and paid on three kinds of chains."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from fee_document import DOCUMENT, Row, put, rows, table, written
from fee_rig import Payer

from agent.chain.fees_arbitrum import ORACLE as NODE_INTERFACE
from agent.chain.fees_op_stack import ORACLE as GAS_PRICE_ORACLE
from agent.core.fees import MAX_BASE_FEE_GROWTH, MAX_L1_FEE_GROWTH
from agent.lab.world import open_world

REGENERATE = "REGENERATE"
"""Variable that lets the tests write the document instead of comparing it."""

NAMES = {1: "Ethereum", 8453: "Base", 42161: "Arbitrum One"}

SAME = Decimal("0.02")
"""Signatures and times differ from run to run, so lengths after compression do."""


@pytest.fixture(scope="module")
def measured(lab_cache: Path) -> list[Row]:
    found: list[Row] = []
    for chain, name in NAMES.items():
        with open_world(lab_cache, chain_id=chain) as world:
            payer = Payer(world)
            pool, pools = payer.router([(500, 10)], (), v2=False), payer.router(
                [(100, 1), (500, 10)], ("USDC",), v2=False
            )  # fmt: skip
            pair = payer.router((), (), v2=True)
            moved = [
                payer.move("wrap", payer.wrap, "ETH", "WETH", 3000),
                payer.move("unwrap", payer.wrap, "WETH", "ETH", 3000),
                payer.move("swap, new token", pool, "WETH", "USDC", 3000),
                payer.move("swap, one V3 pool", pool, "WETH", "USDC", 3000),
                payer.move("swap, two V3 pools", pools, "DAI", "WETH", 3000),
                payer.move("swap, one V2 pool", pair, "USDC", "WETH", 3000),
            ]
        found += rows(name, moved)
    if os.environ.get(REGENERATE):
        put(found)
    return found


def test_what_is_reserved_for_is_within_five_percent_of_what_is_paid(measured: list[Row]) -> None:
    """On all three fee models; within five percent of each other, too, as none is below one."""
    assert [] == [
        row for row in measured if not Decimal("0.999") <= row.reserved <= Decimal("1.05")
    ]


def test_plan_is_within_a_tenth_over_all_legs(measured: list[Row]) -> None:
    over_all = [row for row in measured if row.leg == "all of these"]
    assert list(NAMES.values()) == [row.chain for row in over_all]
    assert [] == [row for row in over_all if abs(row.planned - 1) > Decimal("0.1")]


def test_document_has_what_is_measured(measured: list[Row]) -> None:
    documented = written()
    assert [(row.chain, row.leg) for row in measured] == [
        (row.chain, row.leg) for row in documented
    ]
    assert [] == [
        (now, then)
        for now, then in zip(measured, documented, strict=True)
        if abs(now.reserved - then.reserved) > SAME or abs(now.planned - then.planned) > SAME
    ]
    assert DOCUMENT.read_text(encoding="utf-8").endswith(table(documented))


def test_document_names_the_oracles_and_the_room_that_is_left() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").lower().split())
    assert {NODE_INTERFACE, GAS_PRICE_ORACLE} <= set(text.replace("`", " ").split())
    assert (2, 2) == (MAX_BASE_FEE_GROWTH, MAX_L1_FEE_GROWTH)
    assert "twice the base fee" in text
    assert "twice what data costs" in text
