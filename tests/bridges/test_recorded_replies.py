"""What Across's own server said, word for word, is understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fee_server import FeeServer, fee_server

from agent.bridges._relay_fee import FeeServer as Server
from agent.bridges._relay_fee import Offer
from agent.bridges._routes import ChainOptions, Route
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.errors import Contradicted, Rejected
from agent.wire.http import HttpClient

RECORDED = json.loads(
    (Path(__file__).parents[1] / "cassettes" / "bridges" / "across.json").read_text()
)
NEAR, FAR = ChainId(1), ChainId(137)
USDC = Token(NEAR, Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "USDC")
USDC_E = Token(FAR, Address("0x2791bca1f2de4661ed88a30c99a7a9449aa84174"), 6, "USDC.e")
ROUTE = Route(sell=USDC, buy=USDC_E, input=USDC, output=USDC_E)
POOLS = {
    NEAR: "0x5c7bcd6e7de5423a257d81b442095a1a6ced35c5",
    FAR: "0x9295ee1d8c5b022be115a2ad3c30c72e34e7f096",
}
TEN = 10_000_000
MADE = 1_782_074_207
"""When the answer was given, by itself."""


def options(chain: ChainId, token: Token) -> ChainOptions:
    wrapped = Token(chain, Address("0x" + "3e" * 20), 18, "W")
    return ChainOptions(
        spoke_pool=Address(POOLS[chain]),
        native=Token(chain, NATIVE, 18, "C"),
        wrapped=wrapped,
        tokens={"USDC": token},
    )


def asked(name: str, *, now: int = MADE) -> Offer:
    """Ask a server that says what was recorded under *name*."""
    said: dict[str, Any] = RECORDED[name]
    with fee_server({int(chain): pool for chain, pool in POOLS.items()}) as fees:
        fees.forge, fees.status = (lambda _answer: said["body"]), said["status"]
        assert isinstance(fees, FeeServer)
        chains = {NEAR: options(NEAR, USDC), FAR: options(FAR, USDC_E)}
        server = Server(http=HttpClient(retries=0), api=fees.api, chains=chains)
        return server.offer(ROUTE, TEN, now=now)


def test_recorded_fee_is_read_to_the_base_unit() -> None:
    assert Offer(
        amount=TEN,
        total=9_649,
        fixed=8_649,
        least=500_154,
        most=1_389_862_444_460,
        seconds=2,
        out=9_990_351,
    ) == asked("suggested_fees")


def test_recorded_answer_is_too_old_after_its_own_deadline() -> None:
    with pytest.raises(Contradicted, match="was 1 s ago"):
        asked("suggested_fees", now=1_782_081_408)


def test_documented_error_is_a_refusal_in_its_own_words() -> None:
    with pytest.raises(Rejected, match=r"400: Invalid parameter at path 'depositId'"):
        asked("error")
