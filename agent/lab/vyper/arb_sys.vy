# pragma version 0.4.3
"""
@title Stands in for Arbitrum's precompile ArbSys at 0x64.
@notice Signatures as of OffchainLabs/nitro-precompile-interfaces, ArbSys.sol. On the real chain
        `block.number` is about Ethereum's and only this contract knows the chain's own; a local
        node has one number, so both are the same here.
"""


@external
@view
def arbBlockNumber() -> uint256:
    return block.number


@external
@view
def arbBlockHash(number: uint256) -> bytes32:
    assert number < block.number and number + 256 >= block.number, "invalid block number"
    return blockhash(number)


@external
@view
def arbChainID() -> uint256:
    return chain.id
