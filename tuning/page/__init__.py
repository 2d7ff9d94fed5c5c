"""One self-contained HTML page from blocks of text, tables and figures."""
