"""An account of a local node that the node itself signs for: nobody has its key."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab.abi import answer, call_bytes
from agent.lab.contracts import Artifact
from agent.wire.rpc import JSON, Rpc, RpcError, RpcUnavailable

GAS_LIMIT = 8_000_000
"""Gas for each transaction; the largest contract takes 5.5 million to deploy."""

TIMEOUT_SECONDS = 60.0

_POLL_SECONDS = 0.01

_MAX_FEE_PER_GAS: Final = 10**12
"""Wei; a hundred times more than the dearest local chain asks for."""

_MONEY: Final = hex(10**27)
"""Wei; a thousand million ether, more than the pools and all tests together take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tx:
    """One transaction to send; `what` names it in errors."""

    to: str
    input: str
    value: int = 0
    what: str


def tx(to: str, signature: str, *arguments: Any, value: int = 0) -> Tx:
    """A call of a contract's function, with *value* wei."""
    return Tx(to=to, input=call_bytes(signature, *arguments), value=value, what=signature)


class Puppet:
    """Sends transactions from one account and waits until they are mined; threads may share it.

    With *mines* it mines the blocks itself, for nodes that do not. *tip* is its priority fee in
    wei per gas: wallets learn from others what is usual. All methods raise SetupFailed when the
    node does not do what it is told. ``placed`` are the addresses that `deploy_at` put code at.
    """

    def __init__(self, rpc: Rpc, account: str, *, tip: int = 1, mines: bool = False) -> None:
        self.account = account
        self.placed: list[str] = []
        self._rpc = rpc
        self._tip = tip
        self._mines = mines
        self._lock = threading.Lock()
        self.batch(
            [("anvil_impersonateAccount", [account]), ("anvil_setBalance", [account, _MONEY])]
        )

    def beside(self, account: str) -> "Puppet":
        """Another account of the same node."""
        return Puppet(self._rpc, account, tip=self._tip, mines=self._mines)

    def send(self, *transactions: Tx) -> list[dict[str, Any]]:
        """Send in order, in one request; returns the receipts, all successful."""
        receipts = self._receipts(self._submit(transactions))
        for each, receipt in zip(transactions, receipts, strict=True):
            if receipt["status"] != "0x1":
                raise _failed(f"{each.what} of {each.to} reverted")
        return receipts

    def read(self, to: str, signature: str, types: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a view function; *types* is the tuple that it answers, such as ``(uint256)``."""
        call = {"to": to, "data": call_bytes(signature, *arguments)}
        return answer(types, str(self.rpc("eth_call", call, "latest")))

    def deploy(
        self, artifact: Artifact, *arguments: Any, libraries: Mapping[str, str] | None = None
    ) -> str:
        """Deploy at the account's next contract address; returns it."""
        code = artifact.creation_code(arguments, libraries=libraries)
        (receipt,) = self.send(Tx(to="", input=code, what=f"deploying {artifact.name}"))
        return str(receipt["contractAddress"])

    def deploy_at(self, address: str, artifact: Artifact, *arguments: Any) -> None:
        """Deploy at any address, with the constructor run in place.

        The creation code is put there as if it were the code: a call returns the runtime code
        with its immutables, address(this) among them, and a transaction writes the storage.
        """
        code = artifact.creation_code(arguments)
        self.rpc("anvil_setCode", address, code)
        call = {"from": self.account, "to": address, "gas": hex(GAS_LIMIT)}
        runtime = self.rpc("eth_call", call, "latest")
        self.send(Tx(to=address, input="0x", what=f"constructing {artifact.name}"))
        self.rpc("anvil_setCode", address, runtime)
        self.placed.append(address)

    def rpc(self, method: str, *parameters: Any) -> JSON:
        """Ask the node one thing."""
        (found,) = self.batch([(method, parameters)])
        return found

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON]:
        """Ask the node several things in one request."""
        try:
            found = self._rpc.batch(calls, timeout_seconds=TIMEOUT_SECONDS)
        except (RpcError, RpcUnavailable) as fault:
            raise _failed(str(fault)) from None
        for (method, _), one in zip(calls, found, strict=True):
            if isinstance(one, RpcError):
                raise _failed(f"{method}: {one}")
        return [one for one in found if not isinstance(one, RpcError)]

    def forget_waiting(self) -> None:
        """Empty the node's pool, once nothing in it is mined already.

        The node takes what it mined out of its pool a moment later, and with it whatever has the
        same nonce by then: after a revert that would be the next thing that is sent.
        """
        while any(self.batch([("eth_getTransactionReceipt", [each]) for each in self._waiting()])):
            time.sleep(_POLL_SECONDS)
        self.rpc("anvil_dropAllTransactions")

    def _waiting(self) -> list[str]:
        """Hashes of all transactions, whoever sent them, that could be mined next."""
        content: Any = self.rpc("txpool_content")
        return [each["hash"] for sent in content["pending"].values() for each in sent.values()]

    def _submit(self, transactions: Sequence[Tx]) -> list[JSON]:
        with self._lock:
            # Nonces of ours: the node may handle the parts of a batch in any order.
            nonce = int(str(self.rpc("eth_getTransactionCount", self.account, "pending")), 16)
            requests = [self._request(each, nonce + n) for n, each in enumerate(transactions)]
            return self.batch([("eth_sendTransaction", [request]) for request in requests])

    def _request(self, transaction: Tx, nonce: int) -> dict[str, str]:
        request = {
            "from": self.account,
            "nonce": hex(nonce),
            "input": transaction.input,
            "value": hex(transaction.value),
            "gas": hex(GAS_LIMIT),
            "maxFeePerGas": hex(_MAX_FEE_PER_GAS),
            "maxPriorityFeePerGas": hex(self._tip),
        }
        return {**request, "to": transaction.to} if transaction.to else request

    def _receipts(self, hashes: Sequence[JSON]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        calls = [("eth_getTransactionReceipt", [each]) for each in hashes]
        while True:
            if self._mines:
                self.rpc("evm_mine")
            # A receipt can be missing for a moment although the node mines at once.
            found = self.batch(calls)
            receipts = [one for one in found if isinstance(one, dict)]
            if len(receipts) == len(calls):
                return receipts
            if time.monotonic() > deadline:
                raise _failed(f"{len(calls) - len(receipts)} transactions are not mined")
            time.sleep(_POLL_SECONDS)


def _failed(why: str) -> SetupFailed:
    return SetupFailed(
        f"the local chain did not do what it was told: {why}",
        fix="start the local chain again",
    )
