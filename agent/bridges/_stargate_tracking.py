"""Follows transfers by what both chains themselves say, and finishes what nobody else finishes."""

from __future__ import annotations

from collections.abc import Mapping

from agent.bridges._stargate_chains import StargateChain
from agent.bridges._stargate_evidence import Evidence, Stand
from agent.bridges._stargate_messages import Passage
from agent.bridges._stargate_rehearsal import rehearsed
from agent.core.intent import Draft, Receipt
from agent.core.log import Log
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import span, whole
from agent.ports import Act, Delivered, Delivery, Gone, Node, Track, Transfer, Waiting

LATE_SECONDS, IDLE_SECONDS = 600, 1_800
"""Beyond the usual time, from the transfer on: when it is worth a word, and when a message that is
verified and that nobody executes is executed by the wallet itself. Executors are paid to do it
within seconds; one that has not in half an hour may never."""

SOON_SECONDS, SELDOM_SECONDS, PATIENCE = 2, 15, 8
"""Pauses between looks: while it may come any moment, at most, and which part of the time that has
passed already."""

EXECUTE_GAS, RETRY_GAS = 400_000, 250_000
"""Gas limits of the two ways to finish a transfer: three times what they take on local chains,
because the endpoint also steps over messages of others that were executed before."""


class Tracker:
    """Says of transfers where their money is; never that it is lost because a node is silent."""

    def __init__(self, chains: Mapping[ChainId, StargateChain], nodes: Mapping[ChainId, Node]):
        self._chains = chains
        self._nodes = nodes
        self._evidence = Evidence(chains, nodes)

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, now: int) -> Track:
        """Where the money of one mined transfer is; raises Unavailable."""
        near, far = (self._chains.get(token.chain) for token in (leg.sell.token, leg.buy))
        if near is None or far is None or far.asset_of(leg.buy) is None:
            why = f"chains.toml says nothing of Stargate's {leg.buy.symbol} on both chains"
            return Waiting(now + SELDOM_SECONDS, why)
        made = self._evidence.passage_of(leg, receipt)
        if made is None:
            return Waiting(now + SOON_SECONDS, "the transfer is not where it was mined")
        if isinstance(made, str):
            return Gone(made)
        crossing = sold_raw - sold_raw % near.unit(made.asset)
        if made.sent.raw != crossing:
            return Gone(f"message {made.id} is of {made.sent.raw} base units, not {crossing}")
        # One block for the state and the logs, so that they fit together.
        head = self._nodes[far.chain].block().number
        stand = self._evidence.stand(made, far, head)
        if stand.executed and not stand.kept:
            return self._arrived(made, far, head, now)
        return self._under_way(made, near, far, stand, now)

    def _arrived(self, made: Passage, far: StargateChain, head: int, now: int) -> Track:
        """What was paid out, once its block is deep enough."""
        told = f"message {made.id} was executed on chain {far.chain}"
        log = self._evidence.arrival_of(made, far, head)
        if log is None:
            return self._wait(made, now, f"{told}; no node has shown the log of its payout yet")
        depth = head - log.block_number + 1
        if not (depth >= far.confirmations):
            why = f"{told} and waits for {far.confirmations} confirmations ({depth} now)"
            return self._wait(made, now, why)
        return self._delivered(made, far, log, told)

    def _delivered(self, made: Passage, far: StargateChain, log: Log, told: str) -> Track:
        found = self._evidence.measured(made, far, log)
        if found is None:
            return Gone(f"{told} by {log.transaction}, and nothing came to your wallet")
        return Delivered(found, log.block_number)

    def _under_way(
        self, made: Passage, near: StargateChain, far: StargateChain, stand: Stand, now: int
    ) -> Waiting | Act:
        """Who has to do what next, and what we do where nobody does."""
        amount = whole(Amount(far.tokens[made.asset], self._evidence.far_raw(made)))
        since = now - self._evidence.sent_at(made)
        beyond = since - near.verify_seconds
        if stand.kept:
            why = f"Stargate's pool on chain {far.chain} could not pay {amount} out"
            return self._finish(made, far, now, f"{why} (message {made.id})", retry=True)
        if stand.verified:
            why = f"the message that pays {amount} out on chain {far.chain} is verified"
            if beyond > IDLE_SECONDS:
                told = f"{why} and nobody has executed it ({made.id})"
                return self._finish(made, far, now, told, retry=False)
            why = f"{why}, and is executed any moment ({made.id})"
            return self._wait(made, now, why, since=since)
        state = "is late" if beyond > LATE_SECONDS else "is on its way"
        usual = span(near.verify_seconds)
        what = "must be verified anew" if stand.taken_back else f"is verified after about {usual}"
        why = (
            f"{amount} {state} to chain {far.chain}: its message {made.id} {what}; it can neither "
            f"be taken back nor paid to anybody else"
        )
        return self._wait(made, now, why, since=since)

    def _finish(
        self, made: Passage, far: StargateChain, now: int, told: str, *, retry: bool
    ) -> Waiting | Act:
        """Our own transaction where it would go through, and waiting where it would not."""
        to = far.pools[made.asset] if retry else far.endpoint
        data = made.retry_data(self._evidence.far_raw(made)) if retry else made.execute_data()
        if not self._evidence.would_pass(made, to, data):
            why = "it cannot be paid out now, by anybody, and is tried again"
            return self._wait(made, now, f"{told}; {why}", since=IDLE_SECONDS)
        call = Call(far.chain, to, 0, data)
        gas = RETRY_GAS if retry else EXECUTE_GAS
        draft = Draft(purpose="claim", chain=far.chain, payload=call, gas_limit=gas)
        return Act(draft, f"{told}; your wallet does, which costs gas there")

    def _wait(self, made: Passage, now: int, why: str, *, since: int = 0) -> Waiting:
        """Look again the later the longer it takes: it is *since* so many seconds on its way."""
        pause = max(SOON_SECONDS, min(SELDOM_SECONDS, since // PATIENCE))
        return Waiting(now + pause, why, made.id)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Transfers of *account* to itself that have not arrived; raises Unavailable."""
        return tuple(
            self._transfer(made)
            for chain, first in since.items()
            if chain in self._chains
            for made in self._evidence.open_passages(chain, account, first)
        )

    def _transfer(self, made: Passage) -> Transfer:
        far = self._evidence.far(made)
        stranger = Token(ChainId(0), NATIVE, 0, "base units of an unknown token")
        return Transfer(
            via="stargate",
            id=made.id,
            sold=Amount(self._chains[made.origin].tokens[made.asset], made.sent.raw),
            buy=stranger if far is None else far.tokens[made.asset],
            least=self._evidence.far_raw(made),
            deposit=made.sent.log.transaction,
            block=made.sent.log.block_number,
        )

    def rehearse(self, leg: Leg, receipt: Receipt, account: Address) -> Delivery | None:  # noqa: ARG002  whoever executes a message, it pays the wallet
        """What delivers a transfer on a fork; None when it is delivered already."""
        made = self._evidence.passage_of(leg, receipt)
        if not isinstance(made, Passage):
            return None
        far = self._chains[leg.buy.chain]
        node = self._nodes[far.chain]
        if self._evidence.stand(made, far, node.block().number).executed:
            return None
        return rehearsed(made, far, node)
