# pragma version 0.4.3
"""
@title A stand-in for OpenOcean's exchange v2: its swap, with its checks.
@notice Signature and checks as the exchange's published interface says; the work is a caller's,
which makes the calls that it is told.
"""

import swapping

PARTIAL_FILL: constant(uint256) = 1
SHOULD_CLAIM: constant(uint256) = 2

MAX_CALLS: constant(uint256) = 4
MAX_CALL: constant(uint256) = 3072


struct SwapDescription:
    srcToken: address
    dstToken: address
    srcReceiver: address
    dstReceiver: address
    amount: uint256
    minReturnAmount: uint256
    guaranteedAmount: uint256
    flags: uint256
    referrer: address
    permit: Bytes[512]


struct CallDescription:
    target: uint256
    gasLimit: uint256
    value: uint256
    data: Bytes[MAX_CALL]


interface Caller:
    def makeCalls(calls: DynArray[CallDescription, MAX_CALLS]): payable


event Swapped:
    sender: indexed(address)
    srcToken: indexed(address)
    dstToken: indexed(address)
    dstReceiver: address
    amount: uint256
    spentAmount: uint256
    returnAmount: uint256
    minReturnAmount: uint256
    guaranteedAmount: uint256
    referrer: address


@external
@payable
def swap(
    caller: address, desc: SwapDescription, calls: DynArray[CallDescription, MAX_CALLS]
) -> uint256:
    """
    @notice Sells an amount of the caller's; what the calls give the receiver is measured.
    """
    assert desc.minReturnAmount > 0, "Min return should not be 0"
    assert len(calls) > 0, "Call data should exist"
    assert desc.flags & PARTIAL_FILL == 0, "not on local chains"
    native: bool = swapping._is_native(desc.srcToken)
    assert msg.value == (desc.amount if native else 0), "Invalid msg.value"
    if desc.flags & SHOULD_CLAIM != 0:
        assert not native, "Claim token is ETH"
        swapping._pull(desc.srcToken, desc.srcReceiver, desc.amount)

    receiver: address = desc.dstReceiver
    if receiver == empty(address):
        receiver = msg.sender
    before: uint256 = swapping._held(desc.dstToken, receiver)
    extcall Caller(caller).makeCalls(calls, value=msg.value)
    gained: uint256 = swapping._held(desc.dstToken, receiver) - before
    assert gained >= desc.minReturnAmount, "Return amount is not enough"
    log Swapped(
        sender=msg.sender,
        srcToken=desc.srcToken,
        dstToken=desc.dstToken,
        dstReceiver=receiver,
        amount=desc.amount,
        spentAmount=desc.amount,
        returnAmount=gained,
        minReturnAmount=desc.minReturnAmount,
        guaranteedAmount=desc.guaranteedAmount,
        referrer=desc.referrer,
    )
    return gained
