"""From options to the plan of a matrix: levels, references, cells, and whether the tiles allow them."""
