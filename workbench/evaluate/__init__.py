"""Evaluation: environments in worker processes, one batched policy call for every live episode."""
