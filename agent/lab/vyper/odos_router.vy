# pragma version 0.4.3
"""
@title A stand-in for Odos' router v3: its swap of one token for another, with its checks.
@notice Signature and checks as the router's published interface says; the work is an executor's.
What exceeds the quote stays here, as it does there.
"""

import swapping
from ethereum.ercs import IERC20

FEE_UNIT: constant(uint256) = 10**18
KEEPS_NOTHING: constant(uint64) = 2**48


struct SwapTokenInfo:
    inputToken: address
    inputAmount: uint256
    inputReceiver: address
    outputToken: address
    outputQuote: uint256
    outputMin: uint256
    outputReceiver: address


struct SwapReferralInfo:
    code: uint64
    fee: uint64
    feeRecipient: address


event Swap:
    sender: address
    inputAmount: uint256
    inputToken: address
    amountOut: uint256
    outputToken: address
    slippage: int256
    referralCode: uint64
    referralFee: uint64
    referralFeeRecipient: address


@external
@payable
def __default__():
    pass


@external
@payable
def swap(
    tokenInfo: SwapTokenInfo,
    pathDefinition: Bytes[swapping.MAX_ROUTE],
    executor: address,
    referralInfo: SwapReferralInfo,
) -> uint256:
    """
    @notice Sells an amount of the caller's and pays what came of it, but no more than was quoted.
    """
    assert tokenInfo.outputMin <= tokenInfo.outputQuote, "Minimum greater than quote"
    assert tokenInfo.outputMin > 0, "Slippage limit too low"
    assert tokenInfo.inputToken != tokenInfo.outputToken, "Arbitrage not supported"
    assert convert(referralInfo.fee, uint256) <= FEE_UNIT // 50, "Fee too high"
    amount: uint256 = tokenInfo.inputAmount
    if tokenInfo.inputToken == empty(address):
        if amount == 0:
            amount = msg.value
        assert msg.value == amount, "Wrong msg.value"
    else:
        assert msg.value == 0, "Wrong msg.value"
        if amount == 0:
            amount = staticcall IERC20(tokenInfo.inputToken).balanceOf(msg.sender)
        swapping._pull(tokenInfo.inputToken, tokenInfo.inputReceiver, amount)

    before: uint256 = swapping._held(tokenInfo.outputToken, self)
    if tokenInfo.outputToken == empty(address):
        before -= msg.value
    swapping._run(executor, pathDefinition)
    out: uint256 = swapping._held(tokenInfo.outputToken, self) - before
    if referralInfo.fee > 0:
        fee: uint256 = out * convert(referralInfo.fee, uint256) // FEE_UNIT
        swapping._pay(tokenInfo.outputToken, referralInfo.feeRecipient, fee)
        out -= fee
    slippage: int256 = convert(out, int256) - convert(tokenInfo.outputQuote, int256)
    if slippage > 0 and referralInfo.code & KEEPS_NOTHING == 0:
        out = tokenInfo.outputQuote
    assert out >= tokenInfo.outputMin, "Slippage Limit Exceeded"
    receiver: address = tokenInfo.outputReceiver
    if receiver == empty(address):
        receiver = msg.sender
    swapping._pay(tokenInfo.outputToken, receiver, out)
    log Swap(
        sender=msg.sender,
        inputAmount=amount,
        inputToken=tokenInfo.inputToken,
        amountOut=out,
        outputToken=tokenInfo.outputToken,
        slippage=slippage,
        referralCode=referralInfo.code,
        referralFee=referralInfo.fee,
        referralFeeRecipient=referralInfo.feeRecipient,
    )
    return out
