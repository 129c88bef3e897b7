"""The portal's rules as it states them itself: delays, dispute games, and proofs that stand.

Nothing of these is a constant: rollups change them, and a guardian changes what counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.bridges._op_messages import read
from agent.bridges._op_stack import GAME, GAMES, PORTAL, Withdrawal
from agent.bridges._op_ways import Way
from agent.core.money import Address, ChainId
from agent.errors import BadReply
from agent.ports import Node, Read
from agent.wire.abi import Function
from agent.wire.words import WORD_BYTES

SEARCHED_GAMES = 50
"""The newest games that are looked at: two days of a proposal each hour."""

FOREIGN_PROOFS = 4
"""Proofs by others that are looked at: anybody may add to them."""

CHALLENGER_WINS, DEFENDER_WINS = 1, 2
"""`GameStatus`; 0 is in progress."""

ADDRESS_BYTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the portal says of itself, in seconds; `games` is where outputs are stated."""

    paused: bool
    maturity: int
    air_gap: int
    game_type: int
    games: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One output of the rollup that somebody stated; `index` is its place among all games."""

    index: int
    address: Address
    timestamp: int
    root: bytes
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof of a withdrawal that the portal keeps, and how the game that it rests on stands.

    `ready` says that the portal would pay now; `due` is the unix second after which it should,
    as far as anybody can tell.
    """

    submitter: Address
    game: Address
    ready: bool
    fallen: bool
    resolved: bool
    due: int
    root: bytes
    block: int


class Portals:
    """Reads portals and their games at one block; every method raises Unavailable."""

    def __init__(self, nodes: Mapping[ChainId, Node]) -> None:
        self._nodes = nodes

    def rules(self, way: Way, at: int) -> Rules:
        """The rules of a way's portal."""
        names = (
            "paused",
            "proofMaturityDelaySeconds",
            "disputeGameFinalityDelaySeconds",
            "respectedGameType",
            "disputeGameFactory",
        )
        asked = [(way.portal, PORTAL[name], ()) for name in names]
        paused, maturity, air_gap, game_type, games = self._all(way, asked, at)
        return Rules(
            paused=paused, maturity=maturity, air_gap=air_gap, game_type=game_type, games=games
        )

    def is_finalized(self, way: Way, made: Withdrawal, at: int) -> bool:
        """Whether the portal has passed a withdrawal on."""
        asked = [(way.portal, PORTAL["finalizedWithdrawals"], (made.hash,))]
        return bool(self._all(way, asked, at)[0])

    def clock(self, way: Way, rules: Rules, at: int) -> int:
        """Seconds that an undisputed game of the type that counts stands open, 0 if untold."""
        (game,) = self._all(way, [(rules.games, GAMES["gameImpls"], (rules.game_type,))], at)
        (found,) = self._some(way, [(Address(game), GAME["maxClockDuration"], ())], at)
        return int(found or 0)

    def newest(self, way: Way, rules: Rules, at: int) -> tuple[Game, ...]:
        """The newest games of the type that counts, the newest first."""
        (count,) = self._all(way, [(rules.games, GAMES["gameCount"], ())], at)
        if not count:
            return ()
        wanted = (rules.game_type, count - 1, min(count, SEARCHED_GAMES))
        (games,) = self._all(way, [(rules.games, GAMES["findLatestGames"], wanted)], at)
        return tuple(
            Game(
                index=index,
                # Type, time and contract are packed into one word (LibGameId).
                address=Address("0x" + packed[-ADDRESS_BYTES:].hex()),
                timestamp=timestamp,
                root=root,
                block=_block(extra),
            )
            for index, packed, timestamp, root, extra in games
        )

    def has_fallen(self, way: Way, game: Address, at: int) -> bool:
        """Whether the guardian has voided a game, or its challenger has won."""
        (status,) = self._all(way, [(game, GAME["status"], ())], at)
        (void,) = self._some(way, [(way.portal, PORTAL["disputeGameBlacklist"], (game,))], at)
        return bool(void) or status == CHALLENGER_WINS

    def proofs(
        self, way: Way, made: Withdrawal, account: Address, rules: Rules, at: int
    ) -> tuple[Proof, ...]:
        """The proofs of a withdrawal that the portal keeps, the account's own first."""
        asked = [(way.portal, PORTAL["numProofSubmitters"], (made.hash,))]
        count = min(int(self._all(way, asked, at)[0]), FOREIGN_PROOFS)
        others = self._all(
            way,
            [(way.portal, PORTAL["proofSubmitters"], (made.hash, each)) for each in range(count)],
            at,
        )
        submitters = list(dict.fromkeys((account, *map(Address, others))))
        proven = PORTAL["provenWithdrawals"]
        kept = [
            read(proven.decode, answer)
            for answer in self._answers(
                way, [(way.portal, proven, (made.hash, each)) for each in submitters], at
            )
        ]
        return tuple(
            self._proof(way, rules, Address(game), since, (made.hash, submitter), at=at)
            for submitter, (game, since) in zip(submitters, kept, strict=True)
            if since
        )

    def _proof(
        self,
        way: Way,
        rules: Rules,
        game: Address,
        since: int,
        key: tuple[bytes, Address],
        *,
        at: int,
    ) -> Proof:
        """The proof that the portal keeps under *key*, since that unix second."""
        names = ("status", "createdAt", "resolvedAt", "rootClaim", "extraData")
        status, created, resolved, root, extra = self._all(
            way, [(game, GAME[name], ()) for name in names], at
        )
        clock, void = self._some(
            way,
            [
                (game, GAME["maxClockDuration"], ()),
                (way.portal, PORTAL["disputeGameBlacklist"], (game,)),
            ],
            at,
        )
        check = PORTAL["checkWithdrawal"].encode(*key)
        (passes,) = self._nodes[way.parent.chain].read([Read(way.portal, check)], at)
        ended = resolved or created + (clock or 0)
        return Proof(
            submitter=key[1],
            game=game,
            ready=passes is not None,
            fallen=bool(void) or status == CHALLENGER_WINS,
            resolved=status == DEFENDER_WINS,
            due=max(since + rules.maturity, ended + rules.air_gap),
            root=root,
            block=_block(extra),
        )

    def _all(
        self, way: Way, asked: Sequence[tuple[Address, Function, tuple[Any, ...]]], at: int
    ) -> list[Any]:
        """One value of each function; all must answer."""
        return [
            read(function.decode, answer)[0]
            for (_, function, _), answer in zip(asked, self._answers(way, asked, at), strict=True)
        ]

    def _some(
        self, way: Way, asked: Sequence[tuple[Address, Function, tuple[Any, ...]]], at: int
    ) -> list[Any]:
        """The same, None of one that does not answer: newer contracts lack some."""
        reads = [Read(to, function.encode(*values)) for to, function, values in asked]
        answers = self._nodes[way.parent.chain].read(reads, at)
        return [
            read(function.decode, answer)[0] if answer else None
            for (_, function, _), answer in zip(asked, answers, strict=True)
        ]

    def _answers(
        self, way: Way, asked: Sequence[tuple[Address, Function, tuple[Any, ...]]], at: int
    ) -> list[bytes]:
        reads = [Read(to, function.encode(*values)) for to, function, values in asked]
        found = []
        for one, answer in zip(asked, self._nodes[way.parent.chain].read(reads, at), strict=True):
            if answer is None:
                raise BadReply(
                    f"{one[0]} on chain {way.parent.chain} does not answer {one[1].name}",
                    fix="check the addresses of the OP stack in chains.toml",
                )
            found.append(answer)
        return found


def _block(extra: bytes) -> int:
    """The block of the rollup that a game is about; some kinds of games say more after it."""
    return int.from_bytes(extra[:WORD_BYTES], "big")
