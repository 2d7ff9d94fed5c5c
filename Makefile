.PHONY: benchmark test check all

benchmark:  ## the main job on the embedded default
	python -m tuning.run --model all

test:  ## every test, the slow ones included
	python -m pytest -m "" -n 2

check:  ## what CI checks besides the tests
	ruff check
	ruff format --check
	mypy

all: check test
