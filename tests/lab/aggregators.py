"""How each aggregator of the local world is asked for a swap, in its own words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.reading import ALICE
from lab.trading import Call, ask

from agent.lab.providers import oneinch
from agent.lab.worlds import Worlds

EEE = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"


@dataclass(frozen=True)
class Wish:
    """What Alice asks for: symbols, ETH among them, base units, and slippage in bps."""

    chain: int
    sell: str
    buy: str
    amount: int
    slippage_bps: int = 100

    def token(self, worlds: Worlds, symbol: str, native: str = EEE) -> str:
        return native if symbol == "ETH" else worlds[self.chain].addresses[symbol]


def succeeded(answer: tuple[int, Any]) -> Any:
    status, body = answer
    assert 200 == status, body
    return body


def ask_oneinch(worlds: Worlds, wish: Wish) -> tuple[int, Call]:
    headers = {"Authorization": "Bearer k"}
    query = {
        "src": wish.token(worlds, wish.sell),
        "dst": wish.token(worlds, wish.buy),
        "amount": wish.amount,
        "from": ALICE,
        "origin": ALICE,
        "slippage": wish.slippage_bps / 100,
        "disableEstimate": "true",
    }
    path = f"/swap/v6.1/{wish.chain}"
    got = succeeded(ask(worlds, "oneinch", f"{path}/swap", query, headers=headers))
    spender = succeeded(ask(worlds, "oneinch", f"{path}/approve/spender", headers=headers))
    transaction = got["tx"]
    call = Call(
        transaction["to"], transaction["data"], int(transaction["value"]), spender["address"]
    )
    return int(got["dstAmount"]), call


ASKED: dict[str, Callable[[Worlds, Wish], tuple[int, Call]]] = {"oneinch": ask_oneinch}
SELECTORS = {"oneinch": "07ed2379"}
ROUTERS = {"oneinch": oneinch.ROUTER}
