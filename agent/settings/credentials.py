"""Secrets that whoever starts the process hands over as files, such as systemd credentials."""

from __future__ import annotations

import os
from pathlib import Path

from agent.errors import KeyFileUnsafe
from agent.settings.environment import Secret
from agent.settings.toml_file import MAX_BYTES

FOLDER = "CREDENTIALS_DIRECTORY"
"""Variable that names their folder; systemd sets it for units with LoadCredential=."""


def credential(name: str) -> Secret | None:
    """The first line of the file *name* among the credentials, None where there is none.

    Raises KeyFileUnsafe when it is there and cannot be read. Its mode is whoever made it's
    concern: systemd and container engines mount such files read-only for this process alone.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return None
    path = Path(folder) / name
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(MAX_BYTES).partition("\n")[0].rstrip("\r")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileUnsafe(
            f"the credential {path} was not read: {error.strerror}",
            fix="let this user read it, or unset CREDENTIALS_DIRECTORY",
        ) from None
    return Secret(text) if text else None
