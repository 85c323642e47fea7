// One bound: independent Gaussians q before the posterior of two coefficients; what the ELBO lacks is the divergence.
"use strict";

linvaeLive.figure("bound", (stage, data) => {
  const { number, percent } = linvaeLive;
  const { n, ZZ, Zx, xx } = data; // of the codes Z, n by 2, and the gray levels x
  const STEP = 0.01;

  const det = ([[a, b], [c, d]]) => a * d - b * c;
  const apply = ([[a, b], [c, d]], [u, v]) => [a * u + b * v, c * u + d * v];
  const inverse = (A) => {
    const size = det(A);
    return [[A[1][1] / size, -A[0][1] / size], [-A[1][0] / size, A[0][0] / size]];
  };
  const dot = ([a, b], [c, d]) => a * c + b * d;

  // x = Z beta + noise of variance s, and beta has the prior N(0, I).
  function posterior(s) {
    const P = ZZ.map((row, i) => row.map((value, j) => value / s + (i === j ? 1 : 0)));
    const S = inverse(P);
    const mean = apply(S, Zx.map((value) => value / s));
    const fit = xx / s - dot(mean, apply(P, mean));
    const evidence = -0.5 * (n * Math.log(2 * Math.PI * s) + Math.log(det(P)) + fit);
    return { P, S, mean, evidence };
  }

  // The fit that q expects, less its divergence from the prior.
  function elbo(m, v, s) {
    const misfit = xx - 2 * dot(m, Zx) + dot(m, apply(ZZ, m)) + v[0] * ZZ[0][0] + v[1] * ZZ[1][1];
    const fit = -0.5 * (n * Math.log(2 * Math.PI * s) + misfit / s);
    const stray = 0.5 * (v[0] + v[1] + dot(m, m) - 2 - Math.log(v[0] * v[1]));
    return fit - stray;
  }

  const q = () => ({ m: [stage.get("m1"), stage.get("m2")], sd: [stage.get("s1"), stage.get("s2")] });
  const noise = () => 10 ** stage.get("noise");

  // -- the plane of the two coefficients

  const REACH = 2.4;
  const middle = [0.4, 0.3];
  const plane = stage.plot("the plane of the two coefficients: prior, posterior and q", (w) => w, (pen, w) => {
    const unit = w / (2 * REACH);
    const place = ([a, b]) => [w / 2 + (a - middle[0]) * unit, w / 2 - (b - middle[1]) * unit];
    const ellipse = (centre, [[a, b], [, d]], radius) => {
      const root = Math.sqrt(((a - d) / 2) ** 2 + b * b);
      const [long, short] = [(a + d) / 2 + root, Math.max((a + d) / 2 - root, 0)];
      pen.beginPath();
      const tilt = -0.5 * Math.atan2(2 * b, a - d);
      pen.ellipse(...place(centre), radius * Math.sqrt(long) * unit, radius * Math.sqrt(short) * unit, tilt, 0, 2 * Math.PI);
    };
    const { S, mean } = posterior(noise());
    const { m, sd } = q();

    pen.strokeStyle = stage.color("line");
    pen.lineWidth = 1;
    pen.beginPath();
    const [x0, y0] = place([0, 0]);
    pen.moveTo(x0, 0);
    pen.lineTo(x0, w);
    pen.moveTo(0, y0);
    pen.lineTo(w, y0);
    pen.stroke();
    pen.fillStyle = stage.color("muted");
    pen.fillText("β₁", w - 22, y0 - 8);
    pen.fillText("β₂", x0 + 8, 16);

    pen.setLineDash([3, 5]);
    pen.strokeStyle = stage.color("muted");
    pen.lineWidth = 1.5;
    ellipse([0, 0], [[1, 0], [0, 1]], 1);
    pen.stroke();
    pen.setLineDash([]);
    pen.textAlign = "center";
    pen.fillText("prior", ...place([0.3, -1.18]));

    pen.strokeStyle = stage.color("ink");
    for (const radius of [1, 2]) {
      pen.lineWidth = radius === 1 ? 2.5 : 1;
      ellipse(mean, S, radius);
      pen.stroke();
    }
    const ends = [place(mean)[0], place(mean)[1] - 2 * Math.sqrt(S[1][1]) * unit];
    pen.fillStyle = stage.color("ink");
    pen.fillText("posterior", Math.min(Math.max(ends[0], 50), w - 40), Math.max(ends[1] - 8, 16));

    const spread = [[sd[0] ** 2, 0], [0, sd[1] ** 2]];
    pen.fillStyle = pen.strokeStyle = stage.color("orange");
    pen.globalAlpha = 0.2;
    ellipse(m, spread, 1);
    pen.fill();
    pen.globalAlpha = 1;
    pen.lineWidth = 2.5;
    pen.stroke();
    pen.lineWidth = 1;
    ellipse(m, spread, 2);
    pen.stroke();
    pen.font = `bold ${pen.font}`;
    pen.fillText("q", place(m)[0], place(m)[1] + 5);
  });
  stage.drag(plane, (x, y) => {
    const unit = plane.canvas.clientWidth / (2 * REACH);
    stage.set("m1", middle[0] + x / unit - REACH);
    stage.set("m2", middle[1] + REACH - y / unit);
  });

  // -- one bar: the evidence is its top, whatever q is

  const DEEP = 12;
  stage.plot("the ELBO below the log evidence, and the divergence between them", () => 96, (pen, w) => {
    const { evidence } = posterior(noise());
    const { m, sd } = q();
    const bound = elbo(m, sd.map((value) => value ** 2), noise());
    const right = w - 8;
    const at = (value) => right - (Math.min(evidence - value, DEEP) / DEEP) * (right - 8);
    const [top, tall] = [34, 26];
    pen.fillStyle = stage.color("line");
    pen.fillRect(0, top, at(bound), tall);
    pen.fillStyle = stage.color("orange");
    pen.fillRect(at(bound), top, right - at(bound), tall);
    pen.fillStyle = stage.color("ink");
    pen.fillRect(right - 1, top - 8, 3, tall + 16);
    pen.textAlign = "right";
    pen.fillText(`log evidence ${number(evidence, 2)}`, w - 2, top - 14);
    pen.textAlign = "left";
    pen.fillText("ELBO", 6, top + 18);
    pen.fillStyle = stage.color("orange");
    pen.textAlign = "right";
    pen.fillText(`KL ${number(evidence - bound, 2)} nats`, w - 2, top + tall + 24);
  }, stage.controls);

  // -- controls

  const mean = { min: -2, max: 2.8, step: STEP, show: (value) => number(value, 2) };
  const width = { min: 0.05, max: 1.5, step: STEP, show: (value) => number(value, 2) };
  stage.range("m1", { label: "mean of q, β₁", standard: -0.5, ...mean });
  stage.range("m2", { label: "mean of q, β₂", standard: 1.2, ...mean });
  stage.range("s1", { label: "width of q, β₁", standard: 0.5, ...width });
  stage.range("s2", { label: "width of q, β₂", standard: 0.5, ...width });
  const levels = { min: -1, max: 3, step: 0.05, standard: 0 };
  const show = (power) => number(10 ** power, power < 0 ? 2 : power < 1 ? 1 : 0);
  stage.range("noise", { label: "noise variance σ²", show, ...levels });
  stage.button("Best q", () => {
    const best = posterior(noise());
    stage.set("m1", best.mean[0]);
    stage.set("m2", best.mean[1]);
    stage.set("s1", 1 / Math.sqrt(best.P[0][0]));
    stage.set("s2", 1 / Math.sqrt(best.P[1][1]));
  });

  return () => {
    const { S, evidence } = posterior(noise());
    const { m, sd } = q();
    const bound = elbo(m, sd.map((value) => value ** 2), noise());
    const ratio = (i) => number(sd[i] / Math.sqrt(S[i][i]), 2);
    const half = (S[0][0] + S[1][1]) / 2;
    const root = Math.sqrt(((S[0][0] - S[1][1]) / 2) ** 2 + S[0][1] ** 2);
    return (
      `ELBO ${number(bound, 2)}, below the log evidence ${number(evidence, 2)} by the divergence. ` +
      `q is ${ratio(0)} and ${ratio(1)} times as wide as the posterior. ` +
      `Of the prior’s variance the posterior keeps ${percent(half - root)} along its short axis and ${percent(half + root)} along its long one.`
    );
  };
});
