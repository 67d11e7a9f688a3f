"""The gallery: figures are drawn from the tables in a folder, and it is known when they no longer are."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from workbench import gallery
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.gallery import DRAWN, MISSING, NO_DATA, STALE, Entry, check, draw
from workbench.plots import learning
from workbench.plots.style import SMALLEST, paper_style
from workbench.studies.registry import STUDIES, maker_of, run_study
from workbench.studies.table import provenance, read_table, write_table

ROOT = Path(__file__).resolve().parents[2]
METRICS = ["loss_fm", "loss_sc", "loss_critic", "val_fm", "val_sc", "val_critic", "q_mean", "q_min", "q_max"]
METRICS += ["grad_norm_actor", "grad_norm_critic"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    entries = {
        "curve": Entry("learning:learning_curve", ("metrics",), "losses"),
        "later": Entry("learning:learning_curve", ("not_made",), "what nobody measured"),
    }
    monkeypatch.setattr(gallery, "GALLERY", entries)
    rows = [{"step": step, "seed": 0} | dict.fromkeys(METRICS, 1.0 + step) for step in (1, 2, 3)]
    write_table(tmp_path / "tables", "metrics", pd.DataFrame(rows), {"study": "none"})
    return tmp_path


def state(folder: Path, name: str = "curve") -> str:
    return check(folder, (name,))[0].state


def test_a_figure_is_missing_then_drawn_then_up_to_date(folder):
    assert state(folder) == MISSING
    (status, paths), (without, nothing) = draw(folder)
    assert status.state == DRAWN
    assert sorted(path.suffix for path in paths) == [".pdf", ".png", ".svg"]
    assert state(folder) == DRAWN
    assert (without.state, nothing, without.fails) == (NO_DATA, [], False)
    assert not list(folder.glob("later.*"))


def test_drawing_twice_gives_the_same_bytes(folder):
    digests = []
    for _ in range(2):
        (_, paths), _ = draw(folder)
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


def test_a_changed_table_makes_its_figure_stale(folder):
    list(draw(folder))
    table = read_table(folder / "tables", "metrics")
    assert isinstance(table, pd.DataFrame)
    write_table(folder / "tables", "metrics", table.assign(loss_fm=7.0), {})
    assert state(folder) == STALE
    assert check(folder, ("curve",))[0].fails


@pytest.mark.parametrize("gone", ["tables/metrics.csv", "curve.svg"])
def test_a_drawn_figure_that_lost_its_table_or_a_file_is_missing(folder, gone):
    list(draw(folder))
    (folder / gone).unlink()
    status = check(folder, ("curve",))[0]
    assert (status.state, status.fails) == (MISSING, True)
    assert Path(gone).stem in status.reason


def test_a_figure_that_was_edited_by_hand_is_stale(folder):
    list(draw(folder))
    with open(folder / "curve.svg", "a") as file:
        file.write("<!-- better -->")
    assert state(folder) == STALE


def test_an_optional_table_is_no_rows_until_it_is_there_and_then_the_text_is_stale(folder, monkeypatch):
    text = Entry(None, ("metrics",), "text alone", text="learning:text", optional=("extra",))
    monkeypatch.setattr(gallery, "GALLERY", {"curve": text})
    monkeypatch.setattr(learning, "text", lambda metrics, extra: {"md": f"{len(metrics)} {len(extra)}"}, raising=False)
    (_, paths), *_ = draw(folder)
    assert [path.name for path in paths] == ["curve.md"]
    assert paths[0].read_text() == "3 0"
    assert state(folder) == DRAWN
    write_table(folder / "tables", "extra", pd.DataFrame({"a": [1]}), {})
    assert state(folder) == STALE
    list(draw(folder))
    assert (paths[0].read_text(), state(folder)) == ("3 1", DRAWN)
    (folder / "tables" / "extra.csv").unlink()
    assert check(folder, ("curve",))[0].reason == "table extra changed since it was drawn"


def test_unknown_names_get_suggestions(folder):
    with pytest.raises(UnknownNameError, match="did you mean curve"):
        check(folder, ("curv",))
    with pytest.raises(UnknownNameError, match="did you mean mixture"):
        run_study("mixtur", folder)


def test_tables_and_pictures_come_back_with_their_provenance(tmp_path):
    write_table(
        tmp_path, "runs", pd.DataFrame({"hash": ["0123", "0456", "0123"], "value": [1.0, 1 / 3, 2.0]}), {"a": 1}
    )
    table = read_table(tmp_path, "runs")
    assert isinstance(table, pd.DataFrame)
    assert table["hash"].tolist() == ["0123", "0456", "0123"]
    assert table["value"].tolist() == [1.0, 0.333333, 2.0]
    facts = provenance(tmp_path, "runs")
    assert (facts["a"], facts["rows"], facts["runs"]) == (1, 3, ["0123", "0456"])
    assert facts["sha256"] == hashlib.sha256((tmp_path / "runs.csv").read_bytes()).hexdigest()
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[1, 2] = 255
    write_table(tmp_path, "picture", picture, {})
    np.testing.assert_array_equal(read_table(tmp_path, "picture"), picture)


def test_a_table_that_is_not_there_names_the_way_to_make_it(tmp_path):
    with pytest.raises(WorkbenchError, match="workbench study --list"):
        read_table(tmp_path, "mixture_bound")


def test_every_figure_is_drawn_from_tables_that_some_study_makes():
    names = [table for entry in gallery.GALLERY.values() for table in entry.tables]
    assert names
    for name in names:
        assert name.startswith(gallery.PUBLISHED) or maker_of(name) in STUDIES


def test_every_table_has_one_maker():
    tables = [table for study in STUDIES.values() for table in study.tables]
    assert len(tables) == len(set(tables))


@pytest.mark.parametrize("name", [name for name, entry in gallery.GALLERY.items() if entry.draw])
def test_text_of_a_committed_figure_is_large_enough_and_on_the_page(name):
    draw_figure = gallery.GALLERY[name].draw
    assert draw_figure
    with paper_style():
        figure = gallery._function(draw_figure)(*gallery.tables_of(ROOT / "figures", name))
        figure.draw_without_rendering()
        needed, page = figure.get_tightbbox(), figure.bbox_inches
    written = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    assert min(float(text.get_fontsize()) for text in written) >= SMALLEST
    assert page.x0 - 0.01 <= needed.x0 <= needed.x1 <= page.x1 + 0.01
    assert page.y0 - 0.01 <= needed.y0 <= needed.y1 <= page.y1 + 0.01


def test_the_committed_figures_are_up_to_date():
    statuses = check(ROOT / "figures")
    assert [status for status in statuses if status.fails] == []
    assert sum(status.state == DRAWN for status in statuses) >= 16
