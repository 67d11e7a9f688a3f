# %% [markdown]
# # Watch the policy: videos and Q
#
# **Question.** A policy succeeds from one start and fails from the next, which looks the same. Its critic judges every
# action that it takes. Does the critic know when the policy is about to fail? (Before this: `05_test_time_scaling`.)

# %% [markdown]
# ## The equations
#
# The critic's $Q(x, a)$ is the discounted sum of the rewards to come. In this task every step costs 1 until the cube is
# at its goal, and then the episode is over. If that takes $T$ more steps,
#
# $$Q = -\sum_{k=0}^{T-1} \gamma^k = -\frac{1 - \gamma^T}{1 - \gamma}, \qquad
#   T = \frac{\log(1 + (1-\gamma)\,Q)}{\log\gamma}.$$
#
# So a value is a time: it rises from $-1/(1-\gamma)$, *never*, to 0, *now*. Whether it tells success from failure at
# step $t$, we ask of pairs: how often is $Q$ of an episode that will succeed above $Q$ of one that will fail?
#
# $$P_t = \Pr\big(Q_t^{\text{success}} > Q_t^{\text{failure}}\big)$$
#
# One half is a coin. One is foresight.

# %% [markdown]
# ## Imports

# %%
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Image, Video, display
from matplotlib.figure import Figure

from workbench import errors, quickstart, render, stats
from workbench.compile_cache import enable_compile_cache
from workbench.evaluate.cell import grid
from workbench.evaluate.evaluation import evaluate
from workbench.evaluate.rollout import save_rollouts
from workbench.live import RolloutScrubber
from workbench.live.trained import TrainedRun
from workbench.paths import runs_dir
from workbench.plots.show import show
from workbench.plots.style import GREY, legend_above, paper_style, series
from workbench.store.query import list_runs

# %% [markdown]
# ## Controls
#
# `RUN` is a policy that comes with the package. For a run of your own write the first letters of its hash; `RUNS` is
# where it is: the folder that `WORKBENCH_RUNS` names (`make lab` names the repository's `runs/`), else `runs/` here, or
# where there is none such `runs/` one folder up. With `WORKBENCH_SCALE=smoke` a tiny run is made in a temporary folder
# instead, nothing is filmed, and what is shown means nothing.

# %%
cache = enable_compile_cache()
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
OUT = Path(tempfile.mkdtemp(prefix="workbench-"))  # for videos
if SMOKE:
    os.environ |= {"WORKBENCH_RUNS": str(OUT / "runs"), "WORKBENCH_DATA": str(OUT / "data"), "MUJOCO_GL": "off"}
    quickstart.quickstart(quickstart.SMOKE, workers=1)
RUN = "" if SMOKE else "policy:cube-single"  # empty: the run of this task that was evaluated in most episodes
WANTED = f"task = '{quickstart.TASK}' and agent = 'sorl' and done and success is not null"
RUNS = next((each for each in (runs_dir(), Path("../runs")) if len(list_runs(WANTED, each))), runs_dir())
M_INF, N = (1, 2 if SMOKE else 4), (2,) if SMOKE else (1, 4)  # steps, candidates
STARTS = 2 if SMOKE else 30  # episodes of every budget
LIMIT = 20 if SMOKE else None  # steps after which an episode is cut short
FEW = 3  # fewer successes or failures than that are not compared

# %% [markdown]
# ## A trained run
#
# The task: a robot arm lifts a cube and puts it where a pale cube shows, within 200 steps.

# %%
found = list_runs(WANTED, RUNS).sort_values("episodes", kind="stable")["hash"]
assert RUN or len(found), f"no evaluated run in {RUNS}: `make quickstart` makes one; then run this cell again"
run = TrainedRun(RUN or found.iloc[-1], root=RUNS)
gamma = float(run.spec.weights["gamma"])
print(f"{run.name}, run {run.folder.path.name}, after {int(run.state.step[0]):,} updates; discount {gamma}")

# %% [markdown]
# ## Play and record
#
# Every start is played under every pair of budgets, with the same noise. What is recorded is all that was decided: the
# candidates, their $Q$, and the way of the chosen action from noise. The table is the share of successes.

# %%
settings = {"episodes": STARTS, "record": STARTS, "episode_limit": LIMIT, "workers": 1 if SMOKE else None}
played = evaluate(run.agent, run.state, run.spec.task, grid(M_INF, N), seeds=run.spec.seeds[:1], **settings)
rollouts = played.rollouts
display(played.table().pivot_table("success", "n", "m_inf").rename_axis(index="N", columns="M_inf").round(2))

# %% [markdown]
# ## Choose what to film
#
# Two films. `budgets`: one start under every budget, the first start at which the largest succeeds and the smallest
# fails. `believed`: of all failures the one in which $Q$ was highest at some step, the failure that the critic believed
# in. A rule that is said beforehand is better than a nice video.

# %%
starts = [[rollout for rollout in rollouts if rollout.episode == start] for start in range(STARTS)]
differing = [each for each in starts if each[-1].succeeded and not each[0].succeeded]
budgets = (differing or starts)[0]
failures = [rollout for rollout in rollouts if not rollout.succeeded]
believed = max(failures or rollouts, key=lambda rollout: rollout.q.max())
print(f"budgets: start {budgets[0].episode}; at {len(differing)} of {STARTS} starts the budgets differ in this way")
print(f"believed: start {believed.episode}, {believed.cell}, highest Q {believed.q.max():.1f}")

# %% [markdown]
# ## Film
#
# `workbench video RUN` does the same from a terminal. Rendering runs in a process of its own, half a minute for each
# film if it must be done in software; where there is no OpenGL at all, you are told, and everything else works.


# %%
def film(name, rollouts):
    save_rollouts(OUT / f"{name}.npz", rollouts)
    return render.render_rollouts(OUT / f"{name}.npz", OUT, name=name)


films = {}
try:
    films = {"believed": film("believed", [believed]), "budgets": film("budgets", budgets)}
    display(Video(str(films["budgets"].video), embed=True, html_attributes="controls muted"))
except errors.NoGraphicsError as error:
    print(f"no video: {error}")

# %% [markdown]
# **How to read it.** Steps along columns, candidates along rows. Under each scene: $Q$ of the chosen action over time,
# with a mark for each candidate of the moment, and each coordinate of the chosen action on its way from noise. A scene
# that turns pale is over.
#
# The contact sheet has six moments of each episode, for those who would rather see all at once:

# %%
if films:
    display(Image(filename=str(films["budgets"].sheet), width=960))
else:
    print("no contact sheet without a video")

# %% [markdown]
# ## Scrub
#
# Now slowly, and by hand. The panel begins at the moment of greatest hope of the failure that the critic believed in.
# Before you look: what do you think is in the frame? Click the slider, then use the arrow keys; the button plays in
# real time; choose another panel to see the same step of another budget.

# %%
scrubber = RolloutScrubber(OUT if films else [believed, *budgets])
scrubber.set(panel=0, step=int(believed.q.argmax()))
display(scrubber)

# %% [markdown]
# | do | expect |
# |---|---|
# | go on from the moment of hope | $Q$ falls, or stays near 0, and the episode does not end |
# | the success of the largest budget, to where $Q$ rises | the gripper has the cube, or is about to take it |
# | the steps before that | the candidates' $Q$ differ by hundredths, out of fifty; best-of-N acts on that |
# | where the orange band is widest | the candidates differ by whole units, mostly while the cube is being lifted |
# | the flow there | dimension 5 is the gripper: where on its way does it decide? |
# | a failure of one candidate, at any step | most stay near *never*, $-1/(1-\gamma)$, from the first step to the last |
#
# In run 695410df49d6 of the committed tables, `believed` is a lesson. The arm brings the cube to the goal, and $Q$
# climbs to −9, a promise of ten steps. It sets the cube down 4.4 cm from where it should lie; within 4 cm it would be a
# success. Then it lifts the cube again, and $Q$ is back at *never*. The goal has a sharp edge, and the network draws it
# softly.
#
# ## When does it know?
#
# All episodes of one budget, the one whose outcomes are most mixed. At the left their $Q$; at the right $P_t$ among
# episodes that have come to step $t$, as long as there are three of each kind. Guess: where will the curve leave one
# half, and which colour will you see first leave the floor?


# %%
def parts(cell):
    own = [rollout for rollout in rollouts if rollout.cell == cell]
    return [r for r in own if r.succeeded], [r for r in own if not r.succeeded]


def at(step, episodes):
    return np.array([[each.q[step]] for each in episodes if each.length > step])


cell = max(grid(M_INF, N), key=lambda cell: min(map(len, parts(cell))))
good, bad = parts(cell)
pairs = [(step, at(step, good), at(step, bad)) for step in range(0, run.info.limit, 2)]
pairs = [each for each in pairs if min(len(each[1]), len(each[2])) >= FEW]
known = [stats.probability_of_improvement(q_good, q_bad) for _, q_good, q_bad in pairs]
print(f"{cell}: {len(good)} successes, {len(bad)} failures")

# %% [markdown]
# The figure:

# %%
with paper_style(2.5):
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, episodes) in enumerate((("failure", bad), ("success", good))):
        style = series(1 - i) | {"marker": "", "linewidth": 0.8, "alpha": 0.8}
        left.plot([], [], label=f"{len(episodes)} × {name}", **style)
        for each in episodes:
            left.plot(each.q, **style)
    left.axhline(-1 / (1 - gamma), color=GREY, linestyle=":", linewidth=1, label="never")
    left.set(xlabel="step", ylabel="$Q$ of the chosen action")
    steps, low, high = [p[0] for p in pairs], [e.low for e in known], [e.high for e in known]
    right.fill_between(steps, low, high, color=series(2)["color"], alpha=0.2, linewidth=0)
    right.plot(steps, [each.value for each in known], **series(2) | {"marker": "", "linestyle": "-"})
    right.axhline(0.5, color=GREY, linestyle="--", linewidth=1)
    right.set(xlabel="step", ylabel=r"$\Pr(Q^\mathrm{success} > Q^\mathrm{failure})$", ylim=(0, 1.02))
    right.set_title("band: 95 % bootstrap over episodes", fontsize="small")
    legend_above(left, 3)
show(figure)

# %% [markdown]
# **How to read it.** The critic does not foresee failure. It recognises success, late. For the first half of a good
# episode its $Q$ is that of a bad one, close to *never*, and $P_t$ is about a coin's, or even less; when the cube is in
# the gripper, $Q$ climbs within a few steps, and $P_t$ with it. In failing episodes of this budget
# $Q$ seldom falls at any one moment: it never rises.
#
# Why so gloomy at the start of an episode that will succeed? $Q$ was learned for the policy with *one* candidate, which
# hardly ever succeeds here, while it is best-of-N that acts. The critic judges the player, not the team.
#
# Mind the right end: good episodes end early, so late steps compare the few slow ones. And the band is of each step by
# itself; among so many steps, some leave it by chance.
#
# ## The time that the critic promises
#
# The second equation turns $Q$ into steps to go. Here it is for the successes, at some steps before their end.

# %%
before = [back for back in (40, 30, 20, 10, 5, 1) if any(each.length >= back for each in good)]
value = [float(np.median([each.q[-back] for each in good if each.length >= back])) for back in before]
inside = np.clip(value, -0.999 / (1 - gamma), 0.0)
promised = np.log(1 + (1 - gamma) * inside) / np.log(gamma)
columns = {"steps to go": before, "median Q": np.round(value, 1), "promised steps": promised.round().astype(int)}
pd.DataFrame(columns)

# %% [markdown]
# **How to read it.** Far from the goal the promise is many times too long; ten steps before it, it is nearly right. To
# act well less is enough: best-of-N needs the *order* of candidates, now, and not the time.
#
# ## Try: change a control, then choose *Run All*
#
# | change | expect |
# |---|---|
# | `N = (1, 16)` | fewer successes than with 4; in the failures of 16 candidates $Q$ stays on the floor |
# | `M_INF = (1, 8)` | about as many successes as with 4 |
# | `RUN`, another run | `workbench runs` lists yours |
#
# The first of these is worth a thought. Failures of one candidate mostly lift the cube and carry it about; those of
# sixteen mostly never lift it. The critic chooses among candidates whose $Q$ differ by a tenth, at every step, and the
# arm does not get to where there would be something to believe in. Errors that spoil an episode need not be large.
#
# ## What this notebook claims

# %%
assert all(np.allclose(r.q, r.q_candidates.max(axis=1)) for r in rollouts), "the chosen action is the one of largest Q"
assert all((r.qpos[0] == each[0].qpos[0]).all() for each in starts for r in each), "budgets have the same start"
assert np.isclose(scrubber.result(600).q, believed.q.max()), "the scrubber shows the step that it says"
if pairs:
    end = stats.probability_of_improvement(*(np.array([[each.q[-1]] for each in part]) for part in (good, bad)))
    print(f"the success has the higher Q in {known[0].value:.0%} of pairs at first, in {end.value:.0%} at the end")
    assert SMOKE or end.value > max(0.9, known[0].value), "the critic recognises success, and does not foresee it"
