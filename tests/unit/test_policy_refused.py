"""Policies that cannot be used, and runs that cannot be packed: each is refused in one sentence."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.packed import NAME, make_run, pack
from workbench.errors import UnknownNameError
from workbench.experiments import load_agent
from workbench.paths import write_json
from workbench.store import policy as policies
from workbench.store.folder import RunFolder
from workbench.store.policy import MAGIC, PolicyError, list_policies, open_policy, pack_policy, read_policy
from workbench.store.query import find_run
from workbench.store.sealed import HEADER_SHA256, header_digest, unseal


@pytest.fixture(name="run", scope="module")
def fixture_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one policy, which stands in for the package's."""
    folder = tmp_path / "packed"
    pack(run, folder)
    monkeypatch.setattr(policies, "policies_dir", lambda: folder)
    return folder


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def resealed(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """The same weights under another header, as another version of the program would write them."""

    def write(content: bytes) -> bytes:
        found = unseal(MAGIC, content)
        assert found is not None
        header, weights = found
        change(header)
        encoded = json.dumps(header | {HEADER_SHA256: header_digest(header)}).encode()
        return MAGIC + len(encoded).to_bytes(8, "big") + encoded + weights

    return write


DAMAGED = {
    "cut short": (lambda content: content[:-1], r"is damaged \([\d,]+ bytes\)"),
    "empty": (lambda content: b"", r"is damaged \(0 bytes\)"),
    "a bit of the header": (flip(len(MAGIC) + 60), "is damaged"),
    "a bit of the weights": (flip(-200), "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_one_sentence(folder: Path, tmp_path: Path, damage: str) -> None:
    change, sentence = DAMAGED[damage]
    file = folder / f"{NAME}.policy"
    file.write_bytes(change(file.read_bytes()))
    for call in (lambda: find_run(f"policy:{NAME}", tmp_path), lambda: list_policies(folder)):
        with pytest.raises(PolicyError, match=f"{sentence}.*: install the package again, or pack the policy again.$"):
            call()
    assert not (tmp_path / "policies").exists()


INDEXED = {
    "another format": (resealed(lambda h: h.update(version=2)), "has format version 2, this program reads 1"),
    "a later spec": (resealed(lambda h: h["spec"].update(revision=3)), "of revision 3 .*computes revision 2"),
    "an older spec": (resealed(lambda h: h["spec"].pop("batch_size")), "its spec does not fit.*batch_size"),
    "an unknown agent": (
        resealed(lambda h: h["spec"].update(agent="sorll")),
        "unknown agent 'sorll': did you mean sorl",
    ),
    "an unknown task": (resealed(lambda h: h["spec"].update(task="cube-none")), "cannot be built by this one"),
    "an unknown setting": (
        resealed(lambda h: h["spec"]["settings"].update(beams=3)),
        "cannot be built by this one.*beams",
    ),
    "other networks": (resealed(lambda h: h["spec"]["settings"].update(width=9)), "its networks have other arrays"),
    "a zip file": (lambda content: b"PK\x03\x04" * 99, "is not a policy file: `workbench pack RUN"),
}


@pytest.mark.parametrize("what", INDEXED)
def test_a_file_that_is_as_it_was_written_may_not_fit_either(folder: Path, tmp_path: Path, what: str) -> None:
    change, sentence = INDEXED[what]
    file = folder / f"{NAME}.policy"
    file.write_bytes(change(file.read_bytes()))
    write_json(folder / "index.json", {NAME: hashlib.sha256(file.read_bytes()).hexdigest()})
    with pytest.raises(PolicyError, match=sentence) as caught:
        open_policy(NAME, tmp_path, folder)
    assert str(file) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.glob("policies/*/spec.json"))


def test_names_and_missing_files_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown policy 'cube-tin': did you mean cube-tiny\?"):
        find_run("policy:cube-tin", tmp_path)
    with pytest.raises(UnknownNameError, match=r"unknown policy '\.\./x'"):
        find_run("policy:../x", tmp_path)
    (folder / f"{NAME}.policy").unlink()
    with pytest.raises(PolicyError, match=r"cube-tiny\.policy is missing: install"):
        read_policy(NAME, folder)
    (folder / "index.json").write_text("{")
    with pytest.raises(PolicyError, match=r"index\.json is damaged"):
        list_policies(folder)
    assert list_policies(tmp_path / "none") == []


def test_what_cannot_be_packed_is_one_sentence(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PolicyError, match="cannot be called 'Cube 1'"):
        pack(run, tmp_path, "Cube 1")
    with pytest.raises(PolicyError, match="has no seed 1: its seeds are 0, 4"):
        pack(run, tmp_path, seed=1)
    other = make_run(tmp_path)
    other.evals_file.unlink()
    with pytest.raises(PolicyError, match=r"no evaluated episode of seed 4 at update 7.*workbench evaluate"):
        pack(other, tmp_path)
    state = load_agent(run)[1]
    owned = RunFolder.create(tmp_path, replace(run.spec, code={"agent mine": "0"}))
    with pytest.raises(PolicyError, match="needs your agent mine"):
        pack_policy(owned, state, NAME, folder=tmp_path)
    (owned.path / "interventions.jsonl").write_text("{}\n")
    steered = RunFolder(owned.path.rename(tmp_path / "steered"))
    with pytest.raises(PolicyError, match="was steered by hand"):
        pack_policy(steered, state, NAME, folder=tmp_path)
    monkeypatch.setattr(policies, "MOST_BYTES", 1000)
    with pytest.raises(PolicyError, match=r"a policy of [\d,]+ bytes, more than the 1,000"):
        pack(run, tmp_path)
    assert not list(tmp_path.glob("*.policy"))
