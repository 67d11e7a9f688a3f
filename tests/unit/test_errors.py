"""What is shown of an error: a sentence where a user can mend it, the kind of error where none can."""

import pytest

from workbench.errors import UnknownNameError, WorkbenchError, sentence, told


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (WorkbenchError("no such run: train it.\nmore"), "no such run: train it."),
        (ValueError("cannot be\nat all"), "ValueError: cannot be"),
        (KeyError("name"), "KeyError: 'name'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_an_error_in_one_line(error, line):
    assert sentence(error) == line


def test_a_traceback_is_kept_where_it_is_a_bug():
    assert told(None) is None
    assert told(WorkbenchError("mend it.")) == "mend it."
    assert told(ValueError("bug")) == "ValueError: bug\n"


def test_an_empty_registry_is_said():
    assert str(UnknownNameError("loss term", "mine", [], "Register it.")) == (
        "unknown loss term 'mine': none is known. Register it."
    )
