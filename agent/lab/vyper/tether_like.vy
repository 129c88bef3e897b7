# pragma version 0.4.3
"""
@title A token with the habits of mainnet's USDT.
@notice transfer, transferFrom and approve return nothing; an allowance that is not zero can only
        be changed to zero; a fee can be switched on and accounts can be blocked.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

name: public(String[32])
symbol: public(String[16])
decimals: public(uint256)
owner: public(address)
totalSupply: public(uint256)
basisPointsRate: public(uint256)
maximumFee: public(uint256)
isBlackListed: public(HashMap[address, bool])
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(name: String[32], symbol: String[16], decimals: uint256, owner: address):
    self.name = name
    self.symbol = symbol
    self.decimals = decimals
    self.owner = owner


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert not self.isBlackListed[sender], "blocked"
    fee: uint256 = min(amount * self.basisPointsRate // 10000, self.maximumFee)
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - fee
    log Transfer(sender=sender, receiver=receiver, value=amount - fee)
    if fee > 0:
        self.balanceOf[self.owner] += fee
        log Transfer(sender=sender, receiver=self.owner, value=fee)


@external
def transfer(receiver: address, amount: uint256):
    self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256):
    if self.allowance[sender][msg.sender] != max_value(uint256):
        self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)


@external
def approve(spender: address, amount: uint256):
    assert amount == 0 or self.allowance[msg.sender][spender] == 0, "set it to zero first"
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)


@external
def mint(receiver: address, amount: uint256):
    assert msg.sender == self.owner, "only the owner mints"
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def setParams(basis_points: uint256, max_fee: uint256):
    assert msg.sender == self.owner, "only the owner sets the fee"
    assert basis_points < 20, "mainnet's own limit"
    self.basisPointsRate = basis_points
    self.maximumFee = max_fee * 10 ** self.decimals


@external
def addBlackList(account: address):
    assert msg.sender == self.owner, "only the owner blocks"
    self.isBlackListed[account] = True


@external
def removeBlackList(account: address):
    assert msg.sender == self.owner, "only the owner unblocks"
    self.isBlackListed[account] = False
