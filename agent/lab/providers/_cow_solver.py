"""Settles orders through the pools, as a solver does: one order at a time, at the pools' price."""

from dataclasses import dataclass

from agent.core.money import NATIVE
from agent.errors import SetupFailed
from agent.lab.abi import call_bytes
from agent.lab.branch import Branch
from agent.lab.providers._cow_contracts import SETTLEMENT
from agent.lab.providers._cow_ways import Way, best_way, network_fee
from agent.lab.puppet import Tx, tx
from agent.wire.order import BUY_COIN, Order

_TRADE = "(uint256,uint256,address,uint256,uint256,uint32,bytes32,uint256,uint256,uint256,bytes)"
_INTERACTION = "(address,uint256,bytes)"
SETTLE = f"settle(address[],uint256[],{_TRADE}[],{_INTERACTION}[][3])"

_SELL_ALL_OR_NOTHING = 0
"""The flags of a trade: sold, not partially, plain balances, signed by EIP-712 (GPv2Trade)."""


@dataclass(slots=True, kw_only=True)
class Listed:
    """An order in the book; *app_data* is its hash, *made_at* unix seconds of chain time."""

    order: Order
    owner: str
    uid: str
    app_data: str
    signature: str
    made_at: int
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an order brings now: *fee* of what is sold stays with the solver, *out* is paid."""

    fee: int
    gas_price: int
    way: Way

    @property
    def out(self) -> int:
        """Base units that the owner gets."""
        return self.way.out


def offer(branch: Branch, sell: str, buy: str, raw: int) -> Offer | None:
    """What *raw* base units would bring, None where no pools take them.

    Raises ValueError when they do not pay for the settlement.
    """
    fee, gas_price = network_fee(branch, sell)
    if not raw > fee:
        raise ValueError(fee)
    bought = branch.place.weth if buy in {NATIVE, BUY_COIN} else buy
    way = best_way(branch, sell, bought, raw - fee)
    return None if way is None else Offer(fee=fee, gas_price=gas_price, way=way)


def filled(branch: Branch, uid: str) -> int:
    """Base units that were sold for an order; 2^256 − 1 once it was invalidated."""
    said = branch.puppet.read(
        SETTLEMENT, "filledAmount(bytes)", "(uint256)", bytes.fromhex(uid[2:])
    )
    return int(said[0])


def settle(branch: Branch, listed: Listed) -> bool:
    """Execute an order if that is possible now; tells whether it was."""
    order = listed.order
    try:
        found = offer(branch, order.sell, order.buy, order.sell_amount)
    except ValueError:
        return False
    if found is None or found.out < order.buy_amount:
        return False
    call = _settlement(branch, listed, found)
    try:
        request = {"from": branch.puppet.account, "to": call.to, "data": call.input}
        branch.puppet.rpc("eth_call", request, "latest")
        branch.puppet.send(call)
    except SetupFailed:  # no allowance, no balance, too late: the next turn tries again
        return False
    return True


def _settlement(branch: Branch, listed: Listed, found: Offer) -> Tx:
    """Prices are such that the owner gets all that the pools bring, to the base unit."""
    order = listed.order
    buy = BUY_COIN if order.buy == NATIVE else order.buy
    trade = (
        *(0, 1, order.receiver, order.sell_amount, order.buy_amount, order.valid_to),
        *(bytes.fromhex(listed.app_data[2:]), 0, _SELL_ALL_OR_NOTHING, order.sell_amount),
        bytes.fromhex(listed.signature[2:]),
    )
    inside = tuple(
        (call.to, 0, bytes.fromhex(call.input[2:])) for call in _swap(branch, order, found)
    )
    prices = (found.out, order.sell_amount)
    return tx(SETTLEMENT, SETTLE, (order.sell, buy), prices, (trade,), ((), inside, ()))


def _swap(branch: Branch, order: Order, found: Offer) -> tuple[Tx, ...]:
    """What the settlement itself calls between taking the money in and paying it out."""
    router, raw = branch.place.exchanges.swap_router02, order.sell_amount - found.fee
    calls = [
        tx(order.sell, "approve(address,uint256)", router, raw),
        Tx(
            to=router,
            input=call_bytes(
                "exactInput((bytes,address,uint256,uint256))",
                (found.way.path, SETTLEMENT, raw, found.out),
            ),
            what="a solver's swap",
        ),
    ]
    if order.buy == NATIVE:
        calls.append(tx(branch.place.weth, "withdraw(uint256)", found.out))
    return tuple(calls)
