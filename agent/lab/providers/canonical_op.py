"""The OP stack's own bridge between Ethereum and Base, with all that others do for it.

Its contracts are the real ones (`_op_contracts`). The desk plays the sequencer, who makes deposits
of what Ethereum's portal says, the proposer, who states the rollup's outputs, and those who end
disputes or begin them. It keeps nothing in mind between two turns but what it was told.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

from agent.errors import SetupFailed
from agent.lab.branch import Branch
from agent.lab.contracts import Artifact
from agent.lab.places import BASE, ETHEREUM, Place
from agent.lab.providers._op_contracts import (
    CLOCK_SECONDS,
    GAME_FACTORY,
    GAME_TYPE,
    MESSAGE_PASSER,
    PORTAL,
    SUPERCHAIN_CONFIG,
    put_bridge,
)
from agent.lab.providers._op_deposits import DEPOSITED, derived
from agent.lab.puppet import GAS_LIMIT, TIMEOUT_SECONDS, Puppet, Tx, tx
from agent.wire.keccak import keccak256

Mode = Literal["prompt", "late", "never"]

LATE_SECONDS: Final = 60
"""From a deposit to its arrival, and from a withdrawal to the output that covers it."""

IN_PROGRESS, CHALLENGER_WINS = 0, 1
"""`GameStatus` of a dispute game; 2 is won by its proposer."""

_PASSED: Final = (
    "0x" + keccak256(b"MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)").hex()
)
FORGER: Final = "0x0000000000000000000000000000000000f02e12"
"""Who states false outputs."""

_BELOW_THE_ROOT: Final = 2
"""The position of what attacks a game's first claim."""

_POLL_SECONDS: Final = 0.01


def put(
    treasury: Puppet,
    place: Place,
    third: Mapping[str, Artifact],
    own: Mapping[str, Artifact],
) -> None:
    """Put the bridge's contracts on one chain; raises SetupFailed."""
    put_bridge(treasury, place, third)


class Desk:
    """Has no HTTP API, as the bridge has none; methods raise SetupFailed."""

    def __init__(self, branches: Mapping[int, Branch]) -> None:
        self._branches = branches
        self._modes: dict[str, Mode] = {"deposits": "prompt", "outputs": "prompt"}

    def answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
    ) -> tuple[int, Any]:
        """There is nothing to be asked."""
        return 404, {"message": f"there is no {path}"}

    def order(self, name: str, *arguments: Any) -> Any:
        """Do what a test says.

        ``deposits MODE`` and ``outputs MODE`` say when they are made; ``forge BLOCK`` states a
        false output of a block of the rollup; ``challenge`` disputes the newest output so that it
        falls if nobody answers, ``blacklist`` lets the guardian void it; ``pause`` and ``unpause``
        are the guardian's too.
        """
        if name in self._modes:
            (mode,) = arguments
            if mode not in get_args(Mode):
                raise ValueError(mode)
            self._modes[name] = mode
            return None
        orders: dict[str, Callable[..., None]] = {
            "forge": self._forge,
            "challenge": self._challenge,
            "blacklist": self._blacklist,
            "pause": lambda: self._guard("pause(string)", ""),
            "unpause": lambda: self._guard("unpause()"),
        }
        return orders[name](*arguments)

    def turn(self) -> None:
        """Make deposits, state outputs, and end disputes whose time is over."""
        ethereum = self._branches.get(ETHEREUM.chain_id)
        rollup = self._branches.get(BASE.chain_id)
        if ethereum is None or rollup is None:
            return
        if not rollup.halted:
            self._derive(ethereum, rollup)
        if not ethereum.halted:
            self._propose(ethereum, rollup)
            self._resolve(ethereum)

    def _is_due(self, what: str, since: int, now: int) -> bool:
        mode = self._modes[what]
        return mode == "prompt" or (mode == "late" and now >= since + LATE_SECONDS)

    def _derive(self, ethereum: Branch, rollup: Branch) -> None:
        """What the rollup makes of the portal's events, in their order."""
        head = ethereum.head()
        made = [derived(log) for log in _logs(ethereum, PORTAL, DEPOSITED)]
        known = _each(rollup, "eth_getTransactionByHash", [each.hash for each in made])
        due = [
            each
            for each, there in zip(made, known, strict=True)
            if there is None and self._is_due("deposits", _time(ethereum, each.made_in), head.time)
        ]
        for each in due:
            rollup.puppet.rpc("eth_sendRawTransaction", "0x" + each.raw.hex())
            # The local node's pool holds one deposit of a sender at a time.
            _await_mined(rollup, [each.hash])

    def _propose(self, ethereum: Branch, rollup: Branch) -> None:
        """State the rollup's newest output once something waits for it."""
        passed = _logs(rollup, MESSAGE_PASSER, _PASSED)
        if not passed:
            return
        wanted = int(passed[-1]["blockNumber"], 16)
        head = rollup.head()
        if not self._is_due("outputs", _time(rollup, wanted), head.time):
            return
        games = [game for game in _games(ethereum) if game.is_ours(ethereum)]
        if any(game.block >= wanted and game.stands(ethereum) for game in games):
            return
        # The same output cannot be stated twice.
        if head.number <= max((game.block for game in games), default=0) and not rollup.halted:
            rollup.mine()
            head = rollup.head()
        ethereum.puppet.send(_creation(_output_root(rollup, head.number), head.number))

    def _resolve(self, ethereum: Branch) -> None:
        for game in _games(ethereum):
            if game.status(ethereum) == IN_PROGRESS:
                game.resolve(ethereum)

    def _forge(self, block: int) -> None:
        ethereum = self._ethereum
        call = _creation(keccak256(b"a root of nothing"), block)
        request = {"from": FORGER, "to": call.to, "input": call.input, "gas": hex(GAS_LIMIT)}
        ethereum.puppet.rpc("anvil_impersonateAccount", FORGER)
        ethereum.puppet.rpc("anvil_setBalance", FORGER, hex(10**20))
        sent = ethereum.puppet.rpc("eth_sendTransaction", request)
        _await_mined(ethereum, [str(sent)])

    def _challenge(self) -> None:
        ethereum = self._ethereum
        game = _games(ethereum)[-1]
        (root,) = ethereum.puppet.read(game.address, "rootClaim()", "(bytes32)")
        (bond,) = ethereum.puppet.read(
            game.address, "getRequiredBond(uint128)", "(uint256)", _BELOW_THE_ROOT
        )
        claim = keccak256(b"another root")
        ethereum.puppet.send(
            tx(game.address, "attack(bytes32,uint256,bytes32)", root, 0, claim, value=bond)
        )

    def _blacklist(self) -> None:
        game = _games(self._ethereum)[-1]
        self._ethereum.puppet.send(tx(PORTAL, "blacklistDisputeGame(address)", game.address))

    def _guard(self, signature: str, *arguments: Any) -> None:
        self._ethereum.puppet.send(tx(SUPERCHAIN_CONFIG, signature, *arguments))

    @property
    def _ethereum(self) -> Branch:
        return self._branches[ETHEREUM.chain_id]


class _Game:
    """One dispute game, which states the output of one block of the rollup."""

    def __init__(self, ethereum: Branch, index: int) -> None:
        (_, _, address) = ethereum.puppet.read(
            GAME_FACTORY, "gameAtIndex(uint256)", "(uint32,uint64,address)", index
        )
        self.address = str(address)
        (block,) = ethereum.puppet.read(self.address, "l2BlockNumber()", "(uint256)")
        self.block = int(block)

    def status(self, ethereum: Branch) -> int:
        """A `GameStatus`."""
        (found,) = ethereum.puppet.read(self.address, "status()", "(uint8)")
        return int(found)

    def is_ours(self, ethereum: Branch) -> bool:
        """Whether we stated it."""
        (creator,) = ethereum.puppet.read(self.address, "gameCreator()", "(address)")
        return str(creator) == ethereum.puppet.account

    def stands(self, ethereum: Branch) -> bool:
        """Whether nobody has voided it."""
        (void,) = ethereum.puppet.read(
            PORTAL, "disputeGameBlacklist(address)", "(bool)", self.address
        )
        return not void and self.status(ethereum) != CHALLENGER_WINS

    def resolve(self, ethereum: Branch) -> None:
        """End it if the time for all answers is over."""
        puppet, ask = ethereum.puppet, self.address
        (claims,) = puppet.read(ask, "claimDataLen()", "(uint256)")
        ends = []
        for index in reversed(range(claims)):
            (done,) = puppet.read(ask, "resolvedSubgames(uint256)", "(bool)", index)
            (used,) = puppet.read(ask, "getChallengerDuration(uint256)", "(uint64)", index)
            if done:
                continue
            if used < CLOCK_SECONDS:
                return
            ends.append(tx(ask, "resolveClaim(uint256,uint256)", index, 0))
        puppet.send(*ends, tx(ask, "resolve()"))


def _games(ethereum: Branch) -> list[_Game]:
    (count,) = ethereum.puppet.read(GAME_FACTORY, "gameCount()", "(uint256)")
    return [_Game(ethereum, index) for index in range(count)]


def _creation(root: bytes, block: int) -> Tx:
    extra = block.to_bytes(32, "big")
    return tx(GAME_FACTORY, "create(uint32,bytes32,bytes)", GAME_TYPE, root, extra)


def _output_root(rollup: Branch, number: int) -> bytes:
    """Version 0: Optimism specs, "L2 Output Commitment Construction"."""
    block, proof = rollup.puppet.batch(
        [
            ("eth_getBlockByNumber", [hex(number), False]),
            ("eth_getProof", [MESSAGE_PASSER, [], hex(number)]),
        ]
    )
    if not isinstance(block, dict) or not isinstance(proof, dict):
        raise SetupFailed(f"the local rollup has no block {number}", fix="start it again")
    parts = (block["stateRoot"], proof["storageHash"], block["hash"])
    return keccak256(bytes(32) + b"".join(bytes.fromhex(str(part)[2:]) for part in parts))


def _logs(branch: Branch, address: str, topic: str) -> list[dict[str, Any]]:
    wanted = {"address": address, "topics": [topic], "fromBlock": "0x0"}
    found = branch.puppet.rpc("eth_getLogs", wanted)
    return [log for log in found if isinstance(log, dict)] if isinstance(found, list) else []


def _time(branch: Branch, number: int) -> int:
    block: Any = branch.puppet.rpc("eth_getBlockByNumber", hex(number), False)  # noqa: FBT003 - RPC's
    return int(block["timestamp"], 16)


def _each(branch: Branch, method: str, hashes: Sequence[str]) -> list[Any]:
    return branch.puppet.batch([(method, [each]) for each in hashes]) if hashes else []


def _await_mined(branch: Branch, sent: Sequence[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not branch.halted:
        if all(_each(branch, "eth_getTransactionReceipt", sent)):
            return
        if time.monotonic() > deadline:
            raise SetupFailed("a transaction is not mined", fix="start the local chains again")
        time.sleep(_POLL_SECONDS)
