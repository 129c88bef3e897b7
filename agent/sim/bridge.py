"""A bridge on paper: money that arrives, must be claimed, comes back, or is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.core.intent import Draft, Receipt
from agent.core.layout import Layout
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Allowance, Quote
from agent.ports import Act, Delivered, Gone, Returned, Track, Waiting
from agent.sim.chain import PaperChain
from agent.sim.contracts import arguments, call
from agent.sim.ledger import Ledger, Revert
from agent.sim.venue import QUOTE_SECONDS
from agent.wire.calldata import by_selector

SEND = Layout(
    signature="send(address,uint256,address,uint256,address)",
    sell=(0,),
    amount_in=(1,),
    buy=(2,),
    min_out=(3,),
    recipient=(4,),
)
CLAIM = Layout(signature="claim(bytes32,address,uint256,address)", recipient=(3,))

Way = Literal["push", "claim", "refund", "gone", "never"]


class PaperBridge:
    """Takes money on one chain and gives it out on another, `seconds` later.

    `way` says how it ends: pushed to the wallet, to be claimed, refunded at the start, gone,
    or never. A fill happens once per deposit, whatever restarts in between: it is kept in
    the far chain's own state, by the deposit's transaction.
    """

    name = "paper-bridge"

    def __init__(self, address: Address, chains: Mapping[ChainId, PaperChain], way: Way) -> None:
        self.address = address
        self.way = way
        self.seconds = 10
        self.fee_bps = 5
        self._chains = chains

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Deposit and claim."""
        return by_selector(SEND, CLAIM)

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Its contract on every chain that it serves."""
        return {self.address: ""} if chain in self._chains else {}

    def quote(self, leg: Leg, sell_raw: int, account: Address, _min_out: int, now: int) -> Quote:
        """Everything but the fee arrives."""
        out = sell_raw * (10_000 - self.fee_bps) // 10_000
        sell = leg.sell.token
        values = (sell.address, sell_raw, leg.buy.address, out, account)
        return Quote(
            via=self.name,
            sell=Amount(sell, sell_raw),
            buy=leg.buy,
            amount_out=out,
            min_amount_out=out,
            allowances=(Allowance(self.address, Amount(sell, sell_raw)),),
            payload=call(sell.chain, self.address, SEND, values),
            expires=now + QUOTE_SECONDS,
            gas=50_000,
        )

    def __call__(self, ledger: Ledger, sender: Address, _value: int, data: str, _time: int) -> None:
        """Its contract on both sides: `send` takes, `claim` gives what is owed, once."""
        if data.startswith(next(iter(by_selector(SEND)))):
            token, raw, _, _, _ = arguments(SEND, data)
            ledger.spend(Address(token), sender, self.address, raw)
            return
        deposit, token, raw, to = arguments(CLAIM, data)
        key = f"given:{deposit.hex()}"
        if ledger.store.get(key):
            raise Revert("claimed already")
        ledger.store[key] = 1
        ledger.move(Address(token), self.address, Address(to), raw)

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money of a deposit is."""
        origin = self._chains[leg.sell.token.chain]
        mined = origin.block(deposit.block_number)
        if mined.hash != deposit.block_hash:
            return Waiting(now + 5, "the deposit is not where it was mined")
        due = mined.timestamp + self.seconds
        if self.way == "gone":
            return Gone("the bridge does not know the deposit")
        if now < due or self.way == "never":
            return Waiting(max(due, now + 5), "the relayer has not filled it yet")
        account = origin_account(origin, deposit)
        out = sold_raw * (10_000 - self.fee_bps) // 10_000
        if self.way == "refund":
            amount = Amount(leg.sell.token, sold_raw)
            self._give(origin, deposit, amount, account)
            return Returned(amount)
        amount = Amount(leg.buy, out)
        if self.way == "push":
            self._give(self._chains[leg.buy.chain], deposit, amount, account)
            return Delivered(amount)
        if claims:
            return Delivered(amount)
        values = (bytes.fromhex(deposit.hash[2:]), leg.buy.address, out, account)
        payload = call(leg.buy.chain, self.address, CLAIM, values)
        draft = Draft(purpose="claim", chain=leg.buy.chain, payload=payload, gas_limit=90_000)
        return Act(draft, "the money can be claimed")

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
