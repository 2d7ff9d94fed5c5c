"""Styles and a project with which QGIS opens a map's folder."""
