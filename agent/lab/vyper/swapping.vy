# pragma version 0.4.3
"""
@title What the stand-ins of aggregators have in common: tokens, the gas coin, their executor.
"""

from ethereum.ercs import IERC20

NATIVE: constant(address) = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE

MAX_ROUTE: constant(uint256) = 2048


interface Executor:
    def run(route: Bytes[MAX_ROUTE]): payable


@internal
@pure
def _is_native(token: address) -> bool:
    return token == NATIVE or token == empty(address)


@internal
@view
def _held(token: address, holder: address) -> uint256:
    if self._is_native(token):
        return holder.balance
    return staticcall IERC20(token).balanceOf(holder)


@internal
def _pull(token: address, receiver: address, amount: uint256):
    """
    @notice Takes tokens from the caller, never from anybody else.
    """
    assert extcall IERC20(token).transferFrom(
        msg.sender, receiver, amount, default_return_value=True
    ), "transferFrom failed"


@internal
def _pay(token: address, receiver: address, amount: uint256):
    if self._is_native(token):
        raw_call(receiver, b"", value=amount)
    else:
        assert extcall IERC20(token).transfer(
            receiver, amount, default_return_value=True
        ), "transfer failed"


@internal
@payable
def _run(executor: address, route: Bytes[MAX_ROUTE]):
    """
    @notice Lets the executor work with all the ether that was sent along.
    """
    extcall Executor(executor).run(route, value=msg.value)
