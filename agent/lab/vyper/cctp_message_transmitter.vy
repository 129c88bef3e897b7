# pragma version 0.4.3
"""
@title Stands in for Circle's MessageTransmitterV2: messages out, attested messages in, each once.
@notice Functions, events, the message's layout and the words of its refusals as of CCTP v2.1
        (docs/abis/cctp/v2.1 in circlefin/evm-cctp-contracts; developers.circle.com, "Message
        format"). Not here: proxy, rescuer, change of owners, rotation of attesters.
"""

interface MessageHandler:
    def handleReceiveFinalizedMessage(
        domain: uint32, sender: bytes32, executed: uint32, body: Bytes[8340]
    ) -> bool: nonpayable
    def handleReceiveUnfinalizedMessage(
        domain: uint32, sender: bytes32, executed: uint32, body: Bytes[8340]
    ) -> bool: nonpayable

event MessageSent:
    message: Bytes[8340]

event MessageReceived:
    caller: indexed(address)
    sourceDomain: uint32
    nonce: indexed(bytes32)
    sender: bytes32
    finalityThresholdExecuted: indexed(uint32)
    messageBody: Bytes[8340]

event AttesterEnabled:
    attester: indexed(address)

event SignatureThresholdUpdated:
    oldSignatureThreshold: uint256
    newSignatureThreshold: uint256

event Pause: pass
event Unpause: pass

# Where each field of a message starts, in bytes.
SOURCE_DOMAIN: constant(uint256) = 4
DESTINATION_DOMAIN: constant(uint256) = 8
NONCE: constant(uint256) = 12
SENDER: constant(uint256) = 44
RECIPIENT: constant(uint256) = 76
DESTINATION_CALLER: constant(uint256) = 108
EXECUTED: constant(uint256) = 144
BODY: constant(uint256) = 148

FINALIZED: constant(uint32) = 2000
SIGNATURE_BYTES: constant(uint256) = 65
MAX_ATTESTERS: constant(uint256) = 8
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

localDomain: public(uint32)
version: public(uint32)
maxMessageBodySize: public(uint256)
attesterManager: public(address)
pauser: public(address)
paused: public(bool)
signatureThreshold: public(uint256)
getNumEnabledAttesters: public(uint256)
isEnabledAttester: public(HashMap[address, bool])
usedNonces: public(HashMap[bytes32, uint256])


@deploy
def __init__(domain: uint32, owner: address, attester: address):
    """
    @param domain Circle's number of this chain.
    @param owner May pause, and change who attests.
    @param attester The one whose signature makes a message good.
    """
    self.localDomain = domain
    self.version = 1
    self.maxMessageBodySize = 8192
    self.attesterManager = owner
    self.pauser = owner
    self.isEnabledAttester[attester] = True
    self.getNumEnabledAttesters = 1
    self.signatureThreshold = 1


@external
def sendMessage(
    destinationDomain: uint32,
    recipient: bytes32,
    destinationCaller: bytes32,
    minFinalityThreshold: uint32,
    messageBody: Bytes[8192],
):
    """
    @notice Nonce and executed finality stay empty here: the attester fills them in.
    """
    assert not self.paused, "Pausable: paused"
    assert destinationDomain != self.localDomain, "Domain is local domain"
    assert len(messageBody) <= self.maxMessageBodySize, "Message body exceeds max size"
    assert recipient != empty(bytes32), "Recipient must be nonzero"
    head: Bytes[148] = concat(
        self._four(self.version),
        self._four(self.localDomain),
        self._four(destinationDomain),
        empty(bytes32),
        convert(convert(msg.sender, uint256), bytes32),
        recipient,
        destinationCaller,
        self._four(minFinalityThreshold),
        self._four(0),
    )
    log MessageSent(message=concat(head, messageBody))


@external
def receiveMessage(message: Bytes[8340], attestation: Bytes[520]) -> bool:
    """
    @notice Hands an attested message to its recipient, whoever brings it, unless it names who may.
    """
    assert not self.paused, "Pausable: paused"
    self._check_attestation(keccak256(message), attestation)
    assert len(message) >= BODY, "Invalid message: too short"
    assert self._number(message, DESTINATION_DOMAIN) == self.localDomain, "Invalid destination domain"
    caller: bytes32 = extract32(message, DESTINATION_CALLER)
    if caller != empty(bytes32):
        sender_word: bytes32 = convert(convert(msg.sender, uint256), bytes32)
        assert caller == sender_word, "Invalid caller for message"
    assert self._number(message, 0) == self.version, "Invalid message version"
    nonce: bytes32 = extract32(message, NONCE)
    assert self.usedNonces[nonce] == 0, "Nonce already used"
    self.usedNonces[nonce] = 1
    self._hand_on(message, nonce)
    return True


@internal
def _hand_on(message: Bytes[8340], nonce: bytes32):
    domain: uint32 = self._number(message, SOURCE_DOMAIN)
    sender: bytes32 = extract32(message, SENDER)
    executed: uint32 = self._number(message, EXECUTED)
    body: Bytes[8340] = slice(message, BODY, len(message) - BODY)
    handler: MessageHandler = MessageHandler(
        convert(convert(extract32(message, RECIPIENT), uint256), address)
    )
    taken: bool = False
    if executed < FINALIZED:
        taken = extcall handler.handleReceiveUnfinalizedMessage(domain, sender, executed, body)
    else:
        taken = extcall handler.handleReceiveFinalizedMessage(domain, sender, executed, body)
    assert taken, "the recipient did not take the message"
    log MessageReceived(
        caller=msg.sender,
        sourceDomain=domain,
        nonce=nonce,
        sender=sender,
        finalityThresholdExecuted=executed,
        messageBody=body,
    )


@internal
@view
def _check_attestation(digest: bytes32, attestation: Bytes[520]):
    """
    @notice As many signatures as the threshold says, in the order of their signers' addresses.
    """
    threshold: uint256 = self.signatureThreshold
    assert len(attestation) == SIGNATURE_BYTES * threshold, "Invalid attestation length"
    last: uint256 = 0
    for i: uint256 in range(threshold, bound=MAX_ATTESTERS):
        start: uint256 = i * SIGNATURE_BYTES
        r: uint256 = convert(extract32(attestation, start), uint256)
        s: uint256 = convert(extract32(attestation, start + 32), uint256)
        v: uint256 = convert(slice(attestation, start + 64, 1), uint256)
        assert s <= HALF_ORDER, "ECDSA: invalid signature 's' value"
        signer: address = ecrecover(digest, v, r, s)
        number: uint256 = convert(signer, uint256)
        assert number > last, "Invalid signature order or dupe"
        assert self.isEnabledAttester[signer], "Invalid signature: not attester"
        last = number


@external
def enableAttester(newAttester: address):
    assert msg.sender == self.attesterManager, "Caller not attester manager"
    assert newAttester != empty(address), "New attester must be nonzero"
    assert not self.isEnabledAttester[newAttester], "Attester already enabled"
    self.isEnabledAttester[newAttester] = True
    self.getNumEnabledAttesters += 1
    log AttesterEnabled(attester=newAttester)


@external
def setSignatureThreshold(newSignatureThreshold: uint256):
    assert msg.sender == self.attesterManager, "Caller not attester manager"
    assert newSignatureThreshold != 0, "Invalid signature threshold"
    assert newSignatureThreshold <= self.getNumEnabledAttesters, "New signature threshold too high"
    assert newSignatureThreshold != self.signatureThreshold, "Signature threshold already set"
    log SignatureThresholdUpdated(
        oldSignatureThreshold=self.signatureThreshold, newSignatureThreshold=newSignatureThreshold
    )
    self.signatureThreshold = newSignatureThreshold


@external
def pause():
    assert msg.sender == self.pauser, "Pausable: caller is not the pauser"
    self.paused = True
    log Pause()


@external
def unpause():
    assert msg.sender == self.pauser, "Pausable: caller is not the pauser"
    self.paused = False
    log Unpause()


@internal
@pure
def _number(message: Bytes[8340], start: uint256) -> uint32:
    return convert(convert(extract32(message, start), uint256) >> 224, uint32)


@internal
@pure
def _four(number: uint32) -> bytes4:
    return convert(number, bytes4)
