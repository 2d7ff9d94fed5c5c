"""A verdict for every tile file of a folder."""

from data.check.folder import check_folder

__all__ = ["check_folder"]
