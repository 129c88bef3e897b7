"""The long way home: what a withdrawal waits for, and which claim of ours is next.

Everything is read from both chains each time, so that a restart, a proof by somebody else or an
output that fell changes nothing but the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.bridges._op_games import Game, Portals, Proof, Rules
from agent.bridges._op_messages import Messages, clock
from agent.bridges._op_stack import PORTAL, Message, Withdrawal, output_root
from agent.bridges._op_ways import Way
from agent.core.intent import Draft
from agent.core.money import Address, Amount, ChainId
from agent.core.quote import Call
from agent.core.snapshot import Block
from agent.core.storage_proof import StorageProof
from agent.core.wording import span, whole
from agent.errors import BadReply
from agent.ports import Act, Gone, Node, Prover, Read, Track, Waiting

SOON_SECONDS, SELDOM_SECONDS = 5, 30
"""Pauses between looks: while it may come any moment, and while an output is awaited, which is
stated about each hour."""

TRIED_GAMES = 16
"""Games that cover a withdrawal and are compared with our own node, the newest first: anybody who
pays its bond may state a false output."""

PROVE_GAS, NODE_GAS = 250_000, 60_000
"""Gas for a proof, and for each node of its path: 208 000 were measured with two nodes, and on
mainnet there are about eight, each of which takes some 35 000."""

FINALIZE_GAS = 200_000
"""Gas beside what the withdrawal itself reserves, of which little is used: the portal wants 142 000
on local chains, and newer ones look at more contracts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One withdrawal that the portal has not passed on, seen at one block of the parent chain."""

    way: Way
    message: Message
    made: Withdrawal
    rules: Rules
    head: Block
    now: int

    @property
    def money(self) -> str:
        return whole(Amount(self.way.rollup.native, self.message.amount))

    def wait(self, until: int, why: str) -> Waiting:
        return Waiting(until, f"{self.money}: {why}", self.message.id)

    def act(self, data: str, gas: int, why: str) -> Act:
        chain = self.way.parent.chain
        call = Call(chain, self.way.portal, 0, data)
        draft = Draft(purpose="claim", chain=chain, payload=call, gas_limit=gas)
        return Act(draft, f"{self.money}: {why}")


class Withdrawals:
    """Says of withdrawals what comes next; every method raises Unavailable."""

    def __init__(self, nodes: Mapping[ChainId, Node], messages: Messages) -> None:
        self._nodes = nodes
        self._messages = messages
        self._portals = Portals(nodes)

    def next(self, way: Way, message: Message, head: Block, now: int) -> Track:
        """What a message to the parent chain needs that its messenger has not seen by *head*."""
        made = self._messages.withdrawn(way, message)
        if made is None:
            return Gone(f"transaction {message.log.transaction} withdrew nothing by the rollup")
        if self._portals.is_finalized(way, made, head.number):
            return Gone(f"the portal passed withdrawal {message.id} on and nothing was delivered")
        rules = self._portals.rules(way, head.number)
        case = _Case(way=way, message=message, made=made, rules=rules, head=head, now=now)
        if rules.paused:
            return case.wait(now + SELDOM_SECONDS, "its rollup's guardian has paused withdrawals")
        proofs = self._portals.proofs(way, made, message.payer, rules, head.number)
        for proof in proofs:
            if proof.ready:
                return _finalize(case, proof)
        standing = [proof for proof in proofs if self._stands(case, proof)]
        if standing:
            return _mature(case, min(standing, key=lambda proof: proof.due))
        ours = (proof for proof in proofs if proof.submitter == message.payer)
        return self._prove(case, {proof.game for proof in ours})

    def _stands(self, case: _Case, proof: Proof) -> bool:
        """Whether a proof is worth waiting for: a false output never pays, and delays.

        One whose time is over and that the portal still does not take never pays either.
        """
        if proof.fallen or (proof.resolved and case.head.timestamp > proof.due + SELDOM_SECONDS):
            return False
        if proof.submitter == case.message.payer:
            return True
        head = self._nodes[case.way.rollup.chain].block().number
        return proof.block <= head and _root(self._proof(case, proof.block)) == proof.root

    def _prove(self, case: _Case, given_up: set[Address]) -> Track:
        """Prove it by the newest true output that covers it, or wait for one."""
        games = self._portals.newest(case.way, case.rules, case.head.number)
        reached = self._nodes[case.way.rollup.chain].block().number
        there = [game for game in games if game.block <= reached]
        covering = [game for game in there if game.block >= case.made.block]
        # Who proves in the second of the output is never paid.
        ripe = [game for game in covering if game.timestamp < case.head.timestamp]
        for game in ripe[:TRIED_GAMES]:
            if self._portals.has_fallen(case.way, game.address, case.head.number):
                continue
            found = self._proof(case, game.block)
            if _root(found) == game.root and found.value and game.address not in given_up:
                data = _prove_data(case.made, game, found)
                if self._is_taken(case, data):
                    again = " once more, since the output before was given up" if given_up else ""
                    why = f"its withdrawal is proven by the rollup's output {game.index}{again}"
                    return case.act(data, PROVE_GAS + NODE_GAS * len(found.nodes), why)
        latest = max((game.block for game in there), default=0)
        return _uncovered(case, latest, soon=len(ripe) < len(covering))

    def _is_taken(self, case: _Case, data: str) -> bool:
        """Whether the portal would take a proof now: it knows rules that we do not."""
        (taken,) = self._nodes[case.way.parent.chain].read([Read(case.way.portal, data)])
        return taken is not None

    def _proof(self, case: _Case, block: int) -> StorageProof:
        node = self._nodes[case.way.rollup.chain]
        if not isinstance(node, Prover):
            raise BadReply(
                f"the node of chain {node.chain} makes no proofs", fix="put another RPC URL"
            )
        return node.proof(case.way.passer, case.made.slot, block)


def _root(proof: StorageProof) -> bytes:
    return output_root(
        state_root=proof.state_root,
        storage_root=proof.storage_root,
        block_hash=proof.block_hash,
    )


def _prove_data(made: Withdrawal, game: Game, proof: StorageProof) -> str:
    root = (bytes(32), proof.state_root, proof.storage_root, proof.block_hash)
    return PORTAL["proveWithdrawalTransaction"].encode(made.fields, game.index, root, proof.nodes)


def _uncovered(case: _Case, latest: int, *, soon: bool) -> Waiting:
    chain, block = case.way.rollup.chain, case.made.block
    state = f"the newest is of block {latest}"
    if latest >= block:
        state += ", and is too new" if soon else ", and is not what our own node says"
    why = (
        f"it waits for an output of chain {chain} that covers its block {block} ({state}), then it "
        f"is proven, and paid after {span(case.rules.maturity)}"
    )
    return case.wait(case.now + (SOON_SECONDS if soon else SELDOM_SECONDS), why)


def _mature(case: _Case, proof: Proof) -> Waiting:
    due = proof.due + 1
    by = "" if proof.submitter == case.message.payer else f" by {proof.submitter}"
    if case.head.timestamp <= proof.due:
        why = (
            f"its withdrawal is proven{by}; anybody may challenge the output that it rests on, "
            f"and it is paid after {clock(due)}"
        )
        return case.wait(case.now + due - case.head.timestamp, why)
    why = f"its withdrawal is proven{by}, and nobody has ended the game of its output yet"
    return case.wait(case.now + SELDOM_SECONDS, why)


def _finalize(case: _Case, proof: Proof) -> Act:
    if proof.submitter == case.message.payer:
        data = PORTAL["finalizeWithdrawalTransaction"].encode(case.made.fields)
    else:
        data = PORTAL["finalizeWithdrawalTransactionExternalProof"].encode(
            case.made.fields, proof.submitter
        )
    gas = case.made.gas * 64 // 63 + FINALIZE_GAS
    return case.act(data, gas, "the challenge period of its withdrawal is over, and it is paid")
