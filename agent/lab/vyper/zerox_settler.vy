# pragma version 0.4.3
"""
@title A stand-in for 0x' Settler: works actions off, and pays what was bought if it is enough.
@notice Signatures and checks as the contract's published interface says, of two of its actions.
"""

import swapping

ALLOWANCE_HOLDER: constant(address) = 0x0000000000001fF3684f28c67538d4D072C22734

MAX_ACTION: constant(uint256) = 4096
MAX_ACTIONS: constant(uint256) = 4
MAX_CALL: constant(uint256) = 3072
WHOLE: constant(uint256) = 10_000


struct AllowedSlippage:
    recipient: address
    buyToken: address
    minAmountOut: uint256


struct TokenPermissions:
    token: address
    amount: uint256


struct Permit:
    permitted: TokenPermissions
    nonce: uint256
    deadline: uint256


interface AllowanceHolder:
    def transferFrom(
        token: address, owner: address, recipient: address, amount: uint256
    ) -> bool: nonpayable


@external
@payable
def __default__():
    pass


@external
@payable
def execute(
    slippage: AllowedSlippage, actions: DynArray[Bytes[MAX_ACTION], MAX_ACTIONS], zid: bytes32
) -> bool:
    """
    @notice Does the actions in order; then its whole balance of the bought token goes to the
        recipient, if it is the minimum or more.
    """
    for action: Bytes[MAX_ACTION] in actions:
        what: Bytes[4] = slice(action, 0, 4)
        told: Bytes[MAX_ACTION] = slice(action, 4, len(action) - 4)
        if what == method_id(
            "TRANSFER_FROM(address,((address,uint256),uint256,uint256),bytes)", output_type=Bytes[4]
        ):
            self._transfer_from(told)
        elif what == method_id(
            "BASIC(address,uint256,address,uint256,bytes)", output_type=Bytes[4]
        ):
            self._basic(told)
        else:
            raise "ActionInvalid"
    bought: uint256 = swapping._held(slippage.buyToken, self)
    if bought < slippage.minAmountOut:
        raw_revert(
            abi_encode(
                slippage.buyToken,
                slippage.minAmountOut,
                bought,
                method_id=method_id("TooMuchSlippage(address,uint256,uint256)"),
            )
        )
    swapping._pay(slippage.buyToken, slippage.recipient, bought)
    return True


@internal
def _transfer_from(told: Bytes[MAX_ACTION]):
    """
    @notice Takes what is sold from whoever called the AllowanceHolder.
    """
    recipient: address = empty(address)
    permit: Permit = empty(Permit)
    signature: Bytes[128] = b""
    recipient, permit, signature = abi_decode(told, (address, Permit, Bytes[128]))
    assert msg.sender == ALLOWANCE_HOLDER, "only with the AllowanceHolder here"
    assert block.timestamp <= permit.deadline, "SignatureExpired"
    sender: Bytes[20] = slice(msg.data, len(msg.data) - 20, 20)
    owner: address = convert(convert(sender, uint160), address)
    extcall AllowanceHolder(ALLOWANCE_HOLDER).transferFrom(
        permit.permitted.token, owner, recipient, permit.permitted.amount
    )


@internal
def _basic(told: Bytes[MAX_ACTION]):
    """
    @notice Calls a pool, with a share of its ether where that is what is sold.
    """
    token: address = empty(address)
    share: uint256 = 0
    pool: address = empty(address)
    offset: uint256 = 0
    call: Bytes[MAX_CALL] = b""
    token, share, pool, offset, call = abi_decode(
        told, (address, uint256, address, uint256, Bytes[MAX_CALL])
    )
    assert pool != ALLOWANCE_HOLDER, "ConfusedDeputy"
    assert offset == 0, "no offsets here"
    value: uint256 = 0
    if swapping._is_native(token):
        value = self.balance * share // WHOLE
    raw_call(pool, call, value=value)
