# pragma version 0.4.3
"""
@title A stand-in for 1inch' AggregationRouter v6: its generic swap, with its checks.
@notice Signature and checks as the router's published interface says; the work is an executor's.
"""

import swapping

PARTIAL_FILL: constant(uint256) = 1
REQUIRES_EXTRA_ETH: constant(uint256) = 2
USE_PERMIT2: constant(uint256) = 4


struct SwapDescription:
    srcToken: address
    dstToken: address
    srcReceiver: address
    dstReceiver: address
    amount: uint256
    minReturnAmount: uint256
    flags: uint256


@external
@payable
def __default__():
    assert msg.sender != tx.origin, "EthDepositRejected"


@external
@payable
def swap(
    executor: address, desc: SwapDescription, data: Bytes[swapping.MAX_ROUTE]
) -> (uint256, uint256):
    """
    @notice Sells an amount of the caller's and pays what came of it; answers that and what it took.
    """
    assert desc.minReturnAmount > 0, "ZeroMinReturn"
    assert desc.flags & USE_PERMIT2 == 0, "no Permit2 here"
    native: bool = swapping._is_native(desc.srcToken)
    due: uint256 = desc.amount if native else 0
    if desc.flags & REQUIRES_EXTRA_ETH != 0:
        assert msg.value > due, "InvalidMsgValue"
    else:
        assert msg.value == due, "InvalidMsgValue"
    if not native:
        swapping._pull(desc.srcToken, desc.srcReceiver, desc.amount)

    before: uint256 = swapping._held(desc.dstToken, self)
    if swapping._is_native(desc.dstToken):
        before -= msg.value
    swapping._run(executor, data)
    gained: uint256 = swapping._held(desc.dstToken, self) - before

    spent: uint256 = desc.amount
    if desc.flags & PARTIAL_FILL != 0:
        left: uint256 = swapping._held(desc.srcToken, self)
        if left > 0:
            spent -= left
            swapping._pay(desc.srcToken, msg.sender, left)
    if gained * desc.amount < desc.minReturnAmount * spent:
        raw_revert(
            abi_encode(
                gained,
                desc.minReturnAmount,
                method_id=method_id("ReturnAmountIsNotEnough(uint256,uint256)"),
            )
        )
    receiver: address = desc.dstReceiver
    if receiver == empty(address):
        receiver = msg.sender
    swapping._pay(desc.dstToken, receiver, gained)
    return gained, spent
