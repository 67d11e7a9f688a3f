"""Downloads from a server that truncates, stalls, fails, corrupts, ignores ranges, and changes its files."""

import fcntl
import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.faults.flaky_server import FlakyServer
from workbench.cli.main import main
from workbench.data import download
from workbench.data.download import Patience
from workbench.data.fetch import fetch
from workbench.errors import DatasetError, UnknownNameError, WorkbenchError

NAME = "cube-single-play-v0"
TRAIN, VAL = f"{NAME}.npz", f"{NAME}-val.npz"
QUICK = Patience(timeout=0.4, attempts=3, pause=0.01)


def npz_bytes(seed: int, rows: int = 2000) -> bytes:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        observations=rng.standard_normal((rows, 28)).astype(np.float32),
        actions=rng.uniform(-1, 1, (rows, 5)).astype(np.float32),
        terminals=np.arange(rows) % 100 == 99,
    )
    return buffer.getvalue()


FILES = {TRAIN: npz_bytes(0), VAL: npz_bytes(1, rows=200)}
SIZE = len(FILES[TRAIN])


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FlakyServer]:
    with FlakyServer(dict(FILES)) as server:
        yield server


@pytest.fixture
def mirror() -> Iterator[FlakyServer]:
    with FlakyServer(dict(FILES)) as server:
        yield server


def run(folder: Path, *servers: FlakyServer) -> Path:
    mirrors = [server.url for server in servers]
    return fetch(NAME, folder=folder, mirrors=mirrors, progress=False, patience=QUICK)


def assert_complete(folder: Path) -> None:
    """Both files are the served bytes, recorded, and nothing unfinished is left."""
    sidecar = json.loads((folder / f"{NAME}.json").read_text())
    for name, content in FILES.items():
        assert (folder / name).read_bytes() == content
        assert sidecar["files"][name] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert not list(folder.glob("*.part*"))


def test_fetch_brings_both_files_and_then_asks_no_more(tmp_path: Path, server: FlakyServer) -> None:
    path = run(tmp_path, server)
    assert path == tmp_path / TRAIN
    assert_complete(tmp_path)
    sidecar = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert (sidecar["name"], sidecar["kind"], sidecar["seed"]) == (NAME, "official", None)
    assert "127.0.0.1" in sidecar["detail"]
    before = len(server.requests)
    assert run(tmp_path, server) == path
    assert len(server.requests) == before == 2


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_a_cut_download_is_continued_not_repeated(tmp_path: Path, server: FlakyServer, fault: str) -> None:
    run(tmp_path, server.script(TRAIN, fault, fault))
    assert_complete(tmp_path)
    half = SIZE // 2
    assert server.ranges(TRAIN) == [None, f"bytes={half}-", f"bytes={half + (SIZE - half) // 2}-"]


@pytest.mark.parametrize("fault", ["silent", "drop", 500, 503, 429])
def test_passing_faults_are_retried_on_the_same_host(
    tmp_path: Path, server: FlakyServer, mirror: FlakyServer, fault: str | int
) -> None:
    run(tmp_path, server.script(TRAIN, fault, fault), mirror)
    assert_complete(tmp_path)
    assert len(server.ranges(TRAIN)) == 3
    assert not mirror.requests


def test_attempts_that_bring_something_are_not_counted(tmp_path: Path, server: FlakyServer) -> None:
    run(tmp_path, server.script(TRAIN, *["truncate"] * (QUICK.attempts + 3)))
    assert_complete(tmp_path)


def test_a_server_that_ignores_ranges_is_started_over(tmp_path: Path, server: FlakyServer) -> None:
    run(tmp_path, server.script(TRAIN, "truncate", "no_range"))
    assert_complete(tmp_path)
    assert server.ranges(TRAIN) == [None, f"bytes={SIZE // 2}-"]


@pytest.mark.parametrize("rows", [2000, 2500])
def test_a_file_that_changed_is_started_over(
    tmp_path: Path, server: FlakyServer, capsys: pytest.CaptureFixture[str], rows: int
) -> None:
    server.files[TRAIN] = npz_bytes(7, rows)
    with pytest.raises(DatasetError):
        run(tmp_path, server.script(TRAIN, "truncate", 404))
    assert (tmp_path / f"{TRAIN}.part").exists()
    server.files[TRAIN] = FILES[TRAIN]  # of the same size when rows == 2000: only the ETag tells
    fetch(NAME, folder=tmp_path, mirrors=[server.url], patience=QUICK)
    assert_complete(tmp_path)
    assert "is not the one that was begun" in capsys.readouterr().err
    assert server.ranges(TRAIN)[-1] is None


def test_a_file_that_became_shorter_than_the_part_is_started_over(tmp_path: Path, server: FlakyServer) -> None:
    server.files[TRAIN] = npz_bytes(7, 8000)
    with pytest.raises(DatasetError):
        run(tmp_path, server.script(TRAIN, "truncate", 404))
    server.files[TRAIN] = FILES[TRAIN]
    run(tmp_path, server)
    assert_complete(tmp_path)


def test_another_host_continues_what_the_first_began(tmp_path: Path, server: FlakyServer, mirror: FlakyServer) -> None:
    run(tmp_path, server.script(TRAIN, "truncate", 404), mirror)
    assert_complete(tmp_path)
    assert mirror.requests == [(TRAIN, f"bytes={SIZE // 2}-"), (VAL, None)]


def test_a_missing_file_goes_to_the_mirror_at_once(tmp_path: Path, server: FlakyServer, mirror: FlakyServer) -> None:
    run(tmp_path, server.script(TRAIN, 404), mirror)
    assert_complete(tmp_path)
    assert server.requests == [(TRAIN, None)]
    assert [name for name, _ in mirror.requests] == [TRAIN, VAL]


@pytest.mark.parametrize("fault", ["corrupt", "page"])
def test_wrong_bytes_never_become_a_dataset(
    tmp_path: Path, server: FlakyServer, mirror: FlakyServer, fault: str
) -> None:
    run(tmp_path, server.script(TRAIN, fault), mirror)
    assert_complete(tmp_path)
    with pytest.raises(DatasetError, match="not a whole dataset file"):
        run(tmp_path / "alone", server.script(TRAIN, fault))
    assert not list((tmp_path / "alone").glob("*.npz*"))


def test_a_patchwork_that_does_not_fit_is_fetched_from_its_beginning(tmp_path: Path, server: FlakyServer) -> None:
    run(tmp_path, server.script(TRAIN, "truncate", "corrupt"))
    assert_complete(tmp_path)
    assert server.ranges(TRAIN) == [None, f"bytes={SIZE // 2}-", None]


def test_a_server_that_names_no_size(tmp_path: Path, server: FlakyServer) -> None:
    run(tmp_path, server.script(TRAIN, "unsized"))
    assert_complete(tmp_path)


def test_when_all_hosts_fail_one_sentence_names_them(tmp_path: Path, server: FlakyServer, mirror: FlakyServer) -> None:
    server.script(TRAIN, *["silent"] * QUICK.attempts)
    mirror.script(TRAIN, 404)
    with FlakyServer({}) as gone:
        dead = gone.url
    start = time.monotonic()
    mirrors = [server.url, mirror.url, dead]
    with pytest.raises(DatasetError) as caught:
        fetch(NAME, folder=tmp_path, mirrors=mirrors, progress=False, patience=QUICK)
    message = str(caught.value)
    for reason in ("sent nothing for 0.4 s (3 times)", "answered 404", "refused", "same command", f"data make {NAME}"):
        assert reason in message
    assert message.count("127.0.0.1") == 3
    assert "\n" not in message
    assert not (tmp_path / TRAIN).exists()
    assert time.monotonic() - start < 5


def test_a_full_disk_is_one_sentence(
    tmp_path: Path, server: FlakyServer, mirror: FlakyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(DatasetError, match=f"not enough space .*{SIZE:,} bytes more are needed and 1,000 are free"):
        run(tmp_path, server, mirror)
    assert not mirror.requests


def test_a_disk_that_fills_while_writing_is_one_sentence(
    tmp_path: Path, server: FlakyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "ab", buffering=0)  # noqa: SIM115  (closed by the code under test)
    monkeypatch.setattr(download, "open", lambda *args, **kwargs: full, raising=False)
    with pytest.raises(DatasetError, match=r"not enough space in .* set WORKBENCH_DATA"):
        run(tmp_path, server)


def test_a_second_download_must_agree_with_the_record(tmp_path: Path, server: FlakyServer, mirror: FlakyServer) -> None:
    run(tmp_path, server)
    (tmp_path / TRAIN).unlink()
    server.files[TRAIN] = npz_bytes(7)
    with pytest.raises(DatasetError, match=f"differs from the record in .*{NAME}.json"):
        run(tmp_path, server)
    assert not (tmp_path / TRAIN).exists()
    run(tmp_path, server, mirror)
    assert_complete(tmp_path)


def test_files_found_on_disk(tmp_path: Path, server: FlakyServer) -> None:
    """A whole file without a record is kept, a broken one replaced, and so is one of another size than recorded."""
    (tmp_path / TRAIN).write_bytes(FILES[TRAIN])
    (tmp_path / VAL).write_bytes(FILES[VAL][:500])
    run(tmp_path, server)
    assert_complete(tmp_path)
    assert [name for name, _ in server.requests] == [VAL]
    (tmp_path / TRAIN).write_bytes(FILES[TRAIN][:-1])
    run(tmp_path, server)
    assert_complete(tmp_path)


def test_an_unreadable_sidecar_is_one_sentence(tmp_path: Path, server: FlakyServer) -> None:
    (tmp_path / f"{NAME}.json").write_text("{")
    with pytest.raises(DatasetError, match=r"sidecar .*cannot be read .*delete it"):
        run(tmp_path, server)


def test_two_downloads_of_one_set_exclude_each_other(tmp_path: Path, server: FlakyServer) -> None:
    with open(tmp_path / f".{NAME}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(WorkbenchError, match="another process is downloading"):
            run(tmp_path, server)


def test_a_killed_download_is_continued(tmp_path: Path, server: FlakyServer) -> None:
    code = "import sys; from pathlib import Path; from workbench.data.fetch import fetch; "
    code += "fetch(sys.argv[1], folder=Path(sys.argv[2]), mirrors=sys.argv[3:])"
    url = server.script(TRAIN, "slow").url
    child = subprocess.Popen([sys.executable, "-c", code, NAME, str(tmp_path), url])
    part = tmp_path / f"{TRAIN}.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 20_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    arrived = part.stat().st_size
    assert 20_000 < arrived < SIZE
    run(tmp_path, server)
    assert_complete(tmp_path)
    assert server.ranges(TRAIN) == [None, f"bytes={arrived}-"]


def test_an_unknown_name_asks_no_host(tmp_path: Path, server: FlakyServer) -> None:
    with pytest.raises(UnknownNameError, match="cube-single-play-v0"):
        fetch("cube-singel-play", folder=tmp_path, mirrors=[server.url], progress=False)
    assert not server.requests


def test_the_command(tmp_path: Path, server: FlakyServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "fetch", NAME, "--folder", str(tmp_path), "--mirrors", server.url]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / TRAIN)
    assert_complete(tmp_path)
    (tmp_path / TRAIN).unlink()
    server.script(TRAIN, 404)
    assert main(["data", "fetch", NAME, "--folder", str(tmp_path), "--mirrors", server.url]) == 2
    captured = capsys.readouterr()
    assert captured.err.strip().splitlines()[-1].startswith(f"workbench: no host delivered {TRAIN}")
    assert not captured.out
