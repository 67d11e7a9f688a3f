"""Write the .ipynb twin of every py:percent source in notebooks/, or with --check say what differs (exit code 1).

A twin has the source's cells, no outputs, and the kernel to run it with, without which JupyterLab opens a dialog. Cell
ids are counts, so equal sources make equal files. Edit the .py, then run this script.
"""

import sys
from pathlib import Path

import jupytext
import nbformat

ROOT = Path(__file__).resolve().parent.parent
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def twin(source: Path) -> str:
    """The text of the notebook that a py:percent source stands for."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{i:02}", nbformat.NotebookNode()
    return nbformat.writes(notebook) + "\n"


def problems(folder: Path) -> list[str]:
    """What does not match in a folder of notebooks: each finding is one sentence."""
    found = [
        f"{path.name} has no source {path.stem}.py."
        for path in sorted(folder.glob("*.ipynb"))
        if not path.with_suffix(".py").exists()
    ]
    for source in sorted(folder.glob("*.py")):
        pair = source.with_suffix(".ipynb")
        if not pair.exists():
            found.append(f"{source.name} has no twin {pair.name}.")
        elif pair.read_text() != twin(source):
            found.append(f"{pair.name} is not what {source.name} makes.")
    return found


def main() -> int:
    """Write every twin, or check them."""
    folder = ROOT / "notebooks"
    if sys.argv[1:] == ["--check"]:
        found = problems(folder)
        print(
            "\n".join([*found, "Run .ci/pair_notebooks.py."] if found else ["Every notebook is what its source says."])
        )
        return int(bool(found))
    for source in folder.glob("*.py"):
        source.with_suffix(".ipynb").write_text(twin(source))
    return 0


if __name__ == "__main__":
    sys.exit(main())
