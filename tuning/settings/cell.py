"""A campaign as the cell of a matrix: the tags of its run, and the axes and levels at which it stands."""

from collections.abc import Iterable, Sequence

from data.io.safe_json import check_safe_name, show_value

MATRIX_TAG, CELL_TAG = "matrix", "cell"  # of the runs of a matrix and of its campaigns
MATRIX_KIND = "matrix"  # tags ``kind`` and ``key`` of a matrix's run


def format_cell(places: Iterable[str]) -> str:
    """Return places such as ``channels=VV`` as one text, the tag of a campaign's run."""
    return "; ".join(places)


def check_cell(matrix: str, places: Sequence[str]) -> None:
    """Check what the settings of a campaign say about its matrix.

    Raises:
        ValueError: If the name is not safe, or there is a name without a place, a place without a name, or a place without a level.
    """
    if matrix:
        check_safe_name("matrix", matrix)
    if bool(matrix) != bool(places):
        raise ValueError(
            f"A cell must name its matrix and its places, but got the matrix {show_value(matrix)} and the places "
            f"{show_value(list(places))}. Continue it with the version that began it."
        )
    for place in places:
        axis, _, level = place.partition("=")
        if not axis or not level:
            raise ValueError(
                f"A place of a cell must be AXIS=LEVEL, but got {show_value(place)}. Continue it with the version that began it."
            )
