from .folder import check_folder

__all__ = ["check_folder"]
