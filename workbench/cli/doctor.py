"""`workbench doctor`."""

from dataclasses import asdict, dataclass

from workbench.cli.report import show
from workbench.compile_cache import enable_compile_cache
from workbench.doctor import exit_code, run_checks


@dataclass(frozen=True)
class Doctor:
    """Check this installation and say how to mend what is wrong; exit code 1 when something needed is broken."""

    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print one row a check."""
        enable_compile_cache()
        checks = run_checks()
        show([asdict(check) for check in checks], json=self.json, title="This installation of SORL Workbench")
        return exit_code(checks)
