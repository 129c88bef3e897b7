"""The kill switch: a file that stops all signing, whoever runs."""

from __future__ import annotations

import json
from pathlib import Path

from agent.errors import DiskFull
from agent.wire.clock import SystemClock

FILE = "paused.json"


class KillSwitch:
    """A file in the state folder; while it is there nothing is signed for any account.

    It is a plain file so that it can be thrown even when journals cannot be read:
    an empty `paused.json` made by hand works too.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / FILE

    def reason(self) -> str | None:
        """Why signing is stopped, None while it is not; what cannot be read stops too."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return f"{self._path} cannot be read"
        try:
            said = json.loads(text)
            return str(said["reason"])
        except (ValueError, KeyError, TypeError):
            return f"{self._path} is there"

    def throw(self, reason: str) -> None:
        """Stop all signing from now on; raises DiskFull when the file cannot be written."""
        content = json.dumps({"reason": reason, "at": SystemClock().now()})
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise DiskFull(
                f"{self._path} could not be written: {error.strerror}",
                fix="stop the running processes instead, then make room",
            ) from None

    def release(self) -> bool:
        """Allow signing again; False when nothing was stopped."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
