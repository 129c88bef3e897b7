# pragma version 0.4.3
"""
@title A stand-in for Velora's Augustus v6.2: its generic swap of an exact amount, with its checks.
@notice Signature and checks as the contract's published interface says; the work is an executor's.
"""

import swapping

WHOLE: constant(uint256) = 10_000
FEE_MASK: constant(uint256) = 2**14 - 1
TAKES_SURPLUS: constant(uint256) = 2**95
MAX_FEE_BPS: constant(uint256) = 200


struct GenericData:
    srcToken: address
    destToken: address
    fromAmount: uint256
    toAmount: uint256
    quotedAmount: uint256
    metadata: bytes32
    beneficiary: address


@external
@payable
def __default__():
    assert msg.sender != tx.origin, "no deposits"


@external
@payable
def swapExactAmountIn(
    executor: address,
    swapData: GenericData,
    partnerAndFee: uint256,
    permit: Bytes[1024],
    executorData: Bytes[swapping.MAX_ROUTE],
) -> (uint256, uint256, uint256):
    """
    @notice Sells an amount of the caller's and pays what came of it, less a partner's fee, and less
        what exceeds the quote where the partner takes that. Answers what was paid, and both shares.
    """
    if swapData.toAmount == 0:
        raw_revert(method_id("InvalidToAmount()"))
    assert len(permit) == 0, "no permits here"
    if swapping._is_native(swapData.srcToken):
        if msg.value != swapData.fromAmount:
            raw_revert(method_id("IncorrectEthAmount()"))
    else:
        assert msg.value == 0, "IncorrectEthAmount"
        swapping._pull(swapData.srcToken, executor, swapData.fromAmount)
    swapping._run(executor, executorData)
    received: uint256 = swapping._held(swapData.destToken, self)
    if received < swapData.toAmount:
        raw_revert(method_id("InsufficientReturnAmount()"))

    partner: address = convert(partnerAndFee >> 96, address)
    share: uint256 = 0
    if partner != empty(address):
        bps: uint256 = partnerAndFee & FEE_MASK
        assert bps <= MAX_FEE_BPS, "fee too high"
        share = received * bps // WHOLE
        if partnerAndFee & TAKES_SURPLUS != 0 and received > swapData.quotedAmount:
            share += received - swapData.quotedAmount
        if share > 0:
            swapping._pay(swapData.destToken, partner, share)
    receiver: address = swapData.beneficiary
    if receiver == empty(address):
        receiver = msg.sender
    swapping._pay(swapData.destToken, receiver, received - share)
    return received - share, 0, share
