# One word per job. `make help` lists them.
# Another Python: make book PYTHON=python3.12
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
BENCH  := .venv-bench
AXE    := 4.10.3
REVEAL := 6.0.2
RUN    := $(BIN)/python
READY  := $(VENV)/.ready
# Two notebooks run at a time, so one BLAS thread each.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

SOURCES := $(shell find linvae tests -name '*.py')

.DELETE_ON_ERROR:
.PHONY: help book test check refresh live lite quiz slides course course-check grade serve browser pdf extras table bench clean

help:  ## list the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit("$(PYTHON) is Python " + v + ", the book needs 3.11 or later; say which to use: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[plot,book,test,dev]'
	@touch $@

$(VENV)/.ready-browser: $(READY)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[browser]'
	@touch $@

$(VENV)/.ready-extras: $(READY)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[dask,deep,fast,stores]'
	@touch $@

# What came out of the tests that prove a statement; `make check` and `make book` both read it.
build/statements.json: $(READY) $(SOURCES)
	$(ONE_THREAD) $(RUN) -m pytest -n 2 tests -q -m statement --statements-report $@

book: $(READY) build/statements.json  ## build the book, every warning an error
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html, or run make serve."

test: $(READY)  ## run the tests, then every chapter against its stored outputs
	$(ONE_THREAD) $(RUN) -m pytest -n 2 --statements-report=build/statements.json
	$(ONE_THREAD) $(RUN) -m pytest -n 2 --dist loadfile --nbval --nbval-current-env book

check: $(READY) build/statements.json  ## lint, types, notebook hygiene, statements
	$(BIN)/ruff check linvae tests tools book benchmarks
	$(BIN)/ruff format --check linvae tests tools book benchmarks
	$(BIN)/mypy
	$(RUN) tools/hygiene.py
	$(RUN) tools/statements.py check

refresh: $(READY)  ## run the chapters again and store their outputs; CHAPTER=book/naive.ipynb for one
	$(RUN) tools/refresh.py $(CHAPTER)

live: $(READY)  ## make the data and the still pictures of the live figures; FIGURE=dials for one
	$(ONE_THREAD) $(RUN) tools/live.py $(FIGURE)

build/reveal/.$(REVEAL):
	@rm -rf build/reveal && mkdir -p build
	@cd build && npm pack --silent reveal.js@$(REVEAL) && tar -xzf reveal.js-$(REVEAL).tgz && mv package reveal && rm reveal.js-$(REVEAL).tgz
	@touch $@

slides: $(READY) build/reveal/.$(REVEAL)  ## make the decks of the talk and of each part: _build/html/slides
	$(RUN) tools/slides.py

quiz: $(READY)  ## write the quizzes of the chapters for Moodle, into build/quiz
	$(RUN) tools/quizzes.py

lite: $(READY)  ## gather in build/lite what runs chapters in a browser; LINVAE_LITE=build/lite make book then adds it
	$(RUN) tools/lite.py build/lite

extras: $(VENV)/.ready-extras  ## install torch, numba, Dask and the readers of Parquet and Zarr

table: $(VENV)/.ready-extras  ## score every model again, under two hours; goes on where it stopped, or TABLE=--fresh
	$(RUN) -m benchmarks.table $(TABLE)

# The rivals ask for other versions than the book does, so they get an environment of their own.
$(BENCH)/.ready: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

bench: $(BENCH)/.ready  ## race the rivals at full size, a quarter of an hour: ratios in benchmarks/speed.md
	LINVAE_SCALE_ROWS=1000000 $(ONE_THREAD) $(BENCH)/bin/python -m pytest -q -o addopts= -o filterwarnings= tests/test_scale.py
	$(ONE_THREAD) $(BENCH)/bin/python -m pytest -q -s -o addopts= -o filterwarnings= benchmarks/bench_speed.py benchmarks/bench_scale.py \
	    --benchmark-disable-gc --benchmark-timer=time.process_time --benchmark-columns=median,iqr,rounds $(ONLY)

serve: book  ## show the built book at http://localhost:8000
	$(RUN) -m http.server 8000 --bind localhost --directory _build/html

# Where npm has no axe-core, the pages are opened all the same, and what it would ask is skipped.
build/axe.min.js:
	@mkdir -p build
	@cd build && { npm pack --silent axe-core@$(AXE) && tar -xzf axe-core-$(AXE).tgz package/axe.min.js \
	    && mv package/axe.min.js . && rm -r package axe-core-$(AXE).tgz; } \
	    || echo "npm brought no axe-core, so it does not look at the pages"

browser: book $(VENV)/.ready-browser build/axe.min.js  ## open every built page in Chromium, network off
	$(RUN) -m pytest -n 2 --dist loadgroup tests/browser

# The wheel goes with the notebooks, so that a class needs no index; without hatchling at hand this asks for one.
course: book  ## make notebooks for students and teachers, and worksheets, in build/course
	rm -f build/course/*.whl
	$(RUN) -m build --wheel --outdir build/course . >/dev/null || echo "No wheel in the kit: python -m build failed."
	$(ONE_THREAD) $(RUN) tools/course.py

course-check: course  ## run every student's notebook to its first gap, some ten minutes
	$(ONE_THREAD) $(RUN) -m pytest -q -n 2 tests/course

grade: $(READY)  ## grade the notebooks of FOLDER, each in a process of its own, into FOLDER/grades.csv
	$(RUN) tools/grade.py $(FOLDER)

pdf: book $(VENV)/.ready-browser  ## print the book as one PDF, _build/book.pdf; needs Chromium
	$(RUN) tools/pdf.py

clean:  ## remove what was built; the installed .venv stays
	rm -rf _build build dist .pytest_cache .mypy_cache .ruff_cache
