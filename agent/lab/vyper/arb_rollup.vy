# pragma version 0.4.3
"""
@title Stands in for Arbitrum's rollup contract: what confirms the sends of the chain.
@notice The getters and the event are those of OffchainLabs/nitro-contracts, IRollupCore.sol, and
        an assertion can only be confirmed after as many blocks as there; who asserts what, its
        stakes and challenges are not part of it. `create` and `confirm` are the lab's own.
"""

interface Outbox:
    def updateSendRoot(root: bytes32, l2BlockHash: bytes32): nonpayable

event AssertionConfirmed:
    assertionHash: indexed(bytes32)
    blockHash: bytes32
    sendRoot: bytes32

struct Assertion:
    send_root: bytes32
    block_hash: bytes32
    created_at: uint256

owner: public(address)
validator: public(address)
outbox: public(address)
confirmPeriodBlocks: public(uint64)
assertions: DynArray[Assertion, 4096]
confirmed: public(uint256)


@deploy
def __init__(owner: address, validator: address, outbox: address, confirm_period_blocks: uint64):
    """
    @param owner May change the period, and what bridge and inboxes ask it for.
    @param validator Asserts and confirms.
    """
    self.owner = owner
    self.validator = validator
    self.outbox = outbox
    self.confirmPeriodBlocks = confirm_period_blocks


@external
def setConfirmPeriodBlocks(new_confirm_period: uint64):
    assert msg.sender == self.owner, "only the owner"
    self.confirmPeriodBlocks = new_confirm_period


@external
@view
def newest() -> bytes32:
    """
    @return The root that was asserted last, empty at first.
    """
    count: uint256 = len(self.assertions)
    return empty(bytes32) if count == 0 else self.assertions[count - 1].send_root


@external
@view
def is_due() -> bool:
    """
    @return Whether the next assertion can be confirmed in the next block.
    """
    if self.confirmed == len(self.assertions):
        return False
    return block.number + 1 >= self._due_at(self.assertions[self.confirmed])


@external
def create(send_root: bytes32, block_hash: bytes32):
    assert msg.sender == self.validator, "only the validator"
    self.assertions.append(
        Assertion(send_root=send_root, block_hash=block_hash, created_at=block.number)
    )


@external
def confirm():
    """
    @notice Confirms the next assertion, and tells the outbox its root.
    """
    assert msg.sender == self.validator, "only the validator"
    next: Assertion = self.assertions[self.confirmed]
    assert block.number >= self._due_at(next), "BEFORE_DEADLINE"
    self.confirmed += 1
    extcall Outbox(self.outbox).updateSendRoot(next.send_root, next.block_hash)
    log AssertionConfirmed(
        assertionHash=keccak256(concat(next.send_root, next.block_hash)),
        blockHash=next.block_hash,
        sendRoot=next.send_root,
    )


@internal
@view
def _due_at(assertion: Assertion) -> uint256:
    return assertion.created_at + convert(self.confirmPeriodBlocks, uint256)
