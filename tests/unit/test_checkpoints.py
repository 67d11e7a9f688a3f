"""Checkpoints with damaged bytes: each is noticed, and what is used instead is told."""

import json
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import pytest

from tests.unit.problems import random_data
from tests.unit.test_spec import tiny_spec
from workbench.errors import WorkbenchError
from workbench.experiments import load_agent, load_or_init
from workbench.store.checkpoint import MAGIC, load_checkpoint, read_running
from workbench.store.folder import RunFolder
from workbench.store.sealed import HEADER_SHA256, seal, unseal
from workbench.train import init_seeds

START = len(MAGIC) + 8


@pytest.fixture(scope="module", name="state")
def fixture_state():
    data = random_data()
    spec = tiny_spec(data)
    return init_seeds(spec.build_agent(), data.example(), spec.seeds)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, state) -> RunFolder:
    """A run with checkpoints of updates 2 and 3."""
    folder = RunFolder.create(tmp_path, tiny_spec(random_data()))
    for step in (2, 3):
        folder.save(eqx.tree_at(lambda s: s.step, state, jnp.full(2, step)), step)
    return folder


def damage(path: Path, at: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def header_size(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[len(MAGIC) : START], "big")


def rewrite(path: Path, **changes) -> None:
    """Another header before the same arrays; a value None takes a key away."""
    content, size = path.read_bytes(), header_size(path)
    header = {key: value for key, value in (json.loads(content[START : START + size]) | changes).items() if value}
    encoded = json.dumps(header).encode()
    path.write_bytes(MAGIC + len(encoded).to_bytes(8, "big") + encoded + content[START + size :])


def test_any_damaged_bit_is_noticed() -> None:
    """All bytes of a small file, but for what JSON reads alike."""
    whole = seal(MAGIC, {"version": 2, "spec_hash": "abc", "step": 30, "running": {}}, {"a": jnp.ones(3)})
    expected = unseal(MAGIC, whole)
    assert expected is not None
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 1
        assert unseal(MAGIC, bytes(content)) in (None, expected), f"byte {at}"


@pytest.mark.parametrize(
    "changes", [{"step": 30}, {"spec_hash": "0" * 12}, {HEADER_SHA256: None}, {HEADER_SHA256: None, "step": 30}]
)
def test_a_header_is_believed_as_it_was_written(folder, state, caplog, changes) -> None:
    rewrite(folder.checkpoints()[-1], **changes)
    found = folder.load_latest(state)
    assert found is not None
    assert (found[1], int(found[0].step[0])) == (2, 2)
    assert "0000000002.ckpt is used, since newer checkpoints are damaged: 0000000003.ckpt" in caplog.text


def test_older_checkpoints_have_no_checksum_and_are_read(folder, state, caplog) -> None:
    newest = folder.checkpoints()[-1]
    rewrite(newest, **{HEADER_SHA256: None, "version": 1, "running": None})
    assert load_checkpoint(newest, state)[1] == 3
    assert read_running(newest) == {}
    rewrite(newest, step=4)
    found = folder.load_latest(state)
    assert found is not None
    assert found[1] == 2, "its name tells that the header is damaged"
    assert "are damaged: 0000000003.ckpt" in caplog.text


def test_a_training_that_begins_again_says_so(folder, caplog) -> None:
    for path in folder.checkpoints():
        damage(path, -1)
    with pytest.raises(WorkbenchError, match="no whole checkpoint: all of them are damaged, so move it away"):
        load_agent(folder)
    assert len(folder.checkpoints()) == 2
    assert load_or_init(folder, folder.spec, random_data())[1] == 0
    assert "begins again at update 0, since all its checkpoints are damaged" in caplog.text
    assert "0000000003.ckpt, 0000000002.ckpt" in caplog.text
    assert len([*folder.path.glob("ckpt/*.damaged")]) == 2


def test_nothing_is_told_of_what_is_whole(folder, state, caplog) -> None:
    assert folder.newest() == folder.checkpoint(3)
    assert folder.load_latest(state, set_aside=True) is not None
    assert not caplog.messages


def test_a_damaged_line_of_metrics_is_told_and_the_others_kept(folder, caplog) -> None:
    folder.append_metrics([{"step": step, "seed": 0} for step in (1, 2, 3)])
    with open(folder.metrics_file, "a") as file:
        file.write('{"step": 4, "se')
    assert len(folder.metrics_rows()) == 3
    assert not caplog.messages, "a kill cuts the last line short"
    damage(folder.metrics_file, folder.metrics_file.read_text().index("\n") + 1)
    assert [row["step"] for row in folder.metrics_rows()] == [1, 3]
    assert "is damaged in lines 2, 4" in caplog.text
