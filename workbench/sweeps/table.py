"""One table of a TOML file, read key by key: what is wrong is said with the key and the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import UnknownNameError, WorkbenchError


class Table:
    """Takes values out of `content`; what is left at `finish` is unknown.

    Every method raises `WorkbenchError` for a value of the wrong kind. `names` says how `prefix` and key together are
    called in the file, where they are called otherwise.
    """

    def __init__(
        self, file: Path, content: Mapping[str, Any], prefix: str = "", names: Mapping[str, str] | None = None
    ) -> None:
        self.file, self.content, self.prefix, self.names = file, dict(content), prefix, names or {}
        self._known: list[str] = []

    def wrong(self, key: str, sentence: str) -> WorkbenchError:
        """The error of a key; the caller raises it."""
        return WorkbenchError(f"sweep {self.file}, key '{self._named(key)}': it {sentence.rstrip('.')}.")

    def table(self, key: str) -> "Table":
        """A table inside this one, empty where there is none; the key remains to be read again."""
        self._known.append(key)
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"must be a table, [{self._named(key)}], not {value!r}")
        return Table(self.file, value, f"{self.prefix}{key}.", self.names)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """One text or a list of different ones, at least one."""
        value = self.take(key, list(default) if default else None)
        values = [value] if isinstance(value, str) else value
        good = isinstance(values, list) and values and all(isinstance(each, str) for each in values)
        if not good or len(set(values)) != len(values):
            raise self.wrong(
                key, f"must be a list of different names, not {'missing' if value is None else repr(value)}"
            )
        return tuple(values)

    def text(self, key: str, default: str | None, choices: Sequence[str] = ()) -> str | None:
        """One text, one of `choices` where there are any."""
        value = self.take(key, default)
        if value is not None and (not isinstance(value, str) or (choices and value not in choices)):
            raise self.wrong(key, f"must be {' or '.join(choices) or 'a text'}, not {value!r}")
        return value

    def count(self, key: str, default: int, least: int = 1) -> int:
        """A whole number of at least `least`."""
        value = self.take(key, default)
        if not _is_count(value, least):
            raise self.wrong(key, f"must be a whole number of at least {least}, not {value!r}")
        return value

    def optional_count(self, key: str, word: str = "") -> int | None:
        """A count, or None where the key is missing or is `word`."""
        value = self.take(key, None)
        if value is None or (word and value == word):
            return None
        if not _is_count(value, 1):
            also = f', or "{word}"' if word else ""
            raise self.wrong(key, f"must be a whole number of at least 1{also}, not {value!r}")
        return value

    def counts(self, key: str) -> tuple[int, ...] | None:
        """A list of counts in increasing order, or None; a single one counts as a list."""
        value = self.take(key, None)
        if value is None:
            return None
        values = value if isinstance(value, list) else [value]
        if not values or not all(_is_count(each, 1) for each in values):
            raise self.wrong(key, f"must be whole numbers of at least 1, not {value!r}")
        return tuple(sorted(set(values)))

    def number(self, key: str) -> float | None:
        """A number of at least 0, or None."""
        value = self.take(key, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise self.wrong(key, f"must be a number of at least 0, not {value!r}")
        return value

    def mapping(self, kind: type) -> dict[str, Any]:
        """All of the table, whose values must be of one kind."""
        for key, value in self.content.items():
            if not isinstance(value, kind):
                raise self.wrong(key, f"must be a {'text' if kind is str else kind.__name__}, not {value!r}")
        return dict(self.content)

    def axes(self) -> dict[str, tuple[Any, ...]]:
        """All of the table as values to try: a list is an axis, anything else a single value."""
        for key, value in self.content.items():
            if isinstance(value, list) and not value:
                raise self.wrong(key, "is an empty list: give at least one value")
        return {key: tuple(value) if isinstance(value, list) else (value,) for key, value in self.content.items()}

    def finish(self, others: Sequence[str] = ()) -> None:
        """Raise for a key that nobody read; `others` are keys that could have been there too."""
        for key in self.content:
            if key not in self._known:
                known = map(self._named, [*self._known, *others])
                raise UnknownNameError(f"key in sweep {self.file}:", self._named(key), known)

    def take(self, key: str, default: Any) -> Any:
        """A value as it is."""
        self._known.append(key)
        return self.content.pop(key, default)

    def _named(self, key: str) -> str:
        return self.names.get(f"{self.prefix}{key}", f"{self.prefix}{key}")


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
