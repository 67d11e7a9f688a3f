"""SORL Workbench: train, steer and analyse offline RL with shortcut models.

Importing the package is cheap; each module is imported where it is used.
"""

__version__ = "0.1.0"
