# %% [markdown]
# # Your own data
#
# **Question.** You have logs of a robot, of a simulator, of a game: arrays. How do they become a policy here, what can
# be wrong with them, and who tells you before a night of training does?

# %% [markdown]
# ## What is asked for
#
# Trajectories in rows, as OGBench has them. Row $t$ holds the state and what was done in it, row $t + 1$ what came of
# it:
#
# | array | shape | row $t$ |
# |---|---|---|
# | `observations` | (row, obs) | the state $x_t$ |
# | `actions` | (row, act) | the action $a_t$, each coordinate in [-1, 1] |
# | `rewards` | (row,) | $r_t$, earned between rows $t$ and $t + 1$ |
# | `terminals` | (row,) | 1 in the last row of an episode; its action and reward are not used |
# | `masks` | (row,) | 0 where the *next* row ends the episode for good, else 1 |
#
# The last two are different things, and the critic's target needs both:
#
# $$y_t = r_t + \gamma\, \mathrm{mask}_t\, \bar Q(x_{t+1}, a')$$
#
# An episode that reached its goal has no future: mask 0. One that the clock cut has: mask 1, though its rows end.

# %% [markdown]
# ## Imports

# %%
import os
import tempfile
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from IPython.display import Image, display
from matplotlib.figure import Figure
from matplotlib.patches import Circle

# %% [markdown]
# And the doors that data come through, with what is done behind them.
# %%
from workbench.compile_cache import enable_compile_cache
from workbench.data.arrays import from_arrays
from workbench.data.check import check_file
from workbench.data.load import load_data
from workbench.data.own_check import check_arrays
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.experiments import evaluate_run
from workbench.live import Controls, LiveView, Trainer
from workbench.plots.show import show
from workbench.plots.style import paper_style
from workbench.store.folder import RunFolder
from workbench.train import one_seed
from workbench.types import Budget

cache = enable_compile_cache()

# %% [markdown]
# ## Controls

# %%
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
EPISODES = 300 if SMOKE else 1000
UPDATES = 1000 if SMOKE else 5000
NETWORK = {"width": 32, "depth": 2} if SMOKE else {"width": 128, "depth": 2}
RATES = {"gamma": 0.9, "tau": 0.05, "lr": 3e-3} if SMOKE else {"gamma": 0.95, "tau": 0.01, "lr": 1e-3}
W_QL = 100.0  # the log is bad, so reward weighs more than likeness
LIMIT = 30  # steps until the clock cuts an episode
GOAL, RADIUS, SPEED = np.array([0.6, 0.6]), 0.15, 0.12
FOLDER = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)

# %% [markdown]
# ## A log
#
# A point in the plane moves by at most 0.12 a step and should get to the corner at the upper right. Whoever drove it
# there drove badly: each episode heads for some place of its own, with much noise. Every step costs 1 until the goal.


# %%
def drive(x, towards):
    way = towards - x
    return np.clip(way / np.linalg.norm(way, axis=-1, keepdims=True) + rng.normal(0, 0.7, x.shape), -1, 1)


def step(x, a):
    return np.clip(x + SPEED * a, -1, 1), a


def play(policy, x):
    steps = [(x, None)]
    for _ in range(LIMIT):
        steps.append(step(steps[-1][0], policy(steps[-1][0])))
    return np.stack([x for x, _ in steps], axis=1), np.stack([a for _, a in steps[1:]], axis=1)


# %% [markdown]
# From paths to rows: an episode ends where the goal is first reached, or at the clock. This is the part that is yours
# to write; check its arrays before you trust it.

# %%
starts, places = rng.uniform(-1, 0, (EPISODES, 2)), rng.uniform(-1, 1, (EPISODES, 2))
path, done = play(lambda x: drive(x, places), starts)
there = np.linalg.norm(path - GOAL, axis=-1) < RADIUS
length = np.where(there.any(axis=1), there.argmax(axis=1), LIMIT)  # the last row of each episode
time = np.arange(LIMIT + 1)
kept = time <= length[:, None]
reaches = np.pad(there[:, 1:], ((0, 0), (0, 1)))  # the next row is at the goal
arrays = {
    "observations": path[kept].astype(np.float32),
    "actions": np.pad(done, ((0, 0), (0, 1), (0, 0)))[kept].astype(np.float32),
    "rewards": np.where(reaches, 0.0, -1.0)[kept].astype(np.float32),
    "terminals": (time == length[:, None])[kept],
    "masks": (~reaches)[kept],
}
reached = there.any(axis=1).mean()
print(f"{len(arrays['rewards']):,} rows of {EPISODES} episodes; {100 * reached:.0f} % of them reach the goal")

# %% [markdown]
# ## What the check catches
#
# `check_arrays` looks at all of it and names every defect at once, with its place and what to do. Here are the
# classics, each put into a copy of sound arrays. Which of them would training have told you about?

# %%
rows = len(arrays["rewards"])
broken = {
    "sound": {},
    "a column too many axes": {"rewards": arrays["rewards"][:, None]},
    "a sensor dropped out": {"observations": np.where(np.arange(rows)[:, None] == 40, np.nan, arrays["observations"])},
    "commands in percent": {"actions": 100 * arrays["actions"]},
    "a log cut short": {key: array[:-7] for key, array in arrays.items()},
    "two logs of different length": {"rewards": arrays["rewards"][:-1]},
    "no reward set": {"rewards": np.zeros(rows, np.float32)},
}
found = {name: check_arrays(arrays | change) for name, change in broken.items()}
table = [{"what happened": name, **vars(each)} for name, each_found in found.items() for each in each_found]
display(pd.DataFrame(table).style.hide().set_properties(**{"text-align": "left"}))

# %% [markdown]
# **How to read it.** A `defect` must be mended; `from_arrays` refuses such data with the first of these sentences. A
# `note` may be meant. NaN and wrong shapes would have stopped training, sooner or later. Commands in percent would have
# been clipped to the corners of the square, and the reward that nobody set would have taught nothing: both would have
# trained, and been wrong.
#
# The same check reads files. A download that broke off:

# %%
file = FOLDER / "point.npz"
np.savez(file, **arrays)
half = FOLDER / "half.npz"
half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
reports = {path.name: check_file(path) for path in (file, half)}
for name, report in reports.items():
    print(f"{name}: {'no defect' if report.ok else 'DEFECTIVE'}")
    for each in report.findings:
        print(f"  {each.severity} · {Path(each.where).name} · {each.what.replace(str(FOLDER), '…')}")

# %% [markdown]
# ## Train
#
# `from_arrays` holds a tenth of the episodes out, whole ones, and puts all on the device. The task is `own:` and a name
# of yours. Data have a hash too: the file gives the same data as the arrays, so a run begun here resumes in a terminal.

# %%
train, held_out = from_arrays(**arrays, name="point")
from_file, _ = load_data("own:point", file)
trainer = Trainer(
    "own:point",
    data=(train, held_out),
    settings=NETWORK | {"m_btt": 2},
    weights={"ql": W_QL, **RATES},
    batch_size=128,
    name="point",
)
controls, view = Controls(trainer), LiveView(trainer)
display(controls)
trainer.start(UPDATES)
state = trainer.result()
display(Image(view.png(), width=980))
print(train.provenance)

# %% [markdown]
# ## Look
#
# The workbench does not know your world, so it cannot play in it, and says so:

# %%
run = RunFolder(trainer.record(root=FOLDER / "runs"))
try:
    evaluate_run(run, [Cell(8, 1)], episodes=1)
except WorkbenchError as error:
    refused = str(error)
print(refused)

# %% [markdown]
# What is left are the losses on held-out data, and whatever you can do yourself. Our world is four lines long, so the
# policy can be asked for its action in each of many states at once, and played.


# %%
def one_decision(x, key, budget):
    return trainer.branch.agent.act(trained, x, budget, key=key).a


def policy(x, budget):
    keys = jax.random.split(jax.random.key(rng.integers(2**31)), len(x))
    return np.asarray(decide(x, keys, budget))


trained = one_seed(state)  # the first and only one
decide = jax.jit(jax.vmap(one_decision, in_axes=(0, 0, None)))
budgets = {"1 step": (1, 1), "8 steps": (8, 1), "8 steps, best of 8": (8, 8)}
played = {"the log": path}
for name, (m_inf, n) in budgets.items():
    played[name], _ = play(partial(policy, budget=Budget.exactly(m_inf, n)), starts)
success = {name: (np.linalg.norm(each - GOAL, axis=-1) < RADIUS).any(axis=1).mean() for name, each in played.items()}

# %% [markdown]
# Sixty episodes of each, from the same starts, up to the goal or the clock.

# %%
with paper_style(1.9):
    figure = Figure(layout="constrained")
    for axes, (name, each) in zip(figure.subplots(1, len(played), sharey=True), played.items(), strict=True):
        for way in each[:60]:
            until = (np.linalg.norm(way - GOAL, axis=-1) < RADIUS).argmax() or LIMIT
            axes.plot(*way[: until + 1].T, color="#0072B2", linewidth=0.4, alpha=0.6)
        axes.add_patch(Circle(GOAL, RADIUS, fill=False, color="#D55E00", linewidth=1.2))
        axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        axes.set_title(f"{name}: {100 * success[name]:.0f} %", fontsize="small")
show(figure)
print("arrive:", {name: round(float(rate), 2) for name, rate in success.items()})

# %% [markdown]
# **How to read it.** Hardly an episode of the log was driven well, yet in one step the policy drives straight: it
# stitches together what the log does in each place, judged by $Q$. That is what offline reinforcement learning adds to
# imitation. Eight steps imitate: with $M_{\mathrm{BTT}} = 2$ the Q loss reaches samples of one and two steps only. They
# arrive less often than the log, for each of their actions is drawn anew, with no place to head for. Let the critic
# choose among eight of those, and it finds the way in what imitates, too.
#
# | do | expect |
# |---|---|
# | leave out `masks` (`masks=None`) | a note; arriving no longer ends anything, so $Q$ at the goal keeps falling |
# | `W_QL = 0` | imitation, in any number of steps: no better than the log; best of 8 arrives as before |
# | `EPISODES = 100` | held-out losses part from the training losses: too few data |
# | `agent="iql"`, without settings and weights | another agent on the same data, and nothing else to change |
#
# Other doors lead to the same place:
#
# | you have | door |
# |---|---|
# | an npz file with these arrays | `workbench data check FILE`, then `workbench train own:NAME --data FILE` |
# | single transitions $(x, a, r, x', done)$, as in D4RL | `from_transitions`, or an npz file with `next_observations` |
# | a Minari dataset | `workbench train minari:ID` |
# | OGBench's format for one of its environments | that task's name, and `--data FILE`; then it can be evaluated too |
#
# ## What this notebook claims

# %%
assert not [each for each in found["sound"] if each.severity == "defect"], "sound data have no defect"
silent = {name for name, each in found.items() if not each}
assert silent == {"sound"}, "whatever was broken was noticed"
assert reports["point.npz"].ok, "a whole file is sound"
assert not reports["half.npz"].ok, "half a file is not"
assert from_file.provenance.sha256 == train.provenance.sha256, "a file and its arrays are the same data"
assert "no environment" in refused, "no world, no evaluation, and a sentence that says so"
assert success["1 step"] > reached + 0.2, "the policy arrives more often than the log does"
assert success["8 steps, best of 8"] > reached + 0.2, "and so does the best of what imitates the log"
