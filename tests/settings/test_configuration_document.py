"""docs/configuration.md has every key, variable and code, and its examples work."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from settings.example import EXAMPLE

from agent import resources
from agent.settings import environment
from agent.settings.choices import KEYS
from agent.settings.key import Key
from agent.settings.keys import CHAINS, OVERLAY, PORTFOLIO

NODES = tuple(re.findall(r"\$\{([A-Z_]+)", resources.text("chains.toml")))
"""The variables that put a node of one's own in front."""

DOCUMENT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def default(key: Key) -> str:
    if key.needed:
        return "needed"
    if key.default is None:
        return "–"
    if isinstance(key.default, tuple):
        return "`[" + ", ".join(f'"{name}"' for name in key.default) + "]`"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    return f"`{key.default}`" if isinstance(key.default, int) else f'`"{key.default}"`'


def table(keys: Sequence[Key]) -> str:
    """The keys as the document shows them; paste this when the test fails."""
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    rows += [f"| `{key.name}` | {key.takes} | {default(key)} | {key.meaning} |" for key in keys]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "keys", [PORTFOLIO, CHAINS, OVERLAY], ids=["portfolio", "chains", "overlay"]
)
def test_document_has_the_table_of_every_file(keys):
    assert table(keys) in DOCUMENT


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


def test_document_shows_the_portfolio_of_the_contract():
    assert blocks("toml")[0] == EXAMPLE


def test_every_toml_in_the_document_is_toml():
    assert len(blocks("toml")) >= 3
    for block in blocks("toml"):
        assert tomllib.loads(block)


def test_overlay_of_the_document_is_accepted(folder):
    from agent.settings import load_chains_only

    overlay = next(block for block in blocks("toml") if "local = true" in block)
    Path("overlay.toml").write_text(overlay)
    assert load_chains_only(overlay=Path("overlay.toml"), environ={}).local is True


def test_document_names_every_variable_that_is_no_key():
    for name in (*environment.FILES, *environment.SECRETS, *NODES):
        assert f"`{name}`" in DOCUMENT


def test_document_names_every_code():
    for code in ("C100", "C101", "C102", "C103", "C104", "C106", "K103"):
        assert f"| {code} |" in DOCUMENT


def test_example_of_the_contract_says_every_key_but_the_ones_with_a_reason():
    said = {
        key.name for key in PORTFOLIO if re.search(rf"\b{key.name.rsplit('.', 1)[-1]}\b", EXAMPLE)
    }
    unsaid = {key.name for key in PORTFOLIO if "<" not in key.name} - said
    assert unsaid == {
        "wallet.env_key_max_value",
        # An offer of one's own to relayers: for those who do not want to ask for one.
        "bridges.across.api",
        "bridges.across.relayer_fee_bps",
        "bridges.across.relayer_fee_fixed",
        # Off unless asked for; the document shows it in a section of its own.
        "tracking.risk_aversion",
        "tracking.horizon",
    }


def test_every_overridable_key_is_asked_for(load_text):
    """A key that nobody reads would be accepted and ignored."""
    asked = set(load_text().origin)
    assert {key.name for key in KEYS.values() if key.overridable} <= asked
