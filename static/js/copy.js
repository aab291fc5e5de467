// <button data-copy="id" data-copied="Copied"> copies the text of that element: lists line by line, pairs as "name: value".
(() => {
  const textOf = (source) => {
    if (source.matches("[data-copy-pairs]")) {
      return [...source.children].map((pair) => [...pair.children].map((part) => part.textContent.trim()).join(": ")).join("\n");
    }
    if (source.matches("ul, ol")) return [...source.children].map((item) => item.textContent.trim()).join("\n");
    return source.textContent.trim();
  };

  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    // A warehouse often runs on plain http, where the clipboard interface is closed; the old way still works there.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? undefined : Promise.reject(new Error("copy refused"));
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await copy(textOf(source));
    } catch {
      window.getSelection().selectAllChildren(source);
      return;
    }
    const word = button.querySelector("[data-copy-word]");
    button.dataset.copyBefore ??= word.textContent;
    word.textContent = button.dataset.copied;
    button.classList.add("is-said");
    clearTimeout(Number(button.dataset.timer));
    button.dataset.timer = setTimeout(() => {
      word.textContent = button.dataset.copyBefore;
      button.classList.remove("is-said");
    }, 1600);
  });
})();
