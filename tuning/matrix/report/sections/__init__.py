"""Content of a matrix's page, section by section."""
