"""A map's folder as one page for people: the result in a sentence, a map to move in, a table, and where it comes from."""
