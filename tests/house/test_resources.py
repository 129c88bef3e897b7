"""Packaged files are found in a checkout, and nothing outside the package's files is."""

from pathlib import Path

import pytest
from house.tree import ROOT

from agent import resources
from agent.errors import Broken


def test_resources_finds_the_files_of_a_checkout() -> None:
    assert ROOT / "chains.toml" == resources.path("chains.toml")
    assert ROOT / "agent/lab/packages.toml" == resources.path("lab/packages.toml")


def test_resources_reads_text() -> None:
    assert (ROOT / "agent/lab/packages.toml").read_text() == resources.text("lab/packages.toml")


@pytest.mark.parametrize("name", ["", ".", "/etc/passwd", "..", "abis/../../secret", "abis/.."])
def test_resources_refuses_names_that_point_outside(name: str) -> None:
    with pytest.raises(Broken) as refused:
        resources.path(name)
    assert f"{name!r} is not the name of a packaged file" == str(refused.value)


def test_resources_says_where_it_looked_for_a_missing_file() -> None:
    with pytest.raises(Broken) as missing:
        resources.text("abis/no_such_thing.json")
    expected = (
        f"the installation lacks abis/no_such_thing.json; looked in {ROOT / 'agent'} and {ROOT}"
    )
    assert expected == str(missing.value)
    assert "install rebalancer again; in a checkout, restore the file" == missing.value.fix


def test_resources_does_not_take_the_files_of_a_foreign_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "agent"
    package.mkdir()
    (tmp_path / "chains.toml").write_text("foreign = true")
    monkeypatch.setattr(resources, "_PACKAGE", package)
    with pytest.raises(Broken):
        resources.path("chains.toml")


def test_resources_says_that_a_file_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chains.toml").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    with pytest.raises(Broken, match=r"chains\.toml cannot be read: .*utf-8"):
        resources.text("chains.toml")
