.PHONY: check format test

check:
	ruff format --check .
	ruff check .
	mypy
	pytest

format:
	ruff format .
	ruff check --fix .

test:
	pytest
