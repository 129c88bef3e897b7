"""Answers of the fee API of local chains, in Across' format, honest or forged when told so.

Source: docs.across.to, API reference, `GET /swap/approval`, `GET /suggested-fees`, their errors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from agent.core.money import Address
from agent.errors import SetupFailed
from agent.lab.branch import Branch
from agent.lab.places import LabToken, Place
from agent.lab.relay_fees import RelayFee, relay_fee, same_token
from agent.lab.relayer import Terms
from agent.wire.address import checksum

WHOLE: Final = 10**18
"""100 % in the API's percentages."""

LEAST_TIMES_GAS: Final = 4
"""The smallest deposit, in times of the gas of its fill: a fee above a quarter is too much."""

FORGED_FEE_PERCENT: Final = 30
FORGED_SPOKE_POOL: Final = "0xBAD0" + "0" * 36
NOBODY: Final = "0x" + "00" * 20

_HUGE: Final = str(10**60)

JsonObject = dict[str, Any]


class _RefusedError(Exception):
    """The question gets an error for an answer."""

    def __init__(self, code: str, message: str, parameter: str) -> None:
        super().__init__(message)
        self.body = {
            "type": "AcrossApiError",
            "code": code,
            "status": 400,
            "message": message,
            "param": parameter,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    origin: Branch
    destination: Branch
    sold: LabToken
    bought: LabToken
    symbol: str
    amount: int


@dataclass(slots=True)
class FeeApi:
    """Answers questions about the relayer's fees; the next ones forged if `forge` said so."""

    branches: Mapping[int, Branch]
    terms: Terms
    _forged: list[str] = field(default_factory=list, init=False)
    _answers: int = field(default=0, init=False)

    def forge(self, way: str, answers: int = 1) -> None:
        """Forge the next *answers* in a *way* of `FORGERIES`; raises KeyError for another."""
        if way not in FORGERIES:
            raise KeyError(way)
        self._forged = [way] * answers

    @property
    def forgeries_left(self) -> int:
        """How many of the next answers are forged."""
        return len(self._forged)

    def suggested_fees(self, question: Mapping[str, str]) -> tuple[int, JsonObject]:
        """Status and body for the parameters of `GET /suggested-fees`; raises nothing."""
        try:
            body = self._honest(self._route(question))
        except _RefusedError as refused:
            return 400, refused.body
        except SetupFailed as fault:
            return 502, {"type": "AcrossApiError", "code": "UPSTREAM", "message": fault.message}
        if self._forged:
            FORGERIES[self._forged.pop()](body)
        return 200, body

    def swap_approval(self, question: Mapping[str, str]) -> tuple[int, JsonObject]:
        """Status and body for the parameters of `GET /swap/approval`; raises nothing.

        It has no transaction to sign: whoever asks here makes his own.
        """
        status, fees = self.suggested_fees(question)
        return (status, _approval(question, fees)) if status == 200 else (status, fees)

    def _route(self, question: Mapping[str, str]) -> _Route:
        origin, destination = (
            _whole(question, name) for name in ("originChainId", "destinationChainId")
        )
        sold, bought = (_address(question, name) for name in ("inputToken", "outputToken"))
        amount = _whole(question, "amount")
        token = same_token(self.branches, origin, destination, sold, bought)
        if token is None:
            what = "Unsupported token on given origin chain"
            raise _RefusedError("INVALID_PARAM", what, "inputToken")
        near, far = self.branches[origin], self.branches[destination]
        symbol = next(name for name, own in far.place.tokens.items() if own == token)
        return _Route(
            origin=near,
            destination=far,
            sold=near.place.tokens[symbol],
            bought=token,
            symbol=symbol,
            amount=amount,
        )

    def _honest(self, route: _Route) -> JsonObject:
        near, far = route.origin.head(), route.destination.head()
        fee = relay_fee(route.amount, route.bought, route.destination)
        least, most = fee.gas * LEAST_TIMES_GAS, route.destination.held(route.bought)
        if route.amount < least:
            what = "Sent amount is too low relative to fees"
            raise _RefusedError("AMOUNT_TOO_LOW", what, "amount")
        if route.amount > most:
            what = f"Amount exceeds max. deposit limit: {most}"
            raise _RefusedError("AMOUNT_TOO_HIGH", what, "amount")
        self._answers += 1
        return {
            # What it is when all goes well: the API does not know of a relayer that is late.
            "estimatedFillTimeSec": max(1, self.terms.prompt_seconds),
            **_fees(route.amount, fee),
            "timestamp": str(near.time),
            "isAmountTooLow": False,
            "quoteBlock": str(near.number),
            "exclusiveRelayer": NOBODY,
            "exclusivityDeadline": 0,
            "spokePoolAddress": _shown(route.origin.place.spoke_pool),
            "destinationSpokePoolAddress": _shown(route.destination.place.spoke_pool),
            "limits": {
                "minDeposit": str(least),
                "maxDeposit": str(most),
                "maxDepositInstant": str(most),
                "maxDepositShortDelay": str(most),
                "recommendedDepositInstant": str(most),
            },
            "fillDeadline": str(max(near.time, far.time) + self.terms.fill_deadline_seconds),
            "outputAmount": str(route.amount - fee.total),
            "inputToken": _token(route.symbol, route.sold, route.origin.place),
            "outputToken": _token(route.symbol, route.bought, route.destination.place),
            "id": f"local-{near.time}-{self._answers}",
        }


def _approval(question: Mapping[str, str], fees: JsonObject) -> JsonObject:
    """What `/suggested-fees` says, in the words of `/swap/approval`."""
    bridge = {
        "inputAmount": question["amount"],
        "outputAmount": fees["outputAmount"],
        "tokenIn": fees["inputToken"],
        "tokenOut": fees["outputToken"],
        "provider": "across",
        "fees": {
            "totalRelay": fees["totalRelayFee"],
            "relayerCapital": fees["relayerCapitalFee"],
            "relayerGas": fees["relayerGasFee"],
            "lp": fees["lpFee"],
        },
    }
    return {
        "crossSwapType": "bridgeableToBridgeable",
        "amountType": "exactInput",
        "steps": {"bridge": bridge},
        "inputToken": fees["inputToken"],
        "outputToken": fees["outputToken"],
        "inputAmount": question["amount"],
        "expectedOutputAmount": fees["outputAmount"],
        "minOutputAmount": fees["outputAmount"],
        "expectedFillTime": fees["estimatedFillTimeSec"],
        "swapTx": {
            "ecosystem": "evm",
            "simulationSuccess": False,
            "chainId": int(question["originChainId"]),
            "to": fees["spokePoolAddress"],
            "data": "0x",
            "gas": "0",
        },
        "id": fees["id"],
    }


def _fees(amount: int, fee: RelayFee) -> JsonObject:
    """The fees in the API's old and new words."""

    def part(total: int) -> JsonObject:
        return {"pct": str(total * WHOLE // amount), "total": str(total)}

    capital, gas, whole, none = part(fee.capital), part(fee.gas), part(fee.total), part(0)
    return {
        "capitalFeePct": capital["pct"],
        "capitalFeeTotal": capital["total"],
        "relayGasFeePct": gas["pct"],
        "relayGasFeeTotal": gas["total"],
        "relayFeePct": whole["pct"],
        "relayFeeTotal": whole["total"],
        "lpFeePct": "0",
        "totalRelayFee": whole,
        "relayerCapitalFee": capital,
        "relayerGasFee": gas,
        "lpFee": none,
        "internalizedSwapFee": none,
    }


def _token(symbol: str, token: LabToken, place: Place) -> JsonObject:
    return {
        "address": _shown(token.address),
        "symbol": symbol,
        "decimals": token.decimals,
        "chainId": place.chain_id,
    }


def _shown(address: str) -> str:
    return checksum(Address(address))


def _whole(question: Mapping[str, str], name: str) -> int:
    text = question.get(name, "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 78 and int(text) > 0):
        what = f"Invalid parameter at path '{name}'. Expected a positive integer"
        raise _RefusedError("INVALID_PARAM", what, name)
    return int(text)


def _address(question: Mapping[str, str], name: str) -> str:
    text = question.get(name, "").lower()
    if not (len(text) == 42 and text.startswith("0x") and text[2:].isalnum()):
        what = f"Invalid parameter at path '{name}'. Expected an address"
        raise _RefusedError("INVALID_PARAM", what, name)
    return text


def _forge_fee(body: JsonObject) -> None:
    """A relayer that takes far too much, in an answer that is consistent otherwise."""
    amount = int(body["outputAmount"]) + int(body["totalRelayFee"]["total"])
    taken = RelayFee(capital=amount * FORGED_FEE_PERCENT // 100, gas=0)
    body.update(_fees(amount, taken), outputAmount=str(amount - taken.total))


def _forge_spoke_pool(body: JsonObject) -> None:
    body["spokePoolAddress"] = FORGED_SPOKE_POOL


def _forge_nan(body: JsonObject) -> None:
    _set_fee(body, "NaN")


def _forge_huge(body: JsonObject) -> None:
    _set_fee(body, _HUGE)


def _set_fee(body: JsonObject, text: str) -> None:
    body.update(relayFeePct=text, relayFeeTotal=text, outputAmount=text)
    body["totalRelayFee"] = {"pct": text, "total": text}


def _forge_token(body: JsonObject) -> None:
    """Another coin on the far side than the one that was asked for."""
    body["outputToken"] = {**body["outputToken"], "address": FORGED_SPOKE_POOL, "symbol": "SCAM"}


FORGERIES: Final[Mapping[str, Callable[[JsonObject], None]]] = MappingProxyType(
    {
        "fee": _forge_fee,
        "spoke": _forge_spoke_pool,
        "nan": _forge_nan,
        "huge": _forge_huge,
        "token": _forge_token,
    }
)
"""The ways in which an answer can lie."""
