"""A process with a journal: started by tests, told what to do by lines, and killed.

python -m journal_process STORE PLACE NAME
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from journal_rigs import OPEN, step

from agent.core.money import Address
from agent.errors import Fenced, Locked
from agent.ports import Journal


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def append_for_ever(journal: Journal, account: Address, name: str) -> None:
    """Say each position once its fact is durable."""
    seq = len(journal.load(account))
    while True:
        journal.append(account, seq, step(seq, name))
        say(seq)
        seq += 1


def race(journal: Journal, account: Address, name: str, length: int) -> None:
    """Go for every position up to *length*, and say which were won."""
    won = []
    seq = 0
    while seq < length:
        try:
            journal.append(account, seq, step(seq, name))
            won.append(seq)
            seq += 1
        except Fenced:
            seq = len(journal.load(account))
    say(*won)


def hold(journal: Journal, account: Address, child: str) -> None:
    """Hold the lock until killed, with a child that outlives us where one is wanted."""
    try:
        with journal.hold(account):
            pid = 0
            if child == "forked":
                heard, ready = os.pipe()
                pid = os.fork()
                if pid == 0:
                    os.write(ready, b"r")
                    time.sleep(600)
                os.read(heard, 1)
            elif child == "started":
                pid = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
            say("held", pid)
            sys.stdin.readline()
    except Locked as error:
        say("locked", error)


def main() -> None:
    store, place, name = sys.argv[1:4]
    journal = OPEN[store](Path(place))
    say("open")
    for line in sys.stdin:
        command, account, *rest = line.split()
        if command == "append":
            append_for_ever(journal, Address(account), name)
        elif command == "race":
            race(journal, Address(account), name, int(rest[0]))
        else:
            hold(journal, Address(account), *rest)


if __name__ == "__main__":
    main()
