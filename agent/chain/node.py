"""A chain through its RPC endpoints: everything that the engine asks of a node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from agent.chain import fees_op_stack
from agent.chain.faults import is_limit, refused
from agent.chain.fees import NextBlock, l1_fees, next_block
from agent.chain.holdings import code_hash, holdings
from agent.chain.logs import logs, logs_of
from agent.chain.multicall import aggregating, one_by_one
from agent.chain.proof import proof
from agent.chain.replies import header, payload, quantity, value
from agent.chain.scanner import ARBITRUM_SCANNER_CODE, SCANNER_CODE, OverrideIgnored, Scan, scan
from agent.chain.sight import sight
from agent.chain.upstream import Identity, Question, Upstream
from agent.chain.upstreams import Upstreams
from agent.core.fees import FeeModel, FeeQuote, L1Fee
from agent.core.log import Log, LogQuery
from agent.core.money import Address, ChainId, Token
from agent.core.quote import Allowance, Call
from agent.core.sighting import Sighting
from agent.core.simulated import NOTHING, Simulated
from agent.core.snapshot import Block, ChainSnapshot
from agent.core.storage_proof import StorageProof
from agent.errors import BadReply, WrongChain
from agent.ports import BlockTag, Clock, Read, Sent
from agent.wire.rpc import JSON, Rpc, RpcError

if TYPE_CHECKING:
    from web3 import Web3

Answer = TypeVar("Answer")

TIMEOUT_SECONDS = 10.0
"""Time for one request and its repetitions; a node that needs more will not do better."""

MAX_REPLY_BYTES = 33_554_432
"""Bytes of one reply: ten times the largest honest one (codes of fifty contracts)."""


class RpcNode:
    """The port `Node` over one or several JSON-RPC endpoints of one chain.

    Each endpoint must prove its chain id, and its genesis block where that is pinned, before its
    first answer counts; the proof travels in the same request. Reads move on to the next endpoint
    when one is silent; signed bytes go to all of them, once each. Errors name hosts, never URLs.
    """

    def __init__(
        self,
        chain: ChainId,
        urls: Sequence[str],
        *,
        genesis: str | None,
        multicall3: Address | None,
        max_head_age_seconds: int | None,
        clock: Clock,
        fee_model: FeeModel = "eip1559",
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        """Take URLs in the order of preference; raises ``ValueError`` for one that cannot be.

        *genesis* is the hash of block 0, None where it is not known. *max_head_age_seconds* is
        how old the latest block may be, None where blocks are only mined on demand.
        """
        if not urls:
            raise ValueError(f"chain {chain} has no RPC URL")
        identity = Identity(chain=chain, genesis=genesis, max_head_age_seconds=max_head_age_seconds)
        rpcs = [
            Rpc(url, timeout_seconds=timeout_seconds, max_reply_bytes=max_reply_bytes)
            for url in dict.fromkeys(urls)
        ]
        self._chain = chain
        self._upstreams = Upstreams(chain, [Upstream(rpc, identity, clock) for rpc in rpcs])
        self._fee_model: FeeModel = fee_model
        self._paid_beside_gas = fees_op_stack.Paid() if fee_model == "op_stack" else None
        self._reads = one_by_one if multicall3 is None else aggregating(multicall3)
        self._heights: dict[str, int] = {}
        self._web3_lock = threading.Lock()
        self._web3: Web3 | None = None

    @property
    def chain(self) -> ChainId:
        """The chain that it serves."""
        return self._chain

    @property
    def requests(self) -> int:
        """HTTP requests made so far, to all endpoints together."""
        return self._upstreams.requests

    def snapshot(
        self, account: Address, tokens: Sequence[Token], *, old: bool = False
    ) -> ChainSnapshot:
        """All balances, the block and the account's code of one block, by one request.

        Three requests where the node does not run code of ours in an ``eth_call``. Raises
        ``StaleHead`` for a block that is too old, unless *old* is given.
        """
        before = self.requests
        look = self._last_scan if old else self._fresh_scan
        found = self._ask(lambda node: look(node, account, tokens))
        held = _held(found, tokens)
        return ChainSnapshot(
            chain=self._chain,
            account=account,
            block=found.block,
            balances=MappingProxyType({t: raw for t, raw in held.items() if raw is not None}),
            unreadable=tuple(t for t, raw in held.items() if raw is None),
            code_hash=found.code_hash,
            requests=self.requests - before,
        )

    def balances(self, account: Address, tokens: Sequence[Token], at: int) -> Mapping[Token, int]:
        """Base units at block number *at*; raises ``BadReply`` when one cannot be read."""
        found = self._ask(lambda node: self._scan(node, account, tokens, hex(at)))
        held: dict[Token, int] = {}
        for token, raw in _held(found, tokens).items():
            if raw is None:
                raise BadReply(
                    f"chain {self._chain}: {token.symbol} ({token.address}) does not say its "
                    f"balance at block {at}",
                    fix="check the token's address in chains.toml",
                )
            held[token] = raw
        return MappingProxyType(held)

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        """Answers in order, None for a call that failed; all of them from one block."""
        if not calls:
            return ()
        return tuple(self._ask(lambda node: self._reads(node, calls, _parameter(at))))

    def block(self, at: BlockTag = "latest") -> Block:
        """A block by number or tag; ``StaleHead`` when the latest is too old."""

        def question(node: Upstream) -> Block:
            found = header(_only(node, "eth_getBlockByNumber", (_parameter(at), False)))
            return node.fresh(found) if at == "latest" else found

        return self._ask(question)

    def code_hashes(self, addresses: Sequence[Address]) -> Mapping[Address, str]:
        """Keccak of the runtime code, empty for an account without code."""
        questions: list[Question] = [("eth_getCode", (each, "latest")) for each in addresses]
        codes = self._ask(lambda node: [payload(value(code)) for code in node.batch(questions)])
        return MappingProxyType(
            {each: code_hash(code) for each, code in zip(addresses, codes, strict=True)}
        )

    def fees(self) -> FeeQuote:
        """Base fee of the next block, a usual priority fee, and what a byte of data costs."""
        return self._ask(self._fresh_next_block).fees

    def l1_fees(self, calls: Sequence[tuple[Call, int]]) -> tuple[L1Fee, ...]:
        """What the place of each call (with its gas limit) on the parent chain costs now.

        One request, none where data costs nothing. Raises ``BadReply`` when it cannot be told.
        """
        return self._ask(lambda node: l1_fees(node, calls, self._fee_model))

    def sight(self, account: Address, hashes: Sequence[str]) -> Sighting:
        """Heads, nonces and receipts that belong together."""

        def question(node: Upstream) -> Sighting:
            found = sight(node, account, hashes, self._heights, self._paid_beside_gas)
            node.fresh(found.head)
            return found

        return self._ask(question)

    def pending_nonce(self, account: Address) -> int:
        """The account's next nonce with the node's pool counted in."""
        return self._ask(
            lambda node: quantity(_only(node, "eth_getTransactionCount", (account, "pending")))
        )

    def received(self, account: Address, token: Token, transaction: str) -> tuple[int, int]:
        """(in, out) of *token* by the logs of one mined transaction, base units."""
        from agent.chain.transfers import received

        return self._translated(lambda: received(self.web3, account, token, transaction))

    def logs(self, query: LogQuery) -> tuple[Log, ...]:
        """All logs that match, in order; raises ``StaleHead`` when blocks are missing."""
        return self._ask(lambda node: logs(node, query))

    def logs_of(self, transaction: str) -> tuple[Log, ...]:
        """All logs of one mined transaction; raises ``BadReply`` when it is not mined."""
        return self._ask(lambda node: logs_of(node, transaction))

    def proof(self, account: Address, slot: str, at: int) -> StorageProof:
        """The Merkle proof of one storage slot at block number *at*."""
        return self._ask(lambda node: proof(node, account, slot, at))

    def simulate(
        self,
        account: Address,
        calls: Sequence[tuple[Call, int]],
        watch: Sequence[Token],
        allowances: Sequence[Allowance],
        given: Mapping[Token, int] = NOTHING,
    ) -> Simulated:
        """Run *calls* (each with its gas limit) in a row as the account would, on the head.

        Two requests: the head with its fees, and the calls; more to find out how the account can
        have what is *given*. Raises ``NoSimulator``.
        """
        from agent.chain.given import overrides
        from agent.chain.simulate import Rehearsal, simulate

        extra = self._ask(lambda node: overrides(node, account, given)) if given else {}
        rehearsal = Rehearsal(
            account=account, calls=calls, watch=watch, allowances=allowances, given=extra
        )
        following = self._ask(self._fresh_next_block)
        return self._translated(lambda: simulate(self.web3, following, rehearsal))

    def send(self, raw: str) -> Sent:
        """Hand signed bytes to each endpoint once; an error is an unknown, never a no."""
        return self._upstreams.broadcast(raw)

    @property
    def web3(self) -> Web3:
        """A Web3 on the same endpoints that asks and never sends; imports web3 at first use."""
        from agent.chain.client import web3_over

        with self._web3_lock:
            if self._web3 is None:
                self._web3 = web3_over(self._ask_one, self._chain)
            return self._web3

    def close(self) -> None:
        """Close the idle connections."""
        self._upstreams.close()

    def _ask(self, question: Callable[[Upstream], Answer]) -> Answer:
        return self._translated(lambda: self._upstreams.ask(question))

    def _ask_one(self, method: str, params: Sequence[object]) -> JSON:
        return self._upstreams.ask(lambda node: _only(node, method, params))

    def _translated(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except RpcError as fault:
            raise refused(self._chain, self._upstreams.host, fault) from None

    def _fresh_scan(self, node: Upstream, account: Address, tokens: Sequence[Token]) -> Scan:
        found = self._last_scan(node, account, tokens)
        node.fresh(found.block)
        return found

    def _last_scan(self, node: Upstream, account: Address, tokens: Sequence[Token]) -> Scan:
        return self._scan(node, account, tokens, "latest")

    def _scan(self, node: Upstream, account: Address, tokens: Sequence[Token], at: str) -> Scan:
        """Scan by code of ours; remember if the node cannot, and read in parts instead."""
        if any(token.chain != self._chain for token in tokens):
            raise ValueError(f"tokens of another chain than {self._chain}")
        contracts = [token.address for token in tokens if not token.is_native]
        found = self._scan_by_override(node, account, contracts, at)
        if found is None:
            found = holdings(node, self._reads, account, contracts, at)
        return self._on_chain(found, node)

    def _scan_by_override(
        self, node: Upstream, account: Address, contracts: Sequence[Address], at: str
    ) -> Scan | None:
        if node.overrides is False:
            return None
        try:
            found = scan(node, account, contracts, at, code=self._scanner)
        except OverrideIgnored:
            node.overrides = node.overrides or False
            return None
        except RpcError as fault:
            if node.overrides or is_limit(fault):
                raise
            node.overrides = False
            return None
        node.overrides = True
        return found

    @property
    def _scanner(self) -> bytes:
        return ARBITRUM_SCANNER_CODE if self._fee_model == "arbitrum" else SCANNER_CODE

    def _fresh_next_block(self, node: Upstream) -> NextBlock:
        found = next_block(node, self._chain, self._fee_model)
        node.fresh(found.head)
        return found

    def _on_chain(self, found: Scan, node: Upstream) -> Scan:
        if found.chain != self._chain:
            raise WrongChain(
                f"{node.host} runs contracts on chain {found.chain}, not chain {self._chain}",
                fix=f"put the RPC URL of a node of chain {self._chain}",
            )
        return found


def _only(node: Upstream, method: str, params: Sequence[object]) -> JSON:
    (answer,) = node.batch([(method, params)])
    return value(answer)


def _held(found: Scan, tokens: Sequence[Token]) -> dict[Token, int | None]:
    contracts = iter(found.balances)
    return {token: found.native if token.is_native else next(contracts) for token in tokens}


def _parameter(at: BlockTag) -> str:
    return hex(at) if isinstance(at, int) else at
