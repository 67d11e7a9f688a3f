"""What stands around a scene: the grid and its headings, captions, overlays, and the data for scrubbing."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.recorded import made_up
from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell, grid
from workbench.render.ink import CHOSEN, REJECTED, Sheet, number, width_of, wrap
from workbench.render.layout import Layout, Page, fade
from workbench.render.overlay import CAPTION, UNDERLAY, Scale, caption, cost_of, underlay
from workbench.render.scrub import Scrub, load_scrub, make_track, save_scrub

WIDTH = 320


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels have exactly one colour."""
    return int((picture == colour).all(axis=2).sum())


def test_the_grid_has_m_inf_along_columns_and_n_along_rows():
    cells = grid((1, 2, 8), (1, 4))
    layout = Layout.of(cells)
    assert layout.columns == ("M_inf = 1", "M_inf = 2", "M_inf = 8")
    assert layout.rows == ("N = 1", "N = 4")
    placed = [[cells[i] if i is not None else None for i in row] for row in layout.places]
    assert placed == [[Cell(m, n) for m in (1, 2, 8)] for n in (1, 4)]
    assert layout.caption(3) == ""


def test_where_only_n_varies_it_runs_along_columns():
    layout = Layout.of(grid((4,), (1, 8)))
    assert (layout.columns, layout.rows, layout.places) == (("N = 1", "N = 8"), ("M_inf = 4",), ((0, 1),))


@pytest.mark.parametrize("cells", [(Cell(1, 1), Cell(2, 1), Cell(2, 4)), (Cell(1, 1), Cell(1, 1)), 5 * (Cell(1, 1),)])
def test_other_cells_stand_in_rows_and_say_what_they_are(cells):
    layout = Layout.of(cells)
    assert [i for row in layout.places for i in row if i is not None] == list(range(len(cells)))
    assert layout.caption(len(cells) - 1) == f"M_inf {cells[-1].m_inf}, N {cells[-1].n}"


def test_a_page_fills_every_place_and_draws_headings_once():
    layout = Layout.of(grid((1, 2), (1, 4)))
    page = Page(layout, (51, 73), ["a title"], ["a note"])
    picture = page.fill(lambda i: np.full((51, 73, 3), 10 * i, np.uint8))
    assert picture.shape[:2] == page.shape
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    for i, (x, y) in page.boxes.items():
        assert (picture[y : y + 51, x : x + 73] == 10 * i).all()
    around = page.fill(lambda _: np.full((51, 73, 3), 255, np.uint8))
    assert (around[: page.boxes[0][1]] < 128).any()  # title and headings of the columns
    assert (around[:, : page.boxes[0][0]] < 128).any()  # headings of the rows
    (x, y), (_, below) = page.boxes[3], page.boxes[1]
    assert (around[y + 51 :] < 255).any()  # the note
    assert (around[below:y, x:] == 255).all()


def test_the_caption_tells_the_step_and_in_the_end_the_outcome():
    episode = made_up()
    early, late, end = (caption(WIDTH, episode, step) for step in (0, 3, 5))
    assert early.shape == (CAPTION, WIDTH, 3)
    assert (early != late).any()
    half = WIDTH // 2
    assert (late[:, half:] == 255).all()
    assert (end[:, half:] < 128).any()
    failed = caption(WIDTH, made_up(succeeds=False), 5)
    assert (failed[:, half:] != end[:, half:]).any()


def test_the_scale_holds_all_candidates_and_does_not_move():
    episodes = [made_up(n=4), made_up(n=2, steps=9, episode=1)]
    scale = Scale.of(episodes)
    assert scale.horizon == 9
    for episode in episodes:
        assert scale.low <= episode.q_candidates.min() <= episode.q_candidates.max() <= scale.high
    first, other = (underlay(WIDTH, episodes[0], 2, Scale.of(each)) for each in (episodes, episodes[:1]))
    assert (first != other).any()


def test_one_candidate_rejects_none():
    one, four = made_up(n=1), made_up(n=4)
    assert pixels(underlay(WIDTH, four, 2, Scale.of([four])), REJECTED) > 0
    assert pixels(underlay(WIDTH, one, 2, Scale.of([one])), REJECTED) == 0


def test_without_critic_and_flow_nothing_is_invented():
    bare = made_up(critic=False, flow=False)
    strip = underlay(WIDTH, bare, 2, Scale.of([bare]))
    assert strip.shape == (UNDERLAY, WIDTH, 3)
    assert pixels(strip, CHOSEN) == 0
    assert cost_of(bare) == "0.5 ms"
    assert pixels(underlay(WIDTH, made_up(critic=False), 2, Scale.of([bare])), CHOSEN) > 0


def test_the_cost_counts_calls_of_the_actor():
    assert cost_of(made_up(m_inf=4, n=8)) == "2 ms, 32 actor calls"


@settings(max_examples=25)
@given(act=st.integers(1, 30), m_inf=st.integers(1, 9), n=st.integers(1, 33), width=st.integers(90, 400))
def test_any_decision_can_be_drawn(act, m_inf, n, width):
    episode = made_up(steps=2, act=act, m_inf=m_inf, n=n)
    for step in range(3):
        assert underlay(width, episode, step, Scale.of([episode])).shape == (UNDERLAY, width, 3)


def test_lines_are_smooth():
    sheet = Sheet(40, 40)
    sheet.line([(2, 3), (38, 30)], (0, 0, 0), 1.0)
    assert len(np.unique(sheet.picture())) > 8


def test_words_wrap_between_parts_and_numbers_have_a_minus():
    parts = ["one part", "another part", "a third"]
    lines = wrap(parts, width_of("one part   another part", 12), 12)
    assert lines == ["one part   another part", "a third"]
    assert number(-1.25) == "−1.2"


def test_the_end_is_pale():
    scene = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    pale = fade(scene)
    assert pale.min() >= 127
    assert np.corrcoef(pale.ravel(), scene.ravel())[0, 1] > 0.99


def some_scrub() -> Scrub:
    """Two panels, of five and three steps, every second step shown."""
    frames = np.arange(6) * 2
    tracks = tuple(
        make_track(made_up(steps=steps, n=3, flow=flow), frames, (8, 30, 320, 240))
        for steps, flow in ((5, True), (3, False))
    )
    return Scrub("v.mp4", "some-task", 10, 2, 0.05, tracks)


def test_scrub_data_says_what_each_frame_shows(tmp_path: Path):
    save_scrub(tmp_path / "s.npz", some_scrub())
    scrub = load_scrub(tmp_path / "s.npz")
    assert (scrub.frames, scrub.stride, scrub.fps, scrub.seconds_a_step) == (6, 2, 10, 0.05)
    first, second = scrub.tracks
    np.testing.assert_array_equal(first.step, [0, 2, 4, 5, 5, 5])
    np.testing.assert_array_equal(second.step, [0, 2, 3, 3, 3, 3])
    assert (first.cell, first.box, first.succeeded, second.flow) == (Cell(1, 3), (8, 30, 320, 240), True, None)
    assert first.flow is not None
    assert first.flow.shape == (5, 2, 5)
    np.testing.assert_array_equal(first.q, first.q_candidates.max(axis=1))
    np.testing.assert_array_equal(first.chosen, first.q_candidates.argmax(axis=1))
    assert first.rejected.shape == (5, 2)
    assert (first.rejected.max(axis=1) <= first.q).all()


def test_the_candidate_that_was_played_is_marked_and_not_the_best():
    """An agent of one's own may play another candidate than the one its critic values most."""
    best = made_up(n=3)
    other = (best.q_candidates.argmax(axis=1) + 1) % 3
    actions = np.take_along_axis(best.candidates, other[:, None, None], axis=1)[:, 0]
    episode = dataclasses.replace(best, actions=actions)
    np.testing.assert_array_equal(best.chosen, best.q_candidates.argmax(axis=1))
    np.testing.assert_array_equal(episode.chosen, other)
    track = make_track(episode, np.arange(6), (8, 30, 320, 240))
    np.testing.assert_array_equal(track.chosen, other)
    assert (track.rejected.max(axis=1) == episode.q_candidates.max(axis=1)).all()
    bare = [dataclasses.replace(each, flow=None) for each in (best, episode)]
    scale = Scale.of(bare)
    assert (underlay(WIDTH, bare[0], 2, scale) != underlay(WIDTH, bare[1], 2, scale)).any()


def test_files_that_are_no_scrub_data_are_named(tmp_path: Path):
    with pytest.raises(WorkbenchError, match="there is no scrub data"):
        load_scrub(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(WorkbenchError, match="make the video again"):
        load_scrub(tmp_path / "other.npz")


def test_scrub_data_is_read_without_jax_and_environments():
    code = "import sys, workbench.render.scrub; print({'jax', 'mujoco', 'gymnasium', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
