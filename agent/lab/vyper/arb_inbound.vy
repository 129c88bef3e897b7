# pragma version 0.4.3
"""
@title Counts the messages of Ethereum that a local Arbitrum has taken in, and pays them out.
@notice The lab's own. On the real chain the count is part of every block and no contract; a
        deposit of ether is a transaction of its own kind that no other node knows.
"""

taker: public(address)
taken: public(uint256)


@deploy
def __init__(taker: address):
    self.taker = taker


@external
@payable
def take(number: uint256, to: address):
    """
    @notice Takes message *number* in, once and in its order; the value is credited to *to*.
    """
    assert msg.sender == self.taker, "only the sequencer"
    assert number == self.taken, "not the next message"
    self.taken = number + 1
    if msg.value > 0:
        raw_call(to, b"", value=msg.value)
