"""Circle's CCTP v2 in the local world: contracts of our own, and its attester with its API.

The API is the documented one of iris-api.circle.com (developers.circle.com, "CCTP API reference"):
messages of a transaction, fees, what is left of the fast allowance, and re-attestation. Nothing
attested is kept in mind: the same burn has the same nonce and the same signature each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from agent.core.rounding import mul_div_up
from agent.lab.abi import answer
from agent.lab.accounts import ATTENDANT
from agent.lab.branch import Branch, read_head
from agent.lab.contracts import Artifact
from agent.lab.places import PLACES, Place
from agent.lab.providers._attester import key, sign, signer
from agent.lab.providers._burn_message import BurnMessage
from agent.lab.puppet import Puppet, tx
from agent.lab.reply import Reply
from agent.wire.keccak import keccak256

DOMAINS: Final = {1: 0, 42161: 3, 8453: 6}
"""Circle's own numbers of the world's chains."""

MESSENGER: Final = "0x28b5a0e9c621a5badaa536219b3a228c8168cf5d"
TRANSMITTER: Final = "0x81d40f21f12a8f0e3252bccb954d722d4c464b64"
MINTER: Final = "0xfd78ee919681417d192449715b2594ab58f5d002"
"""The same on every chain (developers.circle.com, "CCTP EVM contracts")."""

BURN_LIMIT: Final = 10_000_000 * 10**6
"""Base units of USDC in one message, as on mainnet."""

ATTESTER: Final = key("attester of cctp")
STRANGER: Final = key("nobody whom cctp knows")

MESSAGE_SENT: Final = "0x" + keccak256(b"MessageSent(bytes)").hex()

FAST, FINAL = 1000, 2000
"""Finality thresholds: at most the first for a fast transfer, at least the second for others."""

FAST_FEES: Final = {0: "1", 3: "1.3", 6: "1.3"}
"""Basis points of a fast transfer by the domain it leaves."""

FAST_LIFE_BLOCKS: Final = 7_200
"""How long a fast attestation holds on the far chain."""

MODES: Final = (
    *("prompt", "late", "never", "expired", "down", "limited", "gone"),
    *("other_amount", "other_recipient", "other_chain", "hooked", "greedy"),
    *("bad_signature", "nonsense", "cut"),
)
"""What the attester does, or how its API lies."""


def put(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    """Put messenger, transmitter and minter, and let the minter make USDC; raises SetupFailed."""
    del third  # nobody publishes compiled contracts of CCTP
    usdc = place.tokens["USDC"].address
    others = [chain for chain in DOMAINS if chain != place.chain_id]
    domains = [DOMAINS[chain] for chain in others]
    treasury.deploy_at(
        TRANSMITTER,
        own["cctp_message_transmitter"],
        *(DOMAINS[place.chain_id], treasury.account, signer(ATTESTER)),
    )
    treasury.deploy_at(
        MESSENGER,
        own["cctp_token_messenger"],
        *(TRANSMITTER, MINTER, treasury.account, ATTENDANT, domains),
    )
    treasury.deploy_at(
        MINTER,
        own["cctp_token_minter"],
        *(MESSENGER, usdc, BURN_LIMIT, domains),
        [PLACES[chain].tokens["USDC"].address for chain in others],
    )
    treasury.send(tx(usdc, "configureMinter(address,uint256)", MINTER, 2**256 - 1))


@dataclass(slots=True, kw_only=True)
class Terms:
    """How the attester works: blocks that it waits for, and seconds more with mode "late".

    ``fast_bps`` is what fast transfers cost from everywhere, empty for the usual fees.
    """

    mode: str = "prompt"
    fast_blocks: int = 1
    standard_blocks: int = 3
    late_seconds: int = 60
    fast_bps: str = ""
    allowance: int = 10_000_000


@dataclass(slots=True)
class Desk:
    """Implements a desk of the local world: attests burns, and tells fees."""

    branches: Mapping[int, Branch]
    terms: Terms = field(default_factory=Terms, init=False)
    reattested: set[int] = field(default_factory=set, init=False)
    asked: dict[str, int] = field(default_factory=dict, init=False)

    def order(self, name: str, *arguments: Any) -> Any:
        """``set NAME VALUE`` changes the terms; ``asked`` tells how often what was asked.

        A new mode begins without anything that was asked to be attested again.
        """
        if name == "asked":
            return dict(self.asked)
        term, value = arguments
        if name != "set" or term not in Terms.__slots__:
            raise KeyError(term)
        if term == "mode":
            if value not in MODES:
                raise ValueError(value)
            self.reattested.clear()
        setattr(self.terms, term, value)
        return value

    def answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
    ) -> Reply | tuple[int, Any]:
        """The documented questions."""
        del headers, body
        parts = path.strip("/").split("/")
        self.asked[parts[1]] = self.asked.get(parts[1], 0) + 1
        faults = {
            "down": Reply(status=503, content=b"upstream"),
            "limited": Reply(status=429, body={}, headers={"Retry-After": "300"}),
            "nonsense": Reply(content=b'{"messages": [NaN]}'),
            "cut": Reply(content=b'{"messages": [', announced=400),
        }
        if self.terms.mode in faults:
            return faults[self.terms.mode]
        match method, *parts:
            case "GET", "v2", "messages", domain:
                return self._messages(int(domain), query["transactionHash"])
            case "GET", "v2", "burn", "USDC", "fees", source, _far:
                return 200, self._fees(int(source))
            case "GET", "v2", "fastBurn", "USDC", "allowance":
                return 200, {"allowance": self.terms.allowance, "lastUpdated": "2026-11-25T00:00Z"}
            case "POST", "v2", "reattest", nonce:
                self.reattested.add(int(nonce, 16))
                told = "Re-attestation successfully requested for nonce."
                return 200, {"message": told, "nonce": nonce}
        return 404, {"code": 404, "message": f"there is no {path}"}

    def _fees(self, source: int) -> list[dict[str, Any]]:
        fast = self._fast_bps(source)
        told = int(fast) if fast == int(fast) else float(fast)
        return [
            {"finalityThreshold": FAST, "minimumFee": told},
            {"finalityThreshold": FINAL, "minimumFee": 0},
        ]

    def _fast_bps(self, source: int) -> Decimal:
        return Decimal(self.terms.fast_bps or FAST_FEES[source])

    def _messages(self, domain: int, transaction: str) -> tuple[int, Any]:
        branch = self._branch(domain)
        receipt = branch.puppet.rpc("eth_getTransactionReceipt", transaction)
        if not isinstance(receipt, dict) or self.terms.mode == "gone":
            return 404, {"code": 404, "error": "Message not found"}
        logs: Any = receipt["logs"]
        sent = [
            log
            for log in logs
            if log["address"] == TRANSMITTER and log["topics"][0] == MESSAGE_SENT
        ]
        block = int(str(receipt["blockNumber"]), 16)
        return 200, {"messages": [self._message(branch, log, block) for log in sent]}

    def _branch(self, domain: int) -> Branch:
        (chain,) = [chain for chain, known in DOMAINS.items() if known == domain]
        return self.branches[chain]

    def _message(self, branch: Branch, log: dict[str, Any], block: int) -> dict[str, Any]:
        (raw,) = answer("(bytes)", log["data"])
        named = f"{branch.place.chain_id} {log['transactionHash']} {log['logIndex']}"
        nonce = int.from_bytes(keccak256(named.encode()))
        burnt = BurnMessage(raw).with_(nonce=nonce)
        bps = self._fast_bps(burnt.number("sourceDomain"))
        fee = mul_div_up(burnt.number("amount"), int(bps * 10), 100_000)
        wants_fast = burnt.number("minFinalityThreshold") <= FAST
        is_fast = wants_fast and fee <= burnt.number("maxFee")
        if not self._is_due(branch, block, fast=is_fast and nonce not in self.reattested):
            why = "insufficient_fee" if wants_fast and not is_fast else None
            return _pending(nonce, why)
        return _complete(*self._forged(self._attested(burnt, fee if is_fast else 0)))

    def _is_due(self, branch: Branch, block: int, *, fast: bool) -> bool:
        """Whether the burn's block is old enough for its attestation."""
        if self.terms.mode == "never":
            return False
        head = branch.head()
        needed = self.terms.fast_blocks if fast else self.terms.standard_blocks
        if head.number - block + 1 < needed:
            return False
        if self.terms.mode != "late":
            return True
        made = branch.puppet.rpc("eth_getBlockByNumber", hex(block), False)  # noqa: FBT003 - RPC's
        return head.time >= read_head(made).time + self.terms.late_seconds

    def _attested(self, burnt: BurnMessage, fee: int) -> BurnMessage:
        """The message with what only the attester knows."""
        if not fee:
            return burnt.with_(finalityThresholdExecuted=FINAL)
        if burnt.number("nonce") in self.reattested:
            # Its fee stays: the allowance was set aside for it.
            return burnt.with_(finalityThresholdExecuted=FINAL, feeExecuted=fee)
        far = self._branch(burnt.number("destinationDomain")).head().number
        expires = far if self.terms.mode == "expired" else far + FAST_LIFE_BLOCKS
        return burnt.with_(finalityThresholdExecuted=FAST, feeExecuted=fee, expirationBlock=expires)

    def _forged(self, honest: BurnMessage) -> tuple[BurnMessage, int]:
        """The message as the mode has it, and the key that signs it: most lies are attested."""
        if self.terms.mode == "hooked":
            return BurnMessage(honest.raw + MESSENGER.encode()), ATTESTER
        lies = {
            "other_amount": {"amount": honest.number("amount") - 1},
            "other_recipient": {"mintRecipient": int(MESSENGER, 16)},
            "other_chain": {"destinationDomain": 7},
            "greedy": {"feeExecuted": honest.number("maxFee") + 1},
        }
        secret = STRANGER if self.terms.mode == "bad_signature" else ATTESTER
        return honest.with_(**lies.get(self.terms.mode, {})), secret


def _pending(nonce: int, why: str | None) -> dict[str, Any]:
    return {
        "attestation": "PENDING",
        "message": "0x",
        "eventNonce": f"0x{nonce:064x}",
        "cctpVersion": 2,
        "status": "pending_confirmations",
        "delayReason": why,
        "decodedMessage": None,
    }


def _complete(said: BurnMessage, secret: int) -> dict[str, Any]:
    return {
        "attestation": "0x" + sign(keccak256(said.raw), secret).hex(),
        "message": "0x" + said.raw.hex(),
        "eventNonce": f"0x{said.number('nonce'):064x}",
        "cctpVersion": 2,
        "status": "complete",
        "delayReason": None,
        "decodedMessage": said.decoded(),
    }
