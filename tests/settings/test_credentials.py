"""Secrets that whoever starts the process hands over as files."""

import pytest

from agent.errors import KeyFileUnsafe
from agent.settings import credential


def test_without_a_folder_there_is_no_credential(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert credential("key") is None


def test_first_line_of_the_file_is_the_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential("key") is None
    (tmp_path / "key").write_text("correct horse\r\nnext\n")
    found = credential("key")
    assert found is not None
    assert ("correct horse", "Secret(…)") == (found.reveal(), repr(found))
    (tmp_path / "key").write_text("\n")
    assert credential("key") is None


def test_file_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "key").mkdir()
    with pytest.raises(KeyFileUnsafe, match="was not read"):
        credential("key")
