# pragma version 0.4.3
"""
@title A stand-in for LI.FI's diamond: swaps in one step, and deposits with Across.
@notice Signatures and checks as the published interfaces of its GenericSwapFacetV3 and AcrossFacetV4
say. One contract is allowed to be called for swaps; LI.FI's list is longer.
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


struct BridgeData:
    transactionId: bytes32
    bridge: String[64]
    integrator: String[64]
    referrer: address
    sendingAssetId: address
    receiver: address
    minAmount: uint256
    destinationChainId: uint256
    hasSourceSwaps: bool
    hasDestinationCall: bool


struct AcrossV4Data:
    receiverAddress: bytes32
    refundAddress: bytes32
    sendingAssetId: bytes32
    receivingAssetId: bytes32
    outputAmount: uint256
    outputAmountMultiplier: uint128
    exclusiveRelayer: bytes32
    quoteTimestamp: uint32
    fillDeadline: uint32
    exclusivityParameter: uint32
    message: Bytes[1024]


interface SpokePool:
    def deposit(
        depositor: bytes32,
        recipient: bytes32,
        inputToken: bytes32,
        outputToken: bytes32,
        inputAmount: uint256,
        outputAmount: uint256,
        destinationChainId: uint256,
        exclusiveRelayer: bytes32,
        quoteTimestamp: uint32,
        fillDeadline: uint32,
        exclusivityParameter: uint32,
        message: Bytes[1024],
    ): payable


event LiFiTransferStarted:
    bridgeData: BridgeData


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
SPOKE_POOL: immutable(address)
WRAPPED: immutable(address)


@deploy
def __init__(allowed: address, spoke_pool: address, wrapped: address):
    ALLOWED = allowed
    SPOKE_POOL = spoke_pool
    WRAPPED = wrapped


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


@external
@payable
def startBridgeTokensViaAcrossV4(bridgeData: BridgeData, acrossData: AcrossV4Data):
    """
    @notice Takes the amount from the caller and deposits it with Across, as the second argument
        says; what of it the first one says too must be the same.
    """
    assert bridgeData.receiver != empty(address), "InvalidReceiver"
    assert bridgeData.minAmount > 0, "InvalidAmount"
    assert bridgeData.destinationChainId != chain.id, "CannotBridgeToSameNetwork"
    assert not bridgeData.hasSourceSwaps, "InformationMismatch"
    assert bridgeData.hasDestinationCall == (len(acrossData.message) > 0), "InformationMismatch"
    assert not bridgeData.hasDestinationCall, "not on local chains"
    assert acrossData.receiverAddress == self._word(bridgeData.receiver), "InvalidReceiver"
    assert acrossData.refundAddress != empty(bytes32), "InvalidCallData"
    paid: uint256 = 0
    sold: bytes32 = acrossData.sendingAssetId
    if swapping._is_native(bridgeData.sendingAssetId):
        paid = bridgeData.minAmount
        sold = self._word(WRAPPED)
    assert msg.value == paid, "InvalidAmount"
    if paid == 0:
        token: address = bridgeData.sendingAssetId
        swapping._pull(token, self, bridgeData.minAmount)
        self._allow(token, SPOKE_POOL, bridgeData.minAmount)
    extcall SpokePool(SPOKE_POOL).deposit(
        acrossData.refundAddress,
        acrossData.receiverAddress,
        sold,
        acrossData.receivingAssetId,
        bridgeData.minAmount,
        acrossData.outputAmount,
        bridgeData.destinationChainId,
        acrossData.exclusiveRelayer,
        acrossData.quoteTimestamp,
        acrossData.fillDeadline,
        acrossData.exclusivityParameter,
        acrossData.message,
        value=paid,
    )
    log LiFiTransferStarted(bridgeData=bridgeData)


@internal
@pure
def _word(account: address) -> bytes32:
    return convert(convert(account, uint256), bytes32)


@internal
def _allow(token: address, spender: address, amount: uint256):
    if staticcall IERC20(token).allowance(self, spender) < amount:
        assert extcall IERC20(token).approve(
            spender, max_value(uint256), default_return_value=True
        ), "approve failed"


@internal
def _deposit(swapData: SwapData):
    token: address = swapData.sendingAssetId
    swapping._pull(token, self, swapData.fromAmount)
    assert swapData.approveTo == swapData.callTo, "ContractCallNotAllowed"
    self._allow(token, swapData.approveTo, swapData.fromAmount)


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
