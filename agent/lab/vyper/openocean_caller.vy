# pragma version 0.4.3
"""
@title A stand-in for OpenOcean's caller: makes the calls that it is told, for whoever tells it.
@notice Signature as its published interface says. It holds nothing between two transactions.
"""

MAX_CALLS: constant(uint256) = 4
MAX_CALL: constant(uint256) = 3072


struct CallDescription:
    target: uint256
    gasLimit: uint256
    value: uint256
    data: Bytes[MAX_CALL]


@external
@payable
def makeCalls(calls: DynArray[CallDescription, MAX_CALLS]):
    for call: CallDescription in calls:
        target: address = convert(call.target & (2**160 - 1), address)
        if call.gasLimit == 0:
            raw_call(target, call.data, value=call.value)
        else:
            raw_call(target, call.data, value=call.value, gas=call.gasLimit)
