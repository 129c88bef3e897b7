"""Transactions of the paper world's wallet, and what became of them."""

from __future__ import annotations

from paper_world import ME, World

from agent.core.intent import Receipt, SignedTx, UnsignedTx
from agent.core.quote import Allowance, Call, Quote
from agent.core.simulated import Simulated
from agent.sim.chain import PaperChain
from agent.sim.signer import signed
from agent.wire.erc20 import approve

GWEI = 10**9
PLENTY = 200_000


def sign(
    call: Call, nonce: int, *, tip: int = GWEI, max_fee: int = 10 * GWEI, gas_limit: int = PLENTY
) -> SignedTx:
    """The wallet's bytes; *tip* and *max_fee* are wei per gas."""
    return signed(
        UnsignedTx(
            chain=call.chain,
            sender=ME,
            nonce=nonce,
            to=call.to,
            value=call.value,
            data=call.data,
            gas_limit=gas_limit,
            max_fee_per_gas=max_fee,
            max_priority_fee_per_gas=tip,
        )
    )


def receipt(node: PaperChain, sent: SignedTx) -> Receipt | None:
    return node.sight(ME, [sent.hash]).receipts[0]


def mined(node: PaperChain, call: Call) -> Receipt:
    """What became of one call of the wallet in the next block."""
    sent = sign(call, node.pending_nonce(ME))
    assert node.send(sent.raw).accepted
    node.mine()
    found = receipt(node, sent)
    assert found is not None
    return found


def granted(allowance: Allowance) -> Call:
    """The approval that *allowance* asks for."""
    token = allowance.amount.token
    return approve(token.chain, token.address, allowance.spender, allowance.amount.raw)


def tried(world: World, quote: Quote) -> Simulated:
    """What a quote would do with exactly its allowances, none of them left from before."""
    assert isinstance(quote.payload, Call)
    calls = [granted(each) for each in quote.allowances]
    node = world.chains[quote.payload.chain]
    return node.simulate(
        ME,
        [(call, PLENTY) for call in (*calls, quote.payload)],
        [quote.sell.token, *([quote.buy] if quote.buy.chain == node.chain else [])],
        quote.allowances,
    )
