.PHONY: benchmark test check docs bench-check audit all

benchmark:  ## the main job on the embedded default
	python -m tuning.run --model all

test:  ## every test, the slow ones included
	python -m pytest -m "" -n 3

check:  ## what CI checks besides the tests
	ruff check
	ruff format --check
	mypy

docs:  ## the pages as a site, in site/index.html; every warning is an error
	python -m mkdocs build --strict

bench-check:  ## quick measurements against their aims; a quarter of an hour, machine otherwise idle
	PYTHONPATH=. python benchmarks/check.py

audit:  ## known weaknesses of the tested versions; asks pypi.org, so not part of CI
	pip-audit --strict --no-deps --disable-pip -r constraints.txt

all: check test
