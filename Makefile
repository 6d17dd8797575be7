# The five commands: make setup | test | lint | bench | docs (and demo, soak).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
.DELETE_ON_ERROR:
.PHONY: setup demo test lint bench soak docs clean

setup: $(VENV)/ready

# The last step compiles the samplers, which would else happen in the first scan.
# torch goes first and alone: any looser request may fetch gigabytes of CUDA packages.
$(VENV)/ready: pyproject.toml constraints.txt
	@echo "setting up $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	$(BIN)/python -c "from skysteer.agent import GaussianProcess, Slads, Spread; GaussianProcess().warm_up(); Slads().warm_up(); Spread().warm_up()"
	touch $@

demo: setup
	$(BIN)/skysteer demo --out demo-run

# Real processes on a shared machine: what fails is tried once more, and the summary counts it.
# Three files at a time on two cores, since many tests wait for processes, motors and counts; in their
# order, as else the long ones come last and alone.
test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not soak' --reruns 1 -r fER

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/demo_overhead.py
	$(BIN)/python benchmarks/responsiveness.py
	$(BIN)/python benchmarks/slads_net_fidelity.py speed
	$(BIN)/python benchmarks/sampling.py --quick

soak: setup $(VENV)/docs-ready
	$(BIN)/python -m pytest -m soak

# The notebooks are run, once; what has not changed since is taken from docs/_build/.jupyter_cache.
docs: $(VENV)/docs-ready
	rm -rf docs/reference/generated
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

$(VENV)/docs-ready: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
