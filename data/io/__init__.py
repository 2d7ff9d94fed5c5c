"""Files in and out: size-limited readers, error texts, worker processes, shared storage."""
