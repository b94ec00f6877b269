for (const card of document.querySelectorAll(".pictures")) {
  const data = JSON.parse(card.querySelector("script").textContent);
  const select = card.querySelector("select");
  const [head, body] = [card.querySelector("thead"), card.querySelector("tbody")];
  let [column, direction] = [0, 1];

  data.metrics.forEach((metric, index) => select.add(new Option(metric.name, index)));
  const value = (picture, method) => {
    const stored = data.values[method][select.value][picture];
    return stored === null ? NaN : Number(stored);
  };
  const shown = (number, digits) => (isNaN(number) ? "" : isFinite(number) ? number.toFixed(digits) : "\u221e");
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, set] of Object.entries(attributes)) made.setAttribute(key, set);
    return made;
  };

  const viewer = viewers.get(card.closest(".board").querySelector(".viewer"));

  /** A row's name; that of a picture which can be looked at leads to it. */
  function named(name) {
    const scene = viewer?.scenes.findIndex((template) => template.dataset.name === name) ?? -1;
    const cell = element("th", scene < 0 ? name : "", {scope: "row"});
    if (scene < 0) return cell;
    cell.append(element("button", name, {type: "button"}));
    cell.firstChild.addEventListener("click", () => {
      viewer.showScene(scene);
      viewer.root.scrollIntoView({block: "start"});
      viewer.root.focus({preventScroll: true});
    });
    return cell;
  }

  function order(a, b) {
    if (column === 0) return direction * data.names[a].localeCompare(data.names[b], undefined, {numeric: true});
    const [x, y] = [value(a, column - 1), value(b, column - 1)];
    if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
    return x === y ? a - b : direction * (x < y ? -1 : 1);
  }

  function draw() {
    const row = element("tr", "");
    ["Picture", ...data.methods].forEach((name, index) => {
      const cell = element("th", "", {scope: "col"});
      if (index === column) cell.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      const button = cell.appendChild(element("button", name, {type: "button"}));
      button.addEventListener("click", () => {
        const falling = index === 0 || data.metrics[select.value].falling;
        direction = index === column ? -direction : falling ? 1 : -1;
        column = index;
        draw();
        head.querySelectorAll("button")[index].focus();
      });
      row.append(cell);
    });
    head.replaceChildren(row);
    const digits = data.metrics[select.value].digits;
    const lines = data.names.map((_, picture) => picture).sort(order).map((picture) => {
      const line = element("tr", "");
      line.append(named(data.names[picture]));
      data.methods.forEach((_, method) => line.append(element("td", shown(value(picture, method), digits))));
      return line;
    });
    body.replaceChildren(...lines);
  }

  select.addEventListener("change", draw);
  draw();
}
