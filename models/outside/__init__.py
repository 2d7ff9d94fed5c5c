"""Networks that are no file of this package: found by a reference, with their source files and a hash of them."""
