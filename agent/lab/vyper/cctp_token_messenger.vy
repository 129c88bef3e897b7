# pragma version 0.4.3
"""
@title Stands in for Circle's TokenMessengerV2: burns here what is minted on another chain.
@notice Functions, events, the burn message's layout and the words of its refusals as of CCTP v2.1
        (docs/abis/cctp/v2.1 in circlefin/evm-cctp-contracts). Every chain of the world knows every
        other one by the same address. Not here: proxy, rescuer, denylister, change of owners.
"""

interface Transmitter:
    def sendMessage(
        destinationDomain: uint32,
        recipient: bytes32,
        destinationCaller: bytes32,
        minFinalityThreshold: uint32,
        messageBody: Bytes[8192],
    ): nonpayable

interface Minter:
    def burn(token: address, amount: uint256): nonpayable
    def mint(
        domain: uint32,
        token: bytes32,
        receiver: address,
        fee_receiver: address,
        amount: uint256,
        fee: uint256,
    ) -> address: nonpayable

interface Token:
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

event DepositForBurn:
    burnToken: indexed(address)
    amount: uint256
    depositor: indexed(address)
    mintRecipient: bytes32
    destinationDomain: uint32
    destinationTokenMessenger: bytes32
    destinationCaller: bytes32
    maxFee: uint256
    minFinalityThreshold: indexed(uint32)
    hookData: Bytes[7964]

event MintAndWithdraw:
    mintRecipient: indexed(address)
    amount: uint256
    mintToken: indexed(address)
    feeCollected: uint256

event MinFeeSet:
    minFee: uint256

# Where each field of a burn message starts, in bytes.
BURN_TOKEN: constant(uint256) = 4
MINT_RECIPIENT: constant(uint256) = 36
AMOUNT: constant(uint256) = 68
MAX_FEE: constant(uint256) = 132
FEE_EXECUTED: constant(uint256) = 164
EXPIRATION_BLOCK: constant(uint256) = 196
HOOK: constant(uint256) = 228

LEAST_THRESHOLD: constant(uint32) = 500
MIN_FEE_MULTIPLIER: public(constant(uint256)) = 10_000_000

localMessageTransmitter: public(address)
localMinter: public(address)
messageBodyVersion: public(uint32)
owner: public(address)
feeRecipient: public(address)
minFee: public(uint256)
minFeeController: public(address)
remoteTokenMessengers: public(HashMap[uint32, bytes32])


@deploy
def __init__(
    transmitter: address,
    minter: address,
    owner: address,
    fee_recipient: address,
    remote: DynArray[uint32, 16],
):
    """
    @param fee_recipient Gets the fees of fast transfers.
    @param remote Domains that can be sent to.
    """
    self.localMessageTransmitter = transmitter
    self.localMinter = minter
    self.messageBodyVersion = 1
    self.owner = owner
    self.feeRecipient = fee_recipient
    self.minFeeController = owner
    for domain: uint32 in remote:
        self.remoteTokenMessengers[domain] = convert(convert(self, uint256), bytes32)


@external
def depositForBurn(
    amount: uint256,
    destinationDomain: uint32,
    mintRecipient: bytes32,
    burnToken: address,
    destinationCaller: bytes32,
    maxFee: uint256,
    minFinalityThreshold: uint32,
):
    self._deposit(
        amount,
        destinationDomain,
        mintRecipient,
        burnToken,
        destinationCaller,
        maxFee,
        minFinalityThreshold,
        b"",
    )


@external
def depositForBurnWithHook(
    amount: uint256,
    destinationDomain: uint32,
    mintRecipient: bytes32,
    burnToken: address,
    destinationCaller: bytes32,
    maxFee: uint256,
    minFinalityThreshold: uint32,
    hookData: Bytes[7964],
):
    assert len(hookData) > 0, "Hook data is empty"
    self._deposit(
        amount,
        destinationDomain,
        mintRecipient,
        burnToken,
        destinationCaller,
        maxFee,
        minFinalityThreshold,
        hookData,
    )


@internal
def _deposit(
    amount: uint256,
    domain: uint32,
    recipient: bytes32,
    token: address,
    caller: bytes32,
    max_fee: uint256,
    threshold: uint32,
    hook: Bytes[7964],
):
    assert amount > 0, "Amount must be nonzero"
    assert recipient != empty(bytes32), "Mint recipient must be nonzero"
    assert max_fee < amount, "Max fee must be less than amount"
    if self.minFee > 0:
        assert max_fee >= self._least_fee(amount), "Insufficient max fee"
    remote: bytes32 = self.remoteTokenMessengers[domain]
    assert remote != empty(bytes32), "No TokenMessenger for domain"
    moved: bool = extcall Token(token).transferFrom(msg.sender, self.localMinter, amount)
    assert moved, "Transfer operation failed"
    extcall Minter(self.localMinter).burn(token, amount)
    body: Bytes[8192] = concat(
        convert(self.messageBodyVersion, bytes4),
        convert(convert(token, uint256), bytes32),
        recipient,
        convert(amount, bytes32),
        convert(convert(msg.sender, uint256), bytes32),
        convert(max_fee, bytes32),
        empty(bytes32),  # the fee that is taken
        empty(bytes32),  # the block at which the attestation expires
        hook,
    )
    extcall Transmitter(self.localMessageTransmitter).sendMessage(
        domain, remote, caller, threshold, body
    )
    log DepositForBurn(
        burnToken=token,
        amount=amount,
        depositor=msg.sender,
        mintRecipient=recipient,
        destinationDomain=domain,
        destinationTokenMessenger=remote,
        destinationCaller=caller,
        maxFee=max_fee,
        minFinalityThreshold=threshold,
        hookData=hook,
    )


@external
def handleReceiveFinalizedMessage(
    remoteDomain: uint32, sender: bytes32, executed: uint32, messageBody: Bytes[8192]
) -> bool:
    return self._receive(remoteDomain, sender, messageBody)


@external
def handleReceiveUnfinalizedMessage(
    remoteDomain: uint32, sender: bytes32, executed: uint32, messageBody: Bytes[8192]
) -> bool:
    assert executed >= LEAST_THRESHOLD, "Unsupported finality threshold"
    return self._receive(remoteDomain, sender, messageBody)


@internal
def _receive(domain: uint32, sender: bytes32, body: Bytes[8192]) -> bool:
    assert msg.sender == self.localMessageTransmitter, "Invalid message transmitter"
    known: bool = sender != empty(bytes32) and self.remoteTokenMessengers[domain] == sender
    assert known, "Remote TokenMessenger unsupported"
    assert len(body) >= HOOK, "Invalid burn message: too short"
    version: uint256 = convert(extract32(body, 0), uint256) >> 224
    assert version == convert(self.messageBodyVersion, uint256), "Invalid message body version"
    expires: uint256 = convert(extract32(body, EXPIRATION_BLOCK), uint256)
    assert expires == 0 or expires > block.number, "Message expired and must be re-signed"
    amount: uint256 = convert(extract32(body, AMOUNT), uint256)
    fee: uint256 = convert(extract32(body, FEE_EXECUTED), uint256)
    assert fee == 0 or fee < amount, "Fee equals or exceeds amount"
    assert fee <= convert(extract32(body, MAX_FEE), uint256), "Fee exceeds max fee"
    receiver: address = convert(convert(extract32(body, MINT_RECIPIENT), uint256), address)
    token: address = extcall Minter(self.localMinter).mint(
        domain, extract32(body, BURN_TOKEN), receiver, self.feeRecipient, amount - fee, fee
    )
    log MintAndWithdraw(
        mintRecipient=receiver, amount=amount - fee, mintToken=token, feeCollected=fee
    )
    return True


@external
@view
def getMinFeeAmount(amount: uint256) -> uint256:
    if self.minFee == 0:
        return 0
    assert amount > 1, "Amount too low"
    return self._least_fee(amount)


@internal
@view
def _least_fee(amount: uint256) -> uint256:
    return max(1, amount * self.minFee // MIN_FEE_MULTIPLIER)


@external
def setMinFee(minFee: uint256):
    assert msg.sender == self.minFeeController, "Caller not min fee controller"
    assert minFee < MIN_FEE_MULTIPLIER, "Min fee too high"
    self.minFee = minFee
    log MinFeeSet(minFee=minFee)
