"""Content of the report page, section by section."""
