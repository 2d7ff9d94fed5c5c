"""The packages that only a search needs: the extra ``scene``."""

INSTALL = "pip install -c constraints.txt -e '.[scene]' in the folder of this project"
