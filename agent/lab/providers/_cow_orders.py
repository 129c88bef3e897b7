"""What the order book looks at before it takes an order, in its own words where it does not.

Source: crates/orderbook (openapi.yml, src/api/post_order.rs) of github.com/cowprotocol/services.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from agent.core.money import NATIVE, Address, ChainId
from agent.lab.abi import answer
from agent.lab.branch import Branch
from agent.lab.providers._cow_contracts import RELAYER, SETTLEMENT
from agent.lab.providers._cow_solver import Listed
from agent.wire.keccak import keccak256
from agent.wire.order import BUY_COIN, FIELDS, Order, fields_digest, order_uid

MIN_VALID_SECONDS, MAX_VALID_SECONDS = 60, 31_536_000
"""From now until `validTo`: a minute, and a year for orders with a limit of their own."""

MAX_APP_DATA_BYTES = 1_000

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE: Final = re.compile(r"0x[0-9a-fA-F]{130}")

_ECRECOVER: Final = "0x" + "00" * 19 + "01"


class No(Exception):  # noqa: N818  it is an answer
    """What the book says instead of taking an order or giving a quote."""

    def __init__(self, kind: str, description: str, status: int = 400, **data: object) -> None:
        super().__init__(kind)
        self.status = status
        self.body = {"errorType": kind, "description": description}
        if data:
            self.body["data"] = data  # type: ignore[assignment]


def app_data_hash(told: Mapping[str, Any]) -> str:
    """The hash of what a request says in `appData`, text or already a hash; raises No."""
    text = told.get("appData", "{}")
    if re.fullmatch(r"0x[0-9a-fA-F]{64}", text):
        return str(text).lower()
    try:
        whole = isinstance(json.loads(text), dict) and len(text.encode()) <= MAX_APP_DATA_BYTES
    except ValueError:
        whole = False
    if not whole:
        raise No("InvalidAppData", "appData is no JSON object of at most 1000 bytes")
    found = "0x" + keccak256(text.encode()).hex()
    if told.get("appDataHash", found) != found:
        raise No(
            "AppDataHashMismatch",
            f"calculated app data hash {found} doesn't match order app data field",
        )
    return found


def check_tokens(branch: Branch, told: Mapping[str, Any]) -> None:
    """Raise No unless both tokens can be traded here."""
    sell, buy = str(told["sellToken"]).lower(), str(told["buyToken"]).lower()
    if sell == BUY_COIN:
        raise No(
            "InvalidNativeSellToken",
            "The chain's native token (Ether/xDai) cannot be used as the sell token",
        )
    if sell == buy:
        raise No("SameBuyAndSellToken", "Buy token is the same as the sell token.")
    known = {token.address for token in branch.place.tokens.values()}
    for token in (sell, buy):
        if token not in known and token != BUY_COIN:
            raise No("UnsupportedToken", f"Token {token} is unsupported: no liquidity")


def check_kind(told: Mapping[str, Any]) -> None:
    """Raise No for orders that this book does not take."""
    if told.get("sellTokenBalance", "erc20") != "erc20":
        raise No("UnsupportedSellTokenSource", f"Type {told['sellTokenBalance']}")
    if told.get("buyTokenBalance", "erc20") != "erc20":
        raise No("UnsupportedBuyTokenDestination", f"Type {told['buyTokenBalance']}")
    if told.get("kind") != "sell" or told.get("partiallyFillable", False):
        raise No("UnsupportedOrderType", "This order type is currently not supported")
    if told.get("signingScheme", "eip712") != "eip712":
        raise No(
            "IncompatibleSigningScheme",
            "Signing scheme is not compatible with order placement method.",
        )


def check_valid_to(valid_to: int, now: int) -> None:
    """Raise No unless an order lives long enough and not for ever."""
    if valid_to < now + MIN_VALID_SECONDS:
        raise No("InsufficientValidTo", "validTo is not far enough in the future")
    if valid_to > now + MAX_VALID_SECONDS:
        raise No("ExcessiveValidTo", "validTo is too far into the future")


def listed(branch: Branch, told: Mapping[str, Any]) -> Listed:
    """The order that a request places; raises No, KeyError, TypeError or ValueError."""
    check_kind(told)
    check_tokens(branch, told)
    now = branch.head().time
    check_valid_to(int(told["validTo"]), now)
    if int(told["feeAmount"]):
        raise No("NonZeroFee", "Fee must be zero")
    if not (int(told["sellAmount"]) and int(told["buyAmount"])):
        raise No("ZeroAmount", "Buy or sell amount is zero.")
    app_data = app_data_hash(told)
    chain, settlement = ChainId(branch.place.chain_id), Address(SETTLEMENT)
    fields = {"sellTokenBalance": "erc20", "buyTokenBalance": "erc20", **told, "appData": app_data}
    digest = fields_digest(chain, settlement, {name: fields[name] for name, _ in FIELDS})
    owner = _signer(branch, digest, str(told["signature"]))
    if told.get("from", owner).lower() != owner:
        raise No(
            "WrongOwner",
            f"recovered signer {owner} from signing hash {digest} does not match from address",
        )
    order = _order(told, chain, settlement)
    _check_funds(branch, order, owner)
    return Listed(
        order=order,
        owner=owner,
        uid=order_uid(digest, Address(owner), order.valid_to),
        app_data=app_data,
        signature=str(told["signature"]),
        made_at=now,
    )


def _order(told: Mapping[str, Any], chain: ChainId, settlement: Address) -> Order:
    buy = Address(str(told["buyToken"]).lower())
    return Order(
        chain=chain,
        settlement=settlement,
        sell=Address(str(told["sellToken"]).lower()),
        buy=NATIVE if buy == BUY_COIN else buy,
        receiver=Address(str(told["receiver"]).lower()),
        sell_amount=int(told["sellAmount"]),
        buy_amount=int(told["buyAmount"]),
        valid_to=int(told["validTo"]),
    )


def _signer(branch: Branch, digest: str, signature: str) -> str:
    """Who signed a hash, by the chain's own ecrecover."""
    if not _SIGNATURE.fullmatch(signature):
        raise No("InvalidSignature", "invalid signature")
    raw = bytes.fromhex(signature[2:])
    words = bytes.fromhex(digest[2:]) + raw[64].to_bytes(32) + raw[:64]
    call = {"to": _ECRECOVER, "data": "0x" + words.hex()}
    said = str(branch.puppet.rpc("eth_call", call, "latest"))
    if said == "0x":
        raise No("InvalidSignature", "invalid signature")
    return str(answer("(address)", said)[0])


def cancelling(branch: Branch, told: Mapping[str, Any]) -> tuple[list[str], str]:
    """The orders that a signed request cancels, and who signed it; raises No."""
    uids = [str(uid).lower() for uid in told["orderUids"]]
    hashes = b"".join(keccak256(bytes.fromhex(uid[2:])) for uid in uids)
    kind = keccak256(b"OrderCancellations(bytes[] orderUid)")
    struct = keccak256(kind + keccak256(hashes))
    (separator,) = branch.puppet.read(SETTLEMENT, "domainSeparator()", "(bytes32)")
    digest = "0x" + keccak256(b"\x19\x01" + separator + struct).hex()
    return uids, _signer(branch, digest, str(told["signature"]))


def _check_funds(branch: Branch, order: Order, owner: str) -> None:
    (held,) = branch.puppet.read(order.sell, "balanceOf(address)", "(uint256)", owner)
    if held < order.sell_amount:
        raise No(
            "InsufficientBalance", "order owner must have funds worth at least x in his account"
        )
    (allowed,) = branch.puppet.read(
        order.sell, "allowance(address,address)", "(uint256)", owner, RELAYER
    )
    if allowed < order.sell_amount:
        raise No("InsufficientAllowance", "order owner must give allowance to VaultRelayer")
