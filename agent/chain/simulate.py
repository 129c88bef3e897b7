"""Rehearses calls on the head of the chain, in one request, as the account itself would."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agent.chain.client import read_by_web3
from agent.chain.fees import NextBlock
from agent.chain.reasons import plain, revert_reason
from agent.chain.replies import bad_reply
from agent.chain.scanner import GAS_PER_TOKEN, GAS_RESERVE, SCANNER_CODE, decode
from agent.core.fees import FeeQuote
from agent.core.frozen import empty
from agent.core.money import Address, Token
from agent.core.quote import Allowance, Call
from agent.core.simulated import Simulated
from agent.errors import NoSimulator
from agent.wire.abi import functions
from agent.wire.rpc import RpcError

if TYPE_CHECKING:
    from web3 import Web3

_NO_SUCH_METHOD = frozenset({-32601, -32004})
"""JSON-RPC "method not found", and EIP-1474 "method not supported"."""

_REJECTED = -32003
"""EIP-1474 "transaction rejected": what anvil says to an account that cannot pay."""

_LEAST_CALL_CODE, _MOST_CALL_CODE = -38999, -38000
"""Codes by which eth_simulateV1 rejects a call: nonce, funds, gas (Ethereum execution API)."""

_READER_GAS = 150_000
"""Gas of one allowance, with the 21,000 that each transaction costs."""

_SCAN_OVERHEAD_GAS = 30_000
"""Gas of the transaction itself and of the scanner's own instructions."""

_READER_WEI = 10**24

_RICH = {"balance": hex(_READER_WEI)}

_WORD = 32

_ALLOWANCE = "allowance(address,address)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Calls of an account with their gas limits, and what is to be read before and after.

    `given` are overrides of the state that all this happens in, by address.
    """

    account: Address
    calls: Sequence[tuple[Call, int]]
    watch: Sequence[Token]
    allowances: Sequence[Allowance]
    given: Mapping[Address, Any] = field(default_factory=empty)

    @property
    def contracts(self) -> list[Address]:
        """The watched tokens that are contracts."""
        return [token.address for token in self.watch if not token.is_native]


@dataclass(frozen=True, slots=True)
class _Ran:
    """What one call did; `said` is the node's word for a failure."""

    ok: bool
    gas: int
    returned: bytes
    said: str


def simulate(web3: Web3, following: NextBlock, rehearsal: Rehearsal) -> Simulated:
    """Run the calls in one block after the head, between two readings of the account's balances.

    The block is validated: real nonce, real balance, a base fee and gas prices above it, so that
    a contract cannot tell the rehearsal by a price of zero and show another face. What reads the
    balances stands at addresses drawn for this one rehearsal, so that no contract can look for
    it. Still this is advice; the guarantee is the minimum that the call itself enforces.

    Raises ``NoSimulator`` when the node lacks ``eth_simulateV1``, ``BadReply`` when a watched
    balance or allowance cannot be read, and ``RpcError``.
    """
    probed = following.model == "op_stack"
    try:
        with read_by_web3():
            parameter = _block_of(rehearsal, following)
            (block,) = web3.eth.simulate_v1(parameter, following.head.number)
            ran = [_ran(each) for each in block["calls"]]
            price = _paid_price(following.fees, block["baseFeePerGas"])
    except RpcError as fault:
        return _rejected(fault)
    count, rights = len(rehearsal.calls), len(rehearsal.allowances)
    if len(ran) != 2 + count + rights + probed:
        raise bad_reply("the simulation of other calls")
    acts, readings = ran[1 : 1 + count], (ran[0], *ran[1 + count : 2 + count + rights])
    beside_gas = _beside_gas(readings, ran[-1], price) if probed else 0
    fees = price * sum(act.gas for act in acts) + beside_gas * count
    failed = next(((i, act) for i, act in enumerate(acts) if not act.ok), None)
    return Simulated(
        ok=failed is None,
        gas_used=tuple(act.gas for act in acts),
        deltas=_deltas(rehearsal, readings[0], readings[1], fees),
        allowances=tuple(map(_word, readings[2:])),
        reverted=failed and (failed[0], revert_reason(failed[1].returned, failed[1].said)),
    )


def _block_of(rehearsal: Rehearsal, following: NextBlock) -> Any:
    """Return the parameter of eth_simulateV1: scan, calls, scan, allowances.

    Where fees are charged beside the gas a last scan shows what the reader of the others paid.
    """
    account, tokens, fees = rehearsal.account, rehearsal.contracts, following.fees
    reader, witness, scanner = (Address("0x" + secrets.token_hex(20)) for _ in range(3))
    packed = "0x" + "".join(address[2:] for address in (account, *tokens))
    scan_gas = _SCAN_OVERHEAD_GAS + GAS_RESERVE + GAS_PER_TOKEN * len(tokens)
    scan = _transaction(reader, scanner, packed, scan_gas)
    probed = following.model == "op_stack"
    probes = [_transaction(witness, scanner, reader, scan_gas)] if probed else []
    acts = [
        _transaction(account, call.to, call.data, gas) | {"value": hex(call.value)}
        for call, gas in rehearsal.calls
    ]
    rights = [
        _transaction(reader, right.amount.token.address, encoded, _READER_GAS)
        for right in rehearsal.allowances
        for encoded in [functions("erc20")[_ALLOWANCE].encode(account, right.spender)]
    ]
    calls = [scan, *acts, scan, *rights, *probes]
    block: dict[str, Any] = {
        "blockOverrides": {"time": hex(following.timestamp)},
        "stateOverrides": {
            **rehearsal.given,
            **{Address(each["from"]): _RICH for each in (scan, *probes)},
            scanner: {"code": "0x" + SCANNER_CODE.hex()},
        },
        "calls": [each | _offer(fees) for each in calls],
    }
    return {"blockStateCalls": [block], "validation": True, "traceTransfers": False}


def _transaction(sender: Address, to: Address, calldata: str, gas: int) -> dict[str, str]:
    return {"from": sender, "to": to, "input": calldata, "gas": hex(gas)}


def _offer(fees: FeeQuote) -> dict[str, str]:
    if fees.kind == "legacy":
        return {"gasPrice": hex(fees.base_fee_per_gas)}
    return {"maxFeePerGas": hex(_price(fees)), "maxPriorityFeePerGas": hex(_tip(fees))}


def _paid_price(fees: FeeQuote, base_fee: int) -> int:
    """Return what each gas cost in a block of that base fee; a gas price is paid in full."""
    if fees.kind == "legacy":
        return fees.base_fee_per_gas
    return min(_price(fees), base_fee + _tip(fees))


def _price(fees: FeeQuote) -> int:
    """Return the most that a call offers per gas.

    The account must own this times the gas limit, so no more than one block's growth of the base
    fee is added (an eighth, EIP-1559).
    """
    return fees.base_fee_per_gas * 9 // 8 + 1 + fees.priority_fee_per_gas


def _tip(fees: FeeQuote) -> int:
    return fees.priority_fee_per_gas


def _ran(call: Any) -> _Ran:
    error = call.get("error") or {}
    said = error.get("message") if isinstance(error, Mapping) else None
    gas, returned, status = call["gasUsed"], call["returnData"], call["status"]
    if not (isinstance(gas, int) and isinstance(returned, bytes) and status in (0, 1)):
        raise bad_reply("a malformed simulation")
    return _Ran(status == 1, gas, bytes(returned), said if isinstance(said, str) else "")


def _deltas(rehearsal: Rehearsal, first: _Ran, last: _Ran, fees: int) -> Mapping[Token, int]:
    """Subtract two scans; the network *fees* in wei were paid in between and are none of it."""
    before, after = _scan(first, rehearsal), _scan(last, rehearsal)
    return MappingProxyType(
        {
            token: raw - before[token] + (fees if token.is_native else 0)
            for token, raw in after.items()
        }
    )


def _beside_gas(readings: Sequence[_Ran], probe: _Ran, price: int) -> int:
    """Return what the node charged for each call beside its gas, in wei.

    Simulated calls have no signed bytes: some nodes charge each of them for the least that bytes
    can cost, others nothing. What the reader paid beyond its gas tells which.
    """
    paid = _READER_WEI - _native(probe) - price * sum(reading.gas for reading in readings)
    each, rest = divmod(paid, len(readings))
    if rest or each < 0:
        raise bad_reply("a simulation whose fees do not add up")
    return each


def _native(ran: _Ran) -> int:
    if not ran.ok:
        raise bad_reply(f"no balances in a simulation: {plain(ran.said)}")
    return decode("0x" + ran.returned.hex(), tokens=0).native


def _scan(ran: _Ran, rehearsal: Rehearsal) -> dict[Token, int]:
    if not ran.ok:
        raise bad_reply(f"no balances in a simulation: {plain(ran.said)}")
    found = decode("0x" + ran.returned.hex(), tokens=len(rehearsal.contracts))
    contracts = iter(found.balances)
    held = {}
    for token in rehearsal.watch:
        raw = found.native if token.is_native else next(contracts)
        if raw is None:
            raise bad_reply(f"no balance of {token.symbol} in a simulation")
        held[token] = raw
    return held


def _word(ran: _Ran) -> int:
    if not (ran.ok and len(ran.returned) >= _WORD):
        raise bad_reply("no allowance in a simulation")
    return int.from_bytes(ran.returned[:_WORD], "big")


def _rejected(fault: RpcError) -> Simulated:
    """Read a node's refusal to run the calls at all as their failure; it does not say which."""
    if fault.code in _NO_SUCH_METHOD:
        raise NoSimulator(
            "the node cannot simulate: it lacks eth_simulateV1",
            fix="let local forks simulate (rebalancer doctor says what they need), "
            "or put the RPC URL of a node that has it",
        ) from None
    if not (fault.code == _REJECTED or _LEAST_CALL_CODE <= fault.code <= _MOST_CALL_CODE):
        raise fault
    why = f"the node rejects the calls: {plain(fault.message)}"
    return Simulated(ok=False, gas_used=(), deltas={}, allowances=(), reverted=(0, why))
