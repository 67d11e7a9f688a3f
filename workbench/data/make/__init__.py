"""Regeneration of OGBench datasets with the scripted oracles of the ogbench wheel, or with an expert of one's own.

`spec` says what to make, `manipulation` and `maze` step the environments, `arm` lets the first of them do so with less
overhead, `episodes` turns steps into rows, `shards` holds the finished part on disk, `workers` runs processes, and
`run` puts them together.
"""

from workbench.data.make.run import make_dataset

__all__ = ["make_dataset"]
