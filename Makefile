# make demo: a photograph repainted after a painting, from a fresh clone. make help: the rest.

PYTHON ?= python3
VENV ?= .venv
PYTEST ?= $(VENV)/bin/python -m pytest
WORKERS ?= 2
PYTEST_FLAGS ?=
INSTALL = $(VENV)/bin/python -m pip install --compile

.PHONY: help demo test test-slow docs saved_models clean

help:
	@echo "make demo       repaint examples/content/chelsea.jpg as demo.png"
	@echo "make test       the fast tests"
	@echo "make test-slow  the tests that train, render or install for a while"
	@echo "make docs       build the guides and the API pages into site/"
	@echo "make saved_models  export both engines anew for TensorFlow Serving"
	@echo "make clean      remove what the above have made, but for $(VENV)"
	@echo "WORKERS=4 runs so many test files at a time, a gigabyte each; 2 otherwise."
	@echo "PYTHON=python3.12 chooses the interpreter that $(VENV) is made with."

demo: $(VENV)/tfstyle.installed
	$(VENV)/bin/tfstyle stylize examples/content/chelsea.jpg examples/style/swirl.jpg -o demo.png
	@echo "See demo.png."

test: $(VENV)/tfstyle-test.installed
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not slow" $(PYTEST_FLAGS)

# pytest exits with 5 where no test has the mark.
test-slow: $(VENV)/tfstyle-test.installed
	$(PYTEST) -n $(WORKERS) --dist loadfile -m slow $(PYTEST_FLAGS) || [ $$? -eq 5 ]

docs: $(VENV)/tfstyle-test.installed
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict --site-dir site
	@echo "See site/index.html, or run: $(VENV)/bin/python -m mkdocs serve"

# Compared with Python in every loader before they replace what is there.
saved_models: $(VENV)/tfstyle-test.installed
	$(VENV)/bin/tfstyle export arbitrary -o saved_models --replace
	$(VENV)/bin/tfstyle export gatys -o saved_models --replace

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	{ echo "tfstyle needs Python 3.11 to 3.13; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The bytecode of tfstyle itself is compiled too: it starts faster where Python may not write it later.
$(VENV)/tfstyle.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -e .
	$(VENV)/bin/python -m compileall -q tfstyle
	@touch $@

$(VENV)/tfstyle-test.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -e '.[test]'
	$(VENV)/bin/python -m compileall -q tfstyle
	@touch $@ $(VENV)/tfstyle.installed

clean:
	rm -rf build dist site *.egg-info .pytest_cache .hypothesis demo.png demo*.json
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
