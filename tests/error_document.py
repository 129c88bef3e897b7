"""docs/errors.md: made of what real processes print, one section per case."""

from __future__ import annotations

import fcntl
import json
import re
from pathlib import Path

from cli_fixtures import CHECKOUT, CliWallet, Ended
from error_cases import CASES, Case

DOCUMENT = CHECKOUT / "docs" / "errors.md"

HEAD = """\
# Errors

What bad input does, one kind after another: the command, what it prints, and its exit code. This
file is written by a test that starts the real command as a process on a local chain
(`scripts/errors_doc.py` writes it again); home, ports, addresses, hashes, processes and times are
replaced by words.

In every case the test also looks at the wallet: its nonce on the chain is what it was, the journal
holds no new signature, and what the journal held is untouched. `rebalancer explain CODE` has the
long text of a code.

| what is wrong | code | exit |
|---|---|---|
"""

_NORMAL: tuple[tuple[str, str], ...] = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\bport \d+ of\b", "port PORT of"),
    (r"0x[0-9a-f]{64}\b", "0xHASH"),
    (r"0x[0-9a-fA-F]{40}\b", "0xADDRESS"),
    (r"\bprocess \d+\b", "process PID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"up to [\d.]+ ETH", "up to N ETH"),
)


def normal(text: str, wallet: CliWallet) -> str:
    """*text* without what differs from one machine and run to the next."""
    text = text.replace(str(wallet.home), "~")
    for pattern, word in _NORMAL:
        text = re.sub(pattern, word, text)
    return text


def section(case: Case, wallet: CliWallet, told: Ended, as_json: Ended) -> str:
    """The part of the document about one case."""
    printed = normal(told.stdout + told.stderr, wallet)
    document = json.dumps(json.loads(normal(as_json.stdout, wallet)), indent=2, ensure_ascii=False)
    return "\n".join(
        [
            f"## {case.title}",
            "",
            case.wrong,
            "",
            "```console",
            f"$ {case.line}",
            *printed.splitlines(),
            "$ echo $?",
            str(told.code),
            "```",
            "",
            "With `--json`, on stdout:",
            "",
            "```json",
            document,
            "```",
            "",
        ]
    )


def head() -> str:
    """What stands before the first section."""
    rows = [f"| [{case.title}](#{case.anchor}) | `{case.code}` | {case.exit} |" for case in CASES]
    return HEAD + "\n".join(rows) + "\n"


def sections(text: str) -> dict[str, str]:
    """The sections of a document by their title, in its order; the head under an empty title."""
    found = {}
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        title = part.partition("\n")[0].removeprefix("## ") if part.startswith("## ") else ""
        found[title] = part.rstrip("\n") + "\n"
    return found


def put(title: str, text: str, path: Path = DOCUMENT) -> None:
    """Write one section into the document, in the order of the cases; drop what is no case."""
    path.touch()
    with path.open("r+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        known = {**sections(stream.read()), "": head(), title: text}
        titles = ["", *(case.title for case in CASES)]
        stream.seek(0)
        stream.truncate()
        stream.write("\n".join(known[each] for each in titles if each in known))
