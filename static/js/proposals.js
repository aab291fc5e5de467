// One-tap proposals: a chip fills its field. A known product's name brings what else is known of the product along, and
// that goes back to what stood there before as soon as another name is pressed.
(() => {
  const form = document.querySelector("form[data-decide]");
  if (!form) return;
  const status = form.querySelector("[data-brought]");
  const chipsOf = (name) => [...form.querySelectorAll(`button[data-fill="${name}"]`)];
  const partOf = (name) => form.querySelector(`[data-field="${name}"]`);
  let brought = {}; // by field: what a chip has put there, and what stood there before

  const press = ({ name, value }) => {
    for (const chip of chipsOf(name)) chip.setAttribute("aria-pressed", String(chip.dataset.value === value));
  };

  const fill = (name, value) => {
    const field = form.elements[name];
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const say = (...parts) => {
    const label = (name) => partOf(name).querySelector(".label").textContent.trim();
    const told = parts.filter(([, names]) => names.length);
    status.textContent = told.map(([words, names]) => `${words} ${names.map(label).join(", ")}.`).join(" ");
  };

  const mark = () => {
    for (const part of form.querySelectorAll("[data-field]")) {
      part.toggleAttribute("data-filled", Boolean(brought[part.dataset.field]?.now));
    }
  };

  // What somebody typed gets a chip as well, before another value takes its place.
  const keepTyped = (chip, field) => {
    if (!field.value || chipsOf(field.name).some((other) => other.dataset.value === field.value)) return;
    const typed = chip.cloneNode(true);
    typed.dataset.value = field.value;
    delete typed.dataset.brings;
    for (const detail of typed.querySelectorAll("small")) detail.remove();
    typed.querySelector("span").textContent = field.value;
    chip.parentElement.append(typed);
  };

  const bring = (values) => {
    const back = Object.keys(brought).filter((name) => form.elements[name].value === brought[name].now);
    for (const name of back) fill(name, brought[name].before);
    brought = {};
    for (const [name, now] of Object.entries(values)) {
      const before = form.elements[name].value;
      if (before === now) continue;
      brought[name] = { now, before };
      fill(name, now);
    }
    const names = Object.keys(brought);
    say(
      [status.dataset.brought, names.filter((name) => brought[name].now)],
      [status.dataset.emptied, names.filter((name) => !brought[name].now)],
      [status.dataset.back, back.filter((name) => !brought[name])],
    );
    mark();
  };

  form.addEventListener("click", (event) => {
    const chip = event.target.closest('[data-fill]:not([data-fill=""])');
    if (!chip) return;
    const name = chip.dataset.fill;
    const own = JSON.parse(chip.parentElement.dataset.own);
    const isBack = chip.getAttribute("aria-pressed") === "true";
    if (isBack && own[name]) return; // it stands there already; only an empty field has no chip of its own
    keepTyped(chip, form.elements[name]);
    fill(name, isBack ? "" : chip.dataset.value);
    if (name === "name") bring(isBack ? {} : JSON.parse(chip.dataset.brings || "{}"));
  });

  form.addEventListener("input", (event) => press(event.target));

  // A page that comes back with a mistake, or out of the browser's memory, knows what its name has brought along.
  window.addEventListener("pageshow", () => {
    form.querySelectorAll(".input").forEach(press);
    const chip = chipsOf("name").find((other) => other.dataset.brings && other.getAttribute("aria-pressed") === "true");
    if (!chip || Object.keys(brought).length) return;
    const own = JSON.parse(chip.parentElement.dataset.own);
    for (const [name, now] of Object.entries(JSON.parse(chip.dataset.brings))) {
      if (form.elements[name].value === now && own[name] !== now) brought[name] = { now, before: own[name] };
    }
    mark();
  });
})();
