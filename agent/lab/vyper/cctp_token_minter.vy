# pragma version 0.4.3
"""
@title Stands in for Circle's TokenMinterV2: the minter of USDC that one TokenMessengerV2 commands.
@notice What others read of it is as in CCTP v2 (docs/abis/cctp/v2 in circlefin/evm-cctp-contracts);
        its messenger asks for receiver and fee receiver in one form of `mint`, where Circle has two.
"""

interface MintBurnToken:
    def mint(receiver: address, amount: uint256) -> bool: nonpayable
    def burn(amount: uint256): nonpayable

localTokenMessenger: public(address)
burnLimitsPerMessage: public(HashMap[address, uint256])
remoteTokensToLocalTokens: HashMap[bytes32, address]


@deploy
def __init__(
    messenger: address,
    token: address,
    limit: uint256,
    domains: DynArray[uint32, 16],
    tokens: DynArray[address, 16],
):
    """
    @param limit The most that one message burns.
    @param domains Domains of other chains, each with what `tokens` says *token* is called there.
    """
    self.localTokenMessenger = messenger
    self.burnLimitsPerMessage[token] = limit
    for i: uint256 in range(len(domains), bound=16):
        remote: bytes32 = convert(convert(tokens[i], uint256), bytes32)
        self.remoteTokensToLocalTokens[self._key(domains[i], remote)] = token


@external
def burn(token: address, amount: uint256):
    assert msg.sender == self.localTokenMessenger, "Caller not local TokenMessenger"
    limit: uint256 = self.burnLimitsPerMessage[token]
    assert limit > 0, "Burn token not supported"
    assert amount <= limit, "Burn amount exceeds per tx limit"
    extcall MintBurnToken(token).burn(amount)


@external
def mint(
    domain: uint32,
    token: bytes32,
    receiver: address,
    fee_receiver: address,
    amount: uint256,
    fee: uint256,
) -> address:
    assert msg.sender == self.localTokenMessenger, "Caller not local TokenMessenger"
    found: address = self.remoteTokensToLocalTokens[self._key(domain, token)]
    assert found != empty(address), "Mint token not supported"
    assert extcall MintBurnToken(found).mint(receiver, amount), "Mint operation failed"
    if fee > 0:
        assert extcall MintBurnToken(found).mint(fee_receiver, fee), "Mint operation failed"
    return found


@external
@view
def getLocalToken(remoteDomain: uint32, remoteToken: bytes32) -> address:
    return self.remoteTokensToLocalTokens[self._key(remoteDomain, remoteToken)]


@internal
@pure
def _key(domain: uint32, token: bytes32) -> bytes32:
    return keccak256(concat(convert(domain, bytes4), token))
