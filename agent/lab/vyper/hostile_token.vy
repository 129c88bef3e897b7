# pragma version 0.4.3
"""
@title A token that does not do what it says.
@notice A test token for local chains: transfers succeed and move nothing; balanceOf claims a
        fortune, or, once told to burn, uses up all the gas that it is given.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

name: public(String[32])
symbol: public(String[16])
decimals: public(uint8)
owner: public(address)
burns_gas: public(bool)


@deploy
def __init__(name: String[32], symbol: String[16], decimals: uint8, owner: address):
    self.name = name
    self.symbol = symbol
    self.decimals = decimals
    self.owner = owner


@external
def set_burns_gas(burns_gas: bool):
    assert msg.sender == self.owner, "only the owner"
    self.burns_gas = burns_gas


@external
@view
def balanceOf(account: address) -> uint256:
    if self.burns_gas:
        waste: bytes32 = empty(bytes32)
        for _: uint256 in range(max_value(uint256)):
            waste = keccak256(waste)
        return convert(waste, uint256)
    return 10 ** 30


@external
@view
def allowance(owner: address, spender: address) -> uint256:
    return max_value(uint256)


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    log Transfer(sender=msg.sender, receiver=receiver, value=amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    log Transfer(sender=sender, receiver=receiver, value=amount)
    return True
