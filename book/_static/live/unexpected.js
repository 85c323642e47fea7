// The talk's unexpected result: threes by the talk's decoder, with k codes from this distribution or from that.
"use strict";

linvaeLive.figure("unexpected", (stage, data) => {
  const { make, unpack, images, floats, triangle, normals, number } = linvaeLive;
  const DRAWS = 8;
  const k = data.mean.length;
  const terms = unpack(data.terms);
  const background = floats(data.background);
  const spread = triangle(data.spread, k); // Cholesky's root of the covariance of the threes' codes
  const own = data.mean;

  // Solve R x = b for a lower triangle R; the first entries of x do not depend on the later ones.
  const solve = (R, b) => {
    const x = new Float64Array(b.length);
    for (let i = 0; i < x.length; i++) {
      let rest = b[i];
      for (let j = 0; j < i; j++) rest -= R[i][j] * x[j];
      x[i] = rest / R[i][i];
    }
    return x;
  };
  const times = (R, x) => R.slice(0, x.length).map((row) => row.reduce((sum, r, j) => sum + r * (x[j] || 0), 0));

  function cholesky(A) {
    const R = A.map((row) => new Float64Array(row.length));
    for (let i = 0; i < A.length; i++)
      for (let j = 0; j <= i; j++) {
        let rest = A[i][j];
        for (let l = 0; l < j; l++) rest -= R[i][l] * R[j][l];
        R[i][j] = i === j ? Math.sqrt(rest) : rest / R[j][j];
      }
    return R;
  }

  // The decoder of k codes is (Phi'Phi + I)^-1 Phi'X.  With Phi'Phi + I = R R' and phi = (1, z) it draws
  // (R^-1 phi)' (R^-1 Phi'X).  The right part is what is stored, a term a row; with fewer codes the last terms go.
  const product = (i, j) => spread[i].reduce((sum, value, l) => sum + value * (spread[j][l] || 0), 0);
  const gram = Array.from({ length: k + 1 }, (_, i) =>
    Array.from({ length: k + 1 }, (_, j) => {
      const [a, b] = [i ? own[i - 1] : 1, j ? own[j - 1] : 1];
      return data.n * (a * b + (i && j ? product(i - 1, j - 1) : 0)) + (i === j ? 1 : 0);
    }),
  );
  const root = cholesky(gram);
  function draw(z) {
    const shares = solve(root, [1, ...z]);
    const picture = Float64Array.from(background);
    shares.forEach((share, j) => terms[j].forEach((value, p) => (picture[p] += share * value)));
    return picture;
  }

  stage.image("a real three").show(images(data.real)[0]);
  const middle = stage.image("drawn at the mean of the codes");
  const sheet = make("div", { class: "live-sheet", role: "group", "aria-label": "eight draws" });
  stage.pictures.append(sheet);
  const draws = Array.from({ length: DRAWS }, (_, i) => stage.image(`draw ${i + 1}`, sheet, ""));

  stage.range("k", { label: "number of codes, k", min: 2, max: k, step: 1, standard: 64 });
  stage.check("mean", { label: "codes with the threes’ own mean" });
  stage.check("covariance", { label: "codes with the threes’ own covariance" });
  stage.hidden("seed", 0);
  stage.button("Draw again", () => stage.set("seed", stage.get("seed") + 1));

  const unit = Array.from({ length: k }, (_, i) => solve(spread, Float64Array.from({ length: k }, (_, j) => Number(i === j))));

  return () => {
    const kept = stage.get("k");
    const [ownMean, ownSpread] = [stage.get("mean"), stage.get("covariance")];
    const centre = own.slice(0, kept).map((value) => (ownMean ? value : 0));
    const chance = normals(stage.get("seed"), DRAWS * k);
    middle.show(draw(centre));
    draws.forEach(({ show }, i) => {
      const steps = chance.subarray(i * k, i * k + kept);
      const moved = ownSpread ? times(spread, steps) : steps;
      show(draw(centre.map((value, j) => value + moved[j])));
    });
    const off = solve(spread, own.slice(0, kept).map((value) => (ownMean ? 0 : value)));
    const away = Math.sqrt(off.reduce((sum, value) => sum + value ** 2, 0) / kept);
    const squares = unit.slice(0, kept).reduce((sum, row) => sum + row.subarray(0, kept).reduce((s, v) => s + v ** 2, 0), 0);
    const wide = ownSpread ? 1 : Math.sqrt(squares / kept);
    const source = ownMean && ownSpread ? "a Gaussian fitted to the threes" : ownMean ? "a Gaussian at the threes’ mean"
      : ownSpread ? "a Gaussian with the threes’ covariance, at zero" : "N(0, I)";
    return (
      `${kept} codes from ${source}. In units of the threes’ own spread, their mean is ${number(away, 2)} off and they ` +
      `spread ${number(wide, 2)} (root mean square over the directions), where the threes’ own codes have 0 and 1.`
    );
  };
});
