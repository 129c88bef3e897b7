"""How long reading a portfolio takes, beside the usual ways of doing it with web3 and with viem.

    python scripts/bench/snapshot.py [--json] [--rounds N]

Local nodes stand behind a proxy that adds 50 ms to every round trip and counts HTTP requests. Each
way reads the same balances (50 or 500 token contracts and the native coin) of one account on one
chain or on three at once, and every balance is checked. web3 is measured with its defaults and with
its best settings, and so is viem's multicall, in a process of Node.js that measures itself; they
read no block hash, no code hash and no chain id of the balances' block. viem is fetched by npm at
the version and hash of scripts/npm.toml.

Cold is a new client with new connections (imports done before), warm is the median of the rounds
after it; a slow way gets fewer of them. CPU is that of this process; nodes and proxies are
processes of their own. A round trip is what the smallest request takes on the same wires, asked in
turn with the product, so that a busy machine slows both. The CPU is compared with web3's defaults,
the time with the better of viem's settings, by the median of the warm rounds and by the best one.
Ends with 1 if a goal is missed.
"""

import argparse
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import platformdirs
from web3 import Web3

from agent.chain.node import RpcNode
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.lab.anvil import Anvil, start_anvil
from agent.lab.packages import artifacts, node_binary
from agent.lab.puppet import Puppet
from agent.wire.abi import interface
from agent.wire.address import checksum
from scripts.npm_packages import node_command, node_modules

ROUND_TRIP_MS = 50.0
CHAINS = (1, 10, 8453)
TOKEN_COUNTS = (50, 500)
ACCOUNT = Address("0x" + "ac" * 20)
NATIVE_WEI = 10**18 + 7

GOALS = {
    "requests_per_chain": 1,
    "warm_round_trips": 1.2,
    "cpu_of_web3_contract_calls": 1 / 50,
    "times_faster_than_viem": 1.0,
}

# balanceOf(account) = token XOR account, so that a mixed-up pair is noticed:
# ADDRESS, PUSH1 4, CALLDATALOAD, XOR, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN
BALANCE_CODE = "0x306004351860005260206000f3"

Balances = dict[Address, int]
Client = Callable[[], list[Balances]]
"""Reads all chains once; keeps its connections. One with `took`, in milliseconds of time and CPU,
measures itself, because it works in another process."""


@dataclass(frozen=True, slots=True)
class Site:
    """One chain as the client sees it."""

    chain: int
    url: str
    multicall3: Address
    tokens: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one way of reading took."""

    way: str
    chains: int
    tokens: int
    requests_per_chain: int
    rounds: int
    cold_ms: float
    warm_ms: float
    best_ms: float
    warm_round_trips: float = 0.0
    cpu_ms: float
    kilobytes: float


# The ways


def smallest_request(sites: Sequence[Site]) -> Client:
    """No reading at all: a chain id over a bare socket, the least that one round trip can be."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    request = b"%b%d\r\n\r\n%b" % (head, len(body), body)
    addresses = [("127.0.0.1", int(site.url.rpartition(":")[2])) for site in sites]
    sockets = [socket.create_connection(address) for address in addresses]

    def read(connection: socket.socket, site: Site) -> Balances:
        connection.sendall(request)
        if hex(site.chain).encode() not in connection.recv(65_536):
            raise SystemExit("no chain id")
        return {}

    return lambda: in_parallel(read, sockets, sites)


def rebalancer(sites: Sequence[Site]) -> Client:
    """The product: its node adapter, one thread per chain, as the engine's survey does it."""

    class Now:
        def now(self) -> int:
            return int(time.time())

        def sleep(self, seconds: float) -> None:
            time.sleep(seconds)

    nodes = [
        RpcNode(
            ChainId(site.chain),
            [site.url],
            genesis=None,
            multicall3=site.multicall3,
            max_head_age_seconds=None,
            clock=Now(),
        )
        for site in sites
    ]
    tokens = [
        [Token(ChainId(site.chain), each, 18, "T") for each in (NATIVE, *site.tokens)]
        for site in sites
    ]

    def read(node: RpcNode, wanted: list[Token]) -> Balances:
        held = node.snapshot(ACCOUNT, wanted)
        return {token.address: raw for token, raw in held.balances.items()}

    return lambda: in_parallel(read, nodes, tokens)


def web3_multicall(sites: Sequence[Site], **provider: Any) -> Client:
    """web3's contract object of Multicall3: one aggregate3 with the native balance in it."""
    clients = [Web3(Web3.HTTPProvider(site.url, **provider)) for site in sites]
    contracts = [
        client.eth.contract(checksum(site.multicall3), abi=interface("multicall3"))  # type: ignore[call-overload]
        for client, site in zip(clients, sites, strict=True)
    ]
    erc20 = clients[0].eth.contract(abi=interface("erc20"))

    def read(contract: Any, site: Site) -> Balances:
        me = checksum(ACCOUNT)
        ask = erc20.encode_abi("balanceOf", [me])
        calls = [(contract.address, False, contract.encode_abi("getEthBalance", [me]))]
        calls += [(checksum(token), True, ask) for token in site.tokens]
        answers = contract.functions.aggregate3(calls).call()
        return {
            token: int.from_bytes(answer, "big")
            for token, (_, answer) in zip((NATIVE, *site.tokens), answers, strict=True)
        }

    return lambda: in_parallel(read, contracts, sites)


def web3_batch(sites: Sequence[Site]) -> Client:
    """web3's batch of single contract calls: one HTTP request with as many calls as tokens."""
    clients = [Web3(Web3.HTTPProvider(site.url)) for site in sites]
    abi = interface("erc20")

    def read(client: Web3, site: Site) -> Balances:
        me = Web3.to_checksum_address(checksum(ACCOUNT))
        with client.batch_requests() as batch:
            batch.add(client.eth.get_balance(me))
            for token in site.tokens:
                contract = client.eth.contract(Web3.to_checksum_address(token), abi=abi)
                batch.add(contract.functions.balanceOf(me))
            answers = batch.execute()
        return dict(zip((NATIVE, *site.tokens), answers, strict=True))

    return lambda: in_parallel(read, clients, sites)


class Viem:
    """viem's multicall with one setting of its `batchSize`, None for its default."""

    def __init__(self, sites: Sequence[Site], batch_size: int | None) -> None:
        script = NODE_HOME / "viem_snapshot.mjs"
        self._tokens = [(NATIVE, *site.tokens) for site in sites]
        self._process = subprocess.Popen(
            [*node_command(), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        OPEN.callback(self._process.wait)
        OPEN.callback(self._process.kill)
        wanted = [asdict(site) for site in sites]
        self._ask(json.dumps({"sites": wanted, "account": ACCOUNT, "batchSize": batch_size}))
        self.took = (0.0, 0.0)

    def __call__(self) -> list[Balances]:
        told = json.loads(self._ask(""))
        self.took = (told["wall_ms"], told["cpu_ms"])
        return [
            dict(zip(tokens, map(int, balances), strict=True))
            for tokens, balances in zip(self._tokens, told["balances"], strict=True)
        ]

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


OPEN = ExitStack()
"""Processes that end with the benchmark."""

NODE_HOME = Path(OPEN.enter_context(tempfile.TemporaryDirectory(prefix="rebalancer-viem-")))
"""Where viem lies for Node.js to find, beside the script that imports it."""

VIEM = ("viem multicall", "viem multicall, no batches")

WAYS: dict[str, Callable[[Sequence[Site]], Client]] = {
    "smallest request": smallest_request,
    "rebalancer": rebalancer,
    "web3 contract call": web3_multicall,
    "web3 contract call, chain id cached": lambda sites: web3_multicall(
        sites, cache_allowed_requests=True
    ),
    "web3 batch": web3_batch,
    VIEM[0]: lambda sites: Viem(sites, None),
    VIEM[1]: lambda sites: Viem(sites, 0),
}
TURNS = (
    ("smallest request", "rebalancer"),  # in turn, so that both meet the same machine
    VIEM,
    ("web3 contract call",),
    ("web3 contract call, chain id cached",),
    ("web3 batch",),
)
BASELINE = "web3 contract call"
ENOUGH_SECONDS = 5.0  # of rounds of one turn
FEWEST_ROUNDS = 3


def in_parallel(read: Callable[[Any, Any], Balances], *pairs: Sequence[Any]) -> list[Balances]:
    """Read all chains at once: one on this thread, each of the others on one of its own."""
    (first, *others) = zip(*pairs, strict=True)
    waiting = [POOL.submit(read, *pair) for pair in others]
    return [read(*first), *(future.result() for future in waiting)]


POOL = ThreadPoolExecutor(len(CHAINS))


# The chains


class Wire:
    """The proxy in front of one node."""

    def __init__(self, node: Anvil) -> None:
        script = Path(__file__).with_name("latency_proxy.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(node.port), str(ROUND_TRIP_MS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://127.0.0.1:{self._line()}"

    def seen(self) -> dict[str, int]:
        """What passed since the last time that this was asked."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, int] = json.loads(self._line())
        return found

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def chains() -> Iterator[tuple[list[Site], list[Wire]]]:
    """Start the nodes, put token contracts on them, and the proxies before them."""
    cache = platformdirs.user_cache_path("rebalancer")
    binary, multicall = node_binary(cache), artifacts(cache)["Multicall3"]
    tokens = tuple(
        Address(f"0x{0x70CE << 128 | number:040x}") for number in range(max(TOKEN_COUNTS))
    )
    sites, wires = [], []
    with ExitStack() as running:
        for chain in CHAINS:
            node = start_anvil(binary, chain_id=chain)
            running.callback(node.stop)
            contract = Puppet(node.rpc, "0x" + "de" * 20).deploy(multicall)
            node.rpc.batch([("anvil_setCode", [token, BALANCE_CODE]) for token in tokens])
            node.rpc.call("anvil_setBalance", ACCOUNT, hex(NATIVE_WEI))
            wire = Wire(node)
            running.callback(wire.stop)
            wires.append(wire)
            sites.append(Site(chain, wire.url, Address(contract.lower()), tokens))
        yield sites, wires


# The measurement


@dataclass(slots=True)
class Record:
    """What the rounds of one way took; the first one is cold."""

    walls_ms: list[float] = field(default_factory=list)
    cpus_ms: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    kilobytes: list[float] = field(default_factory=list)
    client: Client | None = None

    def case(self, way: str, sites: Sequence[Site]) -> Case:
        return Case(
            way=way,
            chains=len(sites),
            tokens=len(sites[0].tokens),
            # The most that any chain saw in any round, cold or warm.
            requests_per_chain=max(self.requests),
            rounds=len(self.walls_ms) - 1,
            cold_ms=round(self.walls_ms[0], 2),
            warm_ms=round(statistics.median(self.walls_ms[1:]), 2),
            best_ms=round(min(self.walls_ms[1:]), 2),
            cpu_ms=round(statistics.median(self.cpus_ms[1:]), 3),
            kilobytes=round(statistics.median(self.kilobytes[1:]), 1),
        )


def measure(sites: Sequence[Site], wires: Sequence[Wire], *, rounds: int) -> list[Case]:
    """Let every way read once cold and then warm, and compare it with the round trip."""
    cases: list[Case] = []
    for ways in TURNS:
        records = {way: Record() for way in ways}
        started = time.perf_counter()
        for done in range(rounds + 1):
            if done > FEWEST_ROUNDS and time.perf_counter() - started > ENOUGH_SECONDS:
                break
            for way in ways:
                read_once(way, records[way], sites, wires)
        cases += [record.case(way, sites) for way, record in records.items()]
    round_trip_ms = cases[0].warm_ms
    return [
        replace(case, warm_round_trips=round(case.warm_ms / round_trip_ms, 3)) for case in cases
    ]


def read_once(way: str, record: Record, sites: Sequence[Site], wires: Sequence[Wire]) -> None:
    """Read all chains in one way, and check every balance."""
    for wire in wires:
        wire.seen()
    wall, cpu = time.perf_counter(), time.process_time()
    record.client = record.client or WAYS[way](sites)
    found = record.client()
    took = ((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)
    wall_ms, cpu_ms = getattr(record.client, "took", took)
    record.walls_ms.append(wall_ms)
    record.cpus_ms.append(cpu_ms)
    seen = [wire.seen() for wire in wires]
    record.requests.append(max(each["requests"] for each in seen))
    record.kilobytes.append(sum(each["bytes_up"] + each["bytes_down"] for each in seen) / 1000)
    if way != "smallest request" and found != [expected(site) for site in sites]:
        raise SystemExit(f"{way}: wrong balances")


def expected(site: Site) -> Balances:
    """What the contracts of `chains` answer."""
    tokens = {token: int(token, 16) ^ int(ACCOUNT, 16) for token in site.tokens}
    return {NATIVE: NATIVE_WEI} | tokens


def verdict(ours: Case, others: Sequence[Case]) -> dict[str, Any]:
    """Compare the product with the goals and with the other ways, at one size."""
    baseline = next(case.cpu_ms for case in others if case.way == BASELINE)
    viem = [case for case in others if case.way in VIEM]
    times_faster_than_viem = {
        "warm": round(min(case.warm_ms for case in viem) / ours.warm_ms, 2),
        "best": round(min(case.best_ms for case in viem) / ours.best_ms, 2),
    }
    return {
        "chains": ours.chains,
        "tokens": ours.tokens,
        "times_faster": {case.way: round(case.warm_ms / ours.warm_ms, 2) for case in others},
        "times_less_cpu": {case.way: round(case.cpu_ms / ours.cpu_ms, 1) for case in others},
        "times_faster_than_viem": times_faster_than_viem,
        "goals": {
            "requests_per_chain": ours.requests_per_chain == GOALS["requests_per_chain"],
            "warm_round_trips": ours.warm_round_trips <= GOALS["warm_round_trips"],
            "cpu_of_web3_contract_calls": ours.cpu_ms
            <= baseline * GOALS["cpu_of_web3_contract_calls"],
            "times_faster_than_viem": min(times_faster_than_viem.values())
            > GOALS["times_faster_than_viem"],
        },
    }


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--json", action="store_true", help="print one JSON document")
    options.add_argument("--rounds", type=int, default=31, help="warm rounds at most (default 31)")
    chosen = options.parse_args()
    cases: list[Case] = []
    verdicts: list[dict[str, Any]] = []
    with OPEN, chains() as (sites, wires):
        node_modules(platformdirs.user_cache_path("rebalancer"), NODE_HOME)
        script = Path(__file__).with_name("viem_snapshot.mjs")
        (NODE_HOME / script.name).write_bytes(script.read_bytes())
        for count in (1, len(CHAINS)):
            for size in TOKEN_COUNTS:
                picked = [
                    Site(site.chain, site.url, site.multicall3, site.tokens[:size])
                    for site in sites[:count]
                ]
                here = measure(picked, wires[:count], rounds=chosen.rounds)
                cases += here
                verdicts.append(verdict(here[1], here[2:]))
    passed = all(all(each["goals"].values()) for each in verdicts)
    if chosen.json:
        print(json.dumps(document(cases, verdicts, passed=passed), indent=1))
    else:
        print_table(cases)
        print("all goals are met" if passed else f"missed: {json.dumps(verdicts)}")
    return 0 if passed else 1


def document(
    cases: Sequence[Case], verdicts: list[dict[str, Any]], *, passed: bool
) -> dict[str, Any]:
    """The machine-readable result."""
    return {
        "benchmark": "snapshot",
        "nominal_round_trip_ms": ROUND_TRIP_MS,
        "python": platform.python_version(),
        "goals": GOALS,
        "cases": [asdict(case) for case in cases],
        "verdicts": verdicts,
        "passed": passed,
    }


def print_table(cases: Sequence[Case]) -> None:
    times = f"{'cold':>8} {'warm':>8} {'best':>8}"
    print(f"{'':>44} {'requests':>8} {times} {'trips':>6} {'CPU':>8} {'kB':>7}")
    for case in cases:
        name = f"{case.chains} x {case.tokens:<4} {case.way}"
        print(
            f"{name:<44} {case.requests_per_chain:>8} {case.cold_ms:>8.1f} {case.warm_ms:>8.1f} "
            f"{case.best_ms:>8.1f} "
            f"{case.warm_round_trips:>6.2f} {case.cpu_ms:>8.2f} {case.kilobytes:>7.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())
