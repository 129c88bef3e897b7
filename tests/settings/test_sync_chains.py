"""scripts/sync_chains.py: what the pinned registry package knows of chains, against chains.toml."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from agent import resources
from agent.errors import SetupFailed
from agent.settings import load_chains_only
from scripts import npm_packages, sync_chains

MAINNET = """\
import { defineChain } from '../../utils/chain/defineChain.js';
export const mainnet = /*#__PURE__*/ defineChain({
    id: 1,
    name: 'Ethereum',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    blockTime: 12_000,
    rpcUrls: {
        default: {
            http: ['https://node.example/rpc'],
        },
    },
    blockExplorers: {
        default: {
            name: 'Etherscan',
            url: 'https://etherscan.io',
            apiUrl: 'https://api.etherscan.io/api',
        },
    },
    contracts: {
        multicall3: {
            address: '0xca11bde05977b3631167028862be2a173976ca11',
            blockCreated: 14_353_601,
        },
    },
});
"""
BNB = """\
export const bsc = /*#__PURE__*/ defineChain({
    id: 5_6,
    name: 'BNB Smart Chain',
    nativeCurrency: {
        decimals: 18,
        name: 'BNB',
        symbol: 'BNB',
    },
    blockExplorers: {
        default: {
            name: 'BscScan',
            url: 'https://bscscan.com',
        },
    },
});
export const variant = /*#__PURE__*/ defineChain({
    ...bsc,
    id: 57,
    name: 'Another',
});
"""


def package(tmp_path: Path, **files: str) -> Path:
    """A tarball in the package's format."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, mode="w:gz") as archive:
        for name, text in {"chains/definitions/index": "export {}", **files}.items():
            content = text.encode()
            inside = name.replace("chains_", "chains/definitions/")
            member = tarfile.TarInfo(f"package/_esm/{inside}.js")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def sync(tmp_path, capsys):
    """Runs the script on a copy of chains.toml and a package of the given definitions."""
    file = tmp_path / "chains.toml"
    file.write_text(resources.text("chains.toml"))

    def run(*options: str, **files: str) -> tuple[int, str, str]:
        tarball = package(tmp_path, **files)
        code = sync_chains.main([*options, "--file", str(file), "--tarball", str(tarball)])
        said = capsys.readouterr().out.replace(str(file), "chains.toml")
        return code, re.sub(r":\d+:", ":N:", said), file.read_text()

    return run


def test_nothing_differs_where_the_package_says_the_same(sync):
    code, said, text = sync("--check", chains_mainnet=MAINNET, chains_bsc=BNB)
    assert (0, resources.text("chains.toml")) == (code, text)
    assert "0 differences\n" == said.splitlines(keepends=True)[-1]
    assert "the package has no chain 8453" in said
    assert "the package has no chain 56\n" not in said


DIFFERENT = [
    ("'Ethereum'", "'Ether Chain'", "name: Ethereum, the package: Ether Chain"),
    ("'ETH'", "'ETC'", "native.symbol: ETH, the package: ETC"),
    ("decimals: 18", "decimals: 1_7", "native.decimals: 18, the package: 17"),
    (
        "0xca11bde05977b3631167028862be2a173976ca11",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "multicall3: 0xcA11bde05977b3631167028862bE2a173976CA11, the package: "
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    ),
    (
        "https://etherscan.io'",
        "https://scan.example'",
        "explorer: https://etherscan.io, the package: https://scan.example",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), DIFFERENT)
def test_each_difference_is_told_with_its_place(sync, old, new, expected):
    assert old in MAINNET
    code, said, text = sync("--check", chains_mainnet=MAINNET.replace(old, new, 1))
    assert f"chains.toml:N: chains.eip155:1.{expected}\n1 differences\n" in said
    assert (1, resources.text("chains.toml")) == (code, text)


@pytest.mark.parametrize(("old", "new", "expected"), DIFFERENT)
def test_without_check_the_package_s_value_takes_its_place(sync, tmp_path, old, new, expected):
    changed = MAINNET.replace(old, new, 1)
    code, _, text = sync(chains_mainnet=changed)
    assert 0 == code
    ours = resources.text("chains.toml").splitlines()
    assert 1 == sum(a != b for a, b in zip(ours, text.splitlines(), strict=True))
    assert (0, "0 differences") == (
        (again := sync("--check", chains_mainnet=changed))[0],
        again[1].splitlines()[-1],
    )
    assert expected.rsplit(": ", 1)[1] in text
    assert 8 == len(load_chains_only(chains=tmp_path / "chains.toml", environ={}).chains)


def test_a_package_that_does_not_name_what_we_have_differs_in_nothing(sync):
    bare = "export const mainnet = defineChain({\n    id: 1,\n});\n"
    code, said, _ = sync("--check", chains_mainnet=bare)
    assert (0, "0 differences") == (code, said.splitlines()[-1])


def test_a_broken_file_is_told_as_everywhere(sync, tmp_path, capsys):
    tarball = package(tmp_path, chains_mainnet=MAINNET)
    missing = str(tmp_path / "none.toml")
    assert 1 == sync_chains.main(["--file", missing, "--tarball", str(tarball)])
    assert "error[C101]" in capsys.readouterr().out


def test_the_pinned_package_knows_the_eight_chains_as_we_do(lab_cache: Path):
    content = npm_packages.tarball(lab_cache, npm_packages.pin("viem"))
    theirs = sync_chains.definitions(content)
    chains = load_chains_only(environ={}).chains
    assert {"name", "symbol", "decimals", "multicall3", "explorer"} == set.intersection(
        *(set(theirs[chain]) for chain in chains)
    )
    found = [sync_chains.differences(facts, theirs[chain]) for chain, facts in chains.items()]
    assert [[]] * 8 == found


def test_a_kept_package_is_refused_when_it_has_changed(tmp_path: Path):
    wanted = npm_packages.pin("viem")
    kept = tmp_path / "scripts/npm" / f"{wanted.folder}.tgz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"something else")
    with pytest.raises(SetupFailed, match="is not the package that was reviewed"):
        npm_packages.tarball(tmp_path, wanted)


def test_a_fetched_package_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fetched = []

    def fetch(wanted):
        fetched.append(wanted.name)
        return b"tarball"

    monkeypatch.setattr(npm_packages, "fetch", fetch)
    monkeypatch.setattr(npm_packages, "check_integrity", lambda wanted, content: None)
    wanted = npm_packages.pin("ox")
    for _ in range(2):
        assert b"tarball" == npm_packages.tarball(tmp_path, wanted)
    assert ["ox"] == fetched


def test_a_file_that_leaves_its_package_is_refused(tmp_path: Path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("package/fine.js", "package/../../evil.js"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(SetupFailed, match="leaves its package"):
        npm_packages.unpack(buffer.getvalue(), tmp_path / "there")
    assert (tmp_path / "there/fine.js").is_file()
