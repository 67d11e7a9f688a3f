"""Sweeps as they are written: what is read, what it expands to, and what is said of mistakes."""

import sys
from pathlib import Path

import pytest

from tests.unit.maze_files import MAZE, MAZE_DATA, write_maze
from tests.unit.sweeping import TINY, write
from workbench.agents.presets import BASELINES
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.store.folder import RunFolder
from workbench.store.spec import RunSpec
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.spec import SPECS, find_sweep, read_sweep

AXES = """
agents = ["sorl", "iql"]
tasks = ["toy:grid", "toy:rings"]
seeds = [3, 5, 8]
presets = ["small"]
steps = 10
pack = 2

[weights]
lr = [1e-3, 1e-4]

[agent.sorl]
steps = 20
precision = "bfloat16"
presets = ["small", "paper"]
weights = { ql = [1, 2, 3] }
settings = { width = 8, depth = 1 }
"""


def jobs_of(folder: Path, text: str, **settings) -> list[Job]:
    """The runs of a sweep."""
    return plan(read_sweep(write(folder, text)), folder / "runs", **settings)


def test_axes_are_multiplied(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, AXES)
    found = [job.spec for job in jobs]
    assert len({spec.hash for spec in found}) == len(found) == 2 * 2 * (2 * 3 * 2 + 2)
    sorl = [spec for spec in found if spec.agent == "sorl"]
    assert {(spec.weights["ql"], spec.weights["lr"]) for spec in sorl} == {
        (q, lr) for q in (1, 2, 3) for lr in (1e-3, 1e-4)
    }
    assert {(spec.settings["width"], spec.steps, spec.precision) for spec in sorl} == {(8, 20, "bfloat16")}
    assert {spec.seeds for spec in found} == {(3, 5), (8,)}
    assert jobs[0].label == "sorl · small, lr 0.001, ql 1 · toy:grid · seeds 3, 5"
    assert {(spec.steps, spec.precision) for spec in found if spec.agent == "iql"} == {(10, None)}
    tasks = [spec.task for spec in found]
    assert tasks == sorted(tasks), "data of a task is loaded once"
    assert {job.cells for job in jobs} == {()}


def test_sorl_is_played_at_every_step_count_since_nobody_says_which_is_its_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scored checkpoints are deleted once they are evaluated: what is not recorded then is lost."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    (sorl,) = jobs_of(tmp_path, f'agents = ["sorl"]\ntasks = ["{MAZE}"]\n')
    assert sorl.cells == tuple(Cell(m, 1, "min") for m in (1, 2, 4, 8)), "as the critics are aggregated in mazes"


def test_the_protocol_says_how_an_agent_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    text = f'agents = ["idql", "bc", "sorl"]\ntasks = ["{MAZE}"]\n[agent.sorl.evaluation]\nm_inf = [4, 1]\nn = 2\n'
    idql, bc, sorl = jobs_of(tmp_path, text)
    assert (idql.spec.steps, idql.scored) == (3_000_000, (2_500_000, 2_750_000, 3_000_000))
    assert (idql.cells, bc.cells) == ((Cell(5, 32, "min"),), (Cell(1, 1),))
    assert sorl.cells == (Cell(1, 2, "min"), Cell(4, 2, "min"))
    assert sorl.scored == bc.scored == (800_000, 900_000, 1_000_000)
    assert bc.evaluation.episodes == 50
    assert "workbench data" in bc.problem, "there are no files yet"


def test_data_beside_the_file(tmp_path: Path) -> None:
    write_maze(tmp_path / "mine")
    text = f'agents = ["bc"]\ntasks = ["{MAZE}"]\nsteps = 10\n[data]\n{MAZE_DATA} = "mine/{MAZE_DATA}.npz"\n'
    (job,) = jobs_of(tmp_path, text)
    assert (job.problem, job.data) == ("", tmp_path / "mine" / f"{MAZE_DATA}.npz")
    (job,) = jobs_of(tmp_path, text.replace("mine/", "yours/"))
    assert "there is no file" in job.problem


def test_a_task_whose_data_needs_another_package_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    tasks = 'tasks = ["minari:D4RL/pen/human-v2", "toy:grid"]'
    jobs = jobs_of(tmp_path, TINY.replace('tasks = ["toy:grid"]', tasks))
    assert {job.spec.task: "pip install -e" in job.problem for job in jobs} == {
        "minari:D4RL/pen/human-v2": True,
        "toy:grid": False,
    }


def test_runs_that_exist_keep_their_seeds(tmp_path: Path) -> None:
    """Seeds are packed anew only where no run of the same kind has them."""
    text = TINY.replace("seeds = 2", "seeds = 6")
    alone = jobs_of(tmp_path, text)
    assert [job.spec.seeds for job in alone[:6]] == [(k,) for k in range(6)]
    RunFolder.create(tmp_path / "runs", alone[1].spec)
    RunFolder.create(tmp_path / "runs", alone[4].spec).finish({})
    asked: list[RunSpec] = []

    def three(spec: RunSpec, path: Path | None) -> int:
        asked.append(spec)
        return 3

    packed = jobs_of(tmp_path, text + "\n", choose_pack=three)
    assert not asked
    packed = jobs_of(tmp_path, f'pack = "auto"\n{text}', choose_pack=three)
    assert [job.spec.seeds for job in packed if job.spec.agent == "sorl"] == [(4,), (1,), (0, 2, 3), (5,)]
    assert [job.spec.seeds for job in packed if job.spec.agent == "bc"] == [(0, 1, 2), (3, 4, 5)]
    assert [spec.seeds for spec in asked] == [(0, 2, 3, 5), tuple(range(6))]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seeds = 2", "seeds = [1, 1]", "key 'seeds': it must be a list of different whole numbers, or how many"),
        ("seeds = 2", "seeds = true", "key 'seeds': it must be"),
        (
            "steps = 12",
            'steps = "long"',
            "key 'steps': it must be a whole number of at least 1, or \"protocol\", not 'long'",
        ),
        ("steps = 12", "stesp = 12", "unknown key in sweep .*: 'stesp': did you mean steps"),
        ("steps = 12", "steps = 12\npack = 0", "key 'pack': it must be a whole number of at least 1, not 0"),
        (
            '["toy:grid"]',
            '["cube-singel"]',
            "key 'tasks': it has an unknown task 'cube-singel': did you mean cube-single",
        ),
        ('["toy:grid"]', "3", "key 'tasks': it must be a list of different names, not 3"),
        ('agents = ["sorl", "bc"]', "", "key 'agents': it must be a list of different names, not missing"),
        ("[settings]", "[weights]\nlr = []\n[settings]", "key 'weights.lr': it is an empty list"),
        ("m_btt = 1", "m_btt = []", "key 'agent.sorl.settings.m_btt': it is an empty list"),
        (
            "[agent.sorl.settings]",
            "[agent.sql.settings]",
            "key 'agent.sql': it is a table of an agent that the sweep does",
        ),
        (
            "[settings]",
            "[evaluation]\nscored = [13]\n[settings]",
            "key 'evaluation.scored': it must not go beyond the 12",
        ),
        (
            "[settings]",
            "[evaluation]\nverifier = 'max'\n[settings]",
            "key 'evaluation.verifier': it must say how .* unknown verifier 'max': did you mean mean",
        ),
        ("[settings]", "[ray]\ngpu = 1\n[settings]", "unknown key in sweep .*: 'ray.gpu': did you mean ray.gpus"),
        ("[settings]", "weights = 3\n[settings]", "key 'weights': it must be a table"),
        ("steps = 12", "steps = ", "is not TOML: .*line 6"),
    ],
)
def test_mistakes_are_said_with_file_and_key(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in TINY
    file = write(tmp_path, TINY.replace(old, new))
    with pytest.raises(WorkbenchError, match=sentence) as error:
        read_sweep(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"bc"', '"bcc"', "agent 'bcc' on toy:grid: unknown agent 'bcc'"),
        ('["small"]', '["samll"]', "unknown preset 'samll': did you mean small"),
        ("width = 8", "widht = 8", "agent 'sorl' on toy:grid: unknown agent setting 'widht': did you mean width"),
        ("[settings]", "[weights]\nql = 1\n[settings]", "agent 'bc' on toy:grid: agent 'bc' has no loss weight 'ql'"),
        ("[settings]", "[weights]\nlr = [0.1, -1]\n[settings]", "lr must lie between 0 and inf, not -1"),
    ],
)
def test_names_that_no_agent_knows_are_said_with_the_file(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(WorkbenchError, match=sentence) as error:
        jobs_of(tmp_path, TINY.replace(old, new))
    assert str(tmp_path / "some.toml") in str(error.value)


def test_sweeps_that_come_along() -> None:
    names = {"paper_table", "cube_single_small", "two_cores", "two_cores_pilot"}
    assert {file.stem for file in SPECS.glob("*.toml")} == names
    paper, small = read_sweep("paper_table"), read_sweep("cube_single_small")
    assert (len(paper.agents), len(paper.tasks), len(paper.seeds)) == (11, 40, 8)
    assert {part.name for part in paper.agents} == {part.name for part in small.agents} == {"sorl", *BASELINES}
    assert {(part.steps, part.presets) for part in paper.agents} == {(None, ("paper",))}
    assert {(part.steps, part.presets) for part in small.agents} == {(20_000, ("small",))}
    with pytest.raises(UnknownNameError, match="did you mean paper_table"):
        find_sweep("paper_tabel")
    with pytest.raises(WorkbenchError, match=r"there is no file nowhere/a.toml"):
        find_sweep("nowhere/a.toml")
