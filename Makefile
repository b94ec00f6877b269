.PHONY: check lint format test release

check: lint
	pytest

lint:
	ruff format --check .
	ruff check .
	mypy

format:
	ruff format .
	ruff check --fix .

test:
	pytest

release:
	python tools/release.py
