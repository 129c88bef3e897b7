"""Across's `GET /swap/approval`: what one deposit by us would bring, as its server sees it.

As documented at docs.across.to ("Swap API"). Only the relayer fee, the output and the usual time
are taken from it. The transaction that it would have signed is compared and thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.bridges._routes import ChainOptions, Route
from agent.core.money import Address
from agent.errors import Contradicted
from agent.provider import JSON
from agent.wire.address import checksum
from agent.wire.answer import Answer

SOMEBODY = Address("0x" + "00" * 18 + "dead")
"""Who asks when nothing is to be signed: a survey knows no account."""

_OURS = "bridgeableToBridgeable"
"""The kind of way that is one deposit and nothing else."""

_PROVIDERS = (None, "across")
"""Of the deposit's step: others burn and mint, or send messages, and no relayer is paid."""


def question(found: Route, raw: int, account: Address) -> Mapping[str, str]:
    """What is asked: exactly *raw*, by the account to itself, without anybody's fee."""
    return {
        "tradeType": "exactInput",
        "amount": str(raw),
        "inputToken": checksum(found.input.address),
        "outputToken": checksum(found.output.address),
        "originChainId": str(found.sell.chain),
        "destinationChainId": str(found.buy.chain),
        "depositor": checksum(account),
        "recipient": checksum(account),
        # It would simulate with an allowance that is granted only after the guard agrees.
        "skipOriginTxEstimation": "true",
    }


def fees_in(reply: JSON, found: Route, raw: int, near: ChainOptions) -> dict[str, JSON] | None:
    """The answer in the words of `/suggested-fees`; None where it goes another way than ours.

    Raises Contradicted and ProviderSilent.
    """
    said = Answer("Across", reply)
    provider = said.at("steps", "bridge", "provider")
    if said.at("crossSwapType") != _OURS or provider not in _PROVIDERS:
        return None
    bridge = ("steps", "bridge")
    out = said.whole(*bridge, "outputAmount")
    known: list[tuple[object, object, str]] = [
        (said.address("swapTx", "to"), near.spoke_pool, "contract"),
        (said.whole("swapTx", "chainId"), found.sell.chain, "chain"),
        (said.whole(*bridge, "inputAmount"), raw, "amount"),
        # More or less than the deposit brings would be somebody's fee, or a lie.
        (said.whole("expectedOutputAmount"), out, "output"),
    ]
    for told, wanted, what in known:
        if told != wanted:
            raise Contradicted(
                f"Across's server contradicts what is known: another {what} than {wanted}",
                fix="plan again later; if it stays, tell Across",
            )
    fees: dict[str, JSON] = {
        "totalRelayFee": said.at(*bridge, "fees", "totalRelay"),
        "relayerGasFee": said.at(*bridge, "fees", "relayerGas"),
        "outputAmount": out,
        "inputToken": said.at(*bridge, "tokenIn"),
        "outputToken": said.at(*bridge, "tokenOut"),
    }
    if said.at("expectedFillTime") is not None:
        fees["estimatedFillTimeSec"] = said.at("expectedFillTime")
    return fees
