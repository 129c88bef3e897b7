from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent import resources
from agent.errors import AgentError
from agent.settings import Settings, load

MINIMAL = """\
schema = 1

[wallet]
address = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
chains  = ["eip155:1"]

[targets]
ETH  = { weight = "0.60", band = "0.05" }
USDC = { weight = "0.40", band = "0.05" }
"""

Load = Callable[..., Settings]


def about(chain: str) -> str:
    """The tables of chains.toml about one chain."""
    header = f'[chains."{chain}"'
    rows = resources.text("chains.toml").splitlines(keepends=True)
    wanted, found = False, []
    for row in rows:
        if row.startswith("["):
            wanted = row.startswith(header)
        if wanted:
            found.append(row)
    return "".join(found)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder of a user who has configured nothing."""
    for name, below in (
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CACHE_HOME", "cache"),
    ):
        monkeypatch.setenv(name, str(tmp_path / "home" / below))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def load_text(folder: Path) -> Load:
    """Loads the given text as portfolio.toml, with nothing in the environment."""

    def load_it(
        text: str = MINIMAL, *, environ: Mapping[str, str] | None = None, **more
    ) -> Settings:
        (folder / "portfolio.toml").write_text(text)
        return load(environ=environ or {}, **more)

    return load_it


@pytest.fixture
def error_of(load_text: Load) -> Callable[..., str]:
    """What loading the given text says: code, message and fix."""

    def say(text: str = MINIMAL, **more) -> str:
        with pytest.raises(AgentError) as caught:
            load_text(text, **more)
        assert caught.value.fix
        assert caught.value.nothing_signed
        return f"{caught.value.code} {caught.value.message}"

    return say
