# %% [markdown]
# # The three losses, tuned live
#
# **Question.** SORL's policy is trained by three losses at once. What does each of them do, how soon does it show when
# one is missing, and how do you find good weights without starting again for every guess?
#
# Here training runs in the background while you turn its weights. Every turn is written down, so that you can go back
# to any update, branch off, and repeat the whole session later to the last bit. You should know what the three losses
# are; notebook 00 says it in a minute.

# %% [markdown]
# ## The equation
#
# $$L_\pi = w_{QL}\,L_{QL} + w_{FM}\,L_{FM} + w_{SC}\,L_{SC}$$
#
# - $L_{QL} = -Q(x, a_\pi) / \mathrm{stopgrad}(\mathrm{mean}|Q|)$ asks: *is the action good?* It alone knows of reward.
# - $L_{FM}$ asks: *does the smallest step, 1/8, follow the data?* It alone looks at data.
# - $L_{SC}$ asks: *does each step equal two of half its size?* It alone teaches steps larger than 1/8 anything about
#   the data.
#
# The weights are arguments of the compiled update, not parts of it. A new weight takes effect within some 50 ms and
# compiles nothing.

# %% [markdown]
# ## Imports

# %%
import os
from pathlib import Path

import jax
import pandas as pd
from IPython.display import Image, display

from workbench.compile_cache import enable_compile_cache
from workbench.live import Controls, LiveView, Trainer
from workbench.live.session import Session
from workbench.store.checkpoint import state_hash

cache = enable_compile_cache()

# %% [markdown]
# ## Controls
#
# `FIRST` updates bring all three losses into balance; `MORE` updates show what a change does.

# %%
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
FIRST, MORE = (200, 100) if SMOKE else (3000, 1500)  # updates
NETWORK = {"width": 32, "depth": 2} if SMOKE else {"width": 64, "depth": 3}
WEIGHTS = {"ql": 3.0, "fm": 10.0, "sc": 10.0, "lr": 5e-3}
M_INF = 2  # steps of the policy whose reward is shown
SESSION = Path("session.json")  # where this session is saved

# %% [markdown]
# ## A trainer, its panel, its view
#
# The problem is that of notebook 00: eight places to act, of which the rightmost pays. A `Trainer` trains in a thread
# of its own. It starts with one branch, `main`, at update 0, and compiles when it is first started.

# %%
settings = NETWORK | {"m_btt": 2}
trainer = Trainer("toy:eight_gaussians", settings=settings, weights=WEIGHTS, batch_size=128)
trainer.set(m_inf=M_INF)
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration_secs, **_: compiled.append(duration_secs) if "backend_compile" in event else None
)

# %% [markdown]
# The panel steers it, the view watches it. If you chose *Run All*, the tour below is training in them now: watch, and
# keep your hands off until it has reached its end. Then all of it is yours.
#
# - **Curves** have one line for each branch, and a dotted upright line where a control was moved. Open circles are
#   losses on data held out.
# - **Clouds** are 256 actions of the selected branch: by the budget that the controls show, in one step, in eight.
#   Rings are the reward. Grey lines are ways from noise to action.

# %%
controls, view = Controls(trainer), LiveView(trainer)
display(controls, view)

# %% [markdown]
# ## First all three
#
# `start` returns at once. `wait` holds up this notebook alone: training goes on, and the panel answers. The last line
# lowers the learning rate for what follows, as you could with its slider.

# %%
trainer.start(FIRST)
trainer.wait()
programs = len(compiled)
trainer.set(lr=1e-3)
print(f"compiling took {trainer.compile_seconds:.0f} s; branch main is at update {trainer.branch.step:,}")

# %% [markdown]
# ## Then one less
#
# `fork` makes a second branch from where one is, with the same state and the same settings. Three forks each lose one
# of the losses, and `main` keeps them all. Before you run the cell, guess: which of the three is missed first?

# %%
for without in ("ql", "fm", "sc"):
    trainer.fork(name=f"no {without}", branch="main")
    trainer.set(**{without: 0.0})
trainer.start(MORE)  # all four, in turn, chunk by chunk
trainer.wait()
display(Image(view.png(), width=980))

# %% [markdown]
# `measure` tells the same in numbers, at the very last update.

# %%
columns = {"reward": "reward", "val_sc": "self-consistency error", "energy_m1": "distance, 1 step"}
columns |= {"energy_m_disc": "distance, 8 steps"}
measured = pd.DataFrame({name: trainer.measure(name) for name in trainer.branches}).T[list(columns)]
display(measured.rename(columns=columns).style.format("{:.3g}"))

# %% [markdown]
# **How to read it.** The distance is the energy distance to held-out data: 0 where actions are distributed as the data
# are.
#
# - *Without the Q loss*, which is missed first, the reward falls back within some hundred updates to about what the
#   data earn, 0.14, and one step imitates as eight steps do. The other two never hear of reward.
# - *Without flow matching* all is lost within some hundreds. Nothing says any more where eight steps should end; large
#   steps learn from small ones that drift, all of them run away, and the error of self-consistency grows past all
#   bounds.
# - *Without self-consistency* eight steps imitate as well as ever: flow matching is enough for those. One step runs
#   off to wherever $Q$ is large, for nothing ties it to the data any more. The reward even rises. That is the danger:
#   it is reward by a critic's guess, at a distance from all data.
#
# And in `main` one step pays with some distance for reward. How much is what $w_{QL}$ and $w_{SC}$ settle between them.

# %% [markdown]
# ## Back, and another way
#
# Was it $w_{SC} = 0$, or would a small weight have done as well? `rewind` takes a branch back to any update. The
# trainer keeps a few states on the way, trains again from the nearest one, and arrives at the same bits. What was
# turned at that update or later is undone, the learning rate too.

# %%
trainer.select("no sc")
lost = state_hash(trainer.branch.state)
trainer.rewind(FIRST)
trainer.set(lr=1e-3, sc=0.0)
for other in ("main", "no ql", "no fm"):
    trainer.activate(other, False)  # these rest
trainer.start(MORE)
again = state_hash(trainer.result())
print(f"lost, and made again: {lost[:12]} {again[:12]}")

# %% [markdown]
# The same history twice gives the same state. So rewind once more, and give this branch a tenth of the weight.

# %%
trainer.rewind(FIRST)
trainer.set(lr=1e-3, sc=WEIGHTS["sc"] / 10)
trainer.start(MORE)
trainer.wait()
tenth = trainer.measure()
print({name: round(tenth[name], 3) for name in columns})

# %% [markdown]
# **How to read it.** The self-consistency error lies between that of no weight and that of the whole. But the distance
# of one step is no less than without any: against $w_{QL}$ a tenth of $w_{SC}$ loses. Weights that pull at the same
# step are to be judged against each other, not each against zero.
#
# ## Save it, repeat it
#
# A session holds no weights of networks: only the settings of update 0, every change with its update, and the hash of
# each branch's final state. That is a few kilobytes, and enough to train all of it again, here or with
# `workbench replay session.json` in a terminal.

# %%
saved = trainer.save(SESSION)
recompiled = len(compiled) - programs
replayed = {}
for record in Session.load(SESSION).branches:
    replayed[record.name] = state_hash(record.replay(trainer.problem.train)) == record.state_sha256
print(f"{SESSION}: {SESSION.stat().st_size / 1000:.1f} kB; equal to the last bit: {replayed}")
print(f"programs compiled since the first start: {recompiled}")

# %% [markdown]
# ## Now by hand
#
# Scroll up to the panel. Choose branch `main`, tick *trains*, press **Start**, and turn what you like. **Fork now**
# before a change keeps what was; **Rewind** takes a change back; **Reset** puts the controls where the branch began.
# Sliders work with the arrow keys too.
#
# | do | expect |
# |---|---|
# | *experiment* "Turn off self-consistency…", **Try it** | the error climbs, the one-step cloud leaves the clusters |
# | $w_{SC}$ back up | it comes back, faster than it was learned |
# | $w_{QL}$ slowly from 1 to 30 | one and two steps move to the reward, eight hardly: $M_{\mathrm{BTT}} = 2$ |
# | $N$ up to 16, training paused | the first cloud moves to the ring at once: nothing is learned, the critic chooses |
# | $M_{\mathrm{inf}}$ up to 64 | beyond eight steps the network was never trained: the clusters blur |
# | learning rate to 0.03 | training halts and says why; rewind to before the mark |
# | $M_{\mathrm{BTT}} = 8$, **New branch** | the one thing here that compiles; then all clouds move |
#
# `trainer.record()` writes the selected branch as a run, to be evaluated and drawn like any other.
#
# ## What this notebook claims
#
# The claims are about the tour as it came, with no hand on the sliders.

# %%
reward, distance = measured["reward"], measured["energy_m1"]
assert reward["no ql"] < reward["main"], "only the Q loss knows of reward"
assert measured["energy_m_disc"]["no fm"] > 2 * measured["energy_m_disc"]["main"], "only flow matching looks at data"
times = 1.5 if SMOKE else 3
assert measured["val_sc"]["no sc"] > times * measured["val_sc"]["main"], "only self-consistency ties steps together"
assert distance["no ql"] < distance["main"] < distance["no sc"], "self-consistency holds one step to the data"
assert SMOKE or measured["val_sc"]["main"] < tenth["val_sc"] < measured["val_sc"]["no sc"], "a tenth does less"
assert lost == again, "a rewound branch that is trained alike is the same branch"
assert all(replayed.values()), "a session repeats to the last bit"
assert recompiled == 0, "no control compiles anything"
