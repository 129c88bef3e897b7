# pragma version 0.4.3
"""
@title The address of a price feed, in front of its aggregator.
@notice Interface as of Chainlink's aggregator proxies: the bounds are the aggregator's, and a
        round's id carries the phase in its upper bits.
"""

interface Aggregator:
    def description() -> String[32]: view
    def decimals() -> uint8: view
    def latestAnswer() -> int256: view
    def latestRoundData() -> (uint80, int256, uint256, uint256, uint80): view
    def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80): view

PHASE: constant(uint80) = 1
PHASE_OFFSET: constant(uint80) = 2 ** 64

aggregator: public(address)


@deploy
def __init__(aggregator: address):
    self.aggregator = aggregator


@external
@view
def phaseId() -> uint16:
    return convert(PHASE, uint16)


@external
@view
def version() -> uint256:
    return 4


@external
@view
def description() -> String[32]:
    return staticcall Aggregator(self.aggregator).description()


@external
@view
def decimals() -> uint8:
    return staticcall Aggregator(self.aggregator).decimals()


@external
@view
def latestAnswer() -> int256:
    return staticcall Aggregator(self.aggregator).latestAnswer()


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    id: uint80 = 0
    answer: int256 = 0
    started_at: uint256 = 0
    updated_at: uint256 = 0
    answered_in: uint80 = 0
    id, answer, started_at, updated_at, answered_in = staticcall Aggregator(
        self.aggregator
    ).latestRoundData()
    return self._phased(id), answer, started_at, updated_at, self._phased(answered_in)


@external
@view
def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    id: uint80 = 0
    answer: int256 = 0
    started_at: uint256 = 0
    updated_at: uint256 = 0
    answered_in: uint80 = 0
    id, answer, started_at, updated_at, answered_in = staticcall Aggregator(
        self.aggregator
    ).getRoundData(round_id % PHASE_OFFSET)
    return self._phased(id), answer, started_at, updated_at, self._phased(answered_in)


@internal
@view
def _phased(id: uint80) -> uint80:
    return PHASE * PHASE_OFFSET + id
