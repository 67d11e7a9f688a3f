"""The registry of tasks, and the command that lists it."""

import json

import pytest

from workbench.agents.protocol import PROTOCOLS
from workbench.agents.settings import ENVIRONMENTS
from workbench.cli.main import main
from workbench.data.catalogue import parse_task
from workbench.errors import UnknownNameError
from workbench.published import per_task
from workbench.tasks import SCORED, TASKS, find_task, tasks_of


def test_the_table_has_forty_tasks_in_eight_environments() -> None:
    table = [task for task in TASKS.values() if task.group == "table"]
    assert len(table) == 40
    assert {task.environment for task in table} == set(ENVIRONMENTS)
    assert {(task.environment, parse_task(task.name)[1]) for task in table if task.default} == {
        (name, settings.default_task) for name, settings in ENVIRONMENTS.items()
    }
    assert len(tasks_of("puzzle")) == 10
    assert len(tasks_of("d4rl")) == 6 + 12 + 9


def test_they_are_the_published_tasks() -> None:
    published = {f"{row['environment']}-{row['task']}-v0" for row in per_task().to_dict("records")}
    assert len(published) == 40
    assert {name.replace("-singletask", "") for name in tasks_of("table")} == published


def test_a_task_tells_what_the_catalogue_knows() -> None:
    task = find_task("humanoidmaze-large-navigate-singletask-task3")
    assert (task.obs, task.act, task.limit, task.sources) == (69, 21, 2000, ("official",))
    assert task.settings.gamma == 0.995
    assert find_task("D4RL/pen/human-v2").sources == ("minari",)
    assert find_task("pointmaze-giant-stitch-singletask-task1-v0").group == "other"


def test_words_stand_for_tasks() -> None:
    assert tasks_of("cube-single") == tuple(f"cube-single-play-singletask-task{k}-v0" for k in range(1, 6))
    assert tasks_of("cube-single-play-singletask-task2") == ("cube-single-play-singletask-task2-v0",)
    assert tasks_of("toy:grid") == ("toy:grid",)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("cube-singel", "cube-single"),
        ("tabel", "table"),
        ("cube-single-play-singletask-task7-v0", "cube-single-play-singletask-task"),
    ],
)
def test_unknown_names_get_suggestions(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown task '{name}': did you mean .*{near}"):
        tasks_of(name)


def test_the_protocol_is_that_of_most_agents() -> None:
    assert sum((each.updates, each.scored) == (SCORED.updates, SCORED.scored) for each in PROTOCOLS.values()) >= 10


def test_command_lists_and_filters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["task"] for row in rows] == list(TASKS)
    assert rows[0]["protocol"] == {"updates": 1_000_000, "scored": list(SCORED.scored), "episodes": 50, "seeds": 8}
    assert rows[-1]["protocol"] is None
    assert main(["tasks", "--environment", "scene", "--json"]) == 0
    assert {row["environment"] for row in json.loads(capsys.readouterr().out)} == {"scene"}
    condition = "kind = 'table' and episode_limit > 1000 and list_contains(data, 'official') and tuned_on"
    assert main(["tasks", "--where", condition]) == 0
    printed = capsys.readouterr().out
    assert "mean of the checkpoints at 800,000, 900,000, 1,000,000, 50 episodes each, 8 seeds" in printed
    assert sum(line.startswith("humanoidmaze-") for line in printed.splitlines()) == 2
    assert len(printed.splitlines()) == 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--environment", "scnee"], "unknown environment 'scnee': did you mean scene"),
        (["--where", "obs >"], "DuckDB cannot filter"),
        (["cube-dobule"], "did you mean cube-double"),
    ],
)
def test_command_says_what_is_wrong(line: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", *line]) == 2
    assert message in capsys.readouterr().err
