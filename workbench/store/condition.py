"""Choosing rows of a table by a condition that a person writes, as the lists of runs and of tasks offer it."""

import pandas as pd

from workbench.errors import WorkbenchError


def rows_where(table: pd.DataFrame, name: str, condition: str) -> pd.DataFrame:
    """Rows that satisfy a DuckDB condition on the columns, in their order; in it the table is called `name`.

    Raises `WorkbenchError` for a condition that DuckDB refuses.
    """
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.register(name, table)
            return connection.execute(f"select * from {name} where {condition}").df()
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise WorkbenchError(
            f'DuckDB cannot filter by "{condition}" ({message}): use the columns {", ".join(table)}.'
        ) from error
