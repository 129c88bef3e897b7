# pragma version 0.4.3
"""
@title A plain token that tells how much stETH one of it stands for, as Lido's wstETH does.
@notice Signature as of Lido's WstETH.sol; here the rate stands still.
"""

import plain_token

initializes: plain_token
exports: plain_token.__interface__

STETH_PER_TOKEN: constant(uint256) = 1_200_000_000_000_000_000


@deploy
def __init__(name: String[32], symbol: String[16], decimals: uint8, owner: address):
    plain_token.__init__(name, symbol, decimals, owner)


@external
@view
def stEthPerToken() -> uint256:
    return STETH_PER_TOKEN
