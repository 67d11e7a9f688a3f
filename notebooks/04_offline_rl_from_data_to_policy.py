# %% [markdown]
# # Offline RL on OGBench, from data to policy
#
# **Question.** A robot arm has played with a cube for hours, with no task in mind. What can be learned from that record
# *without ever acting*: only how to play, or also how to bring the cube to a place that someone names afterwards?
#
# This notebook goes the whole way once: a data set, a look at it, training that you watch, success in the simulator,
# and a run on disk. You should know the three losses (notebook 00).

# %% [markdown]
# ## The equations
#
# The data are transitions $(x, a, x')$ of play. A task is named later, as a reward: $r = -1$ in each step until the
# cube is where the task wants it. The critic learns what an action is worth, on the data's own states:
#
# $$Q(x, a) \leftarrow r + \gamma\, \mathrm{mask}\, \bar Q(x', a'), \qquad a' \sim \pi(\cdot \mid x')$$
#
# with mask 0 where the task is solved, else 1, and $\bar Q$ the target network, a slow average of $Q$. The only actions
# it is asked about that are not in the data are $a'$. Hence the policy must stay near the data, which is what flow
# matching and self-consistency are for; the Q loss is a small pull away from it. To act, draw $N$ actions from the
# policy and take the best by $Q$:
#
# $$a^\star = \arg\max_{a \in \{a^{(1)}, \dots, a^{(N)}\}} Q(x, a), \qquad a^{(i)} \sim \pi(\cdot \mid x)$$
#
# So there are two answers in one network pair: $N = 1$ is nearly imitation, and larger $N$ asks the critic.

# %% [markdown]
# ## Imports

# %%
import os
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
from IPython.display import Image, display
from matplotlib.figure import Figure

from workbench import compile_cache, paths
from workbench.data import make, npz, ogbench_files, summary
from workbench.errors import DatasetError, NoGraphicsError
from workbench.evaluate import cell, evaluation, rollout
from workbench.experiments import evaluate_run, load_agent
from workbench.live import Controls, LiveView, Trainer
from workbench.plots import scaling, show, style
from workbench.render import run as rendering
from workbench.stats import budgets
from workbench.store import checkpoint, folder, query
from workbench.studies.strips import mosaic

# %% [markdown]
# ## Controls
#
# Data are kept in the folder that `WORKBENCH_DATA` names, else in `~/.cache`; runs in the one that `WORKBENCH_RUNS`
# names (`make lab` names the repository's `runs/`), else in `runs/` here or one folder up. With `WORKBENCH_SCALE=smoke`
# all is tiny, in a temporary folder, and shows nothing but that it works.

# %%
cache = compile_cache.enable_compile_cache()
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
if SMOKE:
    temporary = tempfile.mkdtemp(prefix="workbench-")
    os.environ |= {"WORKBENCH_RUNS": f"{temporary}/runs", "WORKBENCH_DATA": f"{temporary}/data", "MUJOCO_GL": "off"}
NAME, TASK = "cube-single-play-v0", "cube-single-play-singletask-task2-v0"
EPISODES, ROWS = (2, 201) if SMOKE else (300, None)  # of data to make, where there are none; by default 1001 rows each
UPDATES = 60 if SMOKE else 20_000
EVERY = 0.5 if SMOKE else 30.0  # seconds between evaluations while training
PLAYED = 2 if SMOKE else 10  # episodes of each of them
LIMIT = 20 if SMOKE else None  # steps after which an episode is cut short; by default the task's 200
M_INF, N = ((1,), (1, 2)) if SMOKE else ((1, 4), (1, 4, 16))  # budgets evaluated at the end
FINAL = 2 if SMOKE else 50  # episodes of each of those
RUNS = next((each for each in (paths.runs_dir(), Path("../runs")) if each.exists()), paths.runs_dir())

# %% [markdown]
# ## Where the data come from
#
# OGBench publishes its data sets. `workbench data fetch cube-single-play-v0` downloads this one, a thousand episodes,
# and checks it. Where no host can be reached they can be made again: OGBench's scripted oracle plays in the simulator
# here, by the official recipe, and what it did is equal in distribution to the official set. 300 episodes took 248 s on
# two otherwise idle cores; that is done once.
#
# The next cell takes the official files where they are on disk, else what was made before, else makes them.

# %%
try:
    path = ogbench_files.locate(NAME)
except DatasetError:
    path = make.make_dataset(NAME, episodes=EPISODES, rows=ROWS)
train, held_out = ogbench_files.load_task(TASK, path)
origin = train.provenance
print(
    f"{origin.kind} data, {origin.detail or 'as published'}, seed {origin.seed},",
    f"in {path.relative_to(paths.data_dir())}",
)
print(f"{train.size:,} transitions to train on, {held_out.size:,} held out; sha256 {str(origin.sha256)[:12]}")

# %% [markdown]
# ## What is in them
#
# An observation has 28 numbers (joints, gripper, cube), an action five: three of movement, one of turning, one of the
# gripper, each in $[-1, 1]$. There is no reward in the file. It holds the simulator's state in each row, so for any
# task the reward can be computed afterwards; that is called *relabelling*. OGBench names five tasks for this one file.
#
# Before you run the cell, guess: in what share of rows does the cube lie where task 2 wants it, by accident?

# %%
told = summary.summarise(path)
raw = npz.read_npz(path)
print(f"{told['episodes']} episodes of {told['episode_length']['mean']:.0f} rows")
with style.paper_style(1.9):
    figure = Figure(layout="constrained")
    histograms, solved = figure.subplots(1, 2, width_ratios=(2, 1))
    for i, name in enumerate(("x", "y", "z", "turn", "gripper")):
        counts, edges = np.histogram(raw["actions"][:, i], bins=41, range=(-1, 1))
        line = style.series(i) | {"marker": "", "label": name}
        histograms.plot((edges[1:] + edges[:-1]) / 2, counts / len(raw["actions"]), **line)
    histograms.set(xlabel="component of the action", ylabel="share of rows", yscale="log")
    style.legend_above(histograms, 5)
    solved.bar(range(1, 6), [100 * share for share in told["success"].values()], color=style.SERIES[0][0])
    solved.set(xlabel="task", ylabel="rows that solve it [%]", xticks=range(1, 6))
show.show(figure)

# %% [markdown]
# **How to read it.** The reward is −1 in nearly every row. Nobody aims at task 2 here: the cube comes to lie there in
# one row out of some forty, as it comes to lie anywhere else. Yet how to grasp, to lift and to put down is all in the
# record, in pieces that belong to other intentions. To solve the task they must be put together differently, and that
# is what the critic is for.
#
# ## See it
#
# Six moments of one episode, over the 150 steps that end where task 2 happens to be solved. The faint cube is the place
# that the task names; whoever played knew nothing of it.

# %%
SPAN = 150
mask, ends = np.asarray(train.mask), np.flatnonzero(raw["terminals"])
solving = [int(row) for row in np.flatnonzero(np.diff(mask) < 0) + 1 if row % (ends[0] + 1) > SPAN]
rows = slice((solving or [SPAN])[0] - SPAN, (solving or [SPAN])[0] + 1)
nothing, actions = np.zeros(SPAN), raw["actions"][rows][:-1]
physics = {"qpos": raw["qpos"][rows], "qvel": raw["qvel"][rows], "button_states": None}
values = {"reward": nothing, "success": nothing > 0, "q": nothing, "q_candidates": nothing[:, None]}
play = rollout.Rollout(
    TASK, "post", 0, 0, cell.Cell(1, 1), actions=actions, candidates=actions[:, None], **physics, **values
)
try:
    display(PIL.Image.fromarray(mosaic(rendering.render_frames([play], [range(0, SPAN + 1, SPAN // 5)]))))
except NoGraphicsError as error:
    print(f"no picture: {error}")

# %% [markdown]
# ## Train, and watch
#
# A `Trainer` learns from these two data sets in a thread of its own; nothing here acts in a simulator. To *know* how
# well it does, the policy must act, but what it does then is never learned from. With `evaluating` set, the trainer has
# ten episodes played every 30 s, in processes beside it, from the same ten starts each time and with the budget that
# the controls show. They cost the training time and change nothing else about it.

# %%
trainer = Trainer(TASK, preset="small", data=(train, held_out))
trainer.set(m_inf=max(M_INF), n=N[1])
trainer.evaluations.episodes, trainer.evaluations.episode_limit = PLAYED, LIMIT
trainer.evaluating = EVERY
controls, view = Controls(trainer), LiveView(trainer)
display(controls, view)

# %% [markdown]
# If you chose *Run All*, it is training now; on two otherwise idle cores the training alone takes some three minutes.
# Before it ends, guess two things: after how many thousand updates is the first episode a success? And how far are the
# losses of imitation from their final level then? Hands off the sliders until the end, if you want to see what is told
# below.

# %%
trainer.start(UPDATES)
trainer.wait()
trainer.evaluating = None
last = trainer.evaluate()
display(Image(view.png(), width=980))
print(f"update {trainer.branch.step:,}: success {last.value:.2f} [{last.low:.2f}, {last.high:.2f}], {last.kind}")

# %% [markdown]
# **How to read it.** From the upper left:
#
# - *Flow matching and self-consistency* are near their final level after some 3,000 updates. By then the policy plays
#   as the data do, and not one of ten episodes is a success.
# - *Q of the data* falls for much longer. A reward of −1 for ever is worth $-1/(1-\gamma) = -50$ here, and most of play
#   is worth about that. The band's upper edge, near 0, are states in which the task is as good as solved. What helps is
#   the range between: the critic tells them apart.
# - *The TD loss* grows, because values grow apart, and held out (circles) it is an order of magnitude larger than in
#   training. This critic knows the 300 episodes it saw better than it knows the task. Remember that below.
# - *Success* begins when there are values to choose by: the first came between 3,800 and 4,700 updates when this was
#   written. Each point is ten episodes, so its interval is some 50 points wide, and most of the ups and downs from
#   point to point mean nothing. That the left end differs from the right end does.
#
# ## From a branch to a run
#
# `record` writes the branch as a run: its settings, every change by hand, its metrics, its networks, and a hash of them
# all. From here on it is a run like any other: in the folder that holds `runs/`, or with `WORKBENCH_RUNS` set to it,
# `workbench runs` lists it, and `workbench evaluate` and `workbench video` take the first letters of its name.

# %%
run = folder.RunFolder(trainer.record(root=RUNS))
trainer.stop()
agent, state = load_agent(run)
listed = query.list_runs(f"hash = '{run.path.name}'", RUNS)
display(listed[["hash", "task", "agent", "preset", "step", "done", "data"]])

# %% [markdown]
# ## Best of N
#
# Ten episodes are few. Now 50 for each of six budgets: one step or four, one candidate, four or sixteen, all from the
# same starts and with the same noise. Guess first: how much of the success above is imitation ($N = 1$), and does the
# critic help more the more it may choose from?

# %%
found = evaluate_run(run, cell.grid(M_INF, N), episodes=FINAL, episode_limit=LIMIT, progress=False)
table = budgets.success_table(found.table())
title = f"SORL (small) on cube-single, task 2, after {trainer.branch.step:,} updates"
show.show(scaling.scaling(table, title))
display(table[["m_inf", "n", "success", "low", "high", "return", "act_ms"]].round(2))

# %% [markdown]
# **How to read it.** $N = 1$ is imitation with a small pull: it succeeds in about a tenth of the episodes. The same two
# networks succeed in four of five when the critic chooses among four candidates of four steps each. So the answer to
# the question: yes, a task that nobody had in mind can be learned from play, and most of it is in the critic.
#
# With one step the candidates are cruder, and choosing among them helps less. And with 16 candidates success falls:
# among many, the critic's ranking is poor. That is not because its values are inflated; notebook 05 measures them on
# such a run.
#
# ## Watch it
#
# The same start, played by imitation and by the critic's choice.

# %%
cells = [cell.Cell(max(M_INF), n) for n in N[:2]]
settings = {"seeds": (0,), "episodes": 1, "record": 1, "episode_limit": LIMIT, "progress": False}
shown = evaluation.evaluate(agent, state, TASK, cells, **settings).rollouts
rollout.save_rollouts(run.path / "video" / "rollouts.npz", shown)
try:
    files = rendering.render_rollouts(run.path / "video" / "rollouts.npz", run.path / "video")
    display(Image(files.sheet.read_bytes(), width=980))
    print(f"the film: {files.video}")
except NoGraphicsError as error:
    print(f"no film: {error}")

# %% [markdown]
# ## What to try
#
# | do | expect |
# |---|---|
# | `TASK`, another of the five, *Run All* | the same file, the same play, another reward: no data are made again |
# | *episodes* = 50 in the panel, **Evaluate now** | about the same success, less than half the interval |
# | $N$ = 16 in the panel, **Evaluate now** | success falls at once, though nothing was learned anew |
# | $w_{QL}$ = 10 before the start | $N = 1$ gains, the best budget loses (18 % and 66 % in `benchmarks/NOTES.md`) |
# | **Fork now** at 5,000 updates, $w_{QL}$ = 0 in the fork | both branches are evaluated; compare their points |
#
# A trainer that was stopped starts again with **Start**. `workbench replay` repeats a saved session without a notebook.
#
# ## What this notebook claims

# %%
assert set(np.unique(train.r)) <= {-1.0, 0.0}, "no reward but that of the task"
assert told["success"]["task2"] < 0.1, "play seldom solves a task"
assert checkpoint.state_hash(state) == checkpoint.state_hash(trainer.branch.state), "the run holds what was trained"
points = trainer.branch.history.all()
seen = np.isfinite(points["success"])
assert points["step"][seen][-1] == trainer.branch.step == UPDATES, "the last evaluation is of the last update"
assert np.isclose(points["success"][seen][-1], last.value), "and the curve ends in it"
of = table.set_index(["m_inf", "n"])
if not SMOKE:
    assert of["low"][4, 4] > of["high"][4, 1], "what the critic chooses beats imitation, beyond their intervals"
    assert of["success"][4, 16] < of["success"][4, 4], "a critic this young cannot choose among many"
