// The threshold's slider, number and picture show the same value.
(() => {
  const part = document.querySelector("[data-threshold]");
  if (!part) return;
  const range = part.querySelector("[data-range]");
  const number = part.querySelector("[data-number]");
  const show = (value) => {
    const at = Math.max(0, Math.min(100, Math.round(Number(value) || 0)));
    part.querySelector("[data-ask-part]").setAttribute("width", `${at}%`);
    part.querySelector("[data-go-part]").setAttribute("x", `${at}%`);
    part.querySelector("[data-go-part]").setAttribute("width", `${100 - at}%`);
    for (const end of ["x1", "x2"]) part.querySelector("[data-at-part]").setAttribute(end, `${at}%`);
    return at;
  };
  range.addEventListener("input", () => {
    number.value = show(range.value);
  });
  number.addEventListener("input", () => {
    range.value = show(number.value);
  });
})();
