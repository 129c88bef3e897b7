"""Follows burns until the wallet has claimed them, by what both chains and the attester say.

What was burnt never comes back by itself: it stays claimable by its recipient for ever. So a silent
or lying service costs time only, and the far chain is looked at whatever it says.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.bridges._burn_message import (
    ATTESTER_CHIEF,
    CLAIM,
    ENABLE_ATTESTER,
    FAST,
    SET_THRESHOLD,
    STANDARD,
    THRESHOLD,
    Burn,
)
from agent.bridges._burns import Burns, Mint
from agent.bridges._domains import Domain, Domains
from agent.bridges._iris import Attested, Iris, Unattested, fee_of
from agent.core.intent import Draft, Receipt
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import span, whole
from agent.errors import BadReply, NoSimulator, Unavailable
from agent.ports import (
    Act,
    Delivered,
    Delivery,
    Gone,
    Node,
    Read,
    Track,
    Transfer,
    Waiting,
)
from agent.wire.keccak import keccak256

CLAIM_GAS = 260_000
"""Gas limit of a claim: with a fee it mints twice through USDC's proxy, some 190 000 on mainnet."""

SOON_SECONDS, SELDOM_SECONDS = 5, 15
"""Pauses between looks: Circle asks for at least five seconds between two questions."""

LATE_TIMES = 4
"""An attestation is late after so many times its usual time."""

_EXPIRED = "expired"
"""The word of the messenger's refusal of an attestation that is too old."""

_PRECOMPILE = Address("0x" + "00" * 19 + "01")
"""The contract of every chain that tells who signed (`ecrecover`)."""

_NOBODYS = (1).to_bytes(32) + (1).to_bytes(32) + b"\x1b"
"""A signature that nobody made: as one of any message it is by some key, which nobody knows."""


_NOWHERE = Address("0x" + "00" * 20)
"""Stands for USDC's address on a chain that is not known here."""


class BurnTracker:
    """Says of burns where their money is; never that it is lost because a server is silent."""

    def __init__(self, domains: Domains, nodes: Mapping[ChainId, Node], iris: Iris) -> None:
        self._domains = domains
        self._nodes = nodes
        self._iris = iris
        self._burns = Burns(domains, nodes)

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, now: int) -> Track:
        """Where the money of one mined burn is; raises Unavailable while a node is silent."""
        burn = self._burns.burn_of(leg, receipt)
        if burn is None:
            return Waiting(now + SOON_SECONDS, "the burn is not where it was mined")
        if isinstance(burn, str):
            return Gone(burn)
        if burn.amount != sold_raw:
            return Gone(f"the burn is of {burn.amount} base units, not {sold_raw}")
        # One block for the state and the logs, so that they fit together.
        far = self._domains[leg.buy.chain]
        head = self._nodes[far.chain].block().number
        told = self._told(burn)
        if isinstance(told, Attested):
            mint = self._burns.mint_of(far, burn, told.message.nonce, head)
            if mint is None:
                return self._claim(far, burn, told, now)
        else:
            mint = self._burns.mint_by_logs(far, burn, head)
            if mint is None:
                return self._under_way(far, burn, told, now)
        return self._minted(far, burn, mint, head, now)

    def _told(self, burn: Burn) -> Attested | Unattested | Unavailable:
        """What the attester says, or why it says nothing that could be used."""
        number = self._domains[burn.origin].number
        try:
            return self._iris.attested(number, burn.log.transaction, burn.message)
        except Unavailable as fault:
            return fault

    def _minted(self, far: Domain, burn: Burn, mint: Mint, head: int, now: int) -> Track:
        """What was minted, once its block is deep enough; whoever brought the message."""
        depth = head - mint.received.block_number + 1
        if not (depth >= far.confirmations):
            why = (
                f"{self._named(burn)} was claimed on chain {far.chain} and waits for "
                f"{far.confirmations} confirmations ({depth} now)"
            )
            return Waiting(now + SOON_SECONDS, why)
        found = self._burns.measured(far, burn, mint)
        if found is None:
            where = mint.received.transaction
            return Gone(f"{self._named(burn)} was claimed by {where}, and nothing came of it")
        return Delivered(found, mint.received.block_number)

    def _under_way(
        self, far: Domain, burn: Burn, told: Unattested | Unavailable, now: int
    ) -> Waiting:
        """Who has the money, and what it waits for."""
        near = self._domains[burn.origin]
        fast = near.fast_seconds if burn.message.wants_fast else None
        usual = near.standard_seconds if fast is None else fast
        since = now - self._burns.made_at(burn)
        state = "is late" if since > usual * LATE_TIMES else "is on its way"
        said = f" ({told.why})" if isinstance(told, Unattested) and told.why else ""
        if isinstance(told, Unavailable):
            said = f"; nothing can be claimed now: {told.message}"
        why = (
            f"{self._sold(burn)} {state}: burnt on chain {burn.origin}, and to be attested by "
            f"Circle, usually within {span(usual)}{said}; your wallet then claims it on chain "
            f"{far.chain}, where it stays claimable for ever"
        )
        return Waiting(now + (SOON_SECONDS if usual < 60 else SELDOM_SECONDS), why)

    def _claim(self, far: Domain, burn: Burn, told: Attested, now: int) -> Track:
        """The claim, if the far chain would take it now."""
        data = CLAIM.encode(told.message.raw, told.attestation)
        call = Call(far.chain, far.transmitter, 0, data)
        number = f"0x{told.message.nonce.hex()}"
        refused = self._tried(far, burn, call, told.message.amount - told.message.fee)
        if refused is None:
            draft = Draft(purpose="claim", chain=far.chain, payload=call, gas_limit=CLAIM_GAS)
            return Act(draft, f"Circle attested {self._named(burn)}: it can be claimed")
        if _EXPIRED in refused and told.message.expires:
            refused = self._asked_again(told)
        why = (
            f"{self._sold(burn)} waits on chain {far.chain}, which does not take its attestation "
            f"({refused}); it stays claimable for ever"
        )
        return Waiting(now + SELDOM_SECONDS, why, number)

    def _asked_again(self, told: Attested) -> str:
        try:
            self._iris.reattest(told.message.nonce)
        except Unavailable as fault:
            return f"it expired, and a new one could not be asked for: {fault.message}"
        return "it expired, and a new one was asked for"

    def _tried(self, far: Domain, burn: Burn, call: Call, brings: int) -> str | None:
        """Why a claim would not bring what it says; None if it would."""
        node = self._nodes[far.chain]
        account = Address("0x" + burn.message.mint_recipient[12:].hex())
        try:
            done = node.simulate(account, [(call, CLAIM_GAS)], [far.usdc], ())
        except NoSimulator:
            (answer,) = node.read([Read(call.to, call.data)])
            return None if answer is not None else "it reverts"
        if not done.ok:
            return "it reverts" if done.reverted is None else done.reverted[1]
        came = done.deltas.get(far.usdc, 0)
        return None if came >= brings else f"{came} base units would come, not {brings}"

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Burns of *account* for which nothing was minted yet; raises Unavailable."""
        return tuple(
            self._transfer(burn)
            for chain, first in since.items()
            if chain in self._domains
            for burn in self._burns.open_burns(chain, account, first)
        )

    def _transfer(self, burn: Burn) -> Transfer:
        return Transfer(
            via="cctp",
            id="",
            sold=Amount(self._token(burn), burn.amount),
            buy=self._bought(burn),
            least=burn.least,
            deposit=burn.log.transaction,
            block=burn.log.block_number,
        )

    def rehearse(self, leg: Leg, receipt: Receipt) -> Delivery | None:
        """What claims a burn on a fork; None once it is claimed there.

        A fork has Circle's contracts and no attester. So the account that appoints attesters there
        appoints one, whose key nobody has: the signer that any two numbers would be the signature
        of. Everything else is done by the contracts themselves.
        """
        burn = self._burns.burn_of(leg, receipt)
        if not isinstance(burn, Burn):
            return None
        far, node = self._domains[leg.buy.chain], self._nodes[leg.buy.chain]
        if self._burns.mint_by_logs(far, burn, node.block().number) is not None:
            return None
        message = self._attested_by_nobody(far, burn)
        question = keccak256(message) + _NOBODYS[64:].rjust(32, b"\0") + _NOBODYS[:64]
        chief, threshold, signer = self._read(
            far,
            Read(far.transmitter, ATTESTER_CHIEF.encode()),
            Read(far.transmitter, THRESHOLD.encode()),
            Read(_PRECOMPILE, "0x" + question.hex()),
        )
        appointed = ENABLE_ATTESTER.encode(_address(signer))
        orders = [appointed] if threshold == 1 else [appointed, SET_THRESHOLD.encode(1)]
        return Delivery(
            calls=(Call(far.chain, far.transmitter, 0, CLAIM.encode(message, _NOBODYS)),),
            needs=Amount(far.native, 0),
            played=tuple(
                (_address(chief), Call(far.chain, far.transmitter, 0, order)) for order in orders
            ),
        )

    def _attested_by_nobody(self, far: Domain, burn: Burn) -> bytes:
        """The message with a number of its own, and the fee that Circle asks for now."""
        nonce = keccak256(burn.log.transaction.encode() + burn.log.index.to_bytes(8))
        if not burn.message.wants_fast:
            return burn.message.filled_in(nonce=nonce, finality=STANDARD, fee=0)
        bps = self._iris.fees(self._domains[burn.origin].number, far.number).get(FAST)
        most = burn.message.max_fee
        fee = most if bps is None else min(fee_of(burn.amount, bps), most)
        return burn.message.filled_in(nonce=nonce, finality=FAST, fee=fee)

    def _read(self, far: Domain, *reads: Read) -> list[int]:
        found = []
        for answer in self._nodes[far.chain].read(reads):
            if answer is None or len(answer) != 32:
                raise BadReply(
                    f"CCTP's contract {far.transmitter} on chain {far.chain} does not tell who "
                    "attests",
                    fix="check its address in chains.toml",
                )
            found.append(int.from_bytes(answer, "big"))
        return found

    def _token(self, burn: Burn) -> Token:
        usdc = self._domains[burn.origin].usdc
        if burn.token == usdc.address:
            return usdc
        return Token(burn.origin, burn.token, 0, "base units of an unknown token")

    def _bought(self, burn: Burn) -> Token:
        if burn.to_chain is None:
            decimals, number = self._token(burn).decimals, burn.message.destination
            named = f"USDC on the chain that Circle calls {number}"
            return Token(burn.origin, _NOWHERE, decimals, named)
        return self._domains[burn.to_chain].usdc

    def _sold(self, burn: Burn) -> str:
        return whole(Amount(self._token(burn), burn.amount))

    def _named(self, burn: Burn) -> str:
        return f"the burn of {self._sold(burn)} on chain {burn.origin}"


def _address(number: int) -> Address:
    return Address(f"0x{number:040x}")
