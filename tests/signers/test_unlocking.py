"""How a key comes to a signer: late, once, the wallet's own, and never through an error."""

from __future__ import annotations

import copy
import functools
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signer_rigs import ADDRESS, KEY, PASSWORD, STRANGER, TRANSACTION, folders, reserved

from agent.core.fact import Reserved
from agent.core.intent import Charges
from agent.core.money import Address
from agent.errors import (
    KeyFileUnsafe,
    KeyMismatch,
    KeyMissing,
    KeyNotAllowed,
    KeyProblem,
    WrongPassword,
)
from agent.signers import env_key, keystore

Ask = Callable[[], str]


def keystore_signer(
    place: Path, ask: Ask = lambda: PASSWORD, key: str = "main", address: Address = ADDRESS
) -> keystore.KeystoreSigner:
    return keystore.make(
        keystore.Options(
            address=address,
            key=key,
            folders=folders(place),
            ask=ask,
            local=False,
            generated=frozenset(),
        ),
        None,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return keystore.import_key("main", KEY, PASSWORD, folders=folders(tmp_path), scrypt_n=2).path


def env_signer(
    reveal: Ask = lambda: KEY, *, accepted: bool = True, max_value: Any = "100"
) -> env_key.EnvKeySigner:
    return env_key.make(
        env_key.Options(
            address=ADDRESS,
            reveal=reveal,
            accepted=accepted,
            max_value=Decimal(max_value),
            local=False,
            generated=frozenset(),
        ),
        None,
    )


def never() -> str:
    raise AssertionError("nobody is to be asked")


def test_password_is_asked_once_at_the_first_signature(tmp_path: Path, file: Path) -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return PASSWORD

    signer = keystore_signer(tmp_path, ask)
    assert [] == asked
    signer.sign(reserved())
    signer.unlock()
    signer.sign(reserved())
    assert [1] == asked


def test_nothing_is_read_before_it_must_sign(tmp_path: Path) -> None:
    signer = keystore_signer(tmp_path, never)
    assert ADDRESS == signer.address
    with pytest.raises(KeyMissing, match="no key file is called main"):
        signer.unlock()


def test_wrong_password_is_said_and_may_be_tried_again(tmp_path: Path, file: Path) -> None:
    answers = iter(["wrong", PASSWORD])
    signer = keystore_signer(tmp_path, lambda: next(answers))
    with pytest.raises(WrongPassword) as caught:
        signer.sign(reserved())
    assert f"the password does not open {file}" == caught.value.message
    assert "K102" == caught.value.code
    assert caught.value.nothing_signed
    assert caught.value.__context__ is None
    assert signer.sign(reserved())


def test_key_of_another_account_is_refused_before_the_password_where_the_file_says_it(
    tmp_path: Path, file: Path
) -> None:
    with pytest.raises(KeyMismatch) as caught:
        keystore_signer(tmp_path, never, address=STRANGER).unlock()
    assert f"{file} is the key of {ADDRESS}, the wallet is {STRANGER}" == caught.value.message
    assert "K104" == caught.value.code


@pytest.mark.parametrize("said", [None, STRANGER])
def test_key_of_another_account_is_refused_whatever_the_file_says(
    tmp_path: Path, file: Path, said: str | None
) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "address": said}))
    signer = keystore_signer(tmp_path, address=STRANGER)
    with pytest.raises(KeyMismatch, match=f"is the key of {ADDRESS}"):
        signer.sign(reserved(replace(TRANSACTION, sender=STRANGER)))
    assert signer._key is None


def test_key_that_is_marked_for_local_chains_signs_nowhere_else(tmp_path: Path) -> None:
    made = keystore.new("lab", PASSWORD, folders=folders(tmp_path), local_only=True, scrypt_n=2)
    assert made.address is not None
    options = keystore_signer(tmp_path, key="lab", address=made.address)._options
    fact = reserved(replace(TRANSACTION, sender=made.address))
    assert keystore.make(replace(options, local=True), None).sign(fact)
    with pytest.raises(KeyNotAllowed, match="was generated for local chains only"):
        keystore.make(options, None).sign(fact)


def test_file_without_a_key_is_said(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eth_keyfile.keyfile.decode_keyfile_json", lambda *_: bytes(32))
    with pytest.raises(KeyFileUnsafe, match="holds no key"):
        keystore_signer(tmp_path).unlock()


def test_file_that_became_open_to_others_is_refused(tmp_path: Path, file: Path) -> None:
    file.chmod(0o644)
    with pytest.raises(KeyFileUnsafe) as caught:
        keystore_signer(tmp_path, never).unlock()
    assert f"chmod 600 {file}" == caught.value.fix


def test_prompt_that_is_broken_off_stays_so(tmp_path: Path, file: Path) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keystore_signer(tmp_path, interrupted).unlock()


def shown_by(error: BaseException) -> str:
    """Variables of the program's own frames along a traceback, and the error's own words."""
    shown = [repr(error), repr(vars(error)), repr(error.__context__)]
    at = error.__traceback__
    while at is not None:
        if "/tests/" not in at.tb_frame.f_code.co_filename:
            shown.append(repr(at.tb_frame.f_locals))
        at = at.tb_next
    return "\n".join(shown)


@pytest.mark.parametrize(
    "act",
    [
        lambda place: keystore_signer(place, lambda: "wrong-secret").unlock(),
        lambda place: keystore.show_address("main", lambda: "wrong-secret", folders=folders(place)),
        lambda place: keystore.new("main", "wrong-secret", folders=folders(place), scrypt_n=2),
        lambda place: keystore.new("a/b", "wrong-secret", folders=folders(place), scrypt_n=2),
        lambda place: keystore.new("n", "wrong-secret", folders=folders(place), scrypt_n=3),
        lambda place: keystore.import_key("main", "secret" + KEY, "wrong-secret", folders=folders(place), scrypt_n=2),
        lambda place: keystore.import_key("n", "secret" + KEY, "wrong-secret", folders=folders(place), scrypt_n=2),
        lambda place: keystore.import_key("addresses", KEY, "wrong-secret", folders=folders(place / "file"), scrypt_n=2),
        lambda place: env_signer(lambda: "secret" + KEY).unlock(),
        lambda place: env_signer(lambda: "17" * 31 + "ab").unlock(),
        lambda place: env_signer(lambda: KEY, max_value=1).sign(reserved()),
    ],
)  # fmt: skip
def test_no_error_shows_a_key_or_a_password(
    tmp_path: Path, file: Path, act: Callable[[Path], object]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyProblem) as caught:
        act(tmp_path)
    shown = shown_by(caught.value)
    assert "secret" not in shown.replace("secret_of", "").replace("secrets", "")
    assert KEY[:10] not in shown
    assert "17" * 31 not in shown


def test_options_show_nothing_of_what_gives_the_secret(tmp_path: Path) -> None:
    telling = functools.partial(str, "canary")
    for signer in (keystore_signer(tmp_path, telling), env_signer(telling)):
        assert "canary" not in repr(signer._options)


def test_nothing_with_a_key_can_be_pickled_or_copied(tmp_path: Path, file: Path) -> None:
    telling = functools.partial(str, PASSWORD)
    for signer in (keystore_signer(tmp_path, telling), env_signer()):
        signer.unlock()
        for thing in (signer, signer._key, signer._options):
            for leave in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="does not leave its process"):
                    leave(thing)


def charged(value: object, intent: str = "a", attempt: int = 0) -> Reserved:
    fact = reserved()
    return replace(
        fact,
        intent=replace(fact.intent, id=intent),
        attempt=attempt,
        charges=Charges(Decimal(str(value)), Decimal(1)),
    )


def test_key_in_plain_text_needs_an_explicit_yes() -> None:
    signer = env_signer(never, accepted=False)
    for act in (lambda: signer.sign(reserved()), signer.unlock):
        with pytest.raises(KeyNotAllowed, match="nobody accepted that") as caught:
            act()
        assert "K105" == caught.value.code


def test_key_in_plain_text_moves_its_limit_in_all_and_no_more() -> None:
    signer = env_signer(max_value="100")
    assert signer.sign(charged("60"))
    assert signer.sign(charged("60"))
    assert signer.sign(charged("0", attempt=1))
    assert signer.sign(charged("40", "b"))
    with pytest.raises(KeyNotAllowed) as caught:
        signer.sign(charged("0.01", "c"))
    assert "a key in plain text moves at most 100, this would be 100.01" == caught.value.message
    assert "K105" == caught.value.code
    assert signer.sign(charged("40", "b"))


def test_plan_above_the_limit_is_refused_before_it_begins() -> None:
    signer = env_signer(never, max_value="100")
    signer.permit(Decimal(100))
    with pytest.raises(KeyNotAllowed):
        signer.permit(Decimal("100.000001"))


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "-1"])
def test_value_that_is_no_sum_is_above_any_limit(value: str) -> None:
    signer = env_signer(never)
    for act in (
        lambda: signer.permit(Decimal(value)),
        lambda: signer.sign(charged(value)),
        lambda: env_signer(never, max_value=value).permit(Decimal(0)),
    ):
        with pytest.raises(KeyNotAllowed):
            act()


@given(values=st.lists(st.decimals(0, 60, places=2), max_size=4))
def test_plain_key_never_signs_beyond_its_limit(values: list[Decimal]) -> None:
    signer, moved = env_signer(), Decimal(0)
    for number, value in enumerate(values):
        try:
            signer.permit(moved + value)
            signer._charged[str(number), 0] = value
            moved += value
        except KeyNotAllowed:
            assert moved + value > 100
    assert moved <= 100


def test_plain_key_of_another_account_is_refused() -> None:
    with pytest.raises(KeyMismatch, match="the key in plain text is that of 0x"):
        env_signer(lambda: "11" * 32).sign(reserved())


@pytest.mark.parametrize("text", ["", "main", "00" * 32, "ff" * 32])
def test_plain_text_that_is_no_key_is_said(text: str) -> None:
    with pytest.raises(KeyMissing, match="what was given as a key in plain text is none"):
        env_signer(lambda: text).unlock()
