// Decoders drawn from q and averaged: the grain fades, and what the class puts outside PCA's span stays.
"use strict";

linvaeLive.figure("averaging", (stage, data) => {
  const { make, unpack, images, floats, triangle, normals, number, percent } = linvaeLive;
  const k = 16;
  const d = 784;
  const mean = floats(data.mean);

  // PCA's directions; rounding has left them a little off right angles.
  const V = unpack(data.directions);
  V.forEach((row, j) => {
    for (let l = 0; l < j; l++) {
      const share = row.reduce((sum, value, p) => sum + value * V[l][p], 0);
      row.forEach((_, p) => (row[p] -= share * V[l][p]));
    }
    const length = Math.hypot(...row);
    row.forEach((_, p) => (row[p] /= length));
  });

  // A decoder is k + 1 rows, a slope picture for each code and the intercept; `root` is that of their covariance.
  const sixes = { mean: unpack(data.sixes.rows), root: triangle(data.sixes.root, k + 1) };
  const all = {
    mean: [...V.map((row, j) => row.map((value) => value * data.all.shrink[j])), mean.map((value) => value * data.all.shrink[k])],
    root: triangle(data.all.root, k + 1),
  };
  const trace = (root, count) => root.slice(0, count).reduce((sum, row) => sum + row.reduce((s, value) => s + value ** 2, 0), 0);

  const outside = (picture) => {
    const left = Float64Array.from(picture);
    for (const row of V) {
      const share = row.reduce((sum, value, p) => sum + value * picture[p], 0);
      row.forEach((value, p) => (left[p] -= share * value));
    }
    return left;
  };
  const squares = (rows) => rows.reduce((sum, row) => sum + row.reduce((s, value) => s + value ** 2, 0), 0);
  for (const decoder of [sixes, all]) {
    decoder.inside = squares(decoder.mean.slice(0, k));
    decoder.out = squares(decoder.mean.slice(0, k).map(outside));
    decoder.random = trace(decoder.root, k);
  }
  all.out = 0; // its slopes are multiples of PCA's directions

  // The average of T draws is distributed as the mean plus one draw's step over the root of T.
  function drawn({ mean: rows, root }, T, seed) {
    const steps = normals(seed, d * (k + 1));
    const by = 1 / Math.sqrt(T);
    return rows.map((row, i) =>
      row.map((value, p) => {
        let step = 0;
        for (let j = 0; j <= i; j++) step += root[i][j] * steps[p * (k + 1) + j];
        return value + by * step;
      }),
    );
  }
  // The expected share of the slopes' squared length outside the span.
  const expected = ({ out, inside, random }, T) => (out + ((d - k) * random) / T) / (inside + (d * random) / T);

  const codes = data.codes;
  const rows = [["real", "real six"], ["drawn", "drawn"], ["outside the span", "outside"]].map(([shown, label]) => {
    const sheet = make("div", { class: "live-sheet", role: "group", "aria-label": shown });
    stage.pictures.append(make("p", { class: "live-name" }, shown), sheet);
    return codes.map((_, i) => stage.image(`${label} ${i + 1}`, sheet, ""));
  });
  images(data.real).forEach((picture, i) => rows[0][i].show(picture));

  const TOP = 13;
  const share = stage.plot("share of the decoder outside the span over the number of draws averaged", () => 190, (pen, w, h) => {
    const [left, right, top, bottom] = [58, 12, 26, 40];
    const low = -6;
    const x = (power) => left + (power / TOP) * (w - left - right);
    const y = (value) => top + (Math.max(Math.log10(value), low) / low) * (h - top - bottom);
    pen.strokeStyle = stage.color("line");
    pen.fillStyle = stage.color("muted");
    pen.lineWidth = 1;
    for (const [value, words] of [[1, "100 %"], [1e-2, "1 %"], [1e-4, "0.01 %"]]) {
      pen.textAlign = "right";
      pen.fillText(words, left - 6, y(value) + 5);
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(w - right, y(value));
      pen.stroke();
    }
    pen.textAlign = "left";
    pen.fillText("share of the decoder outside the span", 0, 14);
    pen.textAlign = "center";
    for (const power of [0, 4, 8, 12]) pen.fillText(String(2 ** power), x(power), h - bottom + 18);
    pen.fillText("draws averaged, T", (left + w) / 2, h - 5);
    for (const [decoder, name, color, at] of [[sixes, "of the sixes", "blue", 8], [all, "of all digits", "muted", 4.6]]) {
      pen.strokeStyle = pen.fillStyle = stage.color(color);
      pen.lineWidth = decoder === now() ? 3 : 1.5;
      pen.beginPath();
      for (let power = 0; power <= TOP; power += 0.1) pen.lineTo(x(power), y(expected(decoder, 2 ** power)));
      pen.stroke();
      pen.fillText(name, x(at), y(expected(decoder, 2 ** at)) + 22);
    }
    pen.fillStyle = stage.color(stage.get("class") ? "blue" : "muted");
    pen.beginPath();
    pen.arc(x(stage.get("T")), y(expected(now(), 2 ** stage.get("T"))), 6, 0, 2 * Math.PI);
    pen.fill();
  }, stage.controls);
  const now = () => (stage.get("class") ? sixes : all);

  const show = (power) => (2 ** power).toLocaleString("en");
  stage.range("T", { label: "draws averaged, T", min: 0, max: TOP, step: 1, standard: 0, show });
  stage.check("class", { label: "a decoder of the sixes alone (else of all digits)", standard: true });
  stage.hidden("seed", 0);
  stage.button("Draw again", () => stage.set("seed", stage.get("seed") + 1));

  return () => {
    const T = 2 ** stage.get("T");
    const decoder = drawn(now(), T, stage.get("seed"));
    codes.forEach((z, i) => {
      const picture = Float64Array.from(decoder[k]);
      z.forEach((code, j) => decoder[j].forEach((value, p) => (picture[p] += code * value)));
      rows[1][i].show(picture);
      rows[2][i].show(outside(picture.map((value, p) => value - mean[p])).map((value) => 0.5 + value));
    });
    const grain = Math.sqrt(
      codes.reduce((sum, z) => {
        const phi = [...z, 1];
        const moved = phi.map((_, j) => now().root.reduce((s, row, i) => s + (row[j] || 0) * phi[i], 0));
        return sum + moved.reduce((s, value) => s + value ** 2, 0);
      }, 0) / codes.length / T,
    );
    const slopes = decoder.slice(0, k);
    const left = squares(slopes.map(outside)) / squares(slopes);
    const kind = stage.get("class") ? "of the sixes" : "of all digits";
    const first = T === 1 ? `One decoder ${kind}` : `The average of ${show(stage.get("T"))} decoders ${kind}`;
    const size = grain < 0.0005 ? "less than 0.001" : number(grain, 3);
    const part = left >= 0.01 ? percent(left) : `${Number((100 * left).toPrecision(2))} %`;
    return `${first}: ${part} of it lies outside the span, and its grain moves a pixel by ${size} (white is 1).`;
  };
});
