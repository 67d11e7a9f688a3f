"""Performance measured anew: the scripts of the folder `benchmarks`, their goals, and the figure of run times."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from workbench.cli.report import show
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.guards import check_folder
from workbench.paths import read_json, write_json

OTHERS = ("measuring", "speedrun", "stepping")
"""What is no benchmark: the module that they share, and entries of minutes each that have a board of their own."""
NOT_HERE = 3
"""Exit code of a script that says what it lacks on this machine."""


class NotHere(WorkbenchError):
    """A benchmark lacks something on this machine; the message says what."""


@dataclass(frozen=True)
class Bench:
    """Run benchmarks one after another, keep their numbers as JSON, and print them beside their goals.

    A benchmark is a script of `benchmarks/` that answers one question. Without names all are run, then the study
    `runtime` is made anew and its figure drawn: half an hour on two cores, on which nothing else should run.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """Benchmarks to run; by default all, and the figure."""
    list: bool = False
    """Only list the benchmarks and their questions."""
    saved: bool = False
    """Only print the numbers that were kept last."""
    smoke: bool = False
    """The same in a minute, with numbers that mean nothing; they go to build/smoke."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Measure, or say what was measured; exit code 1 where a goal is missed."""
        scripts = _scripts(self.names)
        if self.list:
            rows = [{"benchmark": name, "question": _question(script)} for name, script in scripts.items()]
            show(rows, self.json)
            return 0
        folder = Path("build/smoke/benchmarks" if self.smoke else "benchmarks/results")
        if not self.saved:
            check_folder(folder, "the measurement")
        rows: list[dict[str, Any]] = []
        for name, script in scripts.items():
            file = folder / f"{name}.json"
            if not self.saved:
                print(f"{name}: {_question(script)}", file=sys.stderr)
                try:
                    found = _measure(script, self.smoke)
                except NotHere as missing:
                    print(f"{name}: left out, {missing}", file=sys.stderr)
                    continue
                write_json(file, found)
            rows += _rows(name, file)
        show(rows, self.json)
        if not (self.names or self.saved):
            self._draw()
        return int(any(row["goal met"] == "no" for row in rows))

    def _draw(self) -> None:
        from workbench import gallery
        from workbench.studies.registry import run_study

        figures = Path("build/smoke" if self.smoke else "figures")
        run_study("runtime", figures / "tables", smoke=self.smoke)
        for _, paths in gallery.draw(figures, ("runtime",)):
            print(*paths, sep="\n", file=sys.stderr)


def _scripts(names: tuple[str, ...]) -> dict[str, Path]:
    """The chosen scripts by name, or all.

    Raises `WorkbenchError` outside of the repository, and `UnknownNameError` for a name that no script has.
    """
    found = {path.stem: path for path in sorted(Path("benchmarks").glob("*.py")) if path.stem not in OTHERS}
    if not found:
        raise WorkbenchError("there is no folder benchmarks here: run it in the root of the workbench's repository.")
    for name in names:
        if name not in found:
            raise UnknownNameError("benchmark", name, found)
    return {name: found[name] for name in names or found}


def _question(script: Path) -> str:
    return script.read_text(encoding="utf-8").split('"""')[1].splitlines()[0]


def _measure(script: Path, smoke: bool) -> dict[str, Any]:
    """What a script prints; raises `NotHere` or `WorkbenchError` with the last line of what it complains about."""
    command = [sys.executable, str(script), *(["--smoke"] if smoke else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or "nothing was said").splitlines()[-1]
        if done.returncode == NOT_HERE:
            raise NotHere(said)
        raise WorkbenchError(f"benchmark {script} ended with exit code {done.returncode}: {said}")
    return json.loads(done.stdout)


def _rows(name: str, file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        raise WorkbenchError(f"there is no {file} yet: measure it with `workbench bench {name}`.")
    rows = []
    for row in read_json(file)["rows"]:
        most, least = row.get("at_most"), row.get("at_least")
        goal = f"<= {most:g}" if most is not None else f">= {least:g}" if least is not None else ""
        met = (most is None or row["value"] <= most) and (least is None or row["value"] >= least)
        rows.append(
            {"benchmark": name, "case": row["case"], "value": float(f"{row['value']:.4g}"), "unit": row["unit"]}
            | {"goal": goal, "goal met": ("yes" if met else "no") if goal else ""}
        )
    return rows
