"""From NetCDF tiles to batches: numpy, xarray and torch only, no Ray and no MLflow."""
