# pragma version 0.4.3
"""
@title A stand-in for LI.FI's diamond: the swaps of its GenericSwapFacetV3 in one step.
@notice Signatures and checks as the facet's published interface says. One contract is allowed to be
called; LI.FI's list is longer.
"""

import swapping
from ethereum.ercs import IERC20

MAX_CALL: constant(uint256) = 3072


struct SwapData:
    callTo: address
    approveTo: address
    sendingAssetId: address
    receivingAssetId: address
    fromAmount: uint256
    callData: Bytes[MAX_CALL]
    requiresDeposit: bool


event LiFiGenericSwapCompleted:
    transactionId: indexed(bytes32)
    integrator: String[64]
    referrer: String[64]
    receiver: address
    fromAssetId: address
    toAssetId: address
    fromAmount: uint256
    toAmount: uint256


ALLOWED: immutable(address)


@deploy
def __init__(allowed: address):
    ALLOWED = allowed


@external
@payable
def __default__():
    pass


@external
def swapTokensSingleV3ERC20ToERC20(
    transactionId: bytes32,
    integrator: String[64],
    referrer: String[64],
    receiver: address,
    minAmountOut: uint256,
    swapData: SwapData,
):
    self._deposit(swapData)
    self._call(swapData, 0)
    self._finish(
        transactionId, integrator, referrer, receiver, minAmountOut, swapData, swapData.receivingAssetId
    )


@external
def swapTokensSingleV3ERC20ToNative(
    transactionId: bytes32,
    integrator: String[64],
    referrer: String[64],
    receiver: address,
    minAmountOut: uint256,
    swapData: SwapData,
):
    self._deposit(swapData)
    self._call(swapData, 0)
    self._finish(
        transactionId, integrator, referrer, receiver, minAmountOut, swapData, empty(address)
    )


@external
@payable
def swapTokensSingleV3NativeToERC20(
    transactionId: bytes32,
    integrator: String[64],
    referrer: String[64],
    receiver: address,
    minAmountOut: uint256,
    swapData: SwapData,
):
    self._call(swapData, msg.value)
    self._finish(
        transactionId, integrator, referrer, receiver, minAmountOut, swapData, swapData.receivingAssetId
    )


@internal
def _deposit(swapData: SwapData):
    token: address = swapData.sendingAssetId
    swapping._pull(token, self, swapData.fromAmount)
    assert swapData.approveTo == swapData.callTo, "ContractCallNotAllowed"
    if staticcall IERC20(token).allowance(self, swapData.approveTo) < swapData.fromAmount:
        assert extcall IERC20(token).approve(
            swapData.approveTo, max_value(uint256), default_return_value=True
        ), "approve failed"


@internal
def _call(swapData: SwapData, paid: uint256):
    if swapData.callTo != ALLOWED:
        raw_revert(method_id("ContractCallNotAllowed()"))
    raw_call(swapData.callTo, swapData.callData, value=paid)


@internal
def _finish(
    transactionId: bytes32,
    integrator: String[64],
    referrer: String[64],
    receiver: address,
    minAmountOut: uint256,
    swapData: SwapData,
    bought: address,
):
    """
    @notice Gives the receiver all that is here of the bought token, if it is the minimum or more,
        and what was not sold.
    """
    received: uint256 = swapping._held(bought, self)
    if received < minAmountOut:
        raw_revert(
            abi_encode(
                minAmountOut,
                received,
                method_id=method_id("CumulativeSlippageTooHigh(uint256,uint256)"),
            )
        )
    left: uint256 = swapping._held(swapData.sendingAssetId, self)
    if left > 0:
        swapping._pay(swapData.sendingAssetId, receiver, left)
    swapping._pay(bought, receiver, received)
    log LiFiGenericSwapCompleted(
        transactionId=transactionId,
        integrator=integrator,
        referrer=referrer,
        receiver=receiver,
        fromAssetId=swapData.sendingAssetId,
        toAssetId=bought,
        fromAmount=swapData.fromAmount,
        toAmount=received,
    )
