"""The store behind the tracker: creates that happen once, the database's place, and the lock of those who write."""
