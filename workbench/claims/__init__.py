"""Claims of the SORL paper's summary, each tested on committed tables by a rule that was written before the numbers."""

from workbench.claims.listed import CLAIMS, Claim, Row, rows
from workbench.claims.verdicts import Evidence, Finding, Verdict, decide

__all__ = ["CLAIMS", "Claim", "Evidence", "Finding", "Row", "Verdict", "decide", "rows"]
