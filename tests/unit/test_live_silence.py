"""What code sets in a widget is not heard as a person's doing: only in its own thread, and only meanwhile."""

import threading

import pytest

from workbench.live.silence import Silence


def test_blocks_may_be_nested_and_end_with_an_error():
    silent = Silence()
    with silent:
        with silent:
            assert silent
        assert silent
    assert not silent
    with pytest.raises(ZeroDivisionError), silent:
        raise ZeroDivisionError
    assert not silent


def test_other_threads_are_heard():
    silent, seen = Silence(), []
    with silent:
        other = threading.Thread(target=lambda: seen.append(bool(silent)))
        other.start()
        other.join()
    assert seen == [False]
