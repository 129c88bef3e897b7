"""The chains that the suite of the Node port runs on, each behind one small protocol.

A new implementation joins with a harness of its own: the suite asks nothing else of it.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from conformance.eth_tester_server import EthTester
from eth_account import Account

from agent.chain.node import RpcNode
from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Call
from agent.lab.contracts import Artifact
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.world import World
from agent.ports import Node
from agent.sim.chain import PaperChain
from agent.sim.clock import PaperClock
from agent.sim.contracts import PaperWrapper
from agent.sim.ledger import Ledger, Revert
from agent.sim.signer import signed
from agent.wire.abi import encode
from agent.wire.address import checksum
from agent.wire.keccak import selector

GAS_LIMIT = 200_000
TIP = 10**9
MAX_FEE = 10**11
STRANGER = Address("0x" + "57" * 20)

REVERTING = "0x5f5ffd"
"""Runtime code: PUSH0 PUSH0 REVERT."""

SHORT = "0x60055ff3"
"""Runtime code that returns five bytes: PUSH1 5 PUSH0 RETURN."""


class Now:
    """This machine's time; chains on demand have no other."""

    def now(self) -> int:
        return int(time.time())

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Harness(Protocol):
    """One chain with one funded account, as a test may use it."""

    chain: ChainId
    node: Node
    account: Address

    def token(self, raw: int) -> Token:
        """A new ERC-20 of which the account holds *raw* base units."""

    def unreadable(self) -> list[Token]:
        """Tokens whose balance cannot be read: STRANGER has no code, the second one reverts."""

    def sign(self, call: Call, nonce: int, *, tip: int = TIP, max_fee: int = MAX_FEE) -> SignedTx:
        """The account's signature; *tip* and *max_fee* are wei per gas."""

    def mine(self, blocks: int = 1) -> None:
        """Mine, what is in the pool included."""


class Whole(Harness, Protocol):
    """A chain that finalizes, simulates, takes blocks back and has a pool and a wrapper."""

    wrapped: Token

    def reorg(self, depth: int) -> None:
        """Replace the newest blocks by as many empty ones."""

    def hold(self) -> None:
        """Leave transactions in the pool until blocks are mined."""


def native(chain: ChainId) -> Token:
    return Token(chain, NATIVE, 18, "ETH")


def transfer(token: Token, to: Address, raw: int) -> Call:
    return call(token, "transfer(address,uint256)", to, raw)


def call(token: Token, signature: str, *arguments: Any) -> Call:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return Call(token.chain, token.address, 0, selector(signature) + encode(types, arguments).hex())


def pay(chain: ChainId, to: Address, wei: int) -> Call:
    return Call(chain, to, wei, "0x")


class Keyed:
    """An account with a key that nobody else has."""

    def __init__(self, chain: ChainId) -> None:
        self.chain = chain
        self._key = Account.create()
        self.account = Address(self._key.address.lower())

    def sign(
        self,
        call: Call,
        nonce: int,
        *,
        tip: int = TIP,
        max_fee: int = MAX_FEE,
        gas: int = GAS_LIMIT,
    ) -> SignedTx:
        fields = {
            "chainId": self.chain,
            "nonce": nonce,
            "to": checksum(call.to),
            "value": call.value,
            "data": call.data,
            "gas": gas,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
        }
        signed = self._key.sign_transaction(fields)
        return SignedTx(signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex())


class OnAnvil(Keyed):
    """The lab's world: real contracts, Multicall3, code overrides, simulation, reorganisations."""

    def __init__(self, world: World, own: dict[str, Artifact]) -> None:
        super().__init__(ChainId(world.chain_id))
        self.world = world
        self.node = over(world)
        self._own = own
        self._puppet = Puppet(world.rpc, "0x" + "9a" * 20)
        self.wrapped = Token(self.chain, Address(world.addresses["WETH"]), 18, "WETH")
        self.world.fund(self.account, {"ETH": 10**18})

    def token(self, raw: int) -> Token:
        address = self._puppet.deploy(
            self._own["plain_token"], "Test", "TEST", 6, self._puppet.account
        )
        self._puppet.send(tx(address, "mint(address,uint256)", self.account, raw))
        return Token(self.chain, Address(address.lower()), 6, "TEST")

    def unreadable(self) -> list[Token]:
        return [
            Token(self.chain, STRANGER, 6, "NONE"),
            self.contract(REVERTING),
            self.contract(SHORT),
        ]

    def contract(self, runtime: str) -> Token:
        """Any code, as a token."""
        (receipt,) = self._puppet.send(Tx(to="", input=creation(runtime), what="deploying"))
        return Token(self.chain, Address(str(receipt["contractAddress"]).lower()), 18, "ODD")

    def mine(self, blocks: int = 1) -> None:
        self.world.mine(blocks)

    def reorg(self, depth: int) -> None:
        self.world.rpc.call("anvil_reorg", depth, [])

    def hold(self) -> None:
        self.world.rpc.call("evm_setAutomine", False)


class OnEthTester(Keyed):
    """In process: no overrides, no Multicall3, no simulation, no fee history."""

    def __init__(self, tester: EthTester, own: dict[str, Artifact]) -> None:
        super().__init__(ChainId(int(tester.ask("eth_chainId"), 16)))
        self.tester = tester
        self.node = RpcNode(
            self.chain,
            [tester.url],
            genesis=tester.ask("eth_getBlockByNumber", "0x0", False)["hash"],
            multicall3=None,
            max_head_age_seconds=None,
            clock=Now(),
        )
        self._own = own
        self._bank = tester.ask("eth_accounts")[0]
        self._send(to=checksum(self.account), value=hex(10**18), gas=hex(21_000))

    def token(self, raw: int) -> Token:
        code = self._own["plain_token"].creation_code(("Test", "TEST", 6, self._bank.lower()))
        token = self._deploy(code)
        self._send(
            to=checksum(token.address),
            data=call(token, "mint(address,uint256)", self.account, raw).data,
        )
        return token

    def unreadable(self) -> list[Token]:
        return [
            Token(self.chain, STRANGER, 6, "NONE"),
            self._deploy(creation(REVERTING)),
            self._deploy(creation(SHORT)),
        ]

    def mine(self, blocks: int = 1) -> None:
        self.tester.backend.mine_blocks(blocks)

    def _deploy(self, code: str) -> Token:
        receipt = self._send(data=code)
        return Token(self.chain, Address(receipt["contractAddress"].lower()), 6, "TEST")

    def _send(self, **fields: str) -> dict[str, Any]:
        fields = {"from": self._bank, "gas": hex(3_000_000), **fields}
        hashed = self.tester.ask("eth_sendTransaction", fields)
        receipt: dict[str, Any] = self.tester.ask("eth_getTransactionReceipt", hashed)
        assert receipt["status"] == "0x1"
        return receipt


class OnPaper:
    """In memory: no bytes of contracts, no network, time that moves only when asked."""

    def __init__(self) -> None:
        self.chain = ChainId(1)
        self.account = Address("0x" + "acc0" * 10)
        self.node: PaperChain = PaperChain(self.chain, PaperClock(1_800_000_000))
        self.wrapped = Token(self.chain, Address("0x" + "3e" * 20), 18, "WETH")
        self._made = 0
        self.node.contracts[self.wrapped.address] = PaperWrapper(self.wrapped.address)
        self.node.ledger.mint(NATIVE, self.account, 10**18)
        self.node.mine()

    def token(self, raw: int) -> Token:
        token = self._new()
        self.node.contracts[token.address] = not_the_owner
        self.node.mine()
        self.node.ledger.decimals[token.address] = token.decimals
        self.node.ledger.mint(token.address, self.account, raw)
        return token

    def unreadable(self) -> list[Token]:
        mute = self._new()
        self.node.contracts[mute.address] = mute_contract
        return [Token(self.chain, STRANGER, 6, "NONE"), mute]

    def sign(self, call: Call, nonce: int, *, tip: int = TIP, max_fee: int = MAX_FEE) -> SignedTx:
        return signed(
            UnsignedTx(
                chain=self.chain,
                sender=self.account,
                nonce=nonce,
                to=call.to,
                value=call.value,
                data=call.data,
                gas_limit=GAS_LIMIT,
                max_fee_per_gas=max_fee,
                max_priority_fee_per_gas=tip,
            )
        )

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def reorg(self, depth: int) -> None:
        self.node.reorg(depth)

    def hold(self) -> None:
        self.node.automine = False

    def _new(self) -> Token:
        self._made += 1
        return Token(self.chain, Address(f"0x{self._made:040x}"), 6, "TEST")


def not_the_owner(*_: object) -> None:
    """What plain_token says to a stranger who mints."""
    raise Revert("only the owner mints")


def mute_contract(_ledger: Ledger, *_: object) -> None:
    raise Revert("execution reverted")


def over(world: World, *urls: str, **changes: Any) -> RpcNode:
    """A node over a world, or over other URLs that lead to it."""
    options: dict[str, Any] = {
        "genesis": world.genesis,
        "multicall3": Address(world.addresses["multicall3"]),
        "max_head_age_seconds": None,
        "clock": Now(),
    }
    chain = ChainId(changes.pop("chain", world.chain_id))
    return RpcNode(chain, urls or [world.url], **(options | changes))


def creation(runtime: str) -> str:
    """Creation code that puts up to 255 bytes of *runtime* code in place.

    PUSH1 size, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN: nine bytes, then the code.
    """
    code = runtime.removeprefix("0x")
    return f"0x60{len(code) // 2:02x}8060095f395ff3{code}"


def mined(on: Harness, call_: Call, nonce: int) -> str:
    """Send one call of the account and see it in a block."""
    signed = on.sign(call_, nonce)
    assert on.node.send(signed.raw).accepted
    on.mine()
    (receipt,) = on.node.sight(on.account, [signed.hash]).receipts
    assert receipt is not None
    return signed.hash
