// Light, dark, high contrast, compact: kept in a cookie, so that the next page is drawn right from the start.

const YEAR = 31536000;

function looks() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith("zena_look="));
  return new Set((found?.slice(10) ?? "").split(".").filter(Boolean));
}

function apply(words) {
  const root = document.documentElement;
  root.dataset.theme = words.has("light") ? "light" : words.has("dark") ? "dark" : "system";
  root.toggleAttribute("data-contrast", words.has("contrast"));
  if (words.has("contrast")) root.dataset.contrast = "more";
  root.toggleAttribute("data-density", words.has("compact"));
  if (words.has("compact")) root.dataset.density = "compact";
  for (const button of document.querySelectorAll("[data-look]")) {
    const word = button.dataset.look;
    const on = word === "system" ? root.dataset.theme === "system" : words.has(word);
    button.setAttribute("aria-pressed", String(on));
  }
}

export function startTheme() {
  document.addEventListener("click", (event) => {
    const word = event.target.closest?.("[data-look]")?.dataset.look;
    if (!word) return;
    const words = looks();
    if (word === "contrast" || word === "compact") {
      words.delete(word) || words.add(word);
    } else {
      words.delete("light");
      words.delete("dark");
      if (word !== "system") words.add(word);
    }
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `zena_look=${[...words].join(".")}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
    apply(words);
  });
}
