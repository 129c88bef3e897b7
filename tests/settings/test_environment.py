"""Variables, the `.env` beside the portfolio, secrets, and the user's folders."""

import os
import pickle
from pathlib import Path

import pytest

from agent.errors import AgentError
from agent.settings import Environment, Secret, find_paths, load, load_chains_only, variable


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_is_shown_only_when_asked():
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        "{}".format(secret),  # noqa: UP032
        repr([secret]),
    ):
        assert "hunter2" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert not hasattr(secret, "__dict__")


def test_a_secret_comes_from_the_process_before_the_file_beside_the_portfolio(folder, load_text):
    private(folder / ".env", "REBALANCER_PASSWORD=from-file\nETHERSCAN_KEY='a # b'\nEMPTY=\n")
    settings = load_text()
    assert settings.secret("REBALANCER_PASSWORD").reveal() == "from-file"
    assert settings.secret("ETHERSCAN_KEY").reveal() == "a # b"
    assert settings.secret("EMPTY") is None
    assert settings.secret("NOT_THERE") is None
    settings = load_text(environ={"REBALANCER_PASSWORD": "from-process"})
    assert settings.secret("REBALANCER_PASSWORD").reveal() == "from-process"


def test_nothing_that_prints_settings_prints_a_secret(folder, load_text):
    private(
        folder / ".env", "REBALANCER_PASSWORD=hunter2\nETH_RPC_URL=https://node.example/hunter2\n"
    )
    settings = load_text()
    assert settings.chains[1].rpc[0] == "https://node.example/hunter2"
    for shown in (
        repr(settings),
        repr(settings.world),
        repr(settings.world.environment),
        repr(settings.origin),
    ):
        assert "hunter2" not in shown


def test_no_variable_is_put_into_a_secret(folder, load_text):
    private(folder / ".env", "PASSWORD=pa${HOME}$HOME\n")
    assert load_text().secret("PASSWORD").reveal() == "pa${HOME}$HOME"


def test_a_file_in_a_folder_above_or_in_the_working_folder_is_not_read(folder):
    below = folder / "portfolios"
    below.mkdir()
    for place in (folder, folder.parent):
        private(place / ".env", "EVIL=1\nETH_RPC_URL=https://evil.example\n")
    (below / "portfolio.toml").write_text(
        'schema = 1\nwallet = { address = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F", chains = ["eip155:1"] }\n'
        'targets = { USDC = { weight = "1", band = "0" } }\n'
    )
    settings = load(config=below / "portfolio.toml", environ={})
    assert settings.secret("EVIL") is None
    assert settings.chains[1].endpoints[0] == "ethereum-rpc.publicnode.com:443"
    assert load_chains_only(environ={}).secret("EVIL") is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o666])
def test_a_file_of_secrets_that_others_can_read_is_refused(folder, error_of, mode):
    private(folder / ".env", "REBALANCER_PASSWORD=hunter2\n", mode)
    assert error_of() == f"K103 .env can be read by others (mode {mode:04o})"


def test_a_file_of_secrets_that_is_a_link_is_refused(folder, error_of):
    private(folder / "elsewhere", "A=1\n")
    (folder / ".env").symlink_to("elsewhere")
    assert error_of() == "K103 .env was not read: Too many levels of symbolic links"


def test_a_file_of_secrets_that_is_no_file_is_refused(folder, error_of):
    os.mkfifo(folder / ".env", 0o600)
    assert error_of() == "K103 .env is not a plain file of this user"


def test_a_file_of_secrets_of_someone_else_is_refused(folder, error_of, monkeypatch):
    private(folder / ".env", "A=1\n")
    monkeypatch.setattr("os.geteuid", lambda: 12_345)
    assert error_of() == "K103 .env is not a plain file of this user"


def test_policy_does_not_come_from_the_file_of_secrets(folder, error_of):
    private(folder / ".env", "REBALANCER_LIMITS__MAX_RUN_VALUE=1000000\n")
    assert (
        error_of()
        == "C104 .env: REBALANCER_LIMITS__MAX_RUN_VALUE: .env holds secrets and RPC URLs only"
    )
    private(folder / ".env", "REBALANCER_OVERLAY=/tmp/x\n")
    assert error_of() == "C104 .env: REBALANCER_OVERLAY: .env holds secrets and RPC URLs only"


def test_folders_follow_the_customs_of_the_platform(folder):
    paths = find_paths(Environment({}))
    home = folder.parent / "home"
    assert paths.state == home / "state" / "rebalancer"
    assert paths.cache == home / "cache" / "rebalancer"
    assert paths.user_config == home / "config" / "rebalancer" / "config.toml"
    assert not home.exists()


def test_state_moves_with_its_variable_and_nothing_else_does(folder, load_text):
    settings = load_text(environ={"REBALANCER_HOME": "/srv/keeper"})
    assert settings.paths.state == Path("/srv/keeper")
    assert settings.paths.cache == folder.parent / "home" / "cache" / "rebalancer"
    assert settings.origin["state"].place == "REBALANCER_HOME"
    assert find_paths(Environment({"REBALANCER_HOME": "~/keeper"})).state == Path.home() / "keeper"


def test_a_relative_folder_for_state_is_refused():
    with pytest.raises(AgentError) as caught:
        find_paths(Environment({"REBALANCER_HOME": "keeper"}))
    assert caught.value.code == "C104"
    assert caught.value.message == "environment: REBALANCER_HOME: 'keeper' is not an absolute path"


def test_process_environment_is_read_when_no_other_is_given(load_text, monkeypatch, folder):
    load_text()
    monkeypatch.setenv("REBALANCER_NAME", "from-process")
    assert load().name == "from-process"
    assert variable("REBALANCER_NAME") == "from-process"
    monkeypatch.setenv("REBALANCER_NAME", "")
    assert variable("REBALANCER_NAME") is None
    assert find_paths().state == folder.parent / "home" / "state" / "rebalancer"
