"""Reading a TOML file: limits, and errors that name the line."""

import os
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.settings.toml_file import MAX_BYTES, parse_toml, read_toml


def said(content: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_toml(content, "portfolio.toml")
    return f"{caught.value.code} {caught.value.message} | {caught.value.fix}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"schema = 1\n[wallet\n",
            "C100 portfolio.toml:2: not TOML: Expected ']' at the end of a table declaration, column 8"
            " | correct portfolio.toml, line 2",
        ),
        (
            b"schema 1",
            "C100 portfolio.toml:1: not TOML: Expected '=' after a key in a key/value pair, column 8"
            " | correct portfolio.toml, line 1",
        ),
        (
            b"a = 1\na = 2\n",
            "C100 portfolio.toml:2: not TOML: Cannot overwrite a value, column 6"
            " | correct portfolio.toml, line 2",
        ),
        (
            b'a = 1\nb = "open',
            "C100 portfolio.toml:2: not TOML: Unterminated string at the end of the file"
            " | correct portfolio.toml, line 2",
        ),
        (
            b"a = 1\nb = '\xff'\n",
            "C100 portfolio.toml:2: not TOML: a byte that is not UTF-8 | correct portfolio.toml, line 2",
        ),
        (
            b"a = " + b"[" * 100_000,
            "C100 portfolio.toml:1: not TOML: nested too deeply | correct portfolio.toml, line 1",
        ),
        (
            b"a = " + b"[" * 30 + b"]" * 30,
            "C100 portfolio.toml:1: not TOML: nested too deeply | correct portfolio.toml, line 1",
        ),
    ],
)
def test_text_that_is_no_toml_is_refused_with_its_line(content: bytes, expected: str):
    assert expected == said(content)


def test_a_number_that_python_refuses_to_read_is_an_error_of_the_file():
    assert said(b"a = " + b"9" * 5_000).startswith("C100 portfolio.toml:1: not TOML: ")


def test_lines_are_counted_alike_with_the_line_ends_of_windows():
    file = parse_toml(b"a = 1\r\nb = '''\r\n'''\r\nc = 2\r\n", "x.toml")
    assert file.place(("c",)) == "x.toml:4"


def test_a_key_that_is_not_there_stands_where_its_table_stands():
    file = parse_toml(b"\n[wallet]\n", "x.toml")
    assert file.place(("wallet", "address")) == "x.toml:2"
    assert file.place(("targets",)) == "x.toml:1"


def missing(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_toml(path, fix="make one")
    return f"{caught.value.code} {caught.value.message} | {caught.value.fix}"


def test_what_is_no_readable_file_is_refused(folder: Path):
    assert missing(Path("none.toml")) == "C101 none.toml is not there | make one"
    assert missing(Path("..")) == "C101 .. is not a file | make one"
    os.mkfifo("pipe.toml")
    assert missing(Path("pipe.toml")) == "C101 pipe.toml is not a file | make one"
    Path("file").touch()
    assert missing(Path("file/x")) == "C101 file/x cannot be read: Not a directory | make one"


def test_a_huge_file_is_refused_unread(folder: Path):
    Path("huge.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert (
        missing(Path("huge.toml"))
        == "C100 huge.toml is larger than 1048576 bytes | name another file"
    )
