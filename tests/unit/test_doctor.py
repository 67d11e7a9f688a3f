"""The doctor, with one thing after another broken on purpose: what it finds, the fix it names, its exit code."""

import builtins
import json
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from workbench import doctor
from workbench.cli.doctor import Doctor
from workbench.doctor import GIB, Check, exit_code, run_checks

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def no_import(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the import of one package fail."""
    real = builtins.__import__

    def forbid(package: str) -> None:
        def refuse(name: str, *args: object, **kwargs: object) -> object:
            if name.split(".")[0] == package or name == package:
                raise ModuleNotFoundError(f"No module named '{package}'")
            return real(name, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", refuse)

    return forbid


def test_this_installation_works() -> None:
    checks = run_checks()
    assert [check for check in checks if check.status == "broken"] == []
    assert exit_code(checks) == 0
    found = {check.name: check.found for check in checks}
    assert found["jax"] == found["jaxlib"] == metadata.version("jax")
    assert found["devices"] == "1 × cpu: cpu"
    assert found["ffmpeg"].startswith("ffmpeg version")


def test_everything_wrong_has_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(GIB, GIB, 0))
    checks = run_checks()
    assert exit_code(checks) == 1
    assert all(check.fix for check in checks if check.status != "ok")
    assert {check.status for check in checks} >= {"broken", "warn"}


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        metadata, "requires", lambda name: ["nosuchpackage>=3", "numpy>=2", "extra-one; extra == 'dev'"]
    )
    missing, numpy, _jaxlib = doctor.check_packages()
    assert (missing.status, missing.found) == ("broken", "not installed")
    assert "pip install -c constraints.txt 'nosuchpackage>=3'" in missing.fix
    assert numpy.status == "ok"


def test_package_outside_its_range() -> None:
    check = doctor.check_package(Requirement("numpy>=1000"))
    assert check.status == "broken"
    assert metadata.version("numpy") in check.found
    assert ">=1000" in check.found


def test_project_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROJECT", "no-such-distribution")
    (check,) = doctor.check_packages()
    assert (check.status, check.fix) == ("broken", doctor.REINSTALL)


def test_jax_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no backend\nlong story")

    monkeypatch.setattr("jax.devices", fail)
    assert doctor.check_devices() == Check("devices", "broken", "RuntimeError: no backend", doctor.REINSTALL)


def test_idle_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"somewhere/{name}")
    check = doctor.check_devices()
    assert check.status == "warn"
    assert "cuda13" in check.fix


def test_unwritable_compile_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_JAX_CACHE", str(tmp_path / "file" / "cache"))
    check = doctor.check_compile_cache()
    assert check.status == "warn"
    assert "WORKBENCH_JAX_CACHE" in check.fix


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("No ffmpeg exe could be found"), FileNotFoundError("gone"), subprocess.TimeoutExpired("ffmpeg", 20)],
)
def test_ffmpeg_does_not_run(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise failure

    monkeypatch.setattr(doctor.subprocess, "run", fail)
    check = doctor.check_ffmpeg()
    assert check.status == "warn"
    assert "imageio-ffmpeg" in check.fix


def test_missing_imports_are_findings(no_import: Callable[[str], None]) -> None:
    no_import("jupyter_core")
    (widgets,) = doctor.check_widgets()
    assert widgets.status == "broken"
    no_import("psutil")
    assert doctor.check_memory().status == "broken"
    no_import("workbench.render.backend")
    assert doctor.check_graphics().status == "warn"


def test_front_end_not_in_any_folder(tmp_path: Path) -> None:
    check = doctor.check_front_end("anywidget", "anywidget", [tmp_path])
    assert check.status == "warn"
    assert "anywidget" in check.fix
    (tmp_path / "anywidget").mkdir()
    (tmp_path / "anywidget" / "package.json").write_text("{}")
    assert doctor.check_front_end("anywidget", "anywidget", [tmp_path]).status == "ok"


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=GIB, total=4 * GIB))
    check = doctor.check_memory()
    assert (check.status, check.found) == ("warn", "1.0 of 4.0 GiB free")


def test_disk_looks_at_the_nearest_folder_and_creates_none(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert doctor.check_disk("data folder", folder, "WORKBENCH_DATA").found.startswith(str(folder))
    assert list(tmp_path.iterdir()) == []


def test_folder_below_a_file_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "file" / "runs"))
    check = run_checks()[-1]
    assert (check.name, check.status) == ("runs folder", "broken")
    assert "WORKBENCH_RUNS" in check.fix


def test_command_prints_json_and_returns_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Check("one", "ok", "fine"), Check("two", "broken", "gone", "mend it")]
    monkeypatch.setattr("workbench.cli.doctor.run_checks", lambda: found)
    assert Doctor(json=True).run() == 1
    rows = json.loads(capsys.readouterr().out)
    assert rows[1] == {"name": "two", "status": "broken", "found": "gone", "fix": "mend it"}
    assert Doctor().run() == 1
    assert "mend it" in capsys.readouterr().out


def test_warnings_alone_are_no_failure() -> None:
    assert exit_code([Check("graphics", "warn", "no video", "install one")]) == 0
