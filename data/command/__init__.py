"""What every command shares: an error in one sentence, output that is safe to print, an account to start with."""
