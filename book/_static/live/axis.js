// A direction through ten points: what it keeps and what it loses as it turns.
"use strict";

linvaeLive.figure("axis", (stage, data) => {
  const { number } = linvaeLive;
  const { points } = data;
  const mean = [0, 1].map((i) => points.reduce((sum, point) => sum + point[i], 0) / points.length);
  const centred = points.map((point) => point.map((value, i) => value - mean[i]));
  const total = centred.reduce((sum, [a, b]) => sum + a * a + b * b, 0) / points.length;

  const along = (degrees) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  function kept(degrees) {
    const [c, s] = along(degrees);
    return centred.reduce((sum, [a, b]) => sum + (a * c + b * s) ** 2, 0) / points.length;
  }

  // Of the covariance's two axes, the longer.
  const [xx, xy, yy] = [[0, 0], [0, 1], [1, 1]].map(([i, j]) =>
    centred.reduce((sum, point) => sum + point[i] * point[j], 0) / points.length,
  );
  const best = (Math.atan2(2 * xy, xx - yy) * 90) / Math.PI;

  // -- the points, seen from their mean

  const REACH = 6.4;
  const cloud = stage.plot("ten points, a line through their mean, and where each point lands on it", (w) => 0.85 * w, (pen, w, h) => {
    const place = ([a, b]) => [w / 2 + (a * w) / (2 * REACH), h / 2 - (b * w) / (2 * REACH)];
    const line = (from, to, color, width) => {
      pen.strokeStyle = color;
      pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(...place(from));
      pen.lineTo(...place(to));
      pen.stroke();
    };
    const [c, s] = along(stage.get("angle"));
    const far = 1.6 * REACH;
    line([-far * c, -far * s], [far * c, far * s], stage.color("blue"), 2);
    const landed = centred.map(([a, b]) => [(a * c + b * s) * c, (a * c + b * s) * s]);
    centred.forEach((point, i) => line(point, landed[i], stage.color("orange"), 2));
    centred.forEach((point, i) => {
      pen.fillStyle = stage.color("blue");
      const [x, y] = place(landed[i]);
      pen.fillRect(x - 3.5, y - 3.5, 7, 7);
      pen.fillStyle = stage.color("ink");
      pen.beginPath();
      pen.arc(...place(point), 5, 0, 2 * Math.PI);
      pen.fill();
    });
  });
  stage.drag(cloud, (x, y) => {
    const { clientWidth: w, clientHeight: h } = cloud.canvas;
    const degrees = (Math.atan2(h / 2 - y, x - w / 2) * 180) / Math.PI;
    stage.set("angle", Math.round((degrees + 360) % 180));
  });

  // -- the two shares over all directions

  const curves = stage.plot("kept and lost over the direction of the line", (w) => Math.max(230, 0.72 * w), (pen, w, h) => {
    const [left, right, top, bottom] = [14, 14, 30, 46];
    const x = (degrees) => left + (degrees / 180) * (w - left - right);
    const y = (value) => h - bottom - (value / total) * (h - top - bottom);
    const curve = (value, color) => {
      pen.strokeStyle = color;
      pen.lineWidth = 2.5;
      pen.beginPath();
      for (let d = 0; d <= 180; d++) pen.lineTo(x(d), y(value(d)));
      pen.stroke();
    };
    pen.strokeStyle = stage.color("line");
    pen.lineWidth = 1;
    for (const value of [0, total]) {
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(w - right, y(value));
      pen.stroke();
    }
    pen.fillStyle = stage.color("muted");
    pen.textAlign = "left";
    pen.fillText(`kept + lost: always ${number(total, 2)}`, left, top - 10);
    pen.textAlign = "center";
    for (const d of [0, 45, 90, 135, 180]) pen.fillText(`${d}°`, x(d) + (d === 0 ? 6 : d === 180 ? -12 : 0), h - bottom + 18);
    pen.fillText("direction of the line", w / 2, h - 8);
    const now = stage.get("angle");
    pen.beginPath();
    pen.moveTo(x(now), y(0));
    pen.lineTo(x(now), y(total));
    pen.stroke();
    curve(kept, stage.color("blue"));
    curve((d) => total - kept(d), stage.color("orange"));
    for (const [name, value, color] of [["kept", kept, "blue"], ["lost", (d) => total - kept(d), "orange"]]) {
      pen.fillStyle = stage.color(color);
      pen.beginPath();
      pen.arc(x(now), y(value(now)), 6, 0, 2 * Math.PI);
      pen.fill();
      pen.textAlign = "center";
      pen.fillText(name, x(best), y(value(best)) + (name === "kept" ? 24 : -14));
    }
  }, stage.controls);

  stage.range("angle", { label: "direction of the line", min: 0, max: 180, step: 1, standard: 100, show: (d) => `${d}°` });

  return () => {
    const now = stage.get("angle");
    const lost = total - kept(now);
    const least = total - kept(best);
    const first = `At ${now} degrees the line keeps ${number(kept(now), 2)} and loses ${number(lost, 2)}.`;
    return Math.abs(now - best) < 0.5
      ? `${first} This is PCA’s direction, to the degree: no line through the mean loses less.`
      : `${first} PCA’s direction, at ${number(best)} degrees, loses ${number(least, 2)}.`;
  };
});
