# pragma version 0.4.3
"""
@title A stand-in for 0x' AllowanceHolder: lends the caller's allowance to one operator for one call.
@notice Signatures and checks as the contract's published interface says.
"""

from ethereum.ercs import IERC20

MAX_CALL: constant(uint256) = 8192
MAX_ANSWER: constant(uint256) = 1024

lent: transient(HashMap[bytes32, uint256])


@internal
@pure
def _key(operator: address, owner: address, token: address) -> bytes32:
    return keccak256(abi_encode(operator, owner, token))


@internal
def _reject_token(target: address):
    """
    @notice Nothing that answers as a token does may be called: the allowances are for this contract.
    """
    answered: bool = False
    balance_of: Bytes[64] = b""
    answered, balance_of = raw_call(
        target,
        abi_encode(0x000000000000000000000000000000000000dEaD, method_id=method_id("balanceOf(address)")),
        max_outsize=64,
        gas=500_000,
        is_static_call=True,
        revert_on_failure=False,
    )
    if answered and len(balance_of) >= 32:
        raw_revert(method_id("ConfusedDeputy()"))


@external
@payable
def exec(
    operator: address, token: address, amount: uint256, target: address, call: Bytes[MAX_CALL]
) -> Bytes[MAX_ANSWER]:
    """
    @notice Calls the target, with the caller's address behind its data, while the operator may take
        an amount of the caller's tokens.
    """
    self._reject_token(target)
    assert target.is_contract, "nothing is there"
    self.lent[self._key(operator, msg.sender, token)] = amount
    sender: Bytes[32] = slice(abi_encode(msg.sender), 12, 20)
    answer: Bytes[MAX_ANSWER] = raw_call(
        target, concat(call, sender), max_outsize=MAX_ANSWER, value=msg.value
    )
    self.lent[self._key(operator, msg.sender, token)] = 0
    return answer


@external
def transferFrom(token: address, owner: address, recipient: address, amount: uint256) -> bool:
    """
    @notice For the operator, as long as the owner's call lasts.
    """
    self.lent[self._key(msg.sender, owner, token)] -= amount
    assert extcall IERC20(token).transferFrom(
        owner, recipient, amount, default_return_value=True
    ), "transferFrom failed"
    return True
