"""What stored numbers mean, for files, tiles, cubes and arrays alike: packing, no data, the unit of backscatter, pixel corners.

A logged model holds a copy of these modules, except `data.values.counts` and `data.values.viewing`; so they import nothing of this project but each
other, and need only NumPy (xarray where a variable is packed).
"""
