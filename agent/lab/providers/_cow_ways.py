"""Ways through the local Uniswap v3 pools, as a solver looks for them: one or two hops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.errors import SetupFailed
from agent.lab.abi import answer, call_bytes
from agent.lab.branch import Branch
from agent.lab.pools import SEEDS

SETTLE_GAS = 250_000
"""What a settlement with one or two hops is priced at; measured ones take 190 000 to 330 000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A packed path (token, fee, token, …) and the base units that come out at its end."""

    path: bytes
    out: int


def best_way(branch: Branch, sell: str, buy: str, raw: int) -> Way | None:
    """The way that brings most for *raw* base units now, None where there is none."""
    ways = [way for path in _paths(branch, sell, buy) if (way := _priced(branch, path, raw))]
    return max(ways, key=lambda way: way.out, default=None)


def network_fee(branch: Branch, token: str) -> tuple[int, int]:
    """What a settlement costs: base units of *token* rounded up, and wei per gas."""
    block: Any = branch.puppet.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - RPC's
    gas_price = int(block["baseFeePerGas"], 16) + branch.place.tip
    known = next(item for item in branch.place.tokens.values() if item.address == token)
    ether = branch.price("ETH") * SETTLE_GAS * gas_price / 10**18
    whole = ether / branch.price(known.asset)
    return int(whole * 10**known.decimals) + 1, gas_price


def _paths(branch: Branch, sell: str, buy: str) -> Iterator[bytes]:
    tokens = branch.place.tokens
    pools = [seed for seed in SEEDS[branch.place.chain_id] if seed.fee]

    def hops(start: str) -> Iterator[tuple[int, str]]:
        for seed in pools:
            pair = {tokens[symbol].address for symbol in seed.pair}
            if start in pair:
                (other,) = pair - {start}
                yield seed.fee, other

    for fee, token in hops(sell):
        if token == buy:
            yield _packed(sell, fee, buy)
        else:
            for second, end in hops(token):
                if end == buy:
                    yield _packed(sell, fee, token, second, buy)


def _packed(*parts: str | int) -> bytes:
    return b"".join(
        part.to_bytes(3) if isinstance(part, int) else bytes.fromhex(part[2:]) for part in parts
    )


def _priced(branch: Branch, path: bytes, raw: int) -> Way | None:
    call = {
        "to": branch.place.exchanges.quoter_v2,
        "data": call_bytes("quoteExactInput(bytes,uint256)", path, raw),
    }
    try:
        said = str(branch.puppet.rpc("eth_call", call, "latest"))
    except SetupFailed:  # the pools do not take so much
        return None
    out = answer("(uint256,uint160[],uint32[],uint256)", said)[0]
    return Way(path=path, out=int(out)) if out else None
