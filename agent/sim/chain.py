"""A chain on paper: nonces, a pool, blocks that can be reorganised, and the Node port."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from agent.core.fees import FeeQuote, L1Fee
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Allowance, Call
from agent.core.sighting import Sighting
from agent.core.simulated import NOTHING, Simulated
from agent.core.snapshot import Block, ChainSnapshot
from agent.errors import BadReply, StaleHead, Unavailable, Unreachable
from agent.ports import BlockTag, Clock, Read, Sent
from agent.sim import token as erc20
from agent.sim.ledger import Ledger, Revert
from agent.sim.logs import matches, transfer_logs
from agent.sim.transaction import PaperTx, check_gas, gas_of, parse

Contract = Callable[[Ledger, Address, int, str, int], None]
"""Runs a call: (ledger, sender, value in wei, data, chain time); raises Revert."""

BASE_FEE = 10**9
PRIORITY_FEE = 10**9
CODE_HASH = "0x" + "c0de" * 16
"""Hash of the code of every contract and token on paper that has no other in the ledger."""

NO_FUNDS = "insufficient funds for gas * price + value"


@dataclass(slots=True)
class PaperBlock:
    """One block: its header, the state after it, and what was mined in it."""

    block: Block
    after: Ledger
    receipts: dict[str, Receipt] = field(default_factory=dict)
    transfers: dict[str, list[tuple[Address, Address, Address, int]]] = field(default_factory=dict)


class PaperChain:
    """Implements the Node port over a ledger in memory.

    With `automine` a submitted transaction is mined at once; otherwise `mine` must be
    called. `finality` is how many blocks behind the head are final. `data` is what it charges
    each transaction for its place on a parent chain. `down`, its node does not answer; `halted`,
    no block comes and the head is too old to decide on.
    """

    def __init__(
        self, chain: ChainId, clock: Clock, *, automine: bool = True, finality: int = 2
    ) -> None:
        self.chain = chain
        self.requests = 0
        self.automine = automine
        self.down = False
        self.halted = False
        self.finality = finality
        self.base_fee = BASE_FEE
        self.data = L1Fee()
        self.contracts: dict[Address, Contract] = {}
        self.pool: dict[tuple[Address, int], PaperTx] = {}
        self.strangers: list[Address] = []
        self._clock = clock
        self._salt = 0
        genesis = Block(0, self._hash(0, ""), "", clock.now(), self.base_fee)
        self.blocks = [PaperBlock(genesis, Ledger())]

    # The world's side: what a test or a backtest does to the chain.

    @property
    def ledger(self) -> Ledger:
        """The state after the newest block; changing it is an act from outside."""
        return self.blocks[-1].after

    def mine(self, count: int = 1) -> None:
        """Mine blocks: everything in the pool that pays the base fee, in nonce order."""
        for _ in range(0 if self.halted else count):
            parent = self.blocks[-1].block
            number = parent.number + 1
            header = Block(
                number, self._hash(number, parent.hash), parent.hash, self._next(), self.base_fee
            )
            made = PaperBlock(header, self.ledger.copy())
            self.blocks.append(made)
            for stranger in self.strangers:
                made.after.nonces[stranger] = made.after.nonces.get(stranger, 0) + 1
            self.strangers = []
            for key in sorted(self.pool, key=lambda item: item[1]):
                self._include(self.pool[key], made)
            self.pool = {
                key: tx
                for key, tx in self.pool.items()
                if tx.nonce >= made.after.nonces.get(tx.sender, 0)
            }

    def reorg(self, depth: int) -> None:
        """Throw the newest *depth* blocks away with what was mined in them, then mine others."""
        del self.blocks[-depth:]
        self._salt += 1
        self.mine(depth)

    def use_nonce(self, account: Address) -> None:
        """Another transaction of *account* is mined with the next block."""
        self.strangers.append(account)

    def _hash(self, number: int, parent: str) -> str:
        text = f"{self.chain}:{number}:{parent}:{self._salt}"
        return "0x" + sha256(text.encode()).hexdigest()

    def _next(self) -> int:
        """Unix seconds of the next block."""
        return max(self.blocks[-1].block.timestamp + 1, self._clock.now())

    def _include(self, tx: PaperTx, made: PaperBlock) -> None:
        state = made.after
        if tx.nonce != state.nonces.get(tx.sender, 0) or tx.max_fee_per_gas < self.base_fee:
            return
        if not tx.most + self.data.wei <= state.balance(NATIVE, tx.sender):
            return
        price = min(tx.max_fee_per_gas, self.base_fee + tx.max_priority_fee_per_gas)
        state.nonces[tx.sender] = tx.nonce + 1
        trial = state.copy()
        trial.log = []
        call = Call(self.chain, tx.to, tx.value, tx.data)
        gas = min(gas_of(call) + self.data.gas, tx.gas_limit)
        fee = gas * price + self.data.wei
        trial.move(NATIVE, tx.sender, Address("fees"), fee)
        try:
            self._call(trial, tx.sender, call, made.block.timestamp)
            check_gas(call, tx.gas_limit - self.data.gas)
            ok, made.after = True, trial
        except Revert:
            ok = False
            state.move(NATIVE, tx.sender, Address("fees"), fee)
        made.transfers[tx.hash] = made.after.log[:] if ok else []
        made.receipts[tx.hash] = Receipt(
            hash=tx.hash,
            block_number=made.block.number,
            block_hash=made.block.hash,
            ok=ok,
            gas_used=gas,
            fee=fee,
        )

    def _call(self, state: Ledger, sender: Address, call: Call, time: int) -> None:
        to, value, data = call.to, call.value, call.data
        if value:
            state.move(NATIVE, sender, to, value)
        is_token = state.is_token(to)
        if is_token and erc20.act(state, sender, to, data):
            return
        if to in self.contracts:
            self.contracts[to](state, sender, value, data, time)
        elif is_token:
            raise Revert("no such function")
        # Where there is no code, every call succeeds and does nothing, as on real chains.

    def _asked(self, *, of_head: bool = False) -> None:
        """Count a request; raises what a node that is down or whose chain stands still is."""
        self.requests += 1
        if self.down:
            raise Unreachable(f"chain {self.chain}: no answer", fix="wait")
        if of_head and self.halted:
            raise StaleHead(f"chain {self.chain}: no new blocks", fix="wait")

    # The Node port.

    def snapshot(
        self, account: Address, tokens: Sequence[Token], *, old: bool = False
    ) -> ChainSnapshot:
        """All balances at the head."""
        self._asked(of_head=not old)
        head = self.blocks[-1]
        held = self._held(head.after, account, tokens)
        return ChainSnapshot(
            self.chain,
            account,
            head.block,
            {token: raw for token, raw in held.items() if raw is not None},
            tuple(token for token, raw in held.items() if raw is None),
            self._code(account),
        )

    def balances(self, account: Address, tokens: Sequence[Token], at: int) -> Mapping[Token, int]:
        """Base units at block *at*; raises BadReply for a token that is none."""
        self._asked()
        found: dict[Token, int] = {}
        for token, raw in self._held(self._at(at).after, account, tokens).items():
            if raw is None:
                raise BadReply(f"{token.address} does not say its balance", fix="none")
            found[token] = raw
        return found

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        """What tokens answer; nothing without code, None from every other contract."""
        if not calls:
            return ()
        self._asked()
        state = self._at(at).after
        return tuple(
            erc20.answer(state, call.to, call.data)
            if state.is_token(call.to)
            else (None if self._code(call.to) else b"")
            for call in calls
        )

    def block(self, at: BlockTag = "latest") -> Block:
        """A block by number or tag."""
        self._asked(of_head=at == "latest")
        return self._at(at).block

    def code_hashes(self, addresses: Sequence[Address]) -> Mapping[Address, str]:
        """What `Ledger.code` says; contracts and tokens of the ledger have some code."""
        self._asked()
        return {address: self._code(address) for address in addresses}

    def fees(self) -> FeeQuote:
        """The base fee and one gwei."""
        self._asked(of_head=True)
        return FeeQuote(self.base_fee, PRIORITY_FEE)

    def l1_fees(self, calls: Sequence[tuple[Call, int]]) -> tuple[L1Fee, ...]:
        """The same for every call."""
        self._asked()
        return tuple(self.data for _ in calls)

    def sight(self, account: Address, hashes: Sequence[str]) -> Sighting:
        """Heads, nonces and receipts together."""
        self._asked(of_head=True)
        head = self.blocks[-1]
        final = self._at("finalized")
        pooled = {tx.hash for tx in self.pool.values()}
        receipts = tuple(self._receipt(item) for item in hashes)
        return Sighting(
            head=head.block,
            finalized=final.block.number,
            nonce=head.after.nonces.get(account, 0),
            nonce_final=final.after.nonces.get(account, 0),
            receipts=receipts,
            known=tuple(
                item in pooled or receipt is not None
                for item, receipt in zip(hashes, receipts, strict=True)
            ),
        )

    def pending_nonce(self, account: Address) -> int:
        """The account's next nonce with the pool counted in."""
        self._asked()
        nonce = self.ledger.nonces.get(account, 0)
        while (account, nonce) in self.pool:
            nonce += 1
        return nonce

    def received(self, account: Address, token: Token, transaction: str) -> tuple[int, int]:
        """(in, out) of *token* by the transfers of one mined transaction."""
        if token.is_native:
            raise ValueError("the native coin has no Transfer logs")
        self._asked()
        for made in self.blocks:
            if transaction in made.transfers:
                moves = [m for m in made.transfers[transaction] if m[0] == token.address]
                came = sum(raw for _, _, to, raw in moves if to == account)
                return came, sum(raw for _, source, _, raw in moves if source == account)
        raise BadReply(f"{transaction} is not mined", fix="look again later")

    def logs(self, query: LogQuery) -> tuple[Log, ...]:
        """Transfers of one token: nothing else leaves logs on paper."""
        self._asked()
        if not query.last < len(self.blocks):
            raise StaleHead(f"chain {self.chain} has no block {query.last} yet", fix="wait")
        found = [
            log
            for made in self.blocks[query.first : query.last + 1]
            for log in transfer_logs(made.block, made.transfers)
        ]
        return tuple(log for log in found if matches(log, query))

    def logs_of(self, transaction: str) -> tuple[Log, ...]:
        """The transfers of one mined transaction."""
        self._asked()
        for made in self.blocks:
            if transaction in made.transfers:
                found = transfer_logs(made.block, made.transfers)
                return tuple(log for log in found if log.transaction == transaction)
        raise BadReply(f"{transaction} is not mined", fix="look again later")

    def simulate(
        self,
        account: Address,
        calls: Sequence[tuple[Call, int]],
        watch: Sequence[Token],
        allowances: Sequence[Allowance],
        given: Mapping[Token, int] = NOTHING,
    ) -> Simulated:
        """Run *calls* on a copy of the head; one that fails does not stop those after it."""
        self._asked(of_head=True)
        trial = self.ledger.given(account, given)
        before = {token: trial.balance(token.address, account) for token in watch}
        price = self.base_fee + PRIORITY_FEE
        used: list[int] = []
        reverted: tuple[int, str] | None = None
        for index, (call, gas_limit) in enumerate(calls):
            owned = trial.balance(NATIVE, account) - price * sum(used)
            if not call.value + price * gas_limit <= owned:
                return Simulated(
                    ok=False, gas_used=(), deltas={}, allowances=(), reverted=(0, NO_FUNDS)
                )
            attempt = trial.copy()
            try:
                self._call(attempt, account, call, self._next())
                check_gas(call, gas_limit)
                trial = attempt
            except Revert as error:
                reverted = reverted or (index, str(error))
            used.append(min(gas_of(call), gas_limit))
        left = tuple(
            trial.allowances.get((item.amount.token.address, account, item.spender), 0)
            for item in allowances
        )
        deltas = {
            token: trial.balance(token.address, account) - raw for token, raw in before.items()
        }
        return Simulated(
            ok=reverted is None,
            gas_used=tuple(used),
            deltas=deltas,
            allowances=left,
            reverted=reverted,
        )

    def send(self, raw: str) -> Sent:
        """Take signed bytes into the pool, or say why not in a node's words."""
        self.requests += 1
        if self.down:
            return Sent(accepted=False, said="no answer")
        try:
            chain, tx = parse(raw)
        except (ValueError, KeyError, TypeError):
            return Sent(accepted=False, said="failed to decode signed transaction")
        refusal = "invalid chain id" if chain != self.chain else self._refusal(tx)
        if refusal is not None:
            return Sent(accepted=False, said=refusal)
        self.pool[tx.sender, tx.nonce] = tx
        if self.automine:
            self.mine()
        return Sent(accepted=True)

    def _refusal(self, tx: PaperTx) -> str | None:
        """Why the pool does not take a transaction, None when it does."""
        rival = self.pool.get((tx.sender, tx.nonce))
        if self._receipt(tx.hash) is not None:
            return "already known"
        if tx.nonce < self.ledger.nonces.get(tx.sender, 0):
            return "nonce too low"
        if not tx.most + self.data.wei <= self.ledger.balance(NATIVE, tx.sender):
            return NO_FUNDS
        if rival is not None and rival.hash == tx.hash:
            return "transaction already imported"
        if rival is not None and not tx.beats(rival):
            return "replacement transaction underpriced"
        return None

    def _held(
        self, state: Ledger, account: Address, tokens: Sequence[Token]
    ) -> dict[Token, int | None]:
        """Base units, None for a token that is none: unknown is never zero."""
        if any(token.chain != self.chain for token in tokens):
            raise ValueError(f"tokens of another chain than {self.chain}")
        return {
            token: state.balance(token.address, account)
            if token.is_native or state.is_token(token.address)
            else None
            for token in tokens
        }

    def _code(self, address: Address) -> str:
        there = address in self.contracts or self.ledger.is_token(address)
        return self.ledger.code.get(address, CODE_HASH if there else "")

    def _at(self, tag: BlockTag) -> PaperBlock:
        if tag == "latest":
            return self.blocks[-1]
        if tag == "finalized":
            return self.blocks[max(0, len(self.blocks) - 1 - self.finality)]
        if not 0 <= tag < len(self.blocks):
            raise Unavailable(f"chain {self.chain} has no block {tag}", fix="look again later")
        return self.blocks[tag]

    def _receipt(self, transaction: str) -> Receipt | None:
        for made in self.blocks:
            if transaction in made.receipts:
                return made.receipts[transaction]
        return None
