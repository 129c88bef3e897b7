"""A bridge on paper: money that arrives, must be claimed, comes back, or is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from agent.core.intent import Draft, Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Quote
from agent.errors import NoRoute
from agent.ports import Act, Delivered, Delivery, Gone, Returned, Track, Transfer, Waiting
from agent.sim.chain import PaperChain
from agent.sim.contracts import arguments, call
from agent.sim.ledger import Ledger, Revert
from agent.sim.venue import QUOTE_SECONDS
from agent.wire.calldata import by_selector

SEND = Layout(
    signature="send(address,uint256,uint256,address,uint256,address,address,uint256)",
    sell=(0,),
    amount_in=(1,),
    to_chain=(2,),
    buy=(3,),
    min_out=(4,),
    recipient=(5,),
    refund=(6,),
    fill_deadline=(7,),
    value_is_fee=True,
)
CLAIM = Layout(signature="claim(bytes32,address,uint256,address)", recipient=(3,))

FILL_SECONDS = 3_600
"""How long a transfer may take before it is paid back, on paper."""

Way = Literal["push", "claim", "refund", "gone", "never"]


class PaperBridge:
    """Takes money on one chain and gives it out on another, `seconds` later.

    `way` says how it ends: pushed to the wallet, to be claimed, refunded at the start, gone,
    or never. A fill happens once per deposit, whatever restarts in between: it is kept in
    the far chain's own state, by the deposit's transaction. `known` are its tokens: to the far
    one of the same symbol goes what is deposited. `message_fee` is wei that it wants on top.
    """

    name = "paper-bridge"

    def __init__(self, address: Address, chains: Mapping[ChainId, PaperChain], way: Way) -> None:
        self.address = address
        self.way = way
        self.seconds = 10
        self.fee_bps = 5
        self.known: tuple[Token, ...] = ()
        self.message_fee = 0
        self._chains = chains

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Deposit and claim."""
        return by_selector(SEND, CLAIM)

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Its contract on every chain that it serves."""
        return {self.address: ""} if chain in self._chains else {}

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """A straight ladder for each route between chains that it serves."""
        return tuple(
            Edge(self.name, sell, buy, ((sizes[sell], self._out(sizes[sell])),), 50_000, 10)
            for sell, buy in routes
            if self._serves(sell, buy) and self._out(sizes.get(sell, 0)) > 0
        )

    def _serves(self, sell: Token, buy: Token) -> bool:
        return {sell.chain, buy.chain} <= set(self._chains) and sell.chain != buy.chain

    def _out(self, raw: int) -> int:
        return raw * (10_000 - self.fee_bps) // 10_000

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Deposits of *account* for which nothing was given on any chain."""
        found = []
        for chain, first in since.items():
            for made in self._chains[chain].blocks[first:]:
                for tx, moves in made.transfers.items():
                    given = any(
                        c.ledger.store.get(f"given:{tx[2:]}") for c in self._chains.values()
                    )
                    sent = [m for m in moves if m[1] == account and m[2] == self.address]
                    found += [
                        self._transfer(chain, made.block.number, tx, m) for m in sent if not given
                    ]
        return tuple(found)

    def _transfer(
        self, chain: ChainId, block: int, tx: str, move: tuple[Address, Address, Address, int]
    ) -> Transfer:
        token = next(
            (each for each in self.known if each.key == (chain, move[0])),
            Token(chain, move[0], 18, ""),
        )
        far = (each for each in self.known if each.chain != chain and each.symbol == token.symbol)
        return Transfer(
            via=self.name,
            id=tx,
            sold=Amount(token, move[3]),
            buy=next(far, token),
            least=self._out(move[3]),
            deposit=tx,
            block=block,
        )

    def rehearse(self, _leg: Leg, _deposit: Receipt, _account: Address) -> Delivery | None:
        """Nothing: on paper the money comes by itself."""
        return None

    def quote(self, leg: Leg, sell_raw: int, account: Address, _min_out: int, now: int) -> Quote:
        """Everything but the fee arrives; raises NoRoute where it has no contract."""
        out = self._out(sell_raw)
        sell = leg.sell.token
        if not self._serves(sell, leg.buy) or not out > 0:
            raise NoRoute(f"no paper bridge from {sell} to {leg.buy}", fix="use another")
        far = (leg.buy.chain, leg.buy.address, out, account)
        values = (sell.address, sell_raw, *far, account, now + FILL_SECONDS)
        return Quote(
            via=self.name,
            sell=Amount(sell, sell_raw),
            buy=leg.buy,
            amount_out=out,
            min_amount_out=out,
            allowances=(Allowance(self.address, Amount(sell, sell_raw)),),
            payload=call(sell.chain, self.address, SEND, values, self.message_fee),
            expires=now + QUOTE_SECONDS,
            gas=50_000,
            fee=self.message_fee,
        )

    def __call__(self, ledger: Ledger, sender: Address, _value: int, data: str, _time: int) -> None:
        """Its contract on both sides: `send` takes, `claim` gives what is owed, once."""
        if data.startswith(next(iter(by_selector(SEND)))):
            token, raw, *_ = arguments(SEND, data)
            ledger.spend(Address(token), sender, self.address, raw)
            return
        deposit, token, raw, to = arguments(CLAIM, data)
        key = f"given:{deposit.hex()}"
        if ledger.store.get(key):
            raise Revert("claimed already")
        ledger.store[key] = 1
        ledger.move(Address(token), self.address, Address(to), raw)

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, _claims: int, now: int) -> Track:
        """Where the money of a deposit is, by what both chains say."""
        origin = self._chains[leg.sell.token.chain]
        mined = origin.block(deposit.block_number)
        if mined.hash != deposit.block_hash:
            return Waiting(now + 5, "the deposit is not where it was mined")
        due = mined.timestamp + self.seconds
        sent, out = Amount(leg.sell.token, sold_raw), Amount(leg.buy, self._out(sold_raw))
        for chain, amount, ended in (
            (leg.buy.chain, out, Delivered),
            (origin.chain, sent, Returned),
        ):
            block = self._given(self._chains[chain], deposit)
            if block is not None:
                return ended(amount, block)
        if self.way == "gone":
            return Gone("the bridge does not know the deposit")
        if now < due or self.way == "never":
            return Waiting(max(due, now + 5), "the relayer has not filled it yet")
        account = origin_account(origin, deposit)
        if self.way == "refund":
            self._give(origin, deposit, sent, account)
            return Returned(sent, self._given(origin, deposit))
        far = self._chains[leg.buy.chain]
        if self.way == "push":
            self._give(far, deposit, out, account)
            return Delivered(out, self._given(far, deposit))
        values = (bytes.fromhex(deposit.hash[2:]), leg.buy.address, out.raw, account)
        payload = call(leg.buy.chain, self.address, CLAIM, values)
        draft = Draft(purpose="claim", chain=leg.buy.chain, payload=payload, gas_limit=90_000)
        return Act(draft, "the money can be claimed")

    def _given(self, chain: PaperChain, deposit: Receipt) -> int | None:
        """The block of a chain in which something was given for a deposit."""
        key = f"given:{deposit.hash[2:]}"
        found = (made.block.number for made in chain.blocks if made.after.store.get(key))
        return next(found, None)

    def _give(self, chain: PaperChain, deposit: Receipt, amount: Amount, account: Address) -> None:
        """The relayer's own transaction, once per deposit."""
        key = f"given:{deposit.hash[2:]}"
        if not chain.ledger.store.get(key):
            chain.mine()
            chain.ledger.store[key] = 1
            chain.ledger.move(amount.token.address, self.address, account, amount.raw)


def origin_account(chain: PaperChain, deposit: Receipt) -> Address:
    """Who made a deposit, by the transfers of its transaction."""
    return chain.blocks[deposit.block_number].transfers[deposit.hash][0][1]
