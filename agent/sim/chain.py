"""A chain on paper: nonces, a pool, blocks that can be reorganised, and the Node port."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from agent.core.fees import FeeQuote
from agent.core.intent import Receipt
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Allowance, Call
from agent.core.sighting import Sighting
from agent.core.simulated import Simulated
from agent.core.snapshot import Block, ChainSnapshot
from agent.errors import Unavailable
from agent.ports import BlockTag, Clock, Read, Sent
from agent.sim.ledger import Ledger, Revert
from agent.wire.abi import decode
from agent.wire.erc20 import ALLOWANCE, APPROVE
from agent.wire.keccak import selector

Contract = Callable[[Ledger, Address, int, str, int], None]
"""Runs a call: (ledger, sender, value in wei, data, chain time); raises Revert."""

GAS_USED = 50_000
"""Gas of every call on paper but a plain transfer."""

PLAIN_GAS = 21_000
BASE_FEE = 10**9
POOL_BUMP_PERCENT = 110
"""A transaction replaces another of the same nonce only when it offers 10 % more."""


@dataclass(frozen=True, slots=True)
class PaperTx:
    """Signed bytes as a paper chain reads them; fees in wei per gas."""

    hash: str
    sender: Address
    nonce: int
    to: Address
    value: int
    data: str
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


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
    called. `finality` is how many blocks behind the head are final.
    """

    def __init__(
        self, chain: ChainId, clock: Clock, *, automine: bool = True, finality: int = 2
    ) -> None:
        self.chain = chain
        self.requests = 0
        self.automine = automine
        self.finality = finality
        self.base_fee = BASE_FEE
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
        for _ in range(count):
            parent = self.blocks[-1].block
            number = parent.number + 1
            timestamp = max(parent.timestamp + 1, self._clock.now())
            header = Block(
                number, self._hash(number, parent.hash), parent.hash, timestamp, self.base_fee
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

    def _include(self, tx: PaperTx, made: PaperBlock) -> None:
        state = made.after
        if tx.nonce != state.nonces.get(tx.sender, 0) or tx.max_fee_per_gas < self.base_fee:
            return
        price = min(tx.max_fee_per_gas, self.base_fee + tx.max_priority_fee_per_gas)
        state.nonces[tx.sender] = tx.nonce + 1
        trial = state.copy()
        trial.log = []
        gas = PLAIN_GAS if tx.data == "0x" else GAS_USED
        fee = min(gas, tx.gas_limit) * price
        try:
            trial.move(NATIVE, tx.sender, Address("fees"), fee)
            call = Call(self.chain, tx.to, tx.value, tx.data)
            self._call(trial, tx.sender, call, made.block.timestamp)
            _check_gas(gas, tx.gas_limit)
            ok, made.after = True, trial
        except Revert:
            ok = False
            state.move(
                NATIVE, tx.sender, Address("fees"), min(fee, state.balance(NATIVE, tx.sender))
            )
        made.transfers[tx.hash] = made.after.log[:] if ok else []
        made.receipts[tx.hash] = Receipt(
            hash=tx.hash,
            block_number=made.block.number,
            block_hash=made.block.hash,
            ok=ok,
            gas_used=min(gas, tx.gas_limit),
            fee=fee,
        )

    def _call(self, state: Ledger, sender: Address, call: Call, time: int) -> None:
        to, value, data = call.to, call.value, call.data
        if value:
            state.move(NATIVE, sender, to, value)
        if data.startswith(selector(APPROVE)):
            spender, raw = decode(("address", "uint256"), bytes.fromhex(data[10:]))
            state.approve(to, sender, Address(spender), raw)
        elif to in self.contracts:
            self.contracts[to](state, sender, value, data, time)
        elif data != "0x":
            raise Revert("no such contract")

    # The Node port.

    def snapshot(self, account: Address, tokens: Sequence[Token]) -> ChainSnapshot:
        """All balances at the head."""
        self.requests += 1
        head = self.blocks[-1]
        balances = {token: head.after.balance(token.address, account) for token in tokens}
        code = head.after.code.get(account, "")
        return ChainSnapshot(self.chain, account, head.block, balances, code_hash=code)

    def balances(self, account: Address, tokens: Sequence[Token], at: int) -> Mapping[Token, int]:
        """Base units at block *at*."""
        self.requests += 1
        state = self._at(at).after
        return {token: state.balance(token.address, account) for token in tokens}

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        """Allowances and balances; None for anything else."""
        self.requests += 1
        state = self._at(at).after
        return tuple(_answer(state, call) for call in calls)

    def block(self, at: BlockTag = "latest") -> Block:
        """A block by number or tag."""
        self.requests += 1
        return self._at(at).block

    def code_hashes(self, addresses: Sequence[Address]) -> Mapping[Address, str]:
        """What `Ledger.code` says; contracts and tokens of the ledger have some code."""
        self.requests += 1
        state = self.ledger
        tokens = {token for token, _ in state.balances}
        return {
            address: state.code.get(
                address, "0xc0de" if address in self.contracts or address in tokens else ""
            )
            for address in addresses
        }

    def fees(self) -> FeeQuote:
        """The base fee and one gwei."""
        self.requests += 1
        return FeeQuote(self.base_fee, 10**9)

    def sight(self, account: Address, hashes: Sequence[str]) -> Sighting:
        """Heads, nonces and receipts together."""
        self.requests += 1
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
        self.requests += 1
        nonce = self.ledger.nonces.get(account, 0)
        while (account, nonce) in self.pool:
            nonce += 1
        return nonce

    def received(self, account: Address, token: Token, transaction: str) -> tuple[int, int]:
        """(in, out) of *token* by the transfers of one mined transaction."""
        self.requests += 1
        for made in self.blocks:
            if transaction in made.transfers:
                moves = [m for m in made.transfers[transaction] if m[0] == token.address]
                came = sum(raw for _, _, to, raw in moves if to == account)
                return came, sum(raw for _, source, _, raw in moves if source == account)
        raise Unavailable(f"{transaction} is not mined", fix="look again later")

    def simulate(
        self,
        account: Address,
        calls: Sequence[tuple[Call, int]],
        watch: Sequence[Token],
        allowances: Sequence[Allowance],
    ) -> Simulated:
        """Run *calls* on a copy of the head."""
        self.requests += 1
        trial = self.ledger.copy()
        before = {token: trial.balance(token.address, account) for token in watch}
        used: list[int] = []
        reverted: tuple[int, str] | None = None
        for index, (call, _) in enumerate(calls):
            try:
                time = self.blocks[-1].block.timestamp + 1
                self._call(trial, account, call, time)
            except Revert as error:
                reverted = (index, str(error))
                break
            used.append(GAS_USED)
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
        text = bytes.fromhex(raw.removeprefix("0x"))
        content = json.loads(text)
        del content["chain"]
        tx = PaperTx(hash="0x" + sha256(text).hexdigest(), **content)
        if self._receipt(tx.hash) is not None:
            return Sent(accepted=False, said="already known")
        if tx.nonce < self.ledger.nonces.get(tx.sender, 0):
            return Sent(accepted=False, said="nonce too low")
        rival = self.pool.get((tx.sender, tx.nonce))
        if rival is not None and rival.hash == tx.hash:
            return Sent(accepted=False, said="transaction already imported")
        if (
            rival is not None
            and tx.max_fee_per_gas * 100 < rival.max_fee_per_gas * POOL_BUMP_PERCENT
        ):
            return Sent(accepted=False, said="replacement transaction underpriced")
        self.pool[tx.sender, tx.nonce] = tx
        if self.automine:
            self.mine()
        return Sent(accepted=True)

    def _at(self, tag: BlockTag) -> PaperBlock:
        if tag == "latest":
            return self.blocks[-1]
        if tag == "finalized":
            return self.blocks[max(0, len(self.blocks) - 1 - self.finality)]
        return self.blocks[tag]

    def _receipt(self, transaction: str) -> Receipt | None:
        for made in self.blocks:
            if transaction in made.receipts:
                return made.receipts[transaction]
        return None


def _check_gas(used: int, limit: int) -> None:
    if used > limit:
        raise Revert("out of gas")


def _answer(state: Ledger, call: Read) -> bytes | None:
    body = bytes.fromhex(call.data[10:])
    if call.data.startswith(selector(ALLOWANCE)):
        owner, spender = decode(("address", "address"), body)
        raw = state.allowances.get((call.to, Address(owner), Address(spender)), 0)
        return raw.to_bytes(32, "big")
    return None
