# pragma version 0.4.3
"""
@title Writes the answers of all price feeds of a local chain, in one transaction.
"""

interface Aggregator:
    def latestAnswer() -> int256: view
    def set_answer(answer: int256, updated_at: uint256): nonpayable

owner: public(address)
attendant: public(address)
aggregators: public(DynArray[address, 32])


@deploy
def __init__(owner: address, attendant: address):
    """
    @param attendant May repeat answers as well as the owner: two senders need no common nonce.
    """
    self.owner = owner
    self.attendant = attendant


@external
def add(aggregator: address):
    assert msg.sender == self.owner, "only the owner"
    self.aggregators.append(aggregator)


@external
def set_answer(aggregator: address, answer: int256, updated_at: uint256):
    """
    @param updated_at Unix seconds; 0 stands for the time of the block.
    """
    assert msg.sender == self.owner, "only the owner"
    extcall Aggregator(aggregator).set_answer(answer, self._time(updated_at))


@external
def refresh(updated_at: uint256):
    """
    @notice Repeats the latest answer of every feed as of now.
    @param updated_at Unix seconds; 0 stands for the time of the block.
    """
    assert msg.sender in [self.owner, self.attendant], "only the owner and the attendant"
    for aggregator: address in self.aggregators:
        answer: int256 = staticcall Aggregator(aggregator).latestAnswer()
        extcall Aggregator(aggregator).set_answer(answer, self._time(updated_at))


@internal
@view
def _time(updated_at: uint256) -> uint256:
    return updated_at if updated_at != 0 else block.timestamp
