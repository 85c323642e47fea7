"""A whole chapter in small, every construct of the form once.  CONTRIBUTING.md explains them, tests run it."""

import nbformat
import refresh
from chapter import INSTALL
from nbclient import NotebookClient

OPENING = """
# The mean image is the best single guess

Guess one image for all of three. Which one is nearest to them? This small chapter shows the answer before it proves
it, and needs nothing from the others.

:::{goals}
1. Say what the mean minimises ({ref}`pencil <ex-example-pencil>`).
2. Compute it in one line ({ref}`warm-up <ex-example-warmup>`).
:::

:::{talk} slide 3
:row: 4

“The mean is obvious.” It is, once the error is squared.
:::

(three-images)=
## Three images of two pixels
"""
SETUP = (
    INSTALL
    + """

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from linvae.book import check, glue, table
from linvae.plots import dots, use_style

use_style()
"""
)
TEACHING = """
images = np.array([[1.0, 2.0], [2.0, 4.0], [6.0, 6.0]])
mean = images.mean(axis=0)
print(mean)
"""
TABLE = """
guesses = {"mean": mean, "median": np.median(images, axis=0)}
errors = {
    name: np.mean(np.sum((images - guess) ** 2, axis=1))
    for name, guess in guesses.items()
}
frame = pd.DataFrame({"error": errors}).rename_axis("guess")
table(frame, caption="Mean squared error of one guess for all.", digits=2)
"""
EVIDENCE = """
glue("mean_error", errors["mean"])
assert errors["mean"] < errors["median"]
"""
FIGURE = """
dots(errors).set(xlabel="error")
plt.show()
"""
CAPTION = {
    "mystnb": {
        "figure": {"caption": "The mean, at {glue:text}`mean_error:.1f`, errs least.", "name": "fig-example"},
        "image": {"alt": "Two dots, the one of the mean further to the left."},
    },
    "tags": ["hide-input"],
}
CLAIM = """
In {numref}`fig-example` the mean stands at {glue:text}`mean_error:.2f`. By {prf:ref}`C7` no guess does better, and
{eq}`eq-mean` says where it comes from, as in {ref}`three-images`.

$$
\\mu = \\arg\\min_c \\sum_i \\lVert x_i - c \\rVert^2
$$ (eq-mean)

:::{prf:theorem} The mean is nearest
:label: C7

For any $c$, $\\sum_i \\lVert x_i - c \\rVert^2 \\ge \\sum_i \\lVert x_i - \\mu \\rVert^2$.
:::

````{dropdown} Proof
```{prf:proof}
The slope of the sum at $c$ is $-2 \\sum_i (x_i - c)$, zero only at the mean.
```
````

## Exercises

:::{exercise-start} Warm-up
:label: ex-example-warmup
:::

How many numbers has an image of 28 × 28 pixels?
"""
STARTER = """
answer = 28 * 28  # yours
check("example", answer)
"""
EXERCISES = """
:::{exercise-end}
:::

:::{solution} ex-example-warmup
:class: dropdown

One for each pixel.
:::

:::{exercise} Pencil
:label: ex-example-pencil

Which number is nearest to 1, 2 and 6 in absolute error? *You should get* the median.
:::

:::{solution} ex-example-pencil
:class: dropdown

Moving past a point changes the slope by two.
:::

:::{exercise} Code
:label: ex-example-code

Draw the error over a line through the mean. *You should get* a parabola.
:::
"""
SOLUTION = """
:::{solution-start} ex-example-code
:class: dropdown
:::
"""
SOLUTION_CELL = """
line = mean + np.linspace(-1, 1, 5)[:, None]
print(np.sum((images - line[:, None]) ** 2, axis=(1, 2)))
"""
END = """
:::{solution-end}
:::

:::{exercise} Open
:label: ex-example-open

When is one guess enough? *A good answer* names what the guess is for.
:::

:::{solution} ex-example-open
:class: dropdown

When the images hardly differ, see {cite}`pearson1901`.
:::
"""
# Its questions stand in quiz/example.yml.
QUIZ = """
## Check yourself

:::{quiz}
:::
"""


def markdown(source):
    return nbformat.v4.new_markdown_cell(source.strip())


def code(source, *tags, **metadata):
    return nbformat.v4.new_code_cell(source.strip(), metadata={"tags": [*tags]} if tags else metadata)


def chapter():
    """Return the chapter as it is written, not yet run."""
    cells = [
        markdown(OPENING),
        code(SETUP, "hide-cell"),
        code(TEACHING),
        code(TABLE),
        code(EVIDENCE, "remove-cell"),
        code(FIGURE, **CAPTION),
        markdown(CLAIM),
        code(STARTER),
        markdown(EXERCISES),
        markdown(SOLUTION),
        code(SOLUTION_CELL),
        markdown(END),
        markdown(QUIZ),
    ]
    about = {"line": "The best single guess for three images is their mean.", "needs": []}
    return nbformat.v4.new_notebook(cells=cells, metadata={"linvae": about})


def run(notebook, folder):
    """Run a notebook from a folder, as `make refresh` does."""
    refresh.clean(notebook)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", record_timing=False, extra_arguments=refresh.QUIET,
        resources={"metadata": {"path": str(folder)}},
    ).execute()  # fmt: skip
    refresh.clean(notebook)
    return notebook
