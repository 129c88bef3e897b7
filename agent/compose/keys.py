"""Key files for the commands: listing, making, importing and finding them."""

from __future__ import annotations

from agent.signers.keystore import (
    Folders,
    KeyFile,
    find,
    import_key,
    list_keys,
    new,
    show_address,
)

__all__ = ["Folders", "KeyFile", "find", "import_key", "list_keys", "new", "show_address"]
