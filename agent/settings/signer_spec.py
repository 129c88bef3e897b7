"""Reads who signs: `keystore:main`, `ledger`, `remote:https://…`, `env_key` or `watch`."""

from __future__ import annotations

from collections.abc import Mapping

from agent.settings import kinds
from agent.settings.environment import SECRETS
from agent.settings.model import SignerSpec
from agent.settings.value import Value, did_you_mean
from agent.wire.endpoint import parse_endpoint

_NEEDS: Mapping[str, str | None] = {
    "keystore": "the name of a key store, such as keystore:main",
    "remote": "a URL, such as remote:https://signer.example",
    "env_key": None,
    "ledger": None,
    "watch": None,
}
"""What must follow the colon; None where nothing must."""

_PRIVATE_KEY = SECRETS[1]


def signer_spec(value: Value) -> SignerSpec:
    """The signer that *value* names; raises WrongType and WrongValue."""
    kind, colon, name = kinds.text(value).partition(":")
    if kind not in _NEEDS:
        raise value.wrong(f"no such kind of signer{did_you_mean(kind, _NEEDS)}")
    if _NEEDS[kind] is not None and not name:
        raise value.wrong(f"needs {_NEEDS[kind]}")
    if kind in ("ledger", "watch") and colon:
        raise value.wrong(f"nothing may follow {kind}")
    if kind == "env_key":
        return SignerSpec(kind=kind, name=name or _PRIVATE_KEY)
    if kind == "remote":
        _refuse_bad_url(value, name)
    return SignerSpec(kind=kind, name=name)


def _refuse_bad_url(value: Value, url: str) -> None:
    try:
        parse_endpoint(url)
    except ValueError as error:
        raise value.wrong(str(error).replace("RPC URL", "URL of the signer")) from None
