# pragma version 0.4.3
"""
@title A stand-in for KyberSwap's MetaAggregationRouterV2: its generic swap, with its checks.
@notice Signature and checks as the router's published interface says; the work is an executor's.
"""

import swapping
from ethereum.ercs import IERC20

PARTIAL_FILL: constant(uint256) = 1
REQUIRES_EXTRA_ETH: constant(uint256) = 2
FEE_ON_DST: constant(uint256) = 64
FEE_IN_BPS: constant(uint256) = 128
APPROVE_FUND: constant(uint256) = 256

MAX_RECEIVERS: constant(uint256) = 8


struct SwapDescriptionV2:
    srcToken: address
    dstToken: address
    srcReceivers: DynArray[address, MAX_RECEIVERS]
    srcAmounts: DynArray[uint256, MAX_RECEIVERS]
    feeReceivers: DynArray[address, MAX_RECEIVERS]
    feeAmounts: DynArray[uint256, MAX_RECEIVERS]
    dstReceiver: address
    amount: uint256
    minReturnAmount: uint256
    flags: uint256
    permit: Bytes[512]


struct SwapExecutionParams:
    callTarget: address
    approveTarget: address
    targetData: Bytes[swapping.MAX_ROUTE]
    desc: SwapDescriptionV2
    clientData: Bytes[1024]


event Swapped:
    sender: address
    srcToken: address
    dstToken: address
    dstReceiver: address
    spentAmount: uint256
    returnAmount: uint256


@external
@payable
def __default__():
    assert msg.sender != tx.origin, "ETH deposit rejected"


@external
@payable
def swap(execution: SwapExecutionParams) -> (uint256, uint256):
    """
    @notice Sells an amount of the caller's; the executor pays the receiver, whose gain is measured.
        Answers that and the gas that it took.
    """
    before_gas: uint256 = msg.gas
    desc: SwapDescriptionV2 = execution.desc
    assert execution.callTarget != empty(address), "executor should not be 0"
    assert desc.minReturnAmount > 0, "Min return should not be 0"
    assert desc.amount > 0, "Amount should not be 0"
    assert desc.flags & (PARTIAL_FILL | FEE_ON_DST | APPROVE_FUND) == 0, "not on local chains"
    native: bool = swapping._is_native(desc.srcToken)
    due: uint256 = desc.amount if native else 0
    if desc.flags & REQUIRES_EXTRA_ETH != 0:
        assert msg.value > due, "wrong msg.value"
    else:
        assert msg.value == due, "wrong msg.value"
    if not native:
        self._collect(desc)

    receiver: address = desc.dstReceiver
    if receiver == empty(address):
        receiver = msg.sender
    before: uint256 = swapping._held(desc.dstToken, receiver)
    swapping._run(execution.callTarget, execution.targetData)
    gained: uint256 = swapping._held(desc.dstToken, receiver) - before
    assert gained >= desc.minReturnAmount, "Return amount is not enough"
    log Swapped(
        sender=msg.sender,
        srcToken=desc.srcToken,
        dstToken=desc.dstToken,
        dstReceiver=receiver,
        spentAmount=desc.amount,
        returnAmount=gained,
    )
    return gained, before_gas - msg.gas


@internal
def _collect(desc: SwapDescriptionV2):
    """
    @notice Takes what is sold, and fees on top of it, from the caller.
    """
    assert len(desc.srcReceivers) == len(desc.srcAmounts), "Invalid lengths for receiving src tokens"
    assert len(desc.feeReceivers) == len(desc.feeAmounts), "Invalid lengths for fees"
    total: uint256 = 0
    for i: uint256 in range(len(desc.srcReceivers), bound=MAX_RECEIVERS):
        total += desc.srcAmounts[i]
        swapping._pull(desc.srcToken, desc.srcReceivers[i], desc.srcAmounts[i])
    for i: uint256 in range(len(desc.feeReceivers), bound=MAX_RECEIVERS):
        fee: uint256 = desc.feeAmounts[i]
        if desc.flags & FEE_IN_BPS != 0:
            fee = desc.amount * fee // 10_000
        total += fee
        swapping._pull(desc.srcToken, desc.feeReceivers[i], fee)
    assert total <= desc.amount, "Exceeded desc.amount"
