# pragma version 0.4.3
"""
@title Stands in for Arbitrum's precompile ArbRetryableTx at 0x6e.
@notice Signatures and events as of OffchainLabs/nitro-precompile-interfaces, ArbRetryableTx.sol.
        A ticket's call can only come from its sender's alias, which no contract can be: whoever
        attends to the chain sends it after `redeem` asked for it, and says so by `note`.
"""

event TicketCreated:
    ticketId: indexed(bytes32)

event RedeemScheduled:
    ticketId: indexed(bytes32)
    retryTxHash: indexed(bytes32)
    sequenceNum: indexed(uint64)
    donatedGas: uint64
    gasDonor: address
    maxRefund: uint256
    submissionFeeRefund: uint256

LIFETIME: constant(uint256) = 604_800

attendant: public(address)
timeouts: HashMap[bytes32, uint256]
wanted: public(HashMap[bytes32, bool])


@deploy
def __init__(attendant: address):
    self.attendant = attendant


@external
@view
def getLifetime() -> uint256:
    return LIFETIME


@external
@view
def getTimeout(ticketId: bytes32) -> uint256:
    assert self._is_open(ticketId), "NoTicketWithID"
    return self.timeouts[ticketId]


@external
def redeem(ticketId: bytes32) -> bytes32:
    assert self._is_open(ticketId), "NoTicketWithID"
    self.wanted[ticketId] = True
    return ticketId


@external
def create(ticketId: bytes32):
    assert msg.sender == self.attendant, "only the attendant"
    self.timeouts[ticketId] = block.timestamp + LIFETIME
    log TicketCreated(ticketId=ticketId)


@external
def note(ticketId: bytes32, retryTxHash: bytes32, succeeded: bool):
    """
    @notice Says by which transaction a ticket was tried; one that succeeded is gone.
    """
    assert msg.sender == self.attendant, "only the attendant"
    self.wanted[ticketId] = False
    if succeeded:
        self.timeouts[ticketId] = 0
    log RedeemScheduled(
        ticketId=ticketId,
        retryTxHash=retryTxHash,
        sequenceNum=0,
        donatedGas=0,
        gasDonor=msg.sender,
        maxRefund=0,
        submissionFeeRefund=0,
    )


@internal
@view
def _is_open(ticketId: bytes32) -> bool:
    return block.timestamp < self.timeouts[ticketId]
