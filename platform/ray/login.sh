# ~/.bashrc of every node reads this file: each command that Ray sends over SSH runs in a login shell, and
# must find the environment that `ray up` has installed, and the token.
export PATH="$HOME/landslide-venv/bin:$PATH"
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
