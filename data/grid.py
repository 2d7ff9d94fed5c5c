"""Where a raster lies: coordinate system, upper left corner, pixel size, rows and columns; rows run south."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid in a projected coordinate system.

    Attributes:
        crs: Such as ``EPSG:32654``.
        west_m: Easting of the left edge of column 0.
        north_m: Northing of the upper edge of row 0.
        pixel_m: Side of a pixel.
        height: Rows.
        width: Columns.
    """

    crs: str
    west_m: float
    north_m: float
    pixel_m: float
    height: int
    width: int

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """The affine coefficients ``(a, b, c, d, e, f)``: column and row to easting and northing of a pixel's corner."""
        return self.pixel_m, 0.0, self.west_m, 0.0, -self.pixel_m, self.north_m

    @property
    def pixel_m2(self) -> float:
        """Area of a pixel."""
        return self.pixel_m**2
