# %% [markdown]
# # Paper figures
#
# **Question.** A figure in a paper is a claim. Which numbers is it drawn from, which command made those, and does the
# file that you have still show them? And how do you get the same figure in the width of your journal, from runs of your
# own?

# %% [markdown]
# ## The equation
#
# $$\text{runs} \xrightarrow{\;\text{study}\;} T_1, \dots, T_k \xrightarrow{\;\text{draw}\;} F$$
#
# A *study* trains and measures, and ends in tables $T_i$, small files that are committed with the source. A figure $F$
# is a function of tables and of nothing else: no training, no network, no randomness. So drawing costs seconds, equal
# tables give equal bytes, and whether a figure is current is a comparison of hashes:
#
# $$F \text{ is current} \iff \mathrm{SHA}(T_1), \dots, \mathrm{SHA}(T_k), \mathrm{SHA}(F) \text{ are those on record}$$

# %% [markdown]
# ## Imports

# %%
import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
from IPython.display import Image, display

import workbench
from workbench import gallery
from workbench.paths import read_json, runs_dir
from workbench.plots import budgets, main_table, style
from workbench.plots.show import PIXELS, show
from workbench.published import aggregates
from workbench.stats import paired_difference, score_matrix, summary
from workbench.store.folder import RunFolder
from workbench.store.query import list_runs, read_run
from workbench.studies.campaign import cells
from workbench.studies.registry import maker_of
from workbench.studies.table import provenance, read_table

# %% [markdown]
# ## Controls
#
# The tables are in `figures/tables` of the repository; it is looked for here, one folder up, and beside the package.
# All is drawn into a temporary folder: what is committed stays as it is.

# %%
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
CHOSEN = ("parallel_scaling", "main_table")
if not SMOKE:
    CHOSEN += ("self_consistency", "w2_bound", "success_against_cost", "over_optimisation", "published_profiles")
places = (Path("figures"), Path("../figures"), Path(workbench.__file__).parents[1] / "figures")
FIGURES = next((each for each in places if (each / "tables").is_dir()), None)
assert FIGURES, "no folder figures/tables: open this notebook in a clone of the repository, or run `workbench study`"
OUT = Path(tempfile.mkdtemp(prefix="workbench-"))
shutil.copytree(FIGURES / "tables", OUT / "tables")
WANTED = "agent = 'sorl' and done and success is not null"
RUNS = next((each for each in (runs_dir(), Path("../runs")) if len(list_runs(WANTED, each))), runs_dir())

# %% [markdown]
# ## What there is
#
# The gallery names every figure, its tables, and the study that makes each. `check` compares hashes. In a terminal the
# same is `workbench figures --list` and `workbench figures --check`.


# %%
def studies(entry):
    return sorted({maker_of(each) for each in entry.tables if not each.startswith(gallery.PUBLISHED)})


rows = {status.name: {"state": status.state} for status in gallery.check(FIGURES)}
for name, entry in gallery.GALLERY.items():
    rows[name] |= {"shows": entry.about, "studies": ", ".join(studies(entry)) or "published numbers"}
with pd.option_context("display.max_colwidth", None):
    display(pd.DataFrame(rows).T)

# %% [markdown]
# ## Draw
#
# `gallery.draw` reads the tables, draws each figure as PDF (for LaTeX), SVG and PNG, and notes in `drawn.json` what was
# drawn from what. All have the width of a NeurIPS page, its fonts, and colours that stay apart for colour-blind
# readers. Each agent has one colour, dash and marker in every figure.

# %%
for status, files in gallery.draw(OUT, CHOSEN):
    print(f"{status.name}: {', '.join(path.name for path in files)}")
    display(Image(next(path for path in files if path.suffix == ".png").read_bytes(), width=round(5.5 * PIXELS)))

# %% [markdown]
# **How to read them.** Look at the line over each figure first: what was trained, on which data, in how many episodes
# and seeds, and what the bars are. *Bars over episodes* say how well this network was measured. *Bars over seeds* say
# how another training would come out. They answer different questions, so a figure says which it draws. Hollow marks
# are published numbers, filled ones ours; they differ in protocol, so the table keeps them apart.
#
# ## Where a number comes from
#
# Beside each table lies its record: the command, the versions, the machine, and the runs that are in it.

# %%
record = provenance(OUT / "tables", "test_time")
kept = {name: record[name] for name in ("command", "about", "rows", "runs", "sha256")}
display(pd.Series(kept | record["environment"]["versions"]).to_frame("test_time").style)

# %% [markdown]
# ## In your own paper
#
# A drawing function takes a table and returns a Matplotlib figure, so all of Matplotlib is yours. Say that a column of
# your journal is 3.25 inches wide, that two panels fit, and that the caption will say what the title says. Draw at the
# width of the column: then nothing is scaled in print, and no type is under 6.5 points. Type does not shrink with the
# figure, so a narrow one should show less.

# %%
table = read_table(OUT / "tables", "test_time")
narrow = budgets.parallel_scaling(table.query("m_inf in (1, 4)"))
narrow.suptitle("")
narrow.set_size_inches(3.25, 1.7)
pdf, svg, png = style.save_figure(narrow, OUT / "narrow")
show(narrow)
print(f"{pdf.name}: {pdf.stat().st_size / 1000:.0f} kB")

# %% [markdown]
# **How to read it.** With one candidate four steps are no better than one: both imitate, and play seldom ends at the
# goal. With four candidates the critic chooses, and then it matters that what it chooses from is good: four steps are
# better. Beyond four success falls: among many candidates the critic's ranking is poor, though its values are not
# inflated (`over_optimisation` above: from $N = 2$ on the mean $Q$ is below the mean return). Rings are single training
# runs.
#
# ## From your own runs
#
# `cells` turns runs into the table that all figures of budgets are drawn from: one row a run, checkpoint and budget.
# Here it is the run that was evaluated in most episodes, looked for where `WORKBENCH_RUNS` says, else in `runs/` here,
# then in `runs/` one folder up. Where there is none, one run of the committed table stands in for it.

# %%
found = list_runs(WANTED, RUNS)["hash"]
own = table[table["hash"] == table["hash"].iloc[0]]
if len(found):
    chosen = max(found, key=lambda name: len(RunFolder(RUNS / name).evals()))
    own = cells([read_run(RunFolder(RUNS / chosen))]).query("step == step.max() and verifier == 'mean'")
print(f"{'your run' if len(found) else 'from the committed table:'} {own['hash'].iloc[0]}")
show(budgets.sequential_scaling(own))

# %% [markdown]
# A study of your own is a function that returns such tables and a line in `studies/registry.py`; a figure of your own
# is a function in `plots/` and a line in `gallery.py`. Both commands then know it.
#
# ## A number for the text
#
# "Four steps are better than one" wants a number with an interval. Runs of the same seed share data and starts, so the
# difference is taken seed by seed. The bootstrap draws seeds, and there are three.

# %%
scores = summary.cell_scores(table, last=1)
four, one = (score_matrix(scores.query(f"m_inf == {m} and n == 4")).to_numpy() for m in (4, 1))
gain = paired_difference(four, one)
print(f"{100 * gain.value:+.0f} points [{100 * gain.low:.0f}, {100 * gain.high:.0f}], {gain.kind}")

# %% [markdown]
# **How to read it.** The interval lies between the least and the greatest of three differences, and cannot leave them:
# with three seeds a bootstrap is narrower than it should be. Say how many seeds there were, always.
#
# ## The table for LaTeX
#
# The main table comes as LaTeX too (and as Markdown and CSV), from the same numbers as its figure.

# %%
text = main_table.main_table_text(aggregates(), read_table(OUT / "tables", "agents"))
lines = text["tex"].splitlines()
print("\n".join(line[:150] for line in lines if "cube" in line or line.startswith(("%", "\\begin", "Env"))))
(OUT / "main_table.tex").write_text(text["tex"])
print(f"all {len(lines)} lines are in main_table.tex; it needs the package booktabs")

# %% [markdown]
# ## When is a figure stale?
#
# Change one number of one table, and every figure that is drawn from it is stale, until it is drawn again. `check` does
# not look at dates.


# %%
def states():
    return {each.name: each.reason or each.state for each in gallery.check(OUT, CHOSEN)}


before, drawn = states(), read_json(OUT / "drawn.json")
edited = table.copy()
edited.loc[0, "successes"] += 1
edited.to_csv(OUT / "tables" / "test_time.csv", index=False, float_format="%.6g")
stale = states()
shutil.copy(FIGURES / "tables" / "test_time.csv", OUT / "tables")
list(gallery.draw(OUT, CHOSEN))
again = read_json(OUT / "drawn.json")
display(pd.DataFrame({"as drawn": before, "one number changed": stale, "drawn again": states()}))

# %% [markdown]
# | do | expect |
# |---|---|
# | `CHOSEN`, other names of the list above | each is drawn, in seconds |
# | `set_size_inches(6.75, 2)` for the narrow figure | the width of two columns: room for all panels |
# | `workbench study inference --smoke` in an empty folder | the same tables, from tiny runs that mean nothing |
# | edit a table in `figures/tables`, `workbench figures --check` | exit code 1, and the figure and the table by name |
#
# ## What this notebook claims

# %%
drawable = [gallery.GALLERY[name] for name in rows if rows[name]["state"] != gallery.NO_DATA]
needed = {each for entry in drawable for each in entry.tables if not each.startswith(gallery.PUBLISHED)}
commands = {each: provenance(FIGURES / "tables", each)["command"] for each in needed}
assert all(command.startswith("workbench study") for command in commands.values()), "every table says what made it"
assert set(before.values()) == {gallery.DRAWN}, "what was just drawn is up to date"
assert "test_time changed" in stale["parallel_scaling"], "a changed number is noticed"
assert stale["main_table"] == gallery.DRAWN, "and only where it is drawn"
assert again == drawn, "equal tables make equal figures, byte for byte"
assert pdf.read_bytes().startswith(b"%PDF"), "the narrow figure can go into a paper"
assert len(text["tex"]) > 1000
