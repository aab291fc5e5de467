// What every page shares: theme choice, menus that close, messages that can be dismissed, news of a lost connection.
(() => {
  const root = document.documentElement;

  const showTheme = () => {
    const theme = root.dataset.theme || "auto";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    }
  };

  const chooseTheme = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      if (theme === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // The choice then holds for this page only.
    }
    showTheme();
  };

  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-theme-choice]");
    if (choice) chooseTheme(choice.dataset.themeChoice);
    event.target.closest("[data-dismiss]")?.closest(".flash")?.remove();
    if (event.target.closest("[data-print]")) window.print();
    for (const menu of document.querySelectorAll("[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // A form that asks first: <form data-ask="Remove Ada?">.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.ask || event.target.dataset.ask;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // htmx could not reach the server at all: say so where messages stand.
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(failure, () => {
      const flash = document.createElement("div");
      flash.className = "flash";
      flash.dataset.level = "error";
      const says = document.createElement("p");
      says.textContent = document.body.dataset.saysOffline;
      flash.append(document.createElement("span"), says);
      document.getElementById("flashes").replaceChildren(flash);
    });
  }

  showTheme();
})();
