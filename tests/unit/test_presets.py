"""Presets of chains: the built-in ones, those of files, and how a wrong one is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nodestead.preview.chain import preset_text
from nodestead.software import presets
from nodestead.software.presets import ChainPreset, PresetError, load_preset, preset, preset_names

SEED = "ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0@seeds.example.org:14956"
OTHER = "20e1000e88125698264454a884812746c2eb4807@203.0.113.7:26656"
GIVEN: dict[str, Any] = {
    "name": "example",
    "chainId": "example-1",
    "network": "mainnet",
    "binary": "exampled",
    "home": ".example",
    "prefix": "example",
    "denom": "uex",
    "minGasPrice": "0.005uex",
    "genesisUrl": "https://example.org/genesis.json",
    "repository": "ghcr.io/example/example",
    "recommended": "v2.0.0",
    "sdk": "0.53.4",
    "consensus": "0.38.23",
    "seeds": [SEED],
    "persistentPeers": [OTHER],
    "versions": [{"height": 0, "tag": "v1.0.0", "name": "genesis"}, {"height": 900, "tag": "v2.0.0", "name": "v2"}],
}


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "chain.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---- built in


def test_built_in_are_two_main_networks_and_the_live_test_network_of_the_hub() -> None:
    assert preset_names() == ("cosmoshub-4", "osmosis-1", "provider")


@pytest.mark.parametrize(
    ("name", "network", "binary", "home", "prefix", "price", "first", "last", "count"),
    [
        ("cosmoshub-4", "mainnet", "gaiad", ".gaia", "cosmos", "0.005uatom", (5200791, "v4.2.1"), (24181000, "v22.0.0"), 18),
        ("osmosis-1", "mainnet", "osmosisd", ".osmosisd", "osmo", "0.03uosmo", (0, "v3.1.0"), (47626000, "v31.0.0"), 27),
        ("provider", "testnet", "gaiad", ".gaia", "cosmos", "0.005uatom", None, None, 0),
    ],
)
def test_a_built_in_preset_says_what_the_registry_says(
    name: str,
    network: str,
    binary: str,
    home: str,
    prefix: str,
    price: str,
    first: tuple[int, str] | None,
    last: tuple[int, str] | None,
    count: int,
) -> None:
    found = preset(name)
    heights = [(version.height, version.tag) for version in found.versions]
    assert (found.chain_id, found.network, found.binary, found.home, found.prefix) == (name, network, binary, home, prefix)
    assert found.min_gas_price == price
    # The registry names none; the Hub's is that of its releases, given to the command.
    assert found.repository == (None if found.binary == "osmosisd" else "ghcr.io/cosmos/gaia")
    assert (len(heights), heights[0] if heights else None, heights[-1] if heights else None) == (count, first, last)


def test_only_a_schedule_that_ends_with_the_recommended_version_can_be_relied_on() -> None:
    # The registry knows no height of the Cosmos Hub's upgrades after v22.
    assert {name: preset(name).reaches_recommended for name in preset_names()} == {
        "cosmoshub-4": False,
        "osmosis-1": True,
        "provider": False,
    }


@pytest.mark.parametrize("name", ["cosmoshub-4", "osmosis-1", "provider"])
def test_every_peer_of_a_built_in_preset_can_be_dialled(name: str) -> None:
    found = preset(name)
    assert found.seeds
    for peer in (*found.seeds, *found.persistent_peers):
        match = re.fullmatch(r"[0-9a-f]{40}@[a-z0-9.-]+\.[a-z0-9-]+:([0-9]+)", peer)
        assert match is not None, peer
        assert 1 <= int(match[1]) <= 65535


@pytest.mark.parametrize("name", ["cosmoshub-4", "osmosis-1", "provider"])
def test_a_built_in_file_is_byte_for_byte_what_the_command_writes(name: str) -> None:
    file = Path(presets.__file__).parent / "chains" / f"{name}.json"
    assert file.read_text(encoding="utf-8") == preset_text(preset(name))
    assert file.read_bytes().isascii()


def test_importing_and_listing_reads_no_file_and_a_preset_reads_only_its_own() -> None:
    program = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from nodestead.software.presets import preset, preset_names
preset_names()
before = [name for name in opened if name.endswith(".json") and "chains" in name]
preset("osmosis-1"), preset("osmosis-1")
print(before, [name.rsplit("/", 1)[-1] for name in opened if name.endswith(".json") and "chains" in name])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] ['osmosis-1.json']\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cosmoshub", "'cosmoshub': is no chain that is built in; did you mean cosmoshub-4? For any other write its file with"),
        ("osmosis-2", "did you mean osmosis-1?"),
        ("juno", "built in are cosmoshub-4, osmosis-1, provider."),
        ("", "'': is no chain"),
        ("../chains/osmosis-1", "'../chains/osmosis-1': is no chain that is built in; did you mean osmosis-1?"),
        ("\U0001f52d", "'\\U0001f52d': is no chain"),
    ],
)
def test_an_unknown_name_is_refused_with_near_ones(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        preset(name)


# ---- files


def test_a_file_is_found_relative_to_the_stacks_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chains").mkdir()
    written(tmp_path / "chains", json.dumps(GIVEN))
    assert preset("chains/chain.json", tmp_path).chain_id == "example-1"
    monkeypatch.chdir(tmp_path)
    assert preset("chains/chain.json").chain_id == "example-1"


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(GIVEN))
    load_preset(path)
    written(tmp_path, json.dumps(GIVEN | {"denom": "uother"}))
    assert load_preset(path).denom == "uother"


def test_a_preset_is_a_value(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(GIVEN))
    assert load_preset(path) == load_preset(path)
    assert len({load_preset(path), load_preset(path)}) == 1


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert load_preset(written(tmp_path, b"\xef\xbb\xbf" + json.dumps(GIVEN).encode())).chain_id == "example-1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not JSON at line 1, column 1: Expecting value; correct it or write it anew"),
        (json.dumps(GIVEN)[:-30], "is not JSON at line 1, column "),
        ("[]", "is no object; a file begins with { and ends with }"),
        ("null", "is no object"),
        (b"\xff\xfe{", "is no UTF-8 text at byte 0; save it as UTF-8"),
        ('{"denom": "a", "denom": "b"}', "the key 'denom' stands twice in one object; remove one"),
        ("[" * 200_000, "nested too deep"),
        ('{"height": ' + "9" * 5000 + "}", "a number is too long"),
        (b" " * (4 << 20) + b"{}", "has more than 4 MiB; name a chain's own file"),
    ],
)
def test_a_file_that_is_no_object_of_json_is_refused_in_one_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(PresetError) as error:
        load_preset(path)
    assert str(error.value).startswith(f"{path}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PresetError) as error:
        preset("none.json", tmp_path)
    assert str(error.value) == f"{tmp_path}/none.json: cannot be read: No such file or directory; write it with nodestead chain"


@pytest.mark.parametrize("name", [".json", "a\0.json"])
def test_an_odd_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PresetError):
        preset(name, tmp_path)


def test_all_missing_keys_are_named_at_once(tmp_path: Path) -> None:
    given = {key: value for key, value in GIVEN.items() if key not in ("chainId", "binary", "prefix")}
    with pytest.raises(PresetError) as error:
        load_preset(written(tmp_path, json.dumps(given)))
    assert error.value.problems == tuple(f"{key}: is required and not given; add it" for key in ("chainId", "binary", "prefix"))
    assert str(error.value).startswith(f"{tmp_path}/chain.json: 3 problems:\n  - chainId: ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chainID": "x"}, "chainID: unknown key; did you mean chainId?"),
        ({"chainId": 4}, "chainId: has the wrong type; write a text"),
        ({"chainId": "a" * 51}, "chainId: "),
        ({"network": "devnet"}, "network: 'devnet' is not known; use one of 'mainnet' or 'testnet'"),
        ({"binary": "bin/gaiad"}, "binary: 'bin/gaiad' is refused"),
        ({"home": "../gaia"}, "home: '../gaia' is refused"),
        ({"home": "/gaia"}, "home: '/gaia' is refused"),
        ({"home": "a/.."}, "home: 'a/..' is refused"),
        ({"prefix": "Cosmos"}, "prefix: 'Cosmos' is refused"),
        ({"minGasPrice": "0,5uatom"}, "minGasPrice: '0,5uatom' is refused"),
        ({"minGasPrice": "5e-06uatom"}, "minGasPrice: '5e-06uatom' is refused"),
        ({"genesisUrl": "ftp://example.org/x"}, "genesisUrl: the value is not a URL; write it as https://"),
        ({"genesisUrl": "https://"}, "genesisUrl: the value is not a URL"),
        ({"repository": "ghcr.io/cosmos/gaia:v27"}, "repository: 'ghcr.io/cosmos/gaia:v27' is not a repository; write registry"),
        ({"repository": "ghcr.io/Cosmos/gaia"}, "repository: 'ghcr.io/Cosmos/gaia' is not a repository"),
        ({"repository": "gaia@sha256:00"}, "repository: 'gaia@sha256:00' is not a repository"),
        ({"recommended": "release/v1"}, "recommended: 'release/v1' is refused"),
        ({"sdk": "v0.53.4"}, "sdk: 'v0.53.4' is refused"),
        ({"seeds": SEED}, "seeds: has the wrong type; write a list"),
        ({"seeds": [SEED.replace("@", "@@")]}, "seeds[0]: the value is not a peer; write the node id"),
        ({"seeds": [SEED.upper()]}, "seeds[0]: the value is not a peer"),
        ({"persistentPeers": [OTHER, SEED.replace(":14956", ":65536")]}, "persistentPeers[1]: the value is not a peer"),
        ({"seeds": [SEED, OTHER, SEED]}, "seeds[2]: the node ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0 is there twice; leave one"),
        ({"versions": GIVEN["versions"][::-1]}, "versions[1].height: 0 does not come after 900; sort versions by height"),
        ({"versions": [GIVEN["versions"][1]] * 2}, "versions[1].height: 900 does not come after 900"),
        ({"versions": [GIVEN["versions"][0] | {"height": -1}]}, "versions[0].height: -1 is refused"),
        ({"versions": [GIVEN["versions"][0] | {"height": "5"}]}, "versions[0].height: '5' has the wrong type"),
        ({"versions": [GIVEN["versions"][0] | {"tag": "a b"}]}, "versions[0].tag: 'a b' is refused"),
        ({"versions": [GIVEN["versions"][0] | {"name": "\U0001f680"}]}, "versions[0].name: "),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_with_its_path(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(PresetError) as error:
        load_preset(written(tmp_path, json.dumps(GIVEN | change)))
    assert error.value.problems[0].startswith(words)
    assert len(error.value.problems) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"repository": None},
        {"repository": "localhost:5000/gaia"},
        {"repository": "osmolabs/osmosis"},
        {"genesisUrl": None, "denom": None, "minGasPrice": None, "home": None, "recommended": None, "sdk": None},
        {"home": ".core/coreum-mainnet-1"},
        {"prefix": "lava@"},
        {"denom": "factory/osmo1abc/x"},
        {"minGasPrice": "0uosmo"},
        {"sdk": "0.50.14-alpha.agoric.3"},
        {"seeds": [], "persistentPeers": [], "versions": []},
        {"seeds": [SEED.replace("seeds.example.org", "[2001:db8::1]")]},
        {"seeds": [SEED], "persistentPeers": [SEED]},
        {"versions": [{"height": 29743104, "tag": "v28.0.4", "name": "v28.0.1+"}]},
    ],
)
def test_what_chains_really_have_is_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    found = load_preset(written(tmp_path, json.dumps(GIVEN | change)))
    assert json.loads(preset_text(found)) == GIVEN | change


def test_a_preset_cannot_be_changed() -> None:
    found: ChainPreset = preset("osmosis-1")
    with pytest.raises(ValueError, match="frozen"):
        found.denom = "x"  # pyright: ignore[reportAttributeAccessIssue]
