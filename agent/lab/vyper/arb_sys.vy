# pragma version 0.4.3
"""
@title Stands in for Arbitrum's precompile ArbSys at 0x64.
@notice Signatures and events as of OffchainLabs/nitro-precompile-interfaces, ArbSys.sol; the tree
        of sends as of OffchainLabs/nitro, arbos/merkleAccumulator: a leaf is hashed once more, a
        node is the hash of its two children, and what is not there yet counts as 32 empty bytes.
        On the real chain `block.number` is about Ethereum's and only this contract knows the
        chain's own; a local node has one number, so both are the same here. What is sent is not
        burned but stays here.
"""

event L2ToL1Tx:
    caller: address
    destination: indexed(address)
    hash: indexed(uint256)
    position: indexed(uint256)
    arbBlockNum: uint256
    ethBlockNum: uint256
    timestamp: uint256
    callvalue: uint256
    data: Bytes[MAX_DATA]

event SendMerkleUpdate:
    reserved: indexed(uint256)
    hash: indexed(bytes32)
    position: indexed(uint256)

MAX_DATA: constant(uint256) = 2048
MAX_LEVELS: constant(uint256) = 32

size: uint256
items: HashMap[uint256, bytes32]
nodes: HashMap[uint256, HashMap[uint256, bytes32]]


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


@external
@payable
def withdrawEth(destination: address) -> uint256:
    return self._send(destination, msg.value, b"")


@external
@payable
def sendTxToL1(destination: address, data: Bytes[MAX_DATA]) -> uint256:
    return self._send(destination, msg.value, data)


@external
@view
def sendMerkleTreeState() -> (uint256, bytes32, DynArray[bytes32, MAX_LEVELS]):
    """
    @return Number of sends, root of their tree, and the roots of its complete parts by level.
    """
    assert msg.sender == empty(address), "method can only be called by address zero"
    partials: DynArray[bytes32, MAX_LEVELS] = []
    for level: uint256 in range(MAX_LEVELS):
        count: uint256 = self.size >> level
        if count == 0:
            break
        partials.append(self.nodes[level][count - 1] if count % 2 == 1 else empty(bytes32))
    return self.size, self._root(), partials


@external
@view
def proof_of(leaf: uint256, size: uint256) -> (bytes32, bytes32, DynArray[bytes32, MAX_LEVELS]):
    """
    @notice The lab's own: what NodeInterface finds in the logs of the real chain.
    @return The hash of a send, the root of the first *size* sends, and the way up to it.
    """
    assert leaf < size and size <= self.size, "leaf does not exist"
    root: bytes32 = empty(bytes32)
    path: DynArray[bytes32, MAX_LEVELS] = []
    root, path = self._path(leaf, size)
    return self.items[leaf], root, path


@internal
def _send(destination: address, amount: uint256, data: Bytes[MAX_DATA]) -> uint256:
    item: bytes32 = keccak256(
        concat(
            slice(convert(msg.sender, bytes32), 12, 20),
            slice(convert(destination, bytes32), 12, 20),
            convert(block.number, bytes32),
            convert(block.number, bytes32),
            convert(block.timestamp, bytes32),
            convert(amount, bytes32),
            data,
        )
    )
    leaf: uint256 = self.size
    self.size = leaf + 1
    self.items[leaf] = item
    self._append(leaf, keccak256(item))
    log L2ToL1Tx(
        caller=msg.sender,
        destination=destination,
        hash=convert(item, uint256),
        position=leaf,
        arbBlockNum=block.number,
        ethBlockNum=block.number,
        timestamp=block.timestamp,
        callvalue=amount,
        data=data,
    )
    return leaf


@internal
def _append(leaf: uint256, hashed: bytes32):
    node: bytes32 = hashed
    index: uint256 = leaf
    self.nodes[0][leaf] = node
    for level: uint256 in range(1, MAX_LEVELS):
        if index % 2 == 0:
            break
        node = keccak256(concat(self.nodes[level - 1][index - 1], node))
        index = index >> 1
        self.nodes[level][index] = node
        log SendMerkleUpdate(reserved=0, hash=node, position=(level << 192) + leaf)


@internal
@view
def _root() -> bytes32:
    if self.size == 0:
        return empty(bytes32)
    root: bytes32 = empty(bytes32)
    path: DynArray[bytes32, MAX_LEVELS] = []
    root, path = self._path(self.size - 1, self.size)
    return root


@internal
@view
def _path(leaf: uint256, size: uint256) -> (bytes32, DynArray[bytes32, MAX_LEVELS]):
    """
    @dev `edge` is the node over the last leaf, the only one that is not complete.
    """
    path: DynArray[bytes32, MAX_LEVELS] = []
    last: uint256 = size - 1
    edge: bytes32 = self.nodes[0][last]
    for level: uint256 in range(MAX_LEVELS):
        if last >> level == 0:
            break
        at_edge: uint256 = last >> level
        sibling: uint256 = (leaf >> level) ^ 1
        if sibling < at_edge:
            path.append(self.nodes[level][sibling])
        elif sibling == at_edge:
            path.append(edge)
        else:
            path.append(empty(bytes32))
        if at_edge % 2 == 1:
            edge = keccak256(concat(self.nodes[level][at_edge - 1], edge))
        else:
            edge = keccak256(concat(edge, empty(bytes32)))
    return edge, path
