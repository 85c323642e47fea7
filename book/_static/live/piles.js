// Two piles of twelve images: the cheapest pairing, the floor, and what the distance does not see.
"use strict";

linvaeLive.figure("piles", (stage, data) => {
  const { make, images, normals, number, SIDE } = linvaeLive;
  const left = images(data.left);
  const right = images(data.right);
  const n = left.length;
  stage.figure.classList.add("live-wide");

  const medians = images(data.medians);
  const dust = normals(data.seed, n * SIDE ** 2);

  const length = (x, y) => x.reduce((sum, value, p) => sum + Math.abs(value - y[p]), 0);

  // The cheapest pairing of equal numbers, by shortest augmenting paths: partner[j] is the row of column j.
  function pairing(costs) {
    const [u, v, partner] = [new Float64Array(n + 1), new Float64Array(n + 1), new Int32Array(n + 1)];
    for (let i = 1; i <= n; i++) {
      const [least, from, done] = [new Float64Array(n + 1).fill(Infinity), new Int32Array(n + 1), new Uint8Array(n + 1)];
      partner[0] = i;
      let column = 0;
      do {
        done[column] = 1;
        let [step, next] = [Infinity, 0];
        for (let j = 1; j <= n; j++) {
          if (done[j]) continue;
          const reduced = costs[partner[column] - 1][j - 1] - u[partner[column]] - v[j];
          if (reduced < least[j]) [least[j], from[j]] = [reduced, column];
          if (least[j] < step) [step, next] = [least[j], j];
        }
        for (let j = 0; j <= n; j++) {
          if (done[j]) [u[partner[j]], v[j]] = [u[partner[j]] + step, v[j] - step];
          else least[j] -= step;
        }
        column = next;
      } while (partner[column]);
      for (; column; column = from[column]) partner[column] = partner[from[column]];
    }
    return Array.from(partner.subarray(1), (row) => row - 1);
  }
  function distance(pile) {
    const costs = left.map((x) => pile.map((y) => length(x, y)));
    const partner = pairing(costs);
    return { partner, mean: partner.reduce((sum, i, j) => sum + costs[i][j], 0) / n };
  }
  const floor = distance(right).mean;

  const shifted = (image, by) => image.map((_, p) => ((p % SIDE) - by >= 0 ? image[p - by] : 0));
  function changed() {
    const [contrast, noise, shift] = ["contrast", "noise", "shift"].map((key) => stage.get(key));
    const pile = { others: right, same: left, medians }[stage.get("pile")];
    return pile.map((image, i) =>
      shifted(image, shift).map((value, p) => {
        const moved = contrast * value + noise * dust[i * SIDE ** 2 + p];
        return noise ? Math.min(1, Math.max(0, moved)) : moved;
      }),
    );
  }

  const row = (label) => {
    const sheet = make("div", { class: "live-sheet live-pile", role: "group", "aria-label": `${label} pile` });
    stage.pictures.append(sheet);
    return left.map((_, i) => stage.image(`${label} pile, image ${i + 1}`, sheet, ""));
  };
  stage.pictures.append(make("p", { class: "live-name" }, "twelve real digits"));
  row("upper").forEach(({ show }, i) => show(left[i]));
  let found;
  stage.plot("lines from each image to its partner", (w) => Math.max(70, 0.16 * w), (pen, w, h) => {
    const x = (i) => ((i + 0.5) * w) / n;
    pen.strokeStyle = stage.color("blue");
    pen.lineWidth = 2;
    found.partner.forEach((i, j) => {
      pen.beginPath();
      pen.moveTo(x(i), 2);
      pen.bezierCurveTo(x(i), h / 2, x(j), h / 2, x(j), h - 2);
      pen.stroke();
    });
  });
  const lower = row("lower");
  const name = make("p", { class: "live-name" });
  stage.pictures.append(name);

  stage.plot("W1 of the two piles beside the floor", () => 84, (pen, w) => {
    const most = 200;
    const x = (value) => (Math.min(value, most) / most) * (w - 4);
    const below = found.mean < floor - 0.05;
    pen.fillStyle = stage.color("line");
    pen.fillRect(0, 30, w, 24);
    pen.fillStyle = stage.color(below ? "orange" : "blue");
    pen.fillRect(0, 30, x(found.mean), 24);
    pen.fillStyle = stage.color("ink");
    pen.fillRect(x(floor) - 1, 22, 3, 40);
    pen.textAlign = "center";
    pen.fillText(`floor ${number(floor)}`, x(floor), 78);
    pen.textAlign = "left";
    pen.fillText(`W₁ ${number(found.mean)}`, 2, 18);
  }, stage.controls);

  stage.choice("pile", {
    label: "The lower pile",
    options: [["others", "other real digits"], ["same", "the same digits"], ["medians", "medians of the classes"]],
    standard: "others",
  });
  const sliders = make("div", { class: "live-controls live-three" });
  stage.controls.append(sliders);
  const share = (value) => `${number(100 * value, 0)} %`;
  stage.range("contrast", { label: "contrast", min: 0, max: 1, step: 0.05, standard: 1, show: share, into: sliders });
  stage.range("noise", { label: "noise", min: 0, max: 0.5, step: 0.05, standard: 0, show: (v) => number(v, 2), into: sliders });
  stage.range("shift", { label: "shift, in pixels", min: 0, max: 6, step: 1, standard: 0, into: sliders });

  const words = { others: "twelve other real digits", same: "the same twelve digits", medians: "the medians of the ten classes, two of them twice" };
  return () => {
    const pile = changed();
    found = distance(pile);
    lower.forEach(({ show }, i) => show(pile[i]));
    const marks = [
      stage.get("contrast") < 1 ? `at ${share(stage.get("contrast"))} contrast` : "",
      stage.get("noise") ? "with noise" : "",
      stage.get("shift") ? `${stage.get("shift")} pixels to the right` : "",
    ].filter(Boolean);
    name.textContent = [words[stage.get("pile")], ...marks].join(", ");
    const gap = found.mean - floor;
    const verdict =
      Math.abs(gap) < 0.05 ? "which is the floor: what two piles of real digits are apart"
      : gap < 0 ? `below the floor of ${number(floor)}: nearer than other real digits are`
      : `above the floor of ${number(floor)}`;
    return `The cheapest pairing costs ${number(found.mean)} a pair, ${verdict}.`;
  };
});
