"""How many minutes from data on disk to a policy that succeeds nine times in ten? An entry an idea: LEADERBOARD.md."""

import argparse
import dataclasses
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import psutil

from workbench.data.make import make_dataset
from workbench.data.ogbench_files import load_task
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import evaluate
from workbench.experiments import train_piece
from workbench.paths import atomic_write, read_json, write_json
from workbench.plots.text_table import markdown_table
from workbench.stats.intervals import wilson
from workbench.store.folder import environment
from workbench.store.spec import make_spec
from workbench.studies.campaign import DATASET, TASK
from workbench.train import init_seeds

HERE = Path(__file__).parent
EPISODES, FIRST = 200, 1_000_000
"""Episodes of the test, and the number of the first: no other evaluation plays these starts."""
SUCCESS, LEAST = 0.9, 0.85
"""What counts: this rate at least, and this lower end of Wilson's 95 % interval."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """SORL of the preset `small` with what is changed of its weights and settings, and the budget that is played."""

    idea: str
    cell: Cell
    updates: int = 20_000
    weights: dict[str, Any] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    episodes: int = 300


ENTRIES = {
    "quickstart": Entry("the preset `small`, the best of four candidates", Cell(8, 4)),
    "elite": Entry("the mean of the better half of 32 candidates", Cell(4, 32, "elite:0.5")),
    "elite-128": Entry("the same of 128 candidates, in twice the steps", Cell(8, 128, "elite:0.5")),
    "decay": Entry(
        "`elite`, the learning rate a tenth in the last fifth",
        Cell(4, 32, "elite:0.5"),
        weights={"lr": "steps(1e-3, 16000: 1e-4)"},
    ),
    "cosine": Entry(
        "`elite`, the learning rate falling as a cosine",
        Cell(4, 32, "elite:0.5"),
        weights={"lr": "cosine(1e-3, 1e-5, 0, 20000)"},
    ),
}


def run(names: Sequence[str], seed: int, smoke: bool) -> Iterator[dict[str, Any]]:
    """Train with one seed and play the test; times are from the start of this process to the policy.

    Entries that differ in their budget alone share a training. Raises `WorkbenchError` for others.
    """
    entry = ENTRIES[names[0]]
    if any(dataclasses.replace(ENTRIES[name], idea=entry.idea, cell=entry.cell) != entry for name in names):
        raise WorkbenchError(f"{', '.join(names)} are other trainings: run them one after another.")
    steps, (episodes, limit) = (2, (2, 10)) if smoke else (entry.updates, (EPISODES, None))
    path = make_dataset(DATASET, episodes=2 if smoke else entry.episodes)  # on disk already, or it would count
    data, _ = load_task(TASK, path)
    changed: dict[str, Any] = {"settings": entry.settings, "weights": entry.weights}
    spec = make_spec(TASK, data.provenance, preset_name="small", seeds=(seed,), steps=steps, **changed)
    agent, state = spec.build_agent(), init_seeds(spec.build_agent(), data.example(), spec.seeds)
    state, _ = train_piece(spec, agent, data, spec.build_weights(), state, steps)
    jax.block_until_ready(state)
    wall, cpu = time.time() - psutil.Process().create_time(), sum(os.times()[:4])
    for name in names:
        cells, numbered = [ENTRIES[name].cell], {"first_episode": FIRST, "episode_limit": limit}
        played = evaluate(agent, state, TASK, cells, seeds=(seed,), episodes=episodes, **numbered).rows
        yield {
            "entry": name,
            "idea": ENTRIES[name].idea,
            "budget": str(ENTRIES[name].cell),
            "seed": seed,
            "updates": steps,
            "wall_minutes": round(wall / 60, 2),
            "cpu_minutes": round(cpu / 60, 2),
            "successes": sum(bool(row["success"]) for row in played),
            "episodes": len(played),
            "spec": spec.to_json(),
            "environment": environment(),
        }


def reached(results: Iterable[dict[str, Any]]) -> bool:
    """Whether every seed of an entry passes the test."""
    return all(
        each["successes"] >= SUCCESS * each["episodes"] and wilson(each["successes"], each["episodes"])[0] >= LEAST
        for each in results
    )


def board(results: Sequence[dict[str, Any]]) -> str:
    """The leaderboard as Markdown: entries that pass by their CPU minutes, then those that do not."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for each in results:
        entries.setdefault(each["entry"], []).append(each)
    order = sorted(entries.items(), key=lambda item: (not reached(item[1]), _middle(item[1], "cpu_minutes")))
    header = ("entry", "idea", "budget", "updates", "wall min", "CPU min", "success by seed", "passes")
    body = [
        [
            name,
            found[0]["idea"],
            found[0]["budget"],
            f"{found[0]['updates']:,}",
            f"{_middle(found, 'wall_minutes'):.1f}",
            f"{_middle(found, 'cpu_minutes'):.1f}",
            "; ".join(map(_success, sorted(found, key=lambda each: each["seed"]))),
            "yes" if reached(found) else "**no**",
        ]
        for name, found in order
    ]
    machines = sorted({each["environment"]["machine"] for each in results})
    origin = (
        "Cube-single task 2, from regenerated data on disk to trained SORL, with imports and compilation. The test: "
        f"{EPISODES} episodes from starts that nothing else plays, success of at least {SUCCESS:.0%} and the lower end "
        f"of Wilson's 95 % interval of at least {LEAST:.0%}, for every seed tried. Times are medians over seeds, on "
        f"{', '.join(machines)}; these differ by a factor of two between hosts, so compare entries "
        "of one, and CPU before wall minutes, for it "
        "may have been busy. Written by "
        "`python benchmarks/speedrun.py --board` from `results/speedrun/`, which `python benchmarks/speedrun.py ENTRY "
        "--seed S` fills."
    )
    lines = [
        "# Speedrun: minutes to a policy that succeeds nine times in ten",
        "",
        origin,
        "",
        *markdown_table(header, body, text=True),
    ]
    return "\n".join(lines) + "\n"


def _middle(found: Sequence[dict[str, Any]], name: str) -> float:
    values = sorted(each[name] for each in found)
    return values[len(values) // 2]


def _success(each: dict[str, Any]) -> str:
    low, high = wilson(each["successes"], each["episodes"])
    rate = each["successes"] / each["episodes"]
    return f"{each['seed']}: {100 * rate:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"


def main() -> None:
    """Run one entry and keep its result, or write the board anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help=f"{', '.join(ENTRIES)}; several share a training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--board", action="store_true", help="write LEADERBOARD.md from the results that are kept")
    parser.add_argument("--smoke", action="store_true", help="in seconds, numbers that mean nothing; keeps nothing")
    asked = parser.parse_args()
    if unknown := set(asked.entries) - set(ENTRIES):
        parser.error(str(UnknownNameError("entry", unknown.pop(), ENTRIES)))
    for result in run(asked.entries, asked.seed, asked.smoke) if asked.entries else ():
        print({name: value for name, value in result.items() if name not in ("spec", "environment")}, flush=True)
        if not asked.smoke:
            (HERE / "results/speedrun").mkdir(exist_ok=True)
            write_json(HERE / f"results/speedrun/{result['entry']}-seed{asked.seed}.json", result)
    if asked.board:
        results = [read_json(file) for file in sorted((HERE / "results/speedrun").glob("*.json"))]
        with atomic_write(HERE / "LEADERBOARD.md") as file:
            file.write(board(results).encode())


if __name__ == "__main__":
    main()
