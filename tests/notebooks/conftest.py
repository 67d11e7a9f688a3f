"""Kernels of their own: this interpreter, and no file of the user's."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels start with this environment's Jupyter and no settings of the user, at smoke scale."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        patch.setenv("WORKBENCH_SCALE", "smoke")
        yield
