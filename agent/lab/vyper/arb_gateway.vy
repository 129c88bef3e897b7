# pragma version 0.4.3
"""
@title Stands in for the gateway of Arbitrum's token bridge on the rollup, for one token.
@notice Signatures, event and check of the sender as of OffchainLabs/token-bridge-contracts,
        L2ArbitrumGateway.sol. There the token is the gateway's own copy and is minted; here it is
        another token, and what the gateway holds is paid out.
"""

from ethereum.ercs import IERC20

event DepositFinalized:
    l1Token: indexed(address)
    _from: indexed(address)
    _to: indexed(address)
    _amount: uint256

counterpartGateway: public(address)
l1_token: address
token: address

ALIAS: constant(uint256) = 97431955772380292505369553133200691419628441873  # AddressAliasHelper.sol


@deploy
def __init__(counterpart: address, l1_token: address, token: address):
    """
    @param counterpart The gateway on the parent chain.
    """
    self.counterpartGateway = counterpart
    self.l1_token = l1_token
    self.token = token


@external
@payable
def finalizeInboundTransfer(
    _token: address, _from: address, _to: address, _amount: uint256, _data: Bytes[4096]
):
    counterpart: uint256 = convert(self.counterpartGateway, uint256)
    sender: uint256 = (counterpart + ALIAS) % 2**160
    assert convert(msg.sender, uint256) == sender, "ONLY_COUNTERPART_GATEWAY"
    assert _token == self.l1_token, "another token"
    assert extcall IERC20(self.token).transfer(_to, _amount)
    log DepositFinalized(l1Token=_token, _from=_from, _to=_to, _amount=_amount)
