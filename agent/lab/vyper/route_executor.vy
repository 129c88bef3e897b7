# pragma version 0.4.3
"""
@title An executor of aggregators' routes: swaps what it was given through Uniswap v3 pools.
@notice A stand-in for what stands behind the aggregators' routers, which only they know. It holds
nothing between two transactions, so that anybody may call it.
"""

from ethereum.ercs import IERC20

MAX_ROUTE: constant(uint256) = 2048
MAX_PATH: constant(uint256) = 89
MAX_PARTS: constant(uint256) = 4
SHARES: constant(uint256) = 10_000
MILLION: constant(uint256) = 1_000_000

COLLECTOR: constant(address) = 0xfEE0000000000000000000000000000000000fee


struct Part:
    share: uint256
    path: Bytes[MAX_PATH]


struct Route:
    sell: address
    buy: address
    receiver: address
    unwraps: bool
    fee: uint256
    parts: DynArray[Part, MAX_PARTS]


struct ExactInput:
    path: Bytes[MAX_PATH]
    recipient: address
    amountIn: uint256
    amountOutMinimum: uint256


interface Wrapped:
    def deposit(): payable
    def withdraw(amount: uint256): nonpayable


interface SwapRouter:
    def exactInput(params: ExactInput) -> uint256: payable


WRAPPED: immutable(address)
ROUTER: immutable(address)


@deploy
def __init__(wrapped: address, router: address):
    WRAPPED = wrapped
    ROUTER = router


@external
@payable
def __default__():
    pass


@external
@payable
def run(packed: Bytes[MAX_ROUTE]):
    """
    @notice Sells all that it has of one token. The receiver of the other one is the caller, unless
        the route names somebody; ``fee`` millionths of it are kept for the aggregator.
    """
    self._work(packed)


@external
def take_and_run(token: address, amount: uint256, packed: Bytes[MAX_ROUTE]):
    """
    @notice The same with what the caller allows it to take, for those who give it no other way.
    """
    assert extcall IERC20(token).transferFrom(
        msg.sender, self, amount, default_return_value=True
    ), "transferFrom failed"
    self._work(packed)


@internal
@payable
def _work(packed: Bytes[MAX_ROUTE]):
    route: Route = abi_decode(packed, Route)
    if msg.value > 0:
        extcall Wrapped(WRAPPED).deposit(value=msg.value)
    self._swap(route)
    bought: uint256 = staticcall IERC20(route.buy).balanceOf(self)
    fee: uint256 = bought * route.fee // MILLION
    if fee > 0:
        self._send(route.buy, COLLECTOR, fee)
    receiver: address = route.receiver
    if receiver == empty(address):
        receiver = msg.sender
    if route.unwraps:
        extcall Wrapped(WRAPPED).withdraw(bought - fee)
        raw_call(receiver, b"", value=bought - fee)
    else:
        self._send(route.buy, receiver, bought - fee)


@internal
def _swap(route: Route):
    total: uint256 = staticcall IERC20(route.sell).balanceOf(self)
    if staticcall IERC20(route.sell).allowance(self, ROUTER) < total:
        assert extcall IERC20(route.sell).approve(
            ROUTER, max_value(uint256), default_return_value=True
        ), "approve failed"
    left: uint256 = total
    for part: Part in route.parts:
        amount: uint256 = min(left, total * part.share // SHARES)
        if part.share == SHARES:
            amount = left
        left -= amount
        extcall SwapRouter(ROUTER).exactInput(
            ExactInput(path=part.path, recipient=self, amountIn=amount, amountOutMinimum=0)
        )


@internal
def _send(token: address, receiver: address, amount: uint256):
    assert extcall IERC20(token).transfer(
        receiver, amount, default_return_value=True
    ), "transfer failed"
