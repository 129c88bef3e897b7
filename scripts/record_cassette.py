"""Record what a provider's own server answers now, as the samples of the tests.

python scripts/record_cassette.py PROVIDER --address ACCOUNT [--room venues|bridges]
    [--chain CHAIN] [--overlay FILE] [--out FOLDER]

The provider's adapter asks its usual questions for a few pairs on one chain, and every answer goes
into FOLDER/ROOM/PROVIDER.json (tests/cassettes/... unless said otherwise) under names that begin
with `live_`, in place of those of an earlier recording; nothing else in the file is changed. Keys
are read from the environment as always; they and the account's address are not written. Nothing is
signed and nothing is sent. With the overlay of local chains their stand-ins are recorded.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.compose.adapters import make_node, make_venues
from agent.compose.bridges import all_bridge_names, make_bridges
from agent.compose.providers import key_variable, provider_names
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.price import Prices
from agent.errors import AgentError, ConfigError, Rejected, Unavailable
from agent.ports import AdapterIo
from agent.settings import Settings
from agent.settings.loading import load_text
from agent.wire.address import checksum, parse_address
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient

CASSETTES = Path(__file__).parent.parent / "tests" / "cassettes"

PREFIX = "live_"

REDACTED_ACCOUNT = "a11e7" * 8
REDACTED_KEY = "[redacted]"

PAIRS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "venues": (("WETH", "USDC", "1"), ("ETH", "USDC", "0.1"), ("USDC", "WETH", "1000")),
    "bridges": (("USDC", "USDC", "1000"), ("ETH", "ETH", "1")),
}
"""Symbols sold and bought, and how many whole tokens are sold."""

FAR = (8453, 42161, 1)
"""Where bridges are asked to go to, the first of these that is not the chain itself."""

PORTFOLIO = """\
schema = 1
[wallet]
address = "{address}"
chains = [{chains}]
signer = "watch"
[targets]
ETH = {{ weight = "0.50", band = "0.05" }}
USDC = {{ weight = "0.50", band = "0.05" }}
[{room}]
allow = ["{name}"]
"""


class Recorder:
    """The port `Http` that keeps each question with its answer; headers are never kept."""

    def __init__(self, inner: HttpClient) -> None:
        self._inner = inner
        self.kept: list[dict[str, Any]] = []

    def get(self, url: str, query: Mapping[str, str], *, headers: Mapping[str, str] = {}) -> Any:
        asked = {"method": "GET", "url": url, "query": dict(query)}
        return self._told(asked, lambda: self._inner.get(url, query, headers=headers))

    def post(self, url: str, body: Any, *, headers: Mapping[str, str] = {}) -> Any:
        asked = {"method": "POST", "url": url, "sent": body}
        return self._told(asked, lambda: self._inner.post(url, body, headers=headers))

    def _told(self, asked: dict[str, Any], ask: Callable[[], Any]) -> Any:
        try:
            answer = ask()
        except Rejected as refusal:
            self.kept.append({**asked, "status": refusal.status, "body": refusal.reply})
            raise
        self.kept.append({**asked, "status": 200, "body": answer})
        return answer


def cassette(kept: Iterable[dict[str, Any]], today: str) -> dict[str, Any]:
    """What was kept, by the last part of each question's path and its place among those."""
    found: dict[str, Any] = {}
    for each in kept:
        parts = urlsplit(each["url"])
        name = PREFIX + (parts.path.rstrip("/").rpartition("/")[2] or "root").replace("-", "_")
        number = 1 + sum(key.rpartition("_")[0] == name for key in found)
        rest = {key: value for key, value in each.items() if key != "url"}
        found[f"{name}_{number}"] = {
            "_source": f"{parts.hostname}, {today}, by scripts/record_cassette.py",
            "_kind": "recorded real response",
            "path": parts.path,
            **rest,
        }
    return found


def redacted(text: str, account: Address, secrets: Iterable[str]) -> str:
    """The same without the account, in whatever letters and also within calldata, and keys."""
    bare = account.removeprefix("0x")
    for spelled in (bare, checksum(account).removeprefix("0x"), bare.upper()):
        text = text.replace(spelled, REDACTED_ACCOUNT)
    for secret in secrets:
        text = text.replace(json.dumps(secret)[1:-1], REDACTED_KEY) if secret else text
    return text


def _number(value: Any) -> Any:
    """A number with a fraction as JSON's own where that loses nothing, else as text."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def settings_for(args: argparse.Namespace, chains: Iterable[int]) -> Settings:
    """A wallet that only watches, and may use that provider alone."""
    listed = ", ".join(f'"eip155:{chain}"' for chain in chains)
    text = PORTFOLIO.format(
        address=checksum(args.address), chains=listed, room=args.room, name=args.provider
    )
    return load_text(text, shown=Path("(recording)"), overlay=args.overlay, environ=os.environ)


def legs(settings: Settings, room: str, name: str, near: ChainId, far: ChainId) -> list[Leg]:
    """What is asked for: those pairs of which both tokens are known."""
    found = []
    for sell, buy, amount in PAIRS[room]:
        sold = _token(settings, near, sell)
        bought = _token(settings, near if room == "venues" else far, buy)
        if sold is None or bought is None:
            continue
        found.append(
            Leg(
                id="1",
                kind="swap" if room == "venues" else "bridge",
                via=name,
                sell=Sell(sold, int(Decimal(amount) * sold.unit)),
                buy=bought,
                expected_out=1,
                min_buy=1,
            )
        )
    return found


def _token(settings: Settings, chain: ChainId, symbol: str) -> Token | None:
    return next((each for each in settings.tokens(chain) if each.symbol == symbol), None)


def record(args: argparse.Namespace) -> tuple[dict[str, Any], list[str], list[str]]:
    """The entries, what the adapter made of each answer, and the secrets that went along.

    Raises ConfigError, and Unavailable when no server answered anything.
    """
    near = ChainId(args.chain)
    others = [] if args.room == "venues" else [next(each for each in FAR if each != near)]
    settings = settings_for(args, [near, *others])
    clock = SystemClock()
    nodes = {chain: make_node(facts, clock) for chain, facts in settings.chains.items()}
    recorder = Recorder(HttpClient())
    io = AdapterIo(dict(nodes), clock, recorder)
    made: Any = make_venues(settings, io) if args.room == "venues" else _bridges(settings, io)
    adapter = made.get(args.provider)
    if adapter is None:
        raise ConfigError(
            f"{args.provider} is off",
            fix=f"set {key_variable(args.provider)}, or choose another chain",
        )
    said, last = [], None
    far = ChainId(others[0]) if others else near
    for leg in legs(settings, args.room, args.provider, near, far):
        pair = f"{leg.sell.token.symbol} to {leg.buy.symbol}"
        try:
            quote = adapter.quote(leg, leg.sell.fixed_raw, args.address, 1, clock.now())
            said.append(f"{pair}: {quote.amount_out} base units")
        except Unavailable as error:
            said.append(f"{pair}: {error.message}")
            last = error
    for node in nodes.values():
        node.close()
    if not recorder.kept:
        raise last or Unavailable(f"{args.provider} asks no server", fix="record another provider")
    secret = settings.secret(key_variable(args.provider))
    today = f"{datetime.fromtimestamp(clock.now(), UTC):%Y-%m-%d}"
    return cassette(recorder.kept, today), said, [] if secret is None else [secret.reveal()]


def _bridges(settings: Settings, io: AdapterIo) -> Any:
    return make_bridges(settings, io, lambda: Prices({}))


def write(file: Path, text: str) -> int:
    """Put the entries of *text* in place of those of an earlier recording; how many they are."""
    fresh = json.loads(text)
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {name: entry for name, entry in known.items() if not name.startswith(PREFIX)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**kept, **fresh}, indent=1) + "\n", encoding="utf-8")
    return len(fresh)


def main(arguments: list[str] | None = None) -> int:
    """0 when something was recorded, 1 with an error that says why not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("provider")
    parser.add_argument("--address", required=True, type=lambda text: parse_address(text.lower()))
    parser.add_argument("--room", choices=sorted(PAIRS))
    parser.add_argument("--chain", type=int, default=1)
    parser.add_argument("--overlay", type=Path)
    parser.add_argument("--out", type=Path, default=CASSETTES)
    args = parser.parse_args(arguments)
    rooms = {"venues": provider_names("venues"), "bridges": all_bridge_names()}
    args.room = args.room or next(
        (r for r in ("venues", "bridges") if args.provider in rooms[r]), ""
    )
    if args.provider not in rooms.get(args.room, ()):
        parser.error(f"{args.provider} is no venue and no bridge")
    try:
        entries, said, secrets = record(args)
    except AgentError as error:
        print(f"{error.code} {error.message}\n{error.fix}\nnothing was written", file=sys.stderr)
        return 1
    text = redacted(json.dumps(entries, default=_number), args.address, secrets)
    file = args.out / args.room / f"{args.provider}.json"
    print("\n".join(said))
    print(f"{write(file, text)} answers in {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
