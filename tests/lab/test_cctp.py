"""The stand-ins of CCTP refuse what Circle's contracts refuse, in the same words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cctp_rig
import pytest
from cctp_rig import FAR, NEAR, RAW, STRANGER, WALLET, Burning

from agent.errors import SetupFailed
from agent.lab.abi import answer, call_bytes
from agent.lab.accounts import ATTENDANT, TREASURY
from agent.lab.providers._attester import key, sign, signer
from agent.lab.providers._burn_message import BurnMessage
from agent.lab.providers.cctp import ATTESTER, MESSAGE_SENT, MESSENGER, MINTER, TRANSMITTER
from agent.lab.puppet import Tx, tx
from agent.wire.abi import encode
from agent.wire.keccak import keccak256
from agent.wire.rpc import RpcError

BURN = "depositForBurn(uint256,uint32,bytes32,address,bytes32,uint256,uint32)"
HOOKED = "depositForBurnWithHook(uint256,uint32,bytes32,address,bytes32,uint256,uint32,bytes)"
RECEIVE = "receiveMessage(bytes,bytes)"
SECOND = key("a second attester")


@pytest.fixture(scope="module")
def two_domains(lab_cache: Path) -> Iterator[Burning]:
    with cctp_rig.open_burning(lab_cache) as opened:
        yield opened


@pytest.fixture
def burning(two_domains: Burning) -> Iterator[Burning]:
    with cctp_rig.clean(two_domains) as cleaned:
        cleaned.worlds[NEAR].fund(WALLET, {"USDC": RAW})
        cleaned.puppet(NEAR, WALLET).send(
            tx(cleaned.usdc(NEAR).address, "approve(address,uint256)", MESSENGER, 2**256 - 1)
        )
        yield cleaned


def padded(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def burn(burning: Burning, **fields: Any) -> str:
    """Calldata of an honest burn but for those fields."""
    named = {
        "amount": RAW,
        "domain": 6,
        "recipient": padded(WALLET),
        "token": burning.usdc(NEAR).address,
        "caller": bytes(32),
        "max_fee": 1_000_000,
        "finality": 1_000,
    }
    return call_bytes(BURN, *{**named, **fields}.values())


def why(burning: Burning, chain: int, to: str, data: str, sender: str = WALLET) -> str:
    """Why a call is refused, in the contract's own words."""
    with pytest.raises(RpcError) as caught:
        burning.worlds[chain].rpc.call(
            "eth_call", {"from": sender, "to": to, "data": data}, "latest"
        )
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": 0, "max_fee": 0}, "Amount must be nonzero"),
        ({"recipient": bytes(32)}, "Mint recipient must be nonzero"),
        ({"max_fee": RAW}, "Max fee must be less than amount"),
        ({"domain": 7}, "No TokenMessenger for domain"),
        ({"domain": 0}, "No TokenMessenger for domain"),
        ({"amount": 10**13 + 1}, "transfer amount exceeds balance"),
    ],
)
def test_burn_is_refused_in_circle_s_words(
    burning: Burning, fields: dict[str, Any], words: str
) -> None:
    assert words in why(burning, NEAR, MESSENGER, burn(burning, **fields))


def test_burn_of_another_token_or_of_too_much_is_refused(burning: Burning) -> None:
    usdt = burning.worlds[NEAR].place.tokens["DAI"].address
    burning.worlds[NEAR].fund(WALLET, {"DAI": RAW, "USDC": 10**13})
    burning.puppet(NEAR, WALLET).send(tx(usdt, "approve(address,uint256)", MESSENGER, 2**256 - 1))
    assert "Burn token not supported" in why(burning, NEAR, MESSENGER, burn(burning, token=usdt))
    too_much = burn(burning, amount=10**13 + 1)
    assert "Burn amount exceeds per tx limit" in why(burning, NEAR, MESSENGER, too_much)


def test_least_fee_is_set_by_its_controller_and_enforced(burning: Burning) -> None:
    order = call_bytes("setMinFee(uint256)", 5_000)
    assert "Caller not min fee controller" in why(burning, NEAR, MESSENGER, order)
    too_much = call_bytes("setMinFee(uint256)", 10_000_000)
    assert "Min fee too high" in why(burning, NEAR, MESSENGER, too_much, TREASURY)
    burning.puppet(NEAR, TREASURY).send(tx(MESSENGER, "setMinFee(uint256)", 5_000))
    least = call_bytes("getMinFeeAmount(uint256)", RAW)
    told = burning.worlds[NEAR].rpc.call("eth_call", {"to": MESSENGER, "data": least}, "latest")
    assert RAW * 5 // 10_000 == int(str(told), 16)
    assert "Insufficient max fee" in why(burning, NEAR, MESSENGER, burn(burning))
    low = call_bytes("getMinFeeAmount(uint256)", 1)
    assert "Amount too low" in why(burning, NEAR, MESSENGER, low)


def test_hook_goes_along_and_must_not_be_empty(burning: Burning) -> None:
    named = [RAW, 6, padded(WALLET), burning.usdc(NEAR).address, bytes(32), 0, 2_000]
    empty = call_bytes(HOOKED, *named, b"")
    assert "Hook data is empty" in why(burning, NEAR, MESSENGER, empty)
    (receipt,) = burning.puppet(NEAR, WALLET).send(tx(MESSENGER, HOOKED, *named, b"to somebody"))
    assert sent(receipt).raw.endswith(b"to somebody")
    assert "0x" + b"to somebody".hex() == sent(receipt).decoded()["decodedMessageBody"]["hookData"]


def test_pause_stops_both_ways_and_ends(burning: Burning) -> None:
    assert "not the pauser" in why(burning, NEAR, TRANSMITTER, call_bytes("pause()"))
    assert "not the pauser" in why(burning, NEAR, TRANSMITTER, call_bytes("unpause()"))
    owner = burning.puppet(NEAR, TREASURY)
    owner.send(tx(TRANSMITTER, "pause()"))
    assert "Pausable: paused" in why(burning, NEAR, MESSENGER, burn(burning))
    assert "Pausable: paused" in why(burning, NEAR, TRANSMITTER, call_bytes(RECEIVE, b"", b""))
    owner.send(tx(TRANSMITTER, "unpause()"))
    burning.puppet(NEAR, WALLET).send(Tx(to=MESSENGER, input=burn(burning), what="burning"))


def test_message_is_sent_by_nobody_to_nowhere(burning: Burning) -> None:
    send = "sendMessage(uint32,bytes32,bytes32,uint32,bytes)"
    home = call_bytes(send, 0, padded(MESSENGER), bytes(32), 1_000, b"")
    assert "Domain is local domain" in why(burning, NEAR, TRANSMITTER, home)
    nobody = call_bytes(send, 6, bytes(32), bytes(32), 1_000, b"")
    assert "Recipient must be nonzero" in why(burning, NEAR, TRANSMITTER, nobody)


# What comes in.


def sent(receipt: dict[str, Any]) -> BurnMessage:
    (log,) = [log for log in receipt["logs"] if log["topics"][0] == MESSAGE_SENT]
    return BurnMessage(answer("(bytes)", log["data"])[0])


def burnt(burning: Burning) -> BurnMessage:
    """The message of an honest burn, as a fast attester would fill it in."""
    (receipt,) = burning.puppet(NEAR, WALLET).send(
        Tx(to=MESSENGER, input=burn(burning), what="burning")
    )
    return sent(receipt).with_(
        nonce=77, finalityThresholdExecuted=1_000, feeExecuted=415_000, expirationBlock=10**9
    )


def received(told: BurnMessage, *secrets: int) -> str:
    digest = keccak256(told.raw)
    signatures = b"".join(sign(digest, secret) for secret in secrets or (ATTESTER,))
    return call_bytes(RECEIVE, told.raw, signatures)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"destinationDomain": 3}, "Invalid destination domain"),
        ({"destinationCaller": 7}, "Invalid caller for message"),
        ({"version": 0}, "Invalid message version"),
        ({"sourceDomain": 5}, "Remote TokenMessenger unsupported"),
        ({"sender": 5}, "Remote TokenMessenger unsupported"),
        ({"finalityThresholdExecuted": 499}, "Unsupported finality threshold"),
        ({"feeExecuted": 1_000_001}, "Fee exceeds max fee"),
        ({"feeExecuted": RAW, "maxFee": RAW}, "Fee equals or exceeds amount"),
        ({"expirationBlock": 1}, "Message expired and must be re-signed"),
        ({"burnToken": 5}, "Mint token not supported"),
    ],
)
def test_message_is_refused_in_circle_s_words_however_well_attested(
    burning: Burning, fields: dict[str, int], words: str
) -> None:
    told = burnt(burning).with_(**fields)
    assert words in why(burning, FAR, TRANSMITTER, received(told), STRANGER)


def test_message_is_taken_once_whoever_brings_it_and_pays_its_fee(burning: Burning) -> None:
    told = burnt(burning)
    before = burning.held(FAR, account=ATTENDANT)  # type: ignore[arg-type]
    call = Tx(to=TRANSMITTER, input=received(told), what="claiming")
    burning.puppet(FAR, STRANGER).send(call)
    assert RAW - 415_000 == burning.held(FAR)
    assert before + 415_000 == burning.held(FAR, account=ATTENDANT)  # type: ignore[arg-type]
    assert "Nonce already used" in why(burning, FAR, TRANSMITTER, received(told))


def test_message_for_one_caller_is_taken_from_him(burning: Burning) -> None:
    told = burnt(burning).with_(destinationCaller=int(WALLET, 16))
    assert "Invalid caller" in why(burning, FAR, TRANSMITTER, received(told), STRANGER)
    call = Tx(to=TRANSMITTER, input=received(told), what="claiming")
    burning.puppet(FAR, WALLET).send(call)
    assert RAW - 415_000 == burning.held(FAR)


def test_signatures_must_be_as_many_as_wanted_in_order_and_by_attesters(burning: Burning) -> None:
    told = burnt(burning)
    owner = burning.puppet(FAR, TREASURY)
    stranger = received(told, SECOND)
    assert "Invalid signature: not attester" in why(burning, FAR, TRANSMITTER, stranger)
    two = received(told, ATTESTER, SECOND)
    assert "Invalid attestation length" in why(burning, FAR, TRANSMITTER, two)
    owner.send(
        tx(TRANSMITTER, "enableAttester(address)", signer(SECOND)),
        tx(TRANSMITTER, "setSignatureThreshold(uint256)", 2),
    )
    ordered = sorted((ATTESTER, SECOND), key=signer)
    for wrong in (tuple(reversed(ordered)), (ATTESTER, ATTESTER)):
        data = received(told, *wrong)
        assert "Invalid signature order or dupe" in why(burning, FAR, TRANSMITTER, data)
    call = Tx(to=TRANSMITTER, input=received(told, *ordered), what="claiming")
    burning.puppet(FAR, WALLET).send(call)


def test_signature_that_was_bent_is_refused(burning: Burning) -> None:
    told = burnt(burning)
    r, s = (sign(keccak256(told.raw), ATTESTER)[at : at + 32] for at in (0, 32))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    bent = r + (order - int.from_bytes(s)).to_bytes(32) + b"\x1b"
    data = call_bytes(RECEIVE, told.raw, bent)
    assert "invalid signature 's' value" in why(burning, FAR, TRANSMITTER, data)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (call_bytes("enableAttester(address)", "0x" + "00" * 20), "must be nonzero"),
        (call_bytes("enableAttester(address)", signer(ATTESTER)), "already enabled"),
        (call_bytes("setSignatureThreshold(uint256)", 0), "Invalid signature threshold"),
        (call_bytes("setSignatureThreshold(uint256)", 1), "threshold already set"),
        (call_bytes("setSignatureThreshold(uint256)", 2), "threshold too high"),
    ],
)
def test_attesters_are_appointed_by_their_manager_alone(
    burning: Burning, call: str, words: str
) -> None:
    assert "Caller not attester manager" in why(burning, FAR, TRANSMITTER, call)
    assert words in why(burning, FAR, TRANSMITTER, call, TREASURY)


def test_minter_and_messenger_obey_each_other_alone(burning: Burning) -> None:
    usdc = burning.usdc(FAR).address
    mint = "mint(uint32,bytes32,address,address,uint256,uint256)"
    for data in (
        call_bytes("burn(address,uint256)", usdc, 1),
        call_bytes(mint, 0, padded(usdc), WALLET, WALLET, 1, 0),
    ):
        assert "Caller not local TokenMessenger" in why(burning, FAR, MINTER, data)
    handle = "handleReceiveFinalizedMessage(uint32,bytes32,uint32,bytes)"
    data = call_bytes(handle, 0, padded(MESSENGER), 2_000, burnt(burning).raw[148:])
    assert "Invalid message transmitter" in why(burning, FAR, MESSENGER, data)


# The attester's own parts.


def test_signature_is_the_one_that_the_chain_recovers(burning: Burning) -> None:
    digest = keccak256(b"anything")
    made = sign(digest, SECOND)
    data = digest + made[64:].rjust(32, b"\0") + made[:64]
    told = burning.worlds[NEAR].rpc.call(
        "eth_call", {"to": "0x" + "00" * 19 + "01", "data": "0x" + data.hex()}, "latest"
    )
    assert signer(SECOND) == "0x" + str(told)[-40:]
    assert encode(["address"], [signer(SECOND)]).hex() == str(told)[2:]


def test_key_of_zero_is_none() -> None:
    with pytest.raises(ValueError, match="a key of zero"):
        signer(0)


@pytest.mark.parametrize(
    "order", [("set", "mode", "kind"), ("set", "pace", 1), ("forget", "mode", "prompt")]
)
def test_order_that_is_none_is_refused(burning: Burning, order: tuple[Any, ...]) -> None:
    with pytest.raises(SetupFailed, match="no such order"):
        burning.worlds.tell("cctp", *order)


def test_desk_counts_what_it_is_asked(burning: Burning) -> None:
    before = burning.worlds.tell("cctp", "asked").get("burn", 0)
    burning.quote(burning.leg())
    assert before + 1 == burning.worlds.tell("cctp", "asked")["burn"]
