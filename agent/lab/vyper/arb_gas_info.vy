# pragma version 0.4.3
"""
@title Stands in for Arbitrum's precompile ArbGasInfo at 0x6c.
@notice Signatures as of OffchainLabs/nitro-precompile-interfaces, ArbGasInfo.sol; the sums are
        those of nitro's precompiles/ArbGasInfo.go. A local node cannot charge for Ethereum's
        part, so the price of a byte is set to be small: about 2 % of what a swap costs.
"""

CALLDATA_GAS: constant(uint256) = 16
SIMPLE_TX_BYTES: constant(uint256) = 140
STORAGE_GAS: constant(uint256) = 20_000

L1_PRICE: immutable(uint256)
L2_PRICE: immutable(uint256)


@deploy
def __init__(l1_price: uint256, l2_price: uint256):
    """
    @param l1_price Wei for one gas of Ethereum.
    @param l2_price Wei for one gas of this chain, the least and the usual one.
    """
    L1_PRICE = l1_price
    L2_PRICE = l2_price


@external
@view
def getPricesInWei() -> (uint256, uint256, uint256, uint256, uint256, uint256):
    """
    @return Per simple transaction, per byte of calldata, per storage slot, per gas at the least,
            per gas for congestion, per gas in all.
    """
    per_byte: uint256 = L1_PRICE * CALLDATA_GAS
    return per_byte * SIMPLE_TX_BYTES, per_byte, L2_PRICE * STORAGE_GAS, L2_PRICE, 0, L2_PRICE


@external
@view
def getL1BaseFeeEstimate() -> uint256:
    return L1_PRICE


@external
@view
def getMinimumGasPrice() -> uint256:
    return L2_PRICE
