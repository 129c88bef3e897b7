# pragma version 0.4.3
"""
@title A stand-in for 0x' deployer: says which Settlers are genuine, by feature.
@notice Signatures as the contract's published interface says. The newest one owns the feature's
token; the one before it is as good until the next comes.
"""

OWNER: immutable(address)

newest: HashMap[uint256, address]
before: HashMap[uint256, address]


@deploy
def __init__(owner: address):
    OWNER = owner


@external
def deploy(feature: uint256, settler: address):
    """
    @notice Lets a contract that is there already be a feature's newest.
    """
    assert msg.sender == OWNER, "PermissionDenied"
    self.before[feature] = self.newest[feature]
    self.newest[feature] = settler


@external
@view
def ownerOf(feature: uint256) -> address:
    settler: address = self.newest[feature]
    if settler == empty(address):
        raw_revert(abi_encode(feature, method_id=method_id("ERC721NonexistentToken(uint256)")))
    return settler


@external
@view
def prev(feature: uint128) -> address:
    return self.before[convert(feature, uint256)]
