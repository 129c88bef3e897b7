# pragma version 0.4.3
"""
@title The part of a price feed that holds the rounds and the bounds.
@notice Interface as of Chainlink's offchain aggregators; written by one publisher.
"""

struct Round:
    answer: int256
    updated_at: uint256

event AnswerUpdated:
    current: indexed(int256)
    roundId: indexed(uint256)
    updatedAt: uint256

description: public(String[32])
decimals: public(uint8)
publisher: public(address)
minAnswer: public(int192)
maxAnswer: public(int192)
latestRound: public(uint80)
rounds: HashMap[uint80, Round]


@deploy
def __init__(
    description: String[32], decimals: uint8, lowest: int192, highest: int192, publisher: address
):
    self.description = description
    self.decimals = decimals
    self.minAnswer = lowest
    self.maxAnswer = highest
    self.publisher = publisher


@external
def set_answer(answer: int256, updated_at: uint256):
    assert msg.sender == self.publisher, "only the publisher"
    self.latestRound += 1
    self.rounds[self.latestRound] = Round(answer=answer, updated_at=updated_at)
    log AnswerUpdated(
        current=answer, roundId=convert(self.latestRound, uint256), updatedAt=updated_at
    )


@external
@view
def latestAnswer() -> int256:
    return self.rounds[self.latestRound].answer


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    return self._round(self.latestRound)


@external
@view
def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    return self._round(round_id)


@internal
@view
def _round(id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    found: Round = self.rounds[id]
    assert found.updated_at > 0, "No data present"
    return id, found.answer, found.updated_at, found.updated_at, id
