"""What the kernel tells the browser: deltas that make up the whole, few while nothing is touched, at once then."""

import json
import time

import numpy as np
import pytest

from tests.browser.fake import FakeTrainer, wait_until
from workbench.live.publish import CALM, RATE, Changes, Publisher, even, thin


def rows_of(message, part: int = 0) -> np.ndarray:
    """The table of a branch in a message."""
    head = message.head["branches"][part]
    return np.frombuffer(message.buffers[head["buffer"]], np.float32).reshape(head["rows"], len(head["columns"]))


@pytest.fixture
def listener():
    """Publishers of a test, closed after it, and what they sent."""
    made = []

    def start(trainer, **options):
        sent: list[tuple[float, dict, list[bytes]]] = []
        publisher = Publisher(trainer, lambda head, buffers: sent.append((time.monotonic(), head, buffers)), **options)
        made.append(publisher)
        return publisher, sent

    yield start
    for publisher in made:
        publisher.close()


def test_deltas_make_up_the_whole_history() -> None:
    trainer = FakeTrainer()
    changes = Changes(trainer)
    tables = []
    for chunks in (3, 1, 5):
        trainer.advance(chunks)
        message = changes.message()
        assert message is not None
        assert message.head["branches"][0]["fresh"] == (not tables)
        tables.append(rows_of(message))
    assert [len(table) for table in tables] == [3, 1, 5]
    whole = np.column_stack(list(trainer.branches["main"].history.since(0)[1].values()))
    np.testing.assert_array_equal(np.concatenate(tables), whole)


def test_nothing_new_is_no_message() -> None:
    trainer = FakeTrainer()
    trainer.advance()
    trainer.show_cloud()
    changes = Changes(trainer, reward=np.ones((3, 3), np.float32))
    first = changes.message()
    assert first is not None
    assert {"cloud", "paths", "reward"} <= set(first.head)
    assert changes.message() is None
    trainer.status = "paused"
    second = changes.message()
    assert second is not None
    assert (second.head["status"], second.buffers) == ("paused", [])


def test_full_message_repeats_everything() -> None:
    trainer = FakeTrainer()
    trainer.advance(4)
    trainer.change("sc", 0.0)
    trainer.show_cloud(m=2)
    changes = Changes(trainer)
    changes.message()
    message = changes.message(full=True)
    assert message is not None
    assert message.head["full"]
    assert len(rows_of(message)) == 4
    assert message.head["branches"][0]["marks"] == [[40, "w_SC", 1.0, 0.0]]
    assert message.head["cloud"]["shape"] == [2, 400, 2]
    json.dumps(message.head)


def test_rewound_branch_is_sent_anew_and_a_fork_without_its_parents_marks() -> None:
    trainer = FakeTrainer()
    trainer.advance(4)
    trainer.change("sc", 0.0)
    trainer.advance()
    changes = Changes(trainer)
    changes.message()
    trainer.fork("second")
    main, second = trainer.branches["main"], trainer.branches["second"]
    second.interventions = list(main.interventions)
    main.history, main.interventions = type(main.history)(), []
    main.history.append(10, {"loss_fm": 1.0})
    message = changes.message()
    assert message is not None
    assert [part["fresh"] for part in message.head["branches"]] == [True, True]
    assert [part["marks"] for part in message.head["branches"]] == [[], []]
    assert message.head["branches"][1]["forked_at"] == 50
    assert len(rows_of(message)) == 1


def test_thinning_keeps_the_last_row_and_rare_values() -> None:
    table = np.column_stack([np.arange(10_000), np.where(np.arange(10_000) % 997 == 5, 1.0, np.nan)]).astype(np.float32)
    thinned = thin(table, 1000)
    assert 1000 <= len(thinned) < 1020
    assert thinned[-1, 0] == 9999
    assert np.isfinite(thinned[:, 1]).sum() == np.isfinite(table[:, 1]).sum()
    assert (np.diff(thinned[:, 0]) > 0).all()
    assert thin(table[:1000], 1000) is not table
    assert len(thin(table[:1000], 1000)) == 1000


@pytest.mark.parametrize("every", [100, 10])
def test_a_sparse_column_that_grows_long_is_thinned_and_not_lost(every: int) -> None:
    """Success is measured once in many rows: 1,000 values of 100,000 rows must not become a handful."""
    rows, most = np.arange(100_000), 2000
    measured = rows % every == 7
    table = np.where(np.stack([rows >= 0, measured, measured], axis=1), rows[:, None], np.nan).astype(np.float32)
    thinned = thin(table, most)
    found = thinned[np.isfinite(thinned[:, 1]), 1]
    assert most // 5 <= len(found) <= most // 4 + 10
    gaps = np.diff(found)
    assert gaps.max() <= 2 * np.median(gaps)
    assert len(thinned) <= 1.3 * most


def test_paths_of_different_lengths_become_one_array() -> None:
    padded = even([np.zeros((3, 2)), np.ones((5, 2))])
    assert padded.shape == (2, 5, 2)
    assert np.isnan(padded[0, 3:]).all()
    assert (padded[1] == 1).all()


def test_publisher_is_silent_until_hello_then_tells_all(listener) -> None:
    trainer = FakeTrainer()
    publisher, sent = listener(trainer)
    trainer.advance(5)
    time.sleep(0.1)
    assert sent == []
    publisher.hello()
    assert wait_until(lambda: len(sent) == 1)
    assert sent[0][1]["full"]
    assert sent[0][1]["branches"][0]["rows"] == 5
    trainer.advance(2)
    assert wait_until(lambda: sum(head["branches"][0]["rows"] for _, head, _ in sent) == 7)
    assert not sent[-1][1]["full"]
    publisher.hello()
    assert wait_until(lambda: sent[-1][1]["full"])
    assert sent[-1][1]["branches"][0]["rows"] == 7


def busy(trainer: FakeTrainer, seconds: float) -> None:
    """Chunks without pause."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        trainer.advance()
        time.sleep(0.001)


def test_publisher_is_calm_until_something_is_touched_and_the_latest_wins(listener) -> None:
    trainer = FakeTrainer()
    publisher, sent = listener(trainer)
    publisher.hello()
    assert wait_until(lambda: len(sent) == 1)
    busy(trainer, 0.1)  # the first chunk of all was news
    before = len(sent)
    busy(trainer, 1.0)
    assert len(sent) - before <= CALM + 2
    before = len(sent)
    trainer.change("sc", 0.0)
    at = time.monotonic()
    busy(trainer, 0.1)
    assert sent[before][0] - at < 0.5 / CALM, "a change by hand does not wait its turn"
    assert sent[before][1]["branches"][0]["marks"]
    before, at = len(sent), time.monotonic()
    for value in range(200):
        trainer.change("sc", float(value))
        busy(trainer, 0.004)
    took = time.monotonic() - at
    assert len(sent) - before <= (CALM + RATE) * took + 2, "however fast a slider is dragged"
    assert wait_until(lambda: sum(head["branches"][0]["rows"] for _, head, _ in sent[1:]) == trainer.step // 10)


def test_halt_is_told_without_a_chunk_and_kept(listener) -> None:
    trainer, kept = FakeTrainer(), []
    publisher, sent = listener(trainer, keep=lambda: kept.append(trainer.status))
    publisher.hello()
    assert wait_until(lambda: len(sent) == 1)
    trainer.status = "running"
    assert wait_until(lambda: sent[-1][1]["status"] == "running")
    assert kept == []
    trainer.status, trainer.error = "failed", "Traceback: loss is not finite"
    assert wait_until(lambda: kept == ["failed"])
    assert sent[-1][1]["error"] == "Traceback: loss is not finite"


def test_long_training_is_kept_now_and_then(listener, monkeypatch) -> None:
    monkeypatch.setattr("workbench.live.publish.KEEP", 0.1)
    trainer, kept = FakeTrainer(), []
    trainer.status = "running"
    listener(trainer, keep=lambda: kept.append(trainer.status))
    assert wait_until(lambda: len(kept) == 2)


def test_closed_publisher_leaves_no_thread_and_no_subscription(listener) -> None:
    trainer = FakeTrainer()
    publisher, _ = listener(trainer)
    publisher.close()
    assert trainer._callbacks == []
    assert not publisher._thread.is_alive()


def test_a_retired_trainer_is_followed_to_its_end_and_no_longer(listener) -> None:
    trainer, kept = FakeTrainer(), []
    publisher, sent = listener(trainer, keep=lambda: kept.append(trainer.status))
    publisher.hello()
    trainer.status = "stopped"
    assert wait_until(lambda: bool(sent) and sent[-1][1]["status"] == "stopped")
    assert publisher._thread.is_alive(), "it may be started again"
    trainer.retired = True
    assert wait_until(lambda: not publisher._thread.is_alive())
    assert (trainer._callbacks, kept) == ([], ["stopped"])


def test_an_update_costs_as_little_after_many_as_after_few() -> None:
    followed = []
    for rows in (20, 20_000):
        trainer = FakeTrainer()
        trainer.advance(rows)
        changes = Changes(trainer)
        changes.message()
        followed.append((trainer, changes, []))
    for _ in range(50):
        for trainer, changes, costs in followed:
            trainer.advance()
            start = time.perf_counter()
            message = changes.message()
            costs.append(time.perf_counter() - start)
            assert len(rows_of(message)) == 1
    few, many = (float(np.median(costs)) for *_, costs in followed)
    assert many < 3 * few
