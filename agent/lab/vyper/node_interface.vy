# pragma version 0.4.3
"""
@title Stands in for Arbitrum's NodeInterface at 0xC8, which real nodes answer without a contract.
@notice Signatures as of OffchainLabs/nitro-contracts, NodeInterface.sol. Ethereum's part is worth
        bytes times sixteen gas times its price, and is said in gas of this chain, as there; bytes
        are not compressed first, and the transaction around the calldata counts as 140.
        Ethereum's part is only said here: a local node does not charge it. Proofs of sends come
        from the stand-in of ArbSys; on the real chain the node finds them in its logs.
"""

interface ArbSys:
    def proof_of(leaf: uint256, size: uint256) -> (bytes32, bytes32, DynArray[bytes32, 32]): view

ARB_SYS: constant(address) = 0x0000000000000000000000000000000000000064

CALLDATA_GAS: constant(uint256) = 16
SIMPLE_TX_BYTES: constant(uint256) = 140
INTRINSIC_GAS: constant(uint256) = 21_000

L1_PRICE: immutable(uint256)
L2_PRICE: immutable(uint256)


@deploy
def __init__(l1_price: uint256, l2_price: uint256):
    """
    @param l1_price Wei for one gas of Ethereum.
    @param l2_price Wei for one gas of this chain.
    """
    L1_PRICE = l1_price
    L2_PRICE = l2_price


@external
@payable
def gasEstimateL1Component(
    to: address, contract_creation: bool, data: Bytes[131072]
) -> (uint64, uint256, uint256):
    """
    @return Gas of this chain that pays for Ethereum's part, this chain's base fee, Ethereum's.
    """
    return self._l1_gas(len(data)), L2_PRICE, L1_PRICE


@external
@payable
def gasEstimateComponents(
    to: address, contract_creation: bool, data: Bytes[131072]
) -> (uint64, uint64, uint256, uint256):
    """
    @notice A contract cannot estimate a call of its own caller, so of the gas that is spent on
            this chain only the part that every transaction takes is in the first figure: ask
            `eth_estimateGas` for the rest.
    """
    l1_gas: uint64 = self._l1_gas(len(data))
    intrinsic: uint256 = INTRINSIC_GAS + CALLDATA_GAS * len(data)
    return l1_gas + convert(intrinsic, uint64), l1_gas, L2_PRICE, L1_PRICE


@external
@view
def constructOutboxProof(
    size: uint64, leaf: uint64
) -> (bytes32, bytes32, DynArray[bytes32, 32]):
    """
    @return The hash of a send, the root of the first *size* sends, and the way up to it.
    """
    return staticcall ArbSys(ARB_SYS).proof_of(convert(leaf, uint256), convert(size, uint256))


@internal
@view
def _l1_gas(size: uint256) -> uint64:
    return convert((size + SIMPLE_TX_BYTES) * CALLDATA_GAS * L1_PRICE // L2_PRICE, uint64)
