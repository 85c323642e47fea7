"""Score every generative model of the book: make table, or python -m benchmarks.table

Some 600 jobs on two processes, under two hours on two cores; needs the extras `deep` and `fast`.  Writes
    linvae/data/results.json, results.npz    all results, and some drawn images of the finalists
    benchmarks/table-mnist.md, table-fashion.md    the tables of the book's appendix
With --render it writes only the tables.  With --fresh it forgets the jobs that an earlier run has kept in build/table/;
without, it goes on from there, and says so if other code made them.  With --only FAMILY … it tries and scores these
families alone, and takes all else as it is kept; networks without a link share their trainings, so not they.  With
--drift KEPT.json it compares the results with an earlier file, prints what moved by more than its spread, and ends
with 1 if anything did.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from linvae.book import results

from . import drift, families, rendering, running


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.table", description=(__doc__ or "").split("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--render", action="store_true", help="write only the tables of the appendix")
    what.add_argument("--fresh", action="store_true", help="forget the jobs of earlier runs first")
    what.add_argument("--drift", type=Path, metavar="KEPT.json", help="say what moved since these results")
    alone = [family for family, (how, _) in families.FAMILIES.items() if how != "deep"]  # the others share trainings
    what.add_argument("--only", nargs="+", choices=alone, default=[], metavar="FAMILY", help="do these alone")
    asked = parser.parse_args(arguments)
    if asked.drift:
        kept, fresh = json.loads(asked.drift.read_text(encoding="utf-8")), results.kept()
        lines = drift.moved(kept, fresh)
        print("\n".join([*drift.other_versions(kept, fresh), *(lines or ["nothing moved by more than its spread"])]))
        return 1 if lines else 0
    if asked.fresh:
        shutil.rmtree(running.CACHE, ignore_errors=True)
    if not asked.render:
        running.keep(*running.measure(only=asked.only))
    for data in results.DATA:
        rendering.page(data).write_text(rendering.tables(data), encoding="utf-8")
    about = results.kept()["about"]
    print(f"{about['cpu_minutes']} processor minutes; jobs by state of the code: {about['made_by']}")
    if not asked.render and len(about["made_by"]) > 1:
        print("some jobs were kept from other code; --fresh does them all again", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
