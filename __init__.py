"""Steer a Bluesky scan by what it has already seen."""

from importlib.metadata import version

__version__ = version("skysteer")
