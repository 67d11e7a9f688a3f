"""Every notebook equals its source, keeps the form of a tutorial, and runs to its last assertion at smoke scale."""

import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.notebooks.rules import violations

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
SECONDS_A_CELL = 120

SPEC = importlib.util.spec_from_file_location("pair_notebooks", ROOT / ".ci" / "pair_notebooks.py")
assert SPEC is not None
assert SPEC.loader is not None
pair = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pair)

each_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def read(source: Path) -> nbformat.NotebookNode:
    """The twin of a source."""
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Execute a notebook in place, in a working folder of its own."""
    NotebookClient(notebook, timeout=SECONDS_A_CELL, resources={"metadata": {"path": str(folder)}}).execute()


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks() -> None:
    assert SOURCES


def test_twins_are_what_their_sources_make() -> None:
    assert pair.problems(ROOT / "notebooks") == []


@each_notebook
def test_a_twin_is_stripped_and_names_its_kernel(source: Path) -> None:
    notebook = read(source)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert outputs(notebook) == []
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


@each_notebook
def test_form(source: Path) -> None:
    assert violations(read(source)) == []


@each_notebook
@pytest.mark.timeout(300)
def test_it_runs_and_draws(source: Path, tmp_path: Path) -> None:
    notebook = read(source)
    run(notebook, tmp_path)
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))


TEXT = "text"
LAST = [TEXT, "assert True"]
LESSON = "@register(weights={{}})\nclass Mine(AbstractBaseline):\n{}"


def build(sources: list[str]) -> nbformat.NotebookNode:
    """A notebook of code cells, with a cell of text for each TEXT."""
    return new_notebook(cells=[(new_markdown_cell if each == TEXT else new_code_cell)(each) for each in sources])


def test_a_failed_assertion_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="two is one"):
        run(build(["assert 2 == 1, 'two is one'"]), tmp_path)


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        (["x = 1", *LAST], "cell 0 has no text before it."),
        ([TEXT, "x = 1", "x = 1", *LAST], "cell 2 has no text before it."),
        ([TEXT, "x = 1\n" * 21, *LAST], "cell 1 has 21 lines, more than 20."),
        ([TEXT, "def f():\n" + "    x = 1\n" * 5, *LAST], "f in cell 1 has 6 lines, more than 5."),
        ([*LAST, TEXT, "x = 1", TEXT], "the last piece of code asserts nothing."),
        ([TEXT, LESSON.format("    x = 1\n" * 39), *LAST], "cell 1 has 41 lines, more than 40."),
        ([TEXT, LESSON.format("    x = 1\n" * 9) + "x = 1", *LAST], "Mine in cell 1 has 10 lines, more than 5."),
    ],
)
def test_rules_see(sources: list[str], sentence: str) -> None:
    assert violations(build(sources)) == [sentence]


def test_rules_allow() -> None:
    short = "def f():\n" + "    x = 1\n" * 4
    assert violations(build([TEXT, short + "x = 1\n" * 15, TEXT, *LAST])) == []
    assert violations(build([TEXT, LESSON.format("    x = 1\n" * 38), *LAST])) == []


def test_pairs_that_do_not_match_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("# %%\nx = 1\n")
    (tmp_path / "old.ipynb").write_text("{}")
    (tmp_path / "edited.py").write_text("# %% [markdown]\n# Text\n\n# %%\nx = 1\n")
    (tmp_path / "edited.ipynb").write_text(pair.twin(tmp_path / "edited.py"))
    unpaired = ["old.ipynb has no source old.py.", "new.py has no twin new.ipynb."]
    assert pair.problems(tmp_path) == unpaired
    (tmp_path / "edited.py").write_text("# %% [markdown]\n# Text\n\n# %%\nx = 2\n")
    assert pair.problems(tmp_path) == [unpaired[0], "edited.ipynb is not what edited.py makes.", unpaired[1]]


def test_equal_sources_make_equal_twins(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("# %% [markdown]\n# Text\n\n# %%\nx = 1\n")
    assert pair.twin(source) == pair.twin(source)
    assert [cell.source for cell in nbformat.reads(pair.twin(source), 4).cells] == ["Text", "x = 1"]
