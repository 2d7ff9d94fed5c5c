"""A datacube of any producer, opened safely as series of VV and VH over time, y and x, without reading its bands."""

from data.cubes.groups import Group, open_groups

__all__ = ["Group", "open_groups"]
