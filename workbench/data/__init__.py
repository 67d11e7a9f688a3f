"""Datasets: official files, regeneration, Minari, toy distributions, checks; all become a `Dataset` on device."""
