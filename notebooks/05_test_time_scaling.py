# %% [markdown]
# # Test-time scaling, sequential and parallel
#
# **Question.** A policy is trained and its weights are fixed. If a decision may cost more, what should the money buy:
# more *steps* for one action, or more *candidates* to choose from? And can it buy too much?

# %% [markdown]
# ## The equations
#
# **Sequential scaling** takes $M_{\mathrm{inf}}$ steps from noise to an action, each of size $1/M_{\mathrm{inf}}$:
#
# $$a_{t+1/M} = a_t + \tfrac1M\, s(a_t, t, \tfrac1M \mid x), \qquad a_0 \sim \mathcal N(0, I)$$
#
# **Parallel scaling** draws $N$ actions this way and keeps the one that the critic likes best:
#
# $$a^\star = \arg\max_{a \in \{a^{(1)}, \dots, a^{(N)}\}} Q(x, a)$$
#
# With $F_\pi$ and $F_Q$ the operations of one evaluation of the actor and of one of the $E$ critics, a decision costs
#
# $$C = N\,(M_{\mathrm{inf}}\, F_\pi + E\, F_Q).$$
#
# Steps are taken one after another; candidates can be drawn at the same time. So equal $C$ need not be equal waiting.

# %% [markdown]
# ## Imports

# %%
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display

from workbench import quickstart
from workbench.compile_cache import enable_compile_cache
from workbench.evaluate.cell import Cell, grid
from workbench.live import ComputeExplorer
from workbench.live.trained import TrainedRun
from workbench.paths import runs_dir
from workbench.plots.budgets import compute_grid, parallel_scaling, sequential_scaling
from workbench.plots.compute import success_against_cost
from workbench.plots.show import show
from workbench.store.folder import RunFolder
from workbench.store.query import list_runs, read_run
from workbench.studies.campaign import cells

# %% [markdown]
# ## Controls
#
# `RUNS` is where the run is: the folder that `WORKBENCH_RUNS` names (`make lab` names the repository's `runs/`), else
# `runs/` here, or where there is none such `runs/` one folder up. With `WORKBENCH_SCALE=smoke` a tiny run is made in a
# temporary folder instead; what it shows means nothing.

# %%
cache = enable_compile_cache()
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
if SMOKE:
    folder = Path(tempfile.mkdtemp(prefix="workbench-"))
    os.environ |= {"WORKBENCH_RUNS": str(folder / "runs"), "WORKBENCH_DATA": str(folder / "data"), "MUJOCO_GL": "off"}
    quickstart.quickstart(quickstart.SMOKE, workers=1)
RUN = ""  # the first letters of a run's name; empty: the run of this task that was evaluated in most episodes
WANTED = (
    f"task = '{quickstart.TASK}' and agent = 'sorl' and done and success is not null and starts_with(hash, '{RUN}')"
)
RUNS = next((each for each in (runs_dir(), Path("../runs")) if len(list_runs(WANTED, each))), runs_dir())
LIMIT = 20 if SMOKE else None  # steps after which an episode is cut short

# %% [markdown]
# ## A trained run
#
# The task: a robot arm lifts a cube and puts it where a goal says, within 200 steps; the reward is −1 until it is
# there. The quickstart trained SORL on it and evaluated every pair of budgets, each from the same starts and with the
# same noise, so that two budgets differ in nothing but compute.

# %%
found = list_runs(WANTED, RUNS)["hash"]
assert len(found), f"no evaluated run in {RUNS}: `make quickstart` makes one in ten minutes; then run this cell again"
chosen = max(found, key=lambda name: len(RunFolder(RUNS / name).evals()))
run, record = TrainedRun(chosen, root=RUNS, episode_limit=LIMIT), read_run(RunFolder(RUNS / chosen))
table = cells([record]).query("step == step.max() and verifier == 'mean'")
steps, candidates = (tuple(sorted(set(table[name]))) for name in ("m_inf", "n"))
print(f"{run.name}, run {chosen}, after {int(table['step'].iloc[0]):,} updates")

# %% [markdown]
# ## More steps
#
# Before you run the cell, guess: by what factor does the success of one candidate grow from one step to eight?

# %%
show(sequential_scaling(table))

# %% [markdown]
# **How to read it.** Follow one line to the right: the same policy, the same candidates, more steps. Bars are intervals
# over episodes: two bars that overlap widely show no difference. Where the line is flat, self-consistency has done its
# work: a large step leads where small ones lead. Training went no further than steps of 1/8.
#
# ## More candidates
#
# And now the guess for candidates: 4, then 16.

# %%
show(parallel_scaling(table))

# %% [markdown]
# **How to read it.** Best-of-4 may do more than all the steps together: each candidate is a plausible action of the
# data, and the critic knows which is better. But look at 16. If it is *worse*, as with a run as short as the
# quickstart's, you see the critic being exploited: among many candidates there is one that it overrates, and
# $\arg\max$ finds just that one. The verifier, not compute, is then what is scarce. The paper's runs are fifty times as
# long, and their critics stand more.
#
# ## What it costs
#
# Operations are counted from the formula above. Milliseconds are measured, here and now.

# %%
budgets = grid(steps, candidates)
cost = run.cost_table(budgets)
show(compute_grid(table, cost))
show(success_against_cost(table, cost))

# %% [markdown]
# **How to read it.** Along a white line of the grid all decisions cost the same, so success along it says how to divide
# a fixed budget. At the right, the grey stairs are the Pareto front: budgets that no other beats in both success and
# cost. Compare the two panels: operations grow with the product $N M_{\mathrm{inf}}$, but milliseconds grow slowly, for
# a network as small as this is waiting most of the time.
#
# ## What the critic promises
#
# One episode is played, and at each of its states all candidates are drawn. The mean over states of the largest $Q$ is
# what the critic promises for that $N$; what the evaluated episodes returned is beside it, undiscounted.

# %%
played = run.play(Cell(max(steps), 1), episode=0)
judged = [run.judge(x, Cell(max(steps), 1), seed=i) for i, x in enumerate(played.observations)]
promise = {n: float(np.mean([each.q[:n].max() for each in judged])) for n in candidates}
kept = table[table["m_inf"] == max(steps)].set_index("n")["return_mean"]
display(pd.DataFrame({"promised Q": promise, "mean return": kept}).rename_axis("N").round(2))

# %% [markdown]
# **How to read it.** The left column can only rise: a maximum over more is never less. It rises the same whether the
# candidates get better or the critic is wrong about more of them. Only the right column tells which.
#
# ## Try it by hand
#
# Move the two sliders: every number is of the budget that you chose. The same start is played again under that budget,
# with the same noise, and filmed where there is OpenGL. **Next episode** is there at once: it was played while you
# watched. The middle panel shows what the critic chose from at the step that you select; until the episode of a new
# budget is there, it draws candidates anew and says so. A decision is timed when no episode is being played.

# %%
explorer = ComputeExplorer(run)
display(explorer)

# %% [markdown]
# | do | expect |
# |---|---|
# | $N$ from 1 to 4, $M_{\mathrm{inf}}$ = 4 | four lines to choose from; the cube is more often taken |
# | then $N$ = 32 | the chosen line leaves the bundle; watch whether it still leads anywhere |
# | the step to where the grey band is wide | candidates differ, and choosing matters |
# | $M_{\mathrm{inf}}$ = 16 | steps of a size never trained: often no worse, never better for a reason |
# | `RUN`, another run, then *Run All* | `workbench runs` lists yours |
#
# Success of budgets that were not evaluated comes from `workbench evaluate`.
#
# ## What this notebook claims

# %%
few, many = min(candidates), max(candidates)
times = cost.set_index(["m_inf", "n"])["act_ms"]
slower = times[max(steps), many] / times[max(steps), few]
assert SMOKE or slower < many / few, "waiting grows more slowly than the number of candidates"
rates = run.table.set_index(["m_inf", "n"])
smallest, best = rates.loc[(min(steps), few)], rates.loc[rates["success"].idxmax()]
assert SMOKE or best["low"] > smallest["high"], "some budget beats the smallest, and their intervals do not overlap"
watched = explorer.result(600)
assert watched is not None
assert watched.rollout.cell == explorer.cell, "the explorer plays the budget it shows"
