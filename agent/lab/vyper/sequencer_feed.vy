# pragma version 0.4.3
"""
@title Says whether the sequencer of a rollup is up.
@notice Interface as of Chainlink's L2 sequencer uptime feeds: the answer is 0 while it is up and 1
        while it is down, `startedAt` is since when. Written by its owner alone.
"""

struct Round:
    answer: int256
    started_at: uint256
    updated_at: uint256

description: public(constant(String[33])) = "L2 Sequencer Uptime Status Feed"
decimals: public(constant(uint8)) = 0
owner: public(address)
latest: uint80
rounds: HashMap[uint80, Round]


@deploy
def __init__(owner: address):
    self.owner = owner
    self._open(0)


@external
def set_status(down: bool):
    """
    @notice A status that is the same again only says that it still holds.
    """
    assert msg.sender == self.owner, "only the owner"
    answer: int256 = 1 if down else 0
    if answer != self.rounds[self.latest].answer:
        self._open(answer)
    else:
        self.rounds[self.latest].updated_at = block.timestamp


@external
@view
def latestAnswer() -> int256:
    return self.rounds[self.latest].answer


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    return self._round(self.latest)


@external
@view
def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    return self._round(round_id)


@internal
def _open(answer: int256):
    self.latest += 1
    self.rounds[self.latest] = Round(
        answer=answer, started_at=block.timestamp, updated_at=block.timestamp
    )


@internal
@view
def _round(id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    found: Round = self.rounds[id]
    assert found.updated_at > 0, "No data present"
    return id, found.answer, found.started_at, found.updated_at, id
